// Decisions that left a danger without an order: an official may have it assessed again.

import { h } from "./dom.js";
import { t, time } from "./language.js";
import { levelMark, markState } from "./level-mark.js";
import { isExercise, reassess, session } from "./official-session.js";
import { hazardAndArea, occasionName, orderName } from "./order-words.js";
import { openReasonForm } from "./reason-form.js";

export function decidedCards() {
  if (session.decided.length === 0) return [];
  const decided = [...session.decided].sort((a, b) => isExercise(a) - isExercise(b));
  return [h("h3", { class: "decided-title" }, t("decided.title")), ...decided.map(card)];
}

function card(proposal) {
  const title = `decided-${proposal.id}`;
  const note = proposal.decision_note;
  return h(
    "article",
    {
      class: `decided ${isExercise(proposal) ? "is-exercise" : "is-actual"}`,
      "aria-labelledby": title,
    },
    h("p", { class: "proposal-occasion" }, occasionName(proposal)),
    h("h4", { id: title }, ...subject(proposal)),
    h("p", { class: "note" }, whatBecameOfIt(proposal)),
    note && h("p", { class: "note" }, t("decided.reason", { note })),
    h(
      "div",
      { class: "proposal-actions" },
      h(
        "button",
        {
          type: "button",
          class: "button",
          "data-control": `again-${proposal.id}`,
          onclick: () => openReassessment(proposal),
        },
        t("again.button"),
      ),
    ),
  );
}

function subject({ assessment }) {
  return [
    levelMark(markState(assessment.level), "is-large"),
    h("span", {}, orderName(assessment), h("small", {}, hazardAndArea(assessment))),
  ];
}

function whatBecameOfIt({ state, assessment, decided_at: at, decided_by: by }) {
  const values = { time: time(new Date(at)), by };
  if (state === "rejected") return t("decided.rejected", values);
  return t(assessment.level > 0 ? "decided.lapsed" : "decided.ended", values);
}

function openReassessment(proposal) {
  openReasonForm({
    subject: proposal,
    title: t("again.title"),
    what: [
      h("p", { class: "decision-order" }, ...subject(proposal)),
      h("p", {}, whatBecameOfIt(proposal)),
    ],
    consequence: t("again.what"),
    after: t("again.after"),
    reason: t("again.reason"),
    label: t("again.do"),
    done: t("again.done"),
    failures: { 0: "again.unsure", 409: "again.conflict", other: "again.failed" },
    send: (reason) => reassess(proposal, reason),
  });
}
