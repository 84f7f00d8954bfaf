// The state of a gauge right now, from its latest reading and the operator's limit of age.

import { reading } from "./city.js";
import { now } from "./language.js";
import { MAIN_PROPERTY, stateOf } from "./levels.js";
import { settings } from "./settings.js";

export const STALE_AFTER_MS = settings.stale_after_s * 1000;

/** As `levels.stateOf`. */
export function gaugeState(gauge) {
  return stateOf(gauge, reading(gauge.id, MAIN_PROPERTY[gauge.type]), now(), STALE_AFTER_MS);
}
