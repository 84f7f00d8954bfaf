// The first thing one reads: how the rivers stand, in one line, how many gauges are in each state,
// and what else the city has.

import { city, entitiesOf, on } from "./city.js";
import { byId, h } from "./dom.js";
import { gaugeState } from "./gauge-state.js";
import { holdings } from "./holdings.js";
import { onLanguage, t } from "./language.js";
import { levelMark, stateText } from "./level-mark.js";

export function startSummary() {
  on("readings", render);
  on("entities", render);
  on("alerts", render);
  on("connection", render);
  onLanguage(render);
}

/** Render again: readings grow old without any event. */
export function render() {
  const block = byId("summary");
  const gauges = entitiesOf("WaterLevelGauge");
  const states = gauges.map((gauge) => gaugeState(gauge));
  const statement = statementOf(gauges, states);
  block.replaceChildren(
    h("h2", { class: "block-title" }, t("summary.title")),
    h(
      "p",
      { class: `statement ${statement.look}` },
      h("strong", {}, statement.text),
      statement.detail && h("span", {}, statement.detail),
    ),
    ...(states.length > 0 ? [tally(states)] : []),
    holdings(),
    ...(ordersNote() ? [h("p", { class: "orders-note" }, ordersNote())] : []),
  );
}

function statementOf(gauges, states) {
  if (city.failed && !city.loaded) return { look: "is-stale", text: t("summary.failed") };
  if (!city.loaded) return { look: "is-stale", text: t("summary.waiting") };
  if (gauges.length === 0) {
    return { look: "is-stale", text: t("summary.empty"), detail: t("summary.empty.hint") };
  }
  const level = Math.max(...states.map((state) => state.level));
  if (level > 0) {
    const n = states.filter((state) => state.level === level).length;
    return {
      look: `level-${level}`,
      text: t("summary.level", { level }),
      detail: t(`summary.level.detail.${level}`, { n }),
    };
  }
  if (states.some((state) => state.kind === "normal")) {
    return { look: "is-normal", text: t("summary.normal") };
  }
  if (states.every((state) => state.kind === "none")) {
    return { look: "is-stale", text: t("summary.waiting") };
  }
  return { look: "is-stale", text: t("summary.stale") };
}

function tally(states) {
  const kinds = [5, 4, 3, 2, 1].map((level) => ({ kind: "level", level }));
  kinds.push({ kind: "normal", level: 0 }, { kind: "stale", level: 0 });
  const counted = kinds
    .map((state) => ({ state, n: states.filter((other) => matches(state, other)).length }))
    .filter(({ n }) => n > 0);
  return h(
    "ul",
    { class: "tally", "aria-label": t("summary.counts") },
    h("li", { class: "tally-title" }, t("holdings.rivers", { n: states.length })),
    ...counted.map(({ state, n }) =>
      h("li", {}, levelMark(state), h("span", {}, shortState(state)), h("b", {}, String(n))),
    ),
  );
}

function matches(state, other) {
  if (state.kind === "stale") return other.kind === "stale" || other.kind === "none";
  return state.kind === other.kind && state.level === other.level;
}

function shortState(state) {
  return state.kind === "level" ? t("state.level", { level: state.level }) : stateText(state);
}

function ordersNote() {
  if (city.actual === null || city.connection === "offline") return t("alerts.unknown");
  if (city.actual.length > 0) return "";
  return city.exercise?.length > 0 ? t("alerts.none_actual_exercise") : t("alerts.none");
}
