// What the city has to measure with and to flee to: a line a kind, and which sensors are silent.

import { city, entitiesOf, reading } from "./city.js";
import { h } from "./dom.js";
import { gaugeState, isStale } from "./gauge-state.js";
import { ago, nameOf, number, t } from "./language.js";
import { levelMark } from "./level-mark.js";
import { MAIN_PROPERTY } from "./levels.js";
import { sign } from "./signs.js";

const NAMED = 3; // silent sensors; of more than that the lists tell
const GAUGES = ["WaterLevelGauge", "RainGauge"];

/** The lines, of what is there. */
export function holdings() {
  const lines = [rainLine(), siteLine(), silentLine()].filter(Boolean);
  return h("ul", { class: "holdings" }, ...lines);
}

function rainLine() {
  const gauges = entitiesOf("RainGauge");
  if (gauges.length === 0) return null;
  const wettest = gauges
    .map((gauge) => ({ gauge, state: gaugeState(gauge), own: reading(gauge.id, MAIN_PROPERTY.RainGauge) }))
    .filter(({ state }) => state.kind === "normal" || state.kind === "level")
    .sort((a, b) => b.own.value - a.own.value)[0];
  const count = t("holdings.rain", { n: gauges.length });
  if (!wettest) return h("li", {}, levelMark({ kind: "stale", level: 0 }), h("span", {}, count));
  const { gauge, state, own } = wettest;
  const facts = { amount: number(own.value, 1), name: nameOf(gauge.name) };
  const most = own.value > 0 ? t("holdings.rain.most", facts) : t("holdings.rain.dry");
  return h("li", {}, levelMark(state), h("span", {}, count, h("small", {}, most)));
}

function siteLine() {
  const n = entitiesOf("EvacuationSite").length;
  return n > 0 && h("li", {}, sign("site"), h("span", {}, t("holdings.sites", { n })));
}

function silentLine() {
  const silent = silentThings();
  if (silent.length === 0) return null;
  const names = silent.slice(0, NAMED).map(({ thing, own }) =>
    t("holdings.silent.one", { name: nameOf(thing.name), since: own ? ago(own.at) : t("state.none") }),
  );
  const rest = silent.length - names.length;
  if (rest > 0) names.push(t("alerts.more", { n: rest }));
  return h(
    "li",
    { class: "is-stale" },
    levelMark({ kind: "stale", level: 0 }),
    h("span", {}, t("holdings.silent", { n: silent.length }), h("small", {}, names.join(t("separator")))),
  );
}

/**
 * Gauges, and places that did speak once, silent for longer than they may be: the longest first.
 * Not vehicles: they rest at night.
 */
function silentThings() {
  if (!city.lastReadingAt) return []; // nothing has been asked yet, or nothing ever spoke
  return [...GAUGES, "Building"]
    .flatMap((type) => entitiesOf(type))
    .map((thing) => ({ thing, own: reading(thing.id, MAIN_PROPERTY[thing.type]) }))
    .filter(({ thing, own }) => (own ? isStale(thing, own) : GAUGES.includes(thing.type)))
    .sort((a, b) => (a.own?.at ?? 0) - (b.own?.at ?? 0));
}
