// The exercises that have something to decide or in force, each with its end.

import { city } from "./city.js";
import { h } from "./dom.js";
import { t } from "./language.js";
import { endExercise, isExercise, session } from "./official-session.js";
import { occasionName, PRACTICE_RUN } from "./order-words.js";
import { openReasonForm } from "./reason-form.js";

export function exerciseRows() {
  const found = [...underWay().values()];
  if (found.length === 0) return [];
  found.sort((a, b) => a.subject.run.localeCompare(b.subject.run));
  return [
    h("ul", { class: "exercises", "aria-label": t("exercise.title") }, ...found.map(row)),
  ];
}

/** By name: how much waits and stands. Alerts of other authorities are not the city's to end. */
function underWay() {
  const found = new Map();
  const entry = (subject) => {
    const { run } = subject;
    if (!found.has(run)) found.set(run, { subject, waiting: 0, standing: 0 });
    return found.get(run);
  };
  for (const proposal of (session.proposals ?? []).filter(isExercise)) entry(proposal).waiting += 1;
  for (const proposal of session.decided.filter(isExercise)) entry(proposal);
  for (const alert of (city.exercise ?? []).filter(isOurs)) entry(alert).standing += 1;
  return found;
}

function isOurs({ infos }) {
  return (infos ?? []).some((info) => info.parameters?.situation !== undefined);
}

function row(found) {
  const { subject, waiting, standing } = found;
  return h(
    "li",
    { class: "is-exercise" },
    h("p", {}, occasionName(subject), h("small", {}, t("exercise.counts", { waiting, standing }))),
    h(
      "button",
      {
        type: "button",
        class: "button",
        "data-control": `end-exercise-${subject.run}`,
        onclick: () => openEnd(found),
      },
      t("exercise.end"),
    ),
  );
}

function openEnd({ subject, waiting, standing }) {
  const practice = subject.run === PRACTICE_RUN;
  openReasonForm({
    subject,
    title: t("exercise.end.title"),
    what: [h("p", {}, t("exercise.counts", { waiting, standing }))],
    consequence: t("exercise.end.what"),
    after: t(practice ? "exercise.end.after.practice" : "exercise.end.after"),
    reason: t("exercise.end.reason"),
    optional: true,
    label: t("exercise.end.do"),
    done: t("exercise.end.done"),
    failures: { other: "exercise.end.failed" },
    send: (reason) => endExercise(subject.run, reason),
  });
}
