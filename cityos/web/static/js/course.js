// The last 24 hours of a series, as finely as its length allows.

import { history } from "./api.js";
import { now } from "./language.js";

const DAY_MS = 86_400_000;
const DAY_INTERVAL = "PT10M";
const YOUNG_MS = 3 * 3_600_000;
const POINTS = 240;

/**
 * `{samples: [{at, value}], since}`. A series that began only lately is given in finer steps, and
 * `since` is where it begins; otherwise `since` is null and the samples span the day.
 */
export async function lastDay(entityId, property) {
  const whole = await history(entityId, property, new Date(now() - DAY_MS), DAY_INTERVAL);
  const first = whole[0]?.at;
  if (!first || now() - first > YOUNG_MS) return { samples: whole, since: null };
  const step = Math.max(10, Math.ceil((now() - first) / POINTS / 10_000) * 10);
  const samples = await history(entityId, property, first, `PT${step}S`);
  return { samples, since: samples[0]?.at ?? first };
}
