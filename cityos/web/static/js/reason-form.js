// What an official does with a reason, other than to answer a proposal: one page that says what will
// happen, and sends it.

import { errorLine, openDialog } from "./dialogs.js";
import { byId, h, setText } from "./dom.js";
import { t } from "./language.js";
import { refreshAlerts } from "./live.js";
import { isExercise, refreshProposals } from "./official-session.js";
import { occasionName } from "./order-words.js";

const REASON_LENGTH = 500;
const FAILURES = {
  401: "officials.key.refused",
  403: "officials.key.forbidden",
};

/**
 * `subject` says of which occasion it is; `what` are nodes that name it. The rest are texts:
 * `consequence` and `after` tell what happens, `check` is what has to be ticked and may be empty,
 * `failures` has the keys of texts by HTTP status. A reason is required unless `optional`.
 * `send` gets the reason and raises ApiError.
 */
export function openReasonForm(words) {
  const parts = {
    words,
    error: errorLine(),
    reason: h("textarea", { id: "reason", rows: "3", maxlength: REASON_LENGTH }),
    check: words.check ? h("input", { type: "checkbox" }) : null,
    submit: h("button", { type: "submit", class: "button is-primary" }, words.label),
  };
  openDialog(byId("decision-dialog"), "decision-title", words.title, form(parts));
  parts.reason.focus();
}

function form(parts) {
  const { words, error, reason, check, submit } = parts;
  const close = () => byId("decision-dialog").close();
  return h(
    "form",
    {
      class: `form decision ${isExercise(words.subject) ? "is-exercise" : "is-actual"}`,
      novalidate: true,
      oninput: () => setText(error, ""),
      onsubmit: (event) => {
        event.preventDefault();
        void send(parts);
      },
    },
    h(
      "div",
      { class: "decision-what" },
      h("p", { class: "proposal-occasion" }, occasionName(words.subject)),
      ...words.what,
    ),
    h("p", { class: "consequence" }, words.consequence),
    h("p", { class: "note" }, words.after),
    h("label", { for: "reason" }, words.reason),
    reason,
    check && h("label", { class: "check" }, check, h("span", {}, words.check)),
    error,
    h(
      "div",
      { class: "dialog-actions" },
      submit,
      h("button", { type: "button", class: "button", onclick: close }, t("cancel")),
    ),
  );
}

async function send({ words, error, reason, check, submit }) {
  const text = reason.value.trim();
  const isMissing = !text && !words.optional;
  if (isMissing || (check && !check.checked)) {
    setText(error, t(isMissing ? "decide.note.missing" : "decide.actual.missing"));
    (isMissing ? reason : check).focus();
    return;
  }
  setText(error, "");
  submit.disabled = true;
  setText(submit, t("decide.busy"));
  try {
    await words.send(text);
    byId("decision-dialog").close(); // its button is about to go: the focus stays near it
    byId("decisions").querySelector("h2")?.focus();
    setText(byId("announcer"), words.done);
  } catch (failure) {
    const { status } = failure;
    setText(error, t(words.failures[status] ?? FAILURES[status] ?? words.failures.other));
    submit.disabled = status === 409;
    setText(submit, words.label);
  }
  void refreshProposals();
  refreshAlerts().catch(() => {}); // the next turn of the live loop asks again
}
