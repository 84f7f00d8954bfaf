// The last step before an order goes out: one page that says exactly what will happen.

import { errorLine, openDialog } from "./dialogs.js";
import { byId, h, setText } from "./dom.js";
import { nameLanguage, nameOf, t } from "./language.js";
import { levelMark, markState } from "./level-mark.js";
import { refreshAlerts } from "./live.js";
import { decide, isExercise, refreshProposals } from "./official-session.js";
import { hazardName, occasionName, orderName } from "./order-words.js";

const NOTE_LENGTH = 500;

/** `decision` is `approve` or `reject`. */
export function openDecision(proposal, decision) {
  const { assessment } = proposal;
  const form = new DecisionForm(proposal, decision);
  const down = decision === "approve" && assessment.level === 0;
  const title = t(down ? "decide.approve.down" : `decide.${decision}.title`);
  openDialog(byId("decision-dialog"), "decision-title", title, form.element);
  form.focus();
}

class DecisionForm {
  constructor(proposal, decision) {
    this.proposal = proposal;
    this.decision = decision;
    this.exercise = isExercise(proposal);
    this.error = errorLine();
    this.note = h("textarea", { id: "decision-note", rows: "3", maxlength: NOTE_LENGTH });
    this.checkbox = this.#needsCheck() ? h("input", { type: "checkbox" }) : null;
    this.submit = h("button", { type: "submit", class: "button is-primary" }, this.#label());
    this.cancel = h(
      "button",
      { type: "button", class: "button", onclick: () => byId("decision-dialog").close() },
      t("cancel"),
    );
    this.element = this.#build();
  }

  focus() {
    this.note.focus();
  }

  /** An actual order is confirmed by hand once more; a drill is not, so that the tick stays rare. */
  #needsCheck() {
    return this.decision === "approve" && !this.exercise;
  }

  #label() {
    if (this.decision === "reject") return t("decide.reject.do");
    const { level } = this.proposal.assessment;
    const key = level > 0 ? "decide.approve.do" : "decide.approve.do.down";
    return t(this.exercise ? `${key}.exercise` : key, { level });
  }

  #build() {
    const { assessment } = this.proposal;
    return h(
      "form",
      {
        class: `form decision ${this.exercise ? "is-exercise" : "is-actual"}`,
        novalidate: true,
        oninput: () => setText(this.error, ""),
        onsubmit: (event) => {
          event.preventDefault();
          void this.#send();
        },
      },
      h(
        "div",
        { class: "decision-what" },
        h("p", { class: "proposal-occasion" }, occasionName(this.proposal)),
        h(
          "p",
          { class: "decision-order" },
          levelMark(markState(assessment.level), "is-large"),
          h("strong", {}, orderName(assessment)),
        ),
        h(
          "dl",
          { class: "facts" },
          fact(t("decide.hazard"), hazardName(assessment.hazard)),
          fact(t("decide.area"), nameOf(assessment.area?.name)),
        ),
        h("p", { lang: nameLanguage(assessment.headline) }, nameOf(assessment.headline)),
      ),
      h("p", { class: "consequence" }, this.#consequence()),
      h("label", { for: "decision-note" }, t(`decide.note.${this.decision}`)),
      this.note,
      this.checkbox
        && h("label", { class: "check" }, this.checkbox, h("span", {}, t("decide.actual.check"))),
      this.error,
      h("div", { class: "dialog-actions" }, this.submit, this.cancel),
    );
  }

  #consequence() {
    if (this.decision === "reject") {
      const down = this.proposal.assessment.level === 0;
      return t(down ? "decide.reject.what.down" : "decide.reject.what");
    }
    return t(this.exercise ? "decide.approve.exercise" : "decide.approve.what");
  }

  async #send() {
    const note = this.note.value.trim();
    if (this.decision === "reject" && !note) {
      setText(this.error, t("decide.note.missing"));
      this.note.focus();
      return;
    }
    if (this.checkbox && !this.checkbox.checked) {
      setText(this.error, t("decide.actual.missing"));
      this.checkbox.focus();
      return;
    }
    setText(this.error, "");
    this.submit.disabled = true;
    setText(this.submit, t("decide.busy"));
    try {
      await decide(this.proposal, this.decision, note);
      this.#done();
    } catch (failure) {
      setText(this.error, t(reasonOf(failure)));
      this.submit.disabled = failure.status === 409;
      setText(this.submit, this.#label());
    }
    void refreshProposals();
    refreshAlerts().catch(() => {}); // the next turn of the live loop asks again
  }

  #done() {
    byId("decision-dialog").close(); // its button is about to go: the focus stays near it
    byId("decisions").querySelector("h2")?.focus();
    const key = this.decision === "approve" ? "decide.approved" : "decide.rejected";
    setText(byId("announcer"), t(key));
  }
}

/** No answer does not mean that nothing happened: the order may have gone out. */
function reasonOf(failure) {
  if (failure.status === 409) return "decide.conflict";
  if (failure.status === 401) return "officials.key.refused";
  if (failure.status === 403) return "officials.key.forbidden";
  return failure.status === 0 ? "decide.unsure" : "decide.failed";
}

function fact(term, text) {
  return h("div", {}, h("dt", {}, term), h("dd", {}, text));
}
