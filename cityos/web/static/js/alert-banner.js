// Alerts in force. Actual and Exercise have a region, a look and a renderer call each: no list ever
// holds both.

import { city, on } from "./city.js";
import { byId, h } from "./dom.js";
import { openEnding } from "./ending.js";
import { nameLanguage, nameOf, onLanguage, t, time } from "./language.js";
import { alertLevel } from "./levels.js";
import { signedIn } from "./official-session.js";
import { hazardName, orderName } from "./order-words.js";

const SHOWN = 2; // information without a level waits behind "more", unless there is nothing else
const NARROW = matchMedia("(max-width: 760px)"); // there the map must not wait behind whole orders
const expanded = { actual: false, exercise: false };
const shownBefore = { actual: "", exercise: "" };

export function startAlertBanner() {
  on("alerts", render);
  on("session", render);
  NARROW.addEventListener("change", render);
  onLanguage(render);
}

function render() {
  renderRegion("actual", byId("actual-alerts"), city.actual ?? []);
  renderRegion("exercise", byId("exercise-alerts"), city.exercise ?? []);
}

function renderRegion(kind, region, alerts) {
  const compact = NARROW.matches && !expanded[kind];
  const behind = kind === "exercise" && city.actual?.length > 0; // what is real comes first
  // A live region is read aloud again when it is rebuilt: only rebuild it when it says more.
  const fingerprint = JSON.stringify([
    document.documentElement.lang,
    signedIn(),
    expanded[kind],
    compact && behind,
    compact,
    alerts,
  ]);
  if (fingerprint === shownBefore[kind]) return;
  shownBefore[kind] = fingerprint;
  region.hidden = alerts.length === 0;
  region.className = `alerts is-${kind}${compact ? " is-compact" : ""}`;
  region.setAttribute("aria-label", t(`alerts.${kind}.title`));
  if (alerts.length === 0) {
    region.replaceChildren();
    return;
  }
  const sorted = [...alerts].sort(
    (a, b) => alertLevel(b) - alertLevel(a) || Date.parse(b.sent) - Date.parse(a.sent),
  );
  const entries = compact ? alike(sorted) : sorted.map((alert) => ({ alert, areas: areasOf(alert) }));
  const levelled = entries.filter(({ alert }) => alertLevel(alert) > 0).length;
  const room = compact && behind ? 0 : SHOWN;
  const first = Math.min(Math.max(levelled, 1), room);
  const visible = expanded[kind] ? entries : entries.slice(0, first);
  region.replaceChildren(
    ...(kind === "exercise" ? [ribbon()] : []),
    h("ul", { class: "alert-list" }, ...visible.map((entry) => alertItem(entry, kind, compact))),
    ...(NARROW.matches || entries.length > first ? [moreButton(kind, first && entries.length - first)] : []),
  );
}

/** Alerts that ask for the same, as one with the areas of all. */
function alike(alerts) {
  const found = new Map();
  for (const alert of alerts) {
    const info = worstInfo(alert);
    const level = alertLevel(alert);
    const key = JSON.stringify([level, alert.sender, title(info, level), nameOf(info?.instruction)]);
    const same = found.get(key);
    if (same) same.areas = [...new Set([...same.areas, ...areasOf(alert)])];
    else found.set(key, { alert, areas: areasOf(alert) });
  }
  return [...found.values()];
}

function worstInfo(alert) {
  return (alert.infos ?? []).reduce(
    (worst, next) => (!worst || (next.level ?? 0) > (worst.level ?? 0) ? next : worst),
    null,
  );
}

function areasOf(alert) {
  return (worstInfo(alert)?.areas ?? []).map((area) => nameOf(area.name)).filter(Boolean);
}

function ribbon() {
  return h(
    "p",
    { class: "exercise-ribbon" },
    h("strong", {}, t("alerts.exercise.ribbon")),
    h("span", {}, t("alerts.exercise.notice")),
  );
}

function moreButton(kind, count) {
  const folded = count > 0 ? t("alerts.more", { n: count }) : t("alerts.details");
  const label = expanded[kind] ? t("alerts.fewer") : folded;
  return h(
    "button",
    {
      type: "button",
      class: "alert-more",
      "aria-expanded": String(expanded[kind]),
      onclick: () => {
        expanded[kind] = !expanded[kind];
        render();
        byId(`${kind}-alerts`).querySelector(".alert-more")?.focus();
      },
    },
    label,
  );
}

function alertItem({ alert, areas }, kind, compact) {
  const info = worstInfo(alert);
  const level = alertLevel(alert);
  return h(
    "li",
    { class: `alert level-${level} is-${kind}` },
    badge(level, compact ? "alerts.level.short" : "alerts.level"),
    h(
      "div",
      { class: "alert-body" },
      h(
        "p",
        { class: "alert-title" },
        kind === "exercise" && h("span", { class: "exercise-word" }, t("alerts.exercise.title")),
        h("strong", { lang: nameLanguage(info?.event) }, title(info, level)),
        areas.length > 0 && h("span", { class: "alert-areas" }, areas.join(t("separator"))),
      ),
      // of our own orders the headline is the title again; why they were given is not
      !compact
        && paragraph("alert-headline", isOurOrder(info, level) ? info.description : info?.headline),
      level > 0 && paragraph("alert-action", info?.instruction),
      !compact && foot(alert, info, level),
    ),
  );
}

function foot(alert, info, level) {
  return h(
    "div",
    { class: "alert-foot" },
    h("p", { class: "alert-origin" }, t("alerts.issued", origin(alert))),
    signedIn() && isOurOrder(info, level) && endButton(alert, info),
  );
}

function endButton(alert, info) {
  return h(
    "button",
    { type: "button", class: "button", onclick: () => openEnding(alert, info) },
    t("alerts.end"),
  );
}

function badge(level, word) {
  if (level === 0) {
    return h("p", { class: "alert-badge" }, h("span", {}, t("alerts.information")));
  }
  return h(
    "p",
    { class: "alert-badge" },
    h("span", {}, t(word)),
    h("b", {}, String(level)),
  );
}

function isOurOrder(info, level) {
  return level > 0 && info?.parameters?.situation !== undefined;
}

/** Our own orders by their short names, for the badge has the level; others as their sender says. */
function title(info, level) {
  if (!isOurOrder(info, level)) return nameOf(info?.event) || hazardName(info?.hazard);
  return t("alerts.order", { order: orderName({ level }), hazard: hazardName(info.hazard) });
}

function paragraph(className, name) {
  const text = nameOf(name);
  return text && h("p", { class: className, lang: nameLanguage(name) }, text);
}

function origin(alert) {
  return {
    sender: nameOf(alert.sender_name) || alert.sender,
    time: time(new Date(alert.sent)),
  };
}
