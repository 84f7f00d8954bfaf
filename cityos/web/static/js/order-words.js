// What orders and hazards are called.

import { hasText, nameOf, t } from "./language.js";
import { isExercise } from "./official-session.js";

export const PRACTICE_RUN = "practice"; // all that a practice city does: there is no other to tell it from

/** Whether it is real, and of several exercises which. */
export function occasionName(one) {
  if (!isExercise(one)) return t("decisions.actual");
  const run = one.run === PRACTICE_RUN ? "" : one.run;
  return [t("decisions.exercise"), run].filter(Boolean).join(" · ");
}

/** "Evacuation order", or "Lift the order" for a proposal to stand down. */
export function orderName({ level }) {
  return level > 0 ? t(`level.${level}`) : t("decisions.stand_down");
}

/** The hazard's name; a code that this page does not know is shown as it is. */
export function hazardName(code) {
  return hasText(`hazard.${code}`) ? t(`hazard.${code}`) : String(code ?? "");
}

/** Hazard and area in one line. */
export function hazardAndArea({ hazard, area }) {
  return [hazardName(hazard), nameOf(area?.name)].filter(Boolean).join(" · ");
}
