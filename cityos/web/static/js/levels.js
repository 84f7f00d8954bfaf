// From a reading to a level of the five-level scheme (警戒レベル). A reading only *corresponds* to
// a level: the order itself is the mayor's (Cabinet Office, 避難情報に関するガイドライン, 2021).

/** Threshold attributes of a WaterLevelGauge, lowest first, with the level they stand for. */
export const WATER_THRESHOLDS = [
  ["standby_level_m", 1],
  ["caution_level_m", 2],
  ["evacuation_level_m", 3],
  ["danger_level_m", 4],
  ["overflow_level_m", 5],
];

/** The property that speaks for an entity type. */
export const MAIN_PROPERTY = {
  WaterLevelGauge: "water_level",
  RainGauge: "precipitation_1h",
  Building: "active_power",
  Bus: "speed",
};

/**
 * The thresholds of an entity for its main property, lowest first:
 * `[{key, level, value}]`, empty when it has none.
 */
export function thresholdsOf(entity) {
  const attributes = entity.attributes ?? {};
  if (entity.type === "WaterLevelGauge") {
    return WATER_THRESHOLDS.filter(([key]) => Number.isFinite(attributes[key]))
      .map(([key, level]) => ({ key, level, value: attributes[key] }))
      .sort((a, b) => a.value - b.value);
  }
  if (entity.type === "RainGauge") {
    const levels = attributes.rainfall_levels_mm?.[MAIN_PROPERTY.RainGauge] ?? {};
    return Object.entries(levels)
      .map(([level, value]) => ({ key: "rain", level: Number(level), value }))
      .filter((threshold) => Number.isFinite(threshold.value) && threshold.level >= 1)
      .sort((a, b) => a.value - b.value);
  }
  return [];
}

/**
 * What a reading means: `{kind: "none" | "stale" | "normal" | "level", level: 0..5}`.
 * A value exactly at a threshold has reached it.
 */
export function stateOf(entity, reading, now, staleAfterMs) {
  if (!reading || typeof reading.value !== "number") return { kind: "none", level: 0 };
  if (now - reading.at > staleAfterMs) return { kind: "stale", level: 0 };
  const level = thresholdsOf(entity)
    .filter((threshold) => reading.value >= threshold.value)
    .reduce((highest, threshold) => Math.max(highest, threshold.level), 0);
  return level > 0 ? { kind: "level", level } : { kind: "normal", level: 0 };
}

/** The highest alert level among an alert's infos, 0 where it has none. */
export function alertLevel(alert) {
  return Math.max(0, ...(alert.infos ?? []).map((info) => Number(info.level) || 0));
}
