// The two languages of the city's people: which one is on, and how texts, numbers and times read.

import { OFFICIALS_TEXTS } from "./texts-officials.js";
import { TEXTS as EVERYBODYS_TEXTS } from "./texts.js";

const REMEMBERED = "cityos.language";
const LOCALES = { en: "en-GB", ja: "ja-JP" };
const CITY_TIME_ZONE = "Asia/Tokyo";
const TEXTS = { ...EVERYBODYS_TEXTS, ...OFFICIALS_TEXTS };
const listeners = new Set();

let current = remembered() ?? fromBrowser();
let clockOffsetMs = 0;

function remembered() {
  try {
    const language = localStorage.getItem(REMEMBERED);
    return language in LOCALES ? language : null;
  } catch {
    return null; // storage is switched off: the choice lasts as long as the page
  }
}

function fromBrowser() {
  const wanted = (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2));
  return wanted.find((tag) => tag in LOCALES) ?? "en";
}

export function language() {
  return current;
}

export function setLanguage(next) {
  current = next;
  try {
    localStorage.setItem(REMEMBERED, next);
  } catch {
    // as above
  }
  document.documentElement.lang = next;
  for (const listener of listeners) listener();
}

/** Calls `listener` now and after each change of language. */
export function onLanguage(listener) {
  listeners.add(listener);
  listener();
}

/** The text under `key`, `{name}` replaced by `values.name`. */
export function t(key, values = {}) {
  const pair = TEXTS[key];
  if (!pair) throw new Error(`no text under ${key}`);
  return pair[current === "ja" ? 1 : 0].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** True when there is a text under `key`: codes from data may be newer than this page. */
export function hasText(key) {
  return key in TEXTS;
}

/** `{en, ja}` in the current language, in the other where it is empty. */
export function nameOf(name) {
  if (!name) return "";
  return current === "ja" ? name.ja || name.en || "" : name.en || name.ja || "";
}

/** The language that `nameOf` answers in, for a `lang` attribute. */
export function nameLanguage(name) {
  const own = current === "ja" ? name?.ja : name?.en;
  return own ? current : current === "ja" ? "en" : "ja";
}

/** The river that a gauge stands at, or null where the gauge's own name says it already. */
export function riverOf({ name, attributes }) {
  const river = { en: attributes?.river_en, ja: attributes?.river_ja };
  return nameOf(name).includes(nameOf(river)) ? null : river;
}

export function number(value, digits = 0) {
  return new Intl.NumberFormat(LOCALES[current], {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
}

/** `14:20`, with the date in front when it is not today's. Always the city's own time. */
export function time(at, { seconds = false } = {}) {
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (seconds) clock.second = "2-digit";
  const day = (date) => format(date, { year: "numeric", month: "numeric", day: "numeric" });
  const sameDay = day(at) === day(now());
  return format(at, sameDay ? clock : { month: "short", day: "numeric", ...clock });
}

function format(date, options) {
  return new Intl.DateTimeFormat(LOCALES[current], { timeZone: CITY_TIME_ZONE, ...options })
    .format(date);
}

export function ago(at) {
  const minutes = Math.floor((now() - at) / 60_000);
  if (minutes < 1) return t("time.just_now");
  if (minutes < 60) return t("time.minutes_ago", { n: minutes });
  if (minutes < 48 * 60) return t("time.hours_ago", { n: Math.floor(minutes / 60) });
  return t("time.days_ago", { n: Math.floor(minutes / 1440) });
}

/** The server's time: a visitor's clock may be wrong by hours, and "out of date" hangs on it. */
export function now() {
  return new Date(Date.now() + clockOffsetMs);
}

/** Learns the server's time from a `Date` header (RFC 9110, 6.6.1; whole seconds). */
export function setServerTime(httpDate) {
  const server = Date.parse(httpDate ?? "");
  if (Number.isNaN(server)) return;
  const offset = server - Date.now();
  clockOffsetMs = Math.abs(offset) < 5_000 ? 0 : offset;
}
