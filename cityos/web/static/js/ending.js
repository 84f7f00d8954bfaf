// An official ends an order in force, whatever the rules say.

import { h } from "./dom.js";
import { t } from "./language.js";
import { levelMark, markState } from "./level-mark.js";
import { alertLevel } from "./levels.js";
import { endOrder, isExercise } from "./official-session.js";
import { hazardAndArea, orderName } from "./order-words.js";
import { openReasonForm } from "./reason-form.js";

/** `info` is the part of the alert that the page shows. */
export function openEnding(alert, info) {
  const exercise = isExercise(alert);
  const level = alertLevel(alert);
  openReasonForm({
    subject: alert,
    title: t("end.title"),
    what: [
      h(
        "p",
        { class: "decision-order" },
        levelMark(markState(level), "is-large"),
        h("strong", {}, orderName({ level })),
      ),
      h("p", {}, hazardAndArea({ hazard: info.hazard, area: info.areas?.[0] })),
    ],
    consequence: t(exercise ? "end.what.exercise" : "end.what"),
    after: t("end.after"),
    reason: t("end.reason"),
    check: exercise ? "" : t("end.check"),
    label: t(exercise ? "end.do.exercise" : "end.do"),
    done: t("end.done"),
    failures: { 0: "decide.unsure", 409: "end.conflict", other: "end.failed" },
    send: (reason) => endOrder(alert, reason),
  });
}
