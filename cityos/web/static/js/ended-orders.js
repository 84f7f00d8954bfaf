// Orders that were ended lately: whoever fled has to hear of it. Actual and Exercise stay apart.

import { city, on } from "./city.js";
import { byId, h, setText } from "./dom.js";
import { nameLanguage, nameOf, now, onLanguage, t, time } from "./language.js";

const LATELY_MS = 24 * 3_600_000;
const SHOWN = 3; // of each kind, the newest
let announced = null;

export function startEndedOrders() {
  on("alerts", render);
  onLanguage(render);
}

function render() {
  const block = byId("ended");
  const lists = ["actual", "exercise"].map((kind) => ({ kind, alerts: lately(kind) }));
  const all = lists.flatMap(({ alerts }) => alerts);
  block.hidden = all.length === 0;
  block.replaceChildren(
    h("h2", { class: "block-title" }, t("ended.title")),
    ...lists
      .filter(({ alerts }) => alerts.length > 0)
      .map(({ kind, alerts }) => h("ul", { class: `ended-list is-${kind}` }, ...alerts.map(item))),
  );
  announce(all);
}

/** Cancels of the last day whose matter is not in force again. */
function lately(kind) {
  const standing = new Set((city[kind] ?? []).map(situationOf));
  return (city.ended?.[kind] ?? [])
    .filter((alert) => now() - new Date(alert.sent) < LATELY_MS && !standing.has(situationOf(alert)))
    .slice(0, SHOWN);
}

function situationOf(alert) {
  return alert.infos?.[0]?.parameters?.situation;
}

function item(alert) {
  const name = headline(alert);
  return h(
    "li",
    {},
    h("time", { datetime: alert.sent }, time(new Date(alert.sent))),
    h("span", { lang: nameLanguage(name) }, nameOf(name)),
  );
}

function headline(alert) {
  return alert.infos?.[0]?.headline;
}

/** Read aloud as it happens, not when the page is opened. */
function announce(alerts) {
  if (city.ended === null) return;
  const news = announced && alerts.filter(({ identifier }) => !announced.has(identifier));
  announced = new Set([...(announced ?? []), ...alerts.map(({ identifier }) => identifier)]);
  if (news?.length > 0) setText(byId("announcer"), news.map((one) => nameOf(headline(one))).join(" "));
}
