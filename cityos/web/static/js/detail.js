// The details of one thing: beside the map on a desktop, a sheet from below on a phone.

import { historyPath } from "./api.js";
import { city, entity, on, reading, readingsOf, select } from "./city.js";
import { lastDay } from "./course.js";
import { byId, h, setText } from "./dom.js";
import { trendOf, trendText } from "./gauge-list.js";
import { gaugeState, isStale } from "./gauge-state.js";
import { icon } from "./icons.js";
import {
  ago,
  hasText,
  language,
  nameLanguage,
  nameOf,
  number,
  onLanguage,
  riverOf,
  t,
  time,
} from "./language.js";
import { levelMark, setLevelMark, stateText } from "./level-mark.js";
import { MAIN_PROPERTY, thresholdsOf } from "./levels.js";
import { siteFacts } from "./site-facts.js";
import { forDisplay } from "./units.js";

let open = null;
let openedFrom = null;

export function startDetail() {
  on("selection", show);
  on("readings", update);
  onLanguage(() => {
    if (open) show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (open?.main) void loadChart(open); // the chart is painted, not styled
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && open && !document.querySelector("dialog[open]")) close();
  });
}

function close() {
  select(null);
  openedFrom?.focus?.({ preventScroll: true });
}

function show() {
  const panel = byId("detail");
  open?.chart?.destroy();
  const thing = city.selected && entity(city.selected);
  if (!thing) {
    open = null;
    panel.hidden = true;
    panel.replaceChildren();
    return;
  }
  if (!open) openedFrom = document.activeElement;
  open = { thing, main: MAIN_PROPERTY[thing.type], chart: null };
  panel.hidden = false;
  panel.replaceChildren(header(thing), ...sections(thing));
  panel.scrollTop = 0;
  panel.querySelector("h2").focus({ preventScroll: true });
  update();
  if (open.main) void loadChart(open);
}

function header(thing) {
  const river = nameOf(riverOf(thing));
  const kind = hasText(`kind.${thing.type}`) ? t(`kind.${thing.type}`) : thing.type;
  return h(
    "header",
    { class: "detail-head" },
    h("p", { class: "detail-kind" }, river ? `${kind} · ${river}` : kind),
    h(
      "h2",
      { id: "detail-title", tabindex: "-1", lang: nameLanguage(thing.name) },
      nameOf(thing.name),
    ),
    h(
      "button",
      { type: "button", class: "icon-button", "aria-label": t("close"), onclick: close },
      icon("close"),
    ),
  );
}

function sections(thing) {
  if (thing.type === "EvacuationSite") return siteFacts(thing);
  const parts = [];
  if (open.main) {
    open.now = h("div", { class: "detail-now" });
    open.figure = h("figure", { class: "chart" });
    open.period = h("h3", {}, t("detail.last_day"));
    parts.push(open.now, open.period, open.figure);
  }
  const thresholds = thresholdsOf(thing);
  if (thresholds.length > 0) parts.push(...thresholdTable(thing, thresholds));
  open.others = h("dl", { class: "facts" });
  parts.push(open.others, dataLink(thing));
  return parts;
}

function thresholdTable(thing, thresholds) {
  open.gaps = [];
  const rows = [...thresholds].reverse().map((threshold) => {
    const gap = h("td", { class: "gap" });
    open.gaps.push({ threshold, gap });
    const shown = forDisplay(threshold.value, unitOf(thing));
    return h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        h(
          "span",
          {},
          levelMark({ kind: "level", level: threshold.level }),
          thresholdName(threshold),
        ),
      ),
      h("td", {}, `${number(shown.value, shown.decimals)} ${shown.unit}`),
      gap,
    );
  });
  const attributes = thing.attributes ?? {};
  const note = { en: attributes.thresholds_note_en, ja: attributes.thresholds_note_ja };
  return [
    h("h3", {}, t("detail.thresholds")),
    h("table", { class: "thresholds" }, h("tbody", {}, ...rows)),
    nameOf(note) && h("p", { class: "note", lang: nameLanguage(note) }, nameOf(note)),
  ].filter(Boolean);
}

function thresholdName({ key, level }) {
  return key === "rain" ? t("threshold.rain", { level }) : t(`threshold.${key}`);
}

function unitOf(thing) {
  return thing.type === "WaterLevelGauge" ? "m" : "mm";
}

function dataLink(thing) {
  const path = open.main
    ? historyPath(thing.id, open.main)
    : `/v1/entities/${encodeURIComponent(thing.id)}`;
  return h("p", { class: "note" }, h("a", { href: path }, t("detail.data")));
}

function update() {
  if (!open) return;
  const { thing, main } = open;
  if (!open.others) return;
  updateOthers(thing, main);
  const own = main && reading(thing.id, main);
  if (!main) return;
  updateNow(thing, own);
  if (!own || typeof own.value !== "number") return;
  for (const { threshold, gap } of open.gaps ?? []) {
    const amount = number(Math.abs(threshold.value - own.value), unitOf(thing) === "m" ? 2 : 1);
    const old = isStale(thing, own); // nobody knows where the water stands now
    const reached = !old && own.value >= threshold.value;
    const words = t(`threshold.${reached ? "above" : "below"}`, { amount, unit: unitOf(thing) });
    setText(gap, old ? "" : words);
    gap.classList.toggle("is-reached", reached);
  }
  open.chart?.add({ at: own.at, value: own.value });
}

function updateNow(thing, own) {
  if (!own || typeof own.value !== "number") {
    open.now.replaceChildren(h("p", { class: "empty" }, t("state.none")));
    return;
  }
  const shown = forDisplay(own.value, own.unit);
  const trend = thing.type === "WaterLevelGauge" ? trendOf(thing) : null;
  const old = isStale(thing, own);
  open.now.replaceChildren(
    h(
      "p",
      { class: `big-value ${old ? "is-stale" : ""}` },
      h("b", {}, number(shown.value, shown.decimals)),
      h("span", {}, shown.unit),
    ),
    h(
      "p",
      { class: "detail-state" },
      thresholdsOf(thing).length > 0 && stateLine(thing),
      trend && h("span", {}, icon(trend.direction, "icon trend-icon"), trendText(trend)),
      h("span", { class: "muted" }, `${time(own.at, { seconds: true })} · ${ago(own.at)}`),
    ),
    ...(old ? [h("p", { class: "stale-note" }, t("detail.stale", { time: time(own.at) }))] : []),
  );
}

function stateLine(thing) {
  const state = gaugeState(thing);
  const mark = levelMark(state);
  setLevelMark(mark, state);
  return h("span", { class: "state-line" }, mark, stateText(state));
}

function updateOthers(thing, main) {
  const attributes = thing.attributes ?? {};
  const route = { en: attributes.route_en, ja: attributes.route_ja };
  const rows = [];
  if (nameOf(route)) rows.push([t("detail.route"), nameOf(route), nameLanguage(route)]);
  const address = { en: attributes.address_en, ja: attributes.address_ja };
  if (nameOf(address)) rows.push([t("detail.address"), nameOf(address), nameLanguage(address)]);
  for (const [property, own] of readingsOf(thing.id)) {
    if (property === main || typeof own.value !== "number") continue;
    const label = nameOf(city.properties.get(property)?.label) || property;
    const shown = forDisplay(own.value, own.unit);
    const text = `${number(shown.value, shown.decimals)} ${shown.unit}`;
    rows.push([label, isStale(thing, own) ? `${text} · ${ago(own.at)}` : text]);
  }
  if (rows.length === 0 && !main) rows.push([t("detail.readings"), t("detail.no_data")]);
  open.others.replaceChildren(
    ...rows.map(([term, text, lang]) => h("div", {}, h("dt", {}, term), h("dd", { lang }, text))),
  );
}

async function loadChart(mine) {
  const { figure, thing, main } = mine;
  mine.chart?.destroy();
  mine.chart = null;
  figure.replaceChildren(h("p", { class: "empty" }, t("detail.loading")));
  let drawChart;
  try {
    ({ drawChart } = await import("./chart.js"));
  } catch {
    figure.replaceChildren(h("p", { class: "empty" }, t("detail.chart_missing")));
    return;
  }
  try {
    const course = await lastDay(thing.id, main);
    if (open !== mine) return;
    setText(mine.period, periodText(course.since));
    draw(mine, course, drawChart);
  } catch (error) {
    if (open !== mine) return;
    const key = error.status === 404 ? "detail.no_history" : "detail.failed";
    figure.replaceChildren(h("p", { class: "empty" }, t(key)));
  }
}

function periodText(since) {
  return since ? t("detail.since", { time: time(since) }) : t("detail.last_day");
}

function draw(mine, { samples: raw, since }, drawChart) {
  const { figure, thing, main } = mine;
  if (raw.length === 0) {
    figure.replaceChildren(h("p", { class: "empty" }, t("detail.no_history")));
    return;
  }
  const own = reading(thing.id, main);
  const unit = own?.unit ?? unitOf(thing);
  const scale = forDisplay(raw.at(-1).value, unit);
  const factor = raw.at(-1).value === 0 ? 1 : scale.value / raw.at(-1).value;
  const samples = raw.map(({ at, value }) => ({ at: at.getTime(), value: value * factor }));
  const values = samples.map((sample) => sample.value);
  const figures = {
    name: nameOf(thing.name),
    low: number(Math.min(...values), scale.decimals),
    high: number(Math.max(...values), scale.decimals),
    now: number(values.at(-1), scale.decimals),
    unit: scale.unit,
  };
  const host = h("div", { class: "chart-canvas", role: "img", lang: language() });
  host.setAttribute("aria-label", t("detail.chart", figures));
  figure.replaceChildren(host, h("figcaption", {}, scale.unit));
  const chart = drawChart(host, {
    samples,
    since,
    thresholds: thresholdsOf(thing).map((threshold) => ({
      ...threshold,
      label: t(`threshold.short.${threshold.key}`, { level: threshold.level }),
    })),
    decimals: scale.decimals,
    fromZero: thing.type !== "WaterLevelGauge",
  });
  mine.chart = {
    add: ({ at, value }) => chart.add({ at: at.getTime(), value: value * factor }),
    destroy: () => chart.destroy(),
  };
}
