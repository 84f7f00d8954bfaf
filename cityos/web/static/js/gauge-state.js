// The state of a thing right now, from its latest reading and the age that a reading may have.

import { reading } from "./city.js";
import { now } from "./language.js";
import { MAIN_PROPERTY, stateOf } from "./levels.js";
import { settings } from "./settings.js";

const MISSED = 3; // one or two readings get lost on the way; the third tells of a silent sensor
const MINUTE_MS = 60_000;

/** Three of the thing's own intervals; where none is registered, the operator's limit for all. */
export function staleAfterMs(thing) {
  const interval = thing.attributes?.expected_interval_min;
  return interval > 0 ? MISSED * interval * MINUTE_MS : settings.stale_after_s * 1000;
}

/** Whether a reading of the thing is too old to speak of now. */
export function isStale(thing, own) {
  return now() - own.at > staleAfterMs(thing);
}

/** As `levels.stateOf`. */
export function gaugeState(gauge) {
  const own = reading(gauge.id, MAIN_PROPERTY[gauge.type]);
  return stateOf(gauge, own, now(), staleAfterMs(gauge));
}
