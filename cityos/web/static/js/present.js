// What the gauges of a waiting proposal say now: a rule lets go of a level only when the water has
// stayed low, and who decides must not have to look for the present elsewhere.

import { city, entity, on, reading } from "./city.js";
import { h, setText } from "./dom.js";
import { trendOf, trendText } from "./gauge-list.js";
import { isStale } from "./gauge-state.js";
import { ago, nameLanguage, nameOf, number, t, time } from "./language.js";
import { MAIN_PROPERTY } from "./levels.js";
import { isExercise } from "./official-session.js";
import { PRACTICE_RUN } from "./order-words.js";
import { settings } from "./settings.js";
import { forDisplay } from "./units.js";

const MOST = 3; // the evidence is sorted: those that call for the most
let lines = [];

export function startPresent() {
  on("readings", update);
}

/** The cards are built anew: lines of the old ones are no longer written. */
export function forgetPresent() {
  lines = [];
}

/** A list for the proposal's card, or null where the page knows nothing of its gauges. */
export function present(proposal) {
  if (!isOfThePresent(proposal)) return null;
  const { evidence, level } = proposal.assessment;
  const own = evidence
    .filter((input) => typeof input.value === "number" && entity(input.source))
    .filter((input) => input.level > 0 || level === 0) // what calls for it, or no longer does
    .slice(0, MOST)
    .map((input) => line(input));
  if (own.length === 0) return null;
  lines.push(...own);
  for (const line of own) write(line);
  return h("ul", { class: "present" }, ...own.map((line) => line.element));
}

/** Gauges of an exercise have a course of their own: what the river does says nothing of it. */
function isOfThePresent(proposal) {
  return settings.city.practice ? proposal.run === PRACTICE_RUN : !isExercise(proposal);
}

function update() {
  for (const line of lines) write(line);
}

function line(input) {
  const [name, text] = [h("span"), h("span")];
  return { input, name, text, element: h("li", {}, name, " ", text) };
}

function write({ input, name, text, element }) {
  const thing = entity(input.source);
  const own = thing && reading(thing.id, input.observed_property);
  element.hidden = typeof own?.value !== "number";
  if (element.hidden) return;
  name.lang = nameLanguage(thing.name);
  setText(name, nameOf(thing.name));
  const stale = isStale(thing, own);
  const shown = forDisplay(own.value, own.unit);
  const value = t(stale ? "present.stale" : "present.value", {
    value: `${number(shown.value, shown.decimals)} ${shown.unit}`,
    time: time(own.at),
  });
  const course = stale ? [t("state.stale.ago", { ago: ago(own.at) })] : courseOf(thing, input, own);
  setText(text, [quantity(thing, input), value, ...course].filter(Boolean).join(" · "));
}

/** What is measured, where a gauge measures several such things: the rain of an hour, of a day. */
function quantity(thing, { observed_property: property }) {
  if (property === MAIN_PROPERTY[thing.type]) return "";
  return nameOf(city.properties.get(property)?.label) || property;
}

function courseOf(thing, input, own) {
  const trend = input.observed_property === "water_level" ? trendOf(thing) : null;
  const below =
    input.level > 0
    && typeof input.threshold === "number"
    && own.unit === input.unit
    && own.value < input.threshold;
  return [trend ? trendText(trend) : "", below ? t("present.below") : ""].filter(Boolean);
}
