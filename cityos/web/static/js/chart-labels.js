// The names of a chart's thresholds: beside the plot, so that none covers the curve or another.

import { h } from "./dom.js";

const LINE_PX = 15;
const GAP_PX = 6; // from the plot to the names

/**
 * Names beside the plot of a uPlot chart. `width` is what they take, in pixels; `place(chart)` puts
 * each at its line, as near as the others let it.
 */
export function thresholdNames(host, thresholds) {
  const names = thresholds.map(({ label }) =>
    h("span", { class: "chart-name", "aria-hidden": "true" }, label),
  );
  host.append(...names);
  const width = Math.ceil(Math.max(0, ...names.map((name) => name.offsetWidth)));
  return {
    width: names.length > 0 ? width + GAP_PX : 0,
    place(chart) {
      const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = chart.over;
      const lines = thresholds.map(({ value }) => chart.valToPos(value, "y"));
      spread(lines, LINE_PX, offsetHeight).forEach((y, index) => {
        const { style } = names[index];
        style.left = `${offsetLeft + offsetWidth + GAP_PX}px`;
        style.top = `${offsetTop + y - LINE_PX / 2}px`;
      });
    },
  };
}

/** Places from 0 to `end`, at least `gap` apart, each near its own; `wanted` come from below up. */
export function spread(wanted, gap, end) {
  const places = [];
  let last = end + gap / 2;
  for (const y of wanted) places.push((last = Math.min(y, last - gap)));
  let next = -gap / 2; // those pushed out at the top push back
  for (let index = places.length - 1; index >= 0; index -= 1) {
    next = places[index] = Math.max(places[index], next + gap);
  }
  return places;
}
