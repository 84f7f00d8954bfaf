// Whether what one sees is current: in the masthead always, in the list when it is not.

import { city, on } from "./city.js";
import { byId, h } from "./dom.js";
import { onLanguage, t, time } from "./language.js";
import { retryNow } from "./live.js";

const POLL_S = 10;
let shown = "";
let troubleShown = "";

export function startConnection() {
  on("connection", render);
  on("readings", render);
  onLanguage(render);
}

function render() {
  renderTrouble();
  const state = t(`connection.${city.connection}`, { seconds: POLL_S });
  const at = city.lastReadingAt
    ? t("connection.last", { time: time(city.lastReadingAt, { seconds: true }) })
    : t("connection.none");
  const line = byId("connection");
  line.className = `connection is-${city.connection}`;
  if (shown === `${state}|${at}`) return;
  const sameState = shown.split("|")[0] === state;
  shown = `${state}|${at}`;
  if (sameState) {
    line.lastElementChild.textContent = at;
    return;
  }
  line.replaceChildren(
    h("span", { class: "connection-dot", "aria-hidden": "true" }),
    h("b", {}, state),
    // the time moves every few seconds: seen, but not read aloud each time
    h("span", { class: "connection-time", "aria-live": "off" }, at),
  );
}

/** Drawn anew only when its words change: whoever is on the button stays on it. */
function renderTrouble() {
  const block = byId("trouble");
  const offline = city.connection === "offline";
  block.hidden = !offline;
  block.lang = document.documentElement.lang;
  const kept = offline ? keptWords() : "";
  if (troubleShown === `${block.lang}|${kept}`) return;
  troubleShown = `${block.lang}|${kept}`;
  if (!offline) {
    block.replaceChildren();
    return;
  }
  block.replaceChildren(
    h(
      "div",
      { class: "notice" },
      h("h2", {}, t("trouble.offline.title")),
      h("p", {}, kept),
      h("p", {}, t("trouble.follow")),
      h("button", { type: "button", class: "button", onclick: retryNow }, t("trouble.retry")),
    ),
  );
}

/** An answer that was already under way may bring the first readings after the line broke. */
function keptWords() {
  return city.lastReadingAt
    ? t("trouble.offline.kept", { time: time(city.lastReadingAt, { seconds: true }) })
    : t("trouble.offline.nothing");
}
