// The mark of a state: a level's number on its colour, so that colour never speaks alone.

import { h } from "./dom.js";
import { t } from "./language.js";

/** A small mark for lists, legends and the map. `state` as `levels.stateOf` gives it. */
export function levelMark(state, className = "") {
  const mark = h("span", { "aria-hidden": "true" });
  setLevelMark(mark, state, className);
  return mark;
}

export function setLevelMark(mark, state, className = "") {
  const look = state.kind === "level" ? `level-${state.level}` : `is-${state.kind}`;
  const classes = `level-mark ${look} ${className}`.trim();
  if (mark.className !== classes) mark.className = classes;
  const sign = { level: String(state.level), normal: "", stale: "–", none: "–" }[state.kind];
  if (mark.textContent !== sign) mark.textContent = sign;
}

/** The state of a bare level, 0 being none. */
export function markState(level) {
  return level > 0 ? { kind: "level", level } : { kind: "normal", level: 0 };
}

/** The state in words. */
export function stateText(state) {
  if (state.kind === "level") return t("state.level.full", { level: state.level });
  return t(`state.${state.kind}`);
}
