// River levels and rainfall as lists: worst first, each row a button that opens the details.

import { city, entitiesOf, on, reading, samplesOf, select } from "./city.js";
import { byId, h, setText } from "./dom.js";
import { gaugeState, isStale } from "./gauge-state.js";
import { icon } from "./icons.js";
import { ago, nameLanguage, nameOf, number, onLanguage, riverOf, t, time } from "./language.js";
import { setLevelMark, stateText } from "./level-mark.js";
import { MAIN_PROPERTY, thresholdsOf } from "./levels.js";
import { forDisplay } from "./units.js";

const LISTS = [
  { block: "gauges", type: "WaterLevelGauge", title: "gauges.title" },
  { block: "rain", type: "RainGauge", title: "rain.title" },
];
const rows = new Map();

export function startGaugeLists() {
  on("entities", build);
  on("readings", update);
  on("selection", update);
  onLanguage(build);
}

function build() {
  const focused = [...rows.values()].find((row) => row.button === document.activeElement);
  rows.clear();
  for (const { block, type, title } of LISTS) {
    const gauges = entitiesOf(type);
    const element = byId(block);
    element.hidden = gauges.length === 0;
    if (gauges.length === 0) {
      element.replaceChildren();
      continue;
    }
    const list = h("ul", { class: "rows" });
    element.replaceChildren(
      h(
        "h2",
        { class: "block-title" },
        t(title),
        h("span", { class: "block-count" }, t("gauges.count", { n: gauges.length })),
      ),
      list,
    );
    for (const gauge of gauges) rows.set(gauge.id, buildRow(gauge, list));
  }
  update();
  if (focused) rows.get(focused.gauge.id)?.button.focus({ preventScroll: true });
}

function buildRow(gauge, list) {
  const mark = h("span", { "aria-hidden": "true" });
  const state = h("span", { class: "visually-hidden" });
  const value = h("b", { class: "row-value" });
  const trend = h("span", { class: "row-trend" });
  const note = h("span", { class: "row-note" });
  const at = h("span", { class: "row-time" });
  const thresholds = thresholdsOf(gauge);
  const needle = h("span", { class: "ruler-needle" });
  const river = riverOf(gauge);
  const button = h(
    "button",
    { type: "button", class: "row", onclick: () => select(gauge.id) },
    mark,
    h(
      "span",
      { class: "row-name" },
      h("span", { lang: nameLanguage(gauge.name) }, nameOf(gauge.name)),
      river && h("small", { lang: nameLanguage(river) }, nameOf(river)),
    ),
    state,
    value,
    thresholds.length > 0 ? ruler(thresholds, needle) : h("span", { class: "ruler is-empty" }),
    h("span", { class: "row-meta" }, trend, note, at),
  );
  list.append(h("li", {}, button));
  return { gauge, button, mark, state, value, trend, note, at, thresholds, needle, list };
}

/** A bar from nothing to a little above the highest threshold, coloured like the levels. */
function ruler(thresholds, needle) {
  const top = thresholds.at(-1).value * 1.12;
  const zones = thresholds.map((threshold) => {
    const zone = h("span", { class: `ruler-zone level-${threshold.level}` });
    zone.style.setProperty("--from", threshold.value / top);
    return zone;
  });
  return h("span", { class: "ruler", "aria-hidden": "true" }, ...zones, needle);
}

function update() {
  for (const row of rows.values()) updateRow(row);
  for (const list of new Set([...rows.values()].map((row) => row.list))) sortRows(list);
}

function updateRow(row) {
  const { gauge } = row;
  const own = reading(gauge.id, MAIN_PROPERTY[gauge.type]);
  const state = gaugeState(gauge);
  setLevelMark(row.mark, state);
  row.level = state.level;
  row.button.classList.toggle("is-stale", state.kind === "stale" || state.kind === "none");
  if (city.selected === gauge.id) row.button.setAttribute("aria-current", "true");
  else row.button.removeAttribute("aria-current");
  setText(row.state, state.kind === "stale" ? "" : stateText(state)); // its time says so
  if (!own || typeof own.value !== "number") {
    setText(row.value, "–");
    setText(row.at, t("state.none"));
    row.needle.hidden = true;
    return;
  }
  const shown = forDisplay(own.value, own.unit);
  setText(row.value, `${number(shown.value, shown.decimals)} ${shown.unit}`);
  setText(row.at, state.kind === "stale" ? t("state.stale.ago", { ago: ago(own.at) }) : time(own.at));
  if (row.thresholds.length > 0) {
    const share = own.value / (row.thresholds.at(-1).value * 1.12);
    row.needle.hidden = false;
    row.needle.style.setProperty("--at", Math.min(Math.max(share, 0), 1));
  }
  if (gauge.type === "WaterLevelGauge") updateTrend(row);
  else updateRain(row);
}

function updateTrend(row) {
  const trend = trendOf(row.gauge);
  const direction = trend?.direction ?? "";
  if (row.trend.dataset.direction !== direction) {
    row.trend.dataset.direction = direction;
    row.trend.replaceChildren(...(trend ? [icon(direction, "icon trend-icon")] : []));
  }
  setText(row.note, trend ? trendText(trend) : "");
}

/** The trend of a gauge that still speaks, or null. */
export function trendOf(gauge) {
  return gaugeState(gauge).kind === "stale" ? null : samplesOf(gauge.id).trend();
}

export function trendText(trend) {
  if (trend.perHour === null) return t(`tendency.${trend.direction}`);
  const rate = Math.abs(trend.perHour);
  return t(`trend.${trend.direction}`, { rate: number(rate, rate < 10 ? 2 : 0) });
}

function updateRain(row) {
  const short = reading(row.gauge.id, "precipitation_10min");
  const text = short && !isStale(row.gauge, short) ? `${t("rain.ten")} ${number(short.value, 1)} mm` : "";
  setText(row.note, text);
}

/** Worst first; equal ones keep the registered order, so that rows do not dance. */
function sortRows(list) {
  const own = [...rows.values()].filter((row) => row.list === list);
  const sorted = [...own].sort((a, b) => b.level - a.level);
  const items = sorted.map((row) => row.button.parentElement);
  if (items.every((item, index) => list.children[index] === item)) return;
  const focused = document.activeElement;
  list.append(...items);
  if (list.contains(focused)) focused.focus({ preventScroll: true });
}
