// An official ends an order in force, whatever the rules say: one page that says what will happen.

import { alertLevel } from "./levels.js";
import { errorLine, openDialog } from "./dialogs.js";
import { byId, h, setText } from "./dom.js";
import { t } from "./language.js";
import { levelMark, markState } from "./level-mark.js";
import { refreshAlerts } from "./live.js";
import { endOrder, isExercise, refreshProposals } from "./official-session.js";
import { hazardAndArea, occasionName, orderName } from "./order-words.js";

const REASON_LENGTH = 500;
const FAILURES = {
  0: "decide.unsure",
  401: "officials.key.refused",
  403: "officials.key.forbidden",
  409: "end.conflict",
};

/** `info` is the part of the alert that the page shows. */
export function openEnding(alert, info) {
  const form = endingForm(alert, info);
  openDialog(byId("decision-dialog"), "decision-title", t("end.title"), form);
  form.querySelector("textarea").focus();
}

function endingForm(alert, info) {
  const exercise = isExercise(alert);
  const level = alertLevel(alert);
  const label = t(exercise ? "end.do.exercise" : "end.do");
  const parts = {
    alert,
    label,
    error: errorLine(),
    reason: h("textarea", { id: "end-reason", rows: "3", maxlength: REASON_LENGTH }),
    check: exercise ? null : h("input", { type: "checkbox" }),
    submit: h("button", { type: "submit", class: "button is-primary" }, label),
  };
  const close = () => byId("decision-dialog").close();
  return h(
    "form",
    {
      class: `form decision ${exercise ? "is-exercise" : "is-actual"}`,
      novalidate: true,
      oninput: () => setText(parts.error, ""),
      onsubmit: (event) => {
        event.preventDefault();
        void send(parts);
      },
    },
    h(
      "div",
      { class: "decision-what" },
      h("p", { class: "proposal-occasion" }, occasionName(alert)),
      h(
        "p",
        { class: "decision-order" },
        levelMark(markState(level), "is-large"),
        h("strong", {}, orderName({ level })),
      ),
      h("p", {}, hazardAndArea({ hazard: info.hazard, area: info.areas?.[0] })),
    ),
    h("p", { class: "consequence" }, t(exercise ? "end.what.exercise" : "end.what")),
    h("p", { class: "note" }, t("end.after")),
    h("label", { for: "end-reason" }, t("end.reason")),
    parts.reason,
    parts.check && h("label", { class: "check" }, parts.check, h("span", {}, t("end.check"))),
    parts.error,
    h(
      "div",
      { class: "dialog-actions" },
      parts.submit,
      h("button", { type: "button", class: "button", onclick: close }, t("cancel")),
    ),
  );
}

async function send({ alert, label, error, reason, check, submit }) {
  const text = reason.value.trim();
  const missing = !text ? [reason, "decide.note.missing"] : [check, "decide.actual.missing"];
  if (!text || (check && !check.checked)) {
    setText(error, t(missing[1]));
    missing[0].focus();
    return;
  }
  setText(error, "");
  submit.disabled = true;
  setText(submit, t("decide.busy"));
  try {
    await endOrder(alert, text);
    byId("decision-dialog").close(); // its button is about to go: the focus stays near it
    byId("decisions").querySelector("h2")?.focus();
    setText(byId("announcer"), t("end.done"));
  } catch (failure) {
    setText(error, t(FAILURES[failure.status] ?? "end.failed"));
    submit.disabled = failure.status === 409;
    setText(submit, label);
  }
  void refreshProposals();
  refreshAlerts().catch(() => {}); // the next turn of the live loop asks again
}
