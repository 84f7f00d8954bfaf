// What the page knows of the city, and who wants to hear when it changes.

import { settings } from "./settings.js";
import { RecentSamples } from "./trend.js";

const topics = new Map();
const dirty = new Set();
let scheduled = false;

/** `topic`: `entities`, `readings`, `alerts`, `connection`, `layers`, `proposals`, `selection`. */
export function on(topic, listener) {
  if (!topics.has(topic)) topics.set(topic, new Set());
  topics.get(topic).add(listener);
}

/** Tells the listeners of `topic` once before the next frame, however often it is called. */
export function changed(topic) {
  dirty.add(topic);
  if (scheduled) return;
  scheduled = true;
  // A page in the background gets no frames, but its banner must be right when one looks again.
  const run = document.hidden ? (f) => setTimeout(f, 100) : requestAnimationFrame;
  run(() => {
    scheduled = false;
    const now = [...dirty];
    dirty.clear();
    for (const topic of now) for (const listener of topics.get(topic) ?? []) listener();
  });
}

const entitiesById = new Map();
const readings = new Map();
const samples = new Map();

export const city = {
  /** Loaded at all? `failed` says that the first load went wrong. */
  loaded: false,
  failed: false,
  /** Alerts in force, by status; null: not known. The two lists never meet. */
  actual: null,
  exercise: null,
  /** `{actual, exercise}`: Cancels of this city's own orders, newest first; null: not known. */
  ended: null,
  /** `connecting`, `live`, `reconnecting`, `polling` or `offline`. */
  connection: "connecting",
  lastReadingAt: null,
  /** Observed properties by name. */
  properties: new Map(),
  /** The id of the entity whose details are open, or null. */
  selected: null,
};

export function putEntities(type, list) {
  for (const [id, entity] of entitiesById) if (entity.type === type) entitiesById.delete(id);
  for (const entity of list) entitiesById.set(entity.id, entity);
  changed("entities");
}

export function entity(id) {
  return entitiesById.get(id);
}

/** Entities of a type, in the order in which the API gave them. */
export function entitiesOf(type) {
  return [...entitiesById.values()].filter((candidate) => candidate.type === type);
}

/** `{value, unit, at}` of the default series, or undefined. */
export function reading(entityId, property) {
  return readings.get(`${entityId}|${property}`);
}

/** All readings of an entity: `[[property, reading]]`. */
export function readingsOf(entityId) {
  const prefix = `${entityId}|`;
  return [...readings]
    .filter(([key]) => key.startsWith(prefix))
    .map(([key, value]) => [key.slice(prefix.length), value]);
}

/**
 * Takes latest items. A series of an exercise has a dataset of its own and is not this city's
 * present; an older value never replaces a newer one.
 */
export function putLatest(items) {
  let moved = false;
  for (const item of items) {
    const at = new Date(item.observed_at);
    if (item.dataset || Number.isNaN(at.getTime())) continue;
    const key = `${item.entity}|${item.observed_property}`;
    const known = readings.get(key);
    if (known && known.at > at) continue;
    readings.set(key, { value: item.value, unit: item.unit, at });
    if (item.observed_property === "water_level" && typeof item.value === "number") {
      samplesOf(item.entity).add(at, item.value);
    }
    if (!city.lastReadingAt || at > city.lastReadingAt) city.lastReadingAt = at;
    moved = true;
  }
  if (moved) changed("readings");
}

/** Recent water levels of a gauge, for its trend. */
export function samplesOf(entityId) {
  if (!samples.has(entityId)) samples.set(entityId, new RecentSamples(settings.city.time_lapse));
  return samples.get(entityId);
}

export function select(entityId) {
  if (city.selected === entityId) return;
  city.selected = entityId;
  changed("selection");
}

export function setConnection(connection) {
  if (city.connection === connection) return;
  city.connection = connection;
  changed("connection");
}
