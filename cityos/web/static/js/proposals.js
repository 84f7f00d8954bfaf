// Proposals that wait for a person: what is proposed, for where, and on what evidence.

import { city, entity, on, select } from "./city.js";
import { decidedCards } from "./decided.js";
import { openDecision } from "./decision.js";
import { byId, h, setText } from "./dom.js";
import { exerciseRows } from "./exercises.js";
import { nameLanguage, nameOf, number, onLanguage, t, time } from "./language.js";
import { levelMark, markState } from "./level-mark.js";
import { isExercise, session, signedIn } from "./official-session.js";
import { hazardAndArea, occasionName, orderName } from "./order-words.js";
import { forgetPresent, present, startPresent } from "./present.js";
import { forDisplay } from "./units.js";

const evidenceOpen = new Map(); // what the official has opened or closed, by proposal
let known = new Set();
let shownBefore = "";

export function startProposals() {
  on("session", render);
  on("proposals", render);
  on("alerts", render);
  on("entities", render);
  startPresent();
  onLanguage(render);
}

function render() {
  const block = byId("decisions");
  block.hidden = !signedIn();
  const fingerprint = JSON.stringify([
    document.documentElement.lang,
    signedIn(),
    session.proposals,
    session.decided,
    session.failed,
    city.exercise,
    city.loaded, // evidence names the gauges that the page knows
  ]);
  if (fingerprint === shownBefore) return;
  shownBefore = fingerprint;
  forgetPresent();
  if (!signedIn()) {
    known = new Set();
    block.replaceChildren();
    return;
  }
  announceNew(session.proposals ?? []);
  const control = document.activeElement?.getAttribute("data-control");
  block.replaceChildren(
    h(
      "h2",
      { class: "block-title", tabindex: "-1", "data-control": "decisions" },
      t("decisions.title"),
    ),
    ...content(),
  );
  if (control) block.querySelector(`[data-control="${CSS.escape(control)}"]`)?.focus();
}

function content() {
  const parts = session.failed ? [h("p", { class: "form-error" }, t("decisions.failed"))] : [];
  const proposals = [...(session.proposals ?? [])].sort(
    (a, b) => isExercise(a) - isExercise(b) || b.assessment.level - a.assessment.level,
  );
  const real = proposals.filter((proposal) => !isExercise(proposal)).length;
  if (proposals.length === 0 && !session.failed) {
    parts.push(h("p", { class: "empty" }, t("decisions.none")));
  }
  const cards = proposals.map(card);
  cards.splice(real, 0, ...exerciseRows()); // what is real comes first
  return [...parts, ...cards, ...decidedCards()];
}

function announceNew(proposals) {
  const fresh = proposals.filter((proposal) => !known.has(proposal.id));
  const first = known.size === 0;
  known = new Set(proposals.map((proposal) => proposal.id));
  for (const id of evidenceOpen.keys()) if (!known.has(id)) evidenceOpen.delete(id);
  if (fresh.length > 0 && !first) setText(byId("announcer"), t("decisions.new"));
}

function card(proposal) {
  const { assessment } = proposal;
  const exercise = isExercise(proposal);
  const title = `proposal-${proposal.id}`;
  return h(
    "article",
    { class: `proposal ${exercise ? "is-exercise" : "is-actual"}`, "aria-labelledby": title },
    h("p", { class: "proposal-occasion" }, occasionName(proposal)),
    h(
      "h3",
      { id: title },
      levelMark(markState(assessment.level), "is-large"),
      h(
        "span",
        {},
        h("span", { class: "visually-hidden" }, `${t("alerts.level")} ${assessment.level}: `),
        orderName(assessment),
        h("small", {}, hazardAndArea(assessment)),
      ),
    ),
    h("p", { lang: nameLanguage(assessment.reason) }, nameOf(assessment.reason)),
    present(proposal),
    evidence(proposal),
    h(
      "p",
      { class: "note" },
      t("decisions.proposed", {
        service: proposal.service,
        time: time(new Date(proposal.created_at)),
      }),
      " · ",
      t("decisions.rule", { version: assessment.rule_version }),
    ),
    h(
      "div",
      { class: "proposal-actions" },
      h(
        "button",
        {
          type: "button",
          class: "button is-primary",
          "data-control": `approve-${proposal.id}`,
          onclick: () => openDecision(proposal, "approve"),
        },
        t("decisions.approve"),
      ),
      h(
        "button",
        {
          type: "button",
          class: "button",
          "data-control": `reject-${proposal.id}`,
          onclick: () => openDecision(proposal, "reject"),
        },
        t("decisions.reject"),
      ),
    ),
  );
}

/** Open for a single proposal; where many wait, the official opens what is of interest. */
function evidence({ id, assessment }) {
  const details = h(
    "details",
    {
      class: "evidence",
      open: evidenceOpen.get(id) ?? session.proposals.length === 1,
    },
    h(
      "summary",
      {
        "data-control": `evidence-${id}`,
        onclick: () => evidenceOpen.set(id, !details.open),
      },
      `${t("decisions.evidence")} (${assessment.evidence.length})`,
    ),
    h("ul", {}, ...assessment.evidence.map(evidenceItem)),
  );
  return details;
}

function evidenceItem(input) {
  const known = entity(input.source);
  const summary = h("span", { lang: nameLanguage(input.summary) }, nameOf(input.summary));
  return h(
    "li",
    {},
    levelMark(markState(input.level)),
    h(
      "div",
      {},
      known
        ? h(
            "button",
            { type: "button", class: "link-button", onclick: () => select(known.id) },
            summary,
          )
        : summary,
      h("small", {}, [measured(input), time(new Date(input.at))].filter(Boolean).join(" · ")),
      h("span", { class: "visually-hidden" }, t("decisions.alone", { level: input.level })),
    ),
  );
}

function measured({ value, threshold, unit }) {
  if (typeof value !== "number") return "";
  const shown = (amount) => {
    const display = forDisplay(amount, unit);
    return `${number(display.value, display.decimals)} ${display.unit}`;
  };
  const parts = [`${t("decisions.measured")} ${shown(value)}`];
  if (typeof threshold === "number") parts.push(`${t("decisions.threshold")} ${shown(threshold)}`);
  return parts.join(t("separator"));
}
