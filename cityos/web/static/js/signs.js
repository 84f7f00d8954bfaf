// The signs of places and vehicles, drawn alike on the map and in the page's lists and legend.

import { svg } from "./dom.js";

export const SIGN_PX = 26;

/** Lines and dots on a plate; `--name` is the plate's colour and `--on-name` theirs. */
export const SIGNS = {
  // a person on the way through a door, after the green sign of JIS Z 8210
  site: {
    corner: 4,
    width: 2,
    dots: ["M14.6 5.6a2 2 0 110 4 2 2 0 010-4z"],
    lines: [
      "M12.8 11.2l-2.6 4.6",
      "M8 12.2l4.6-1.2 2.6 2.6 2.8.4",
      "M11 15.4l3 2.2-.6 3.2",
      "M10.2 15.8l-1.6 2.4-3 .4",
    ],
  },
  bus: {
    corner: 12,
    width: 1.7,
    dots: [],
    lines: ["M8.5 7.5h9v9.5h-9z", "M8.5 12.5h9", "M10.5 17v1.8", "M15.5 17v1.8"],
  },
  building: {
    corner: 4,
    width: 1.7,
    dots: [],
    lines: ["M8.5 19V7.5h9V19", "M7 19h12", "M11.5 11h0", "M14.5 11h0", "M11.5 14.5h0", "M14.5 14.5h0"],
  },
};

/** Plates of a sign, the rim first: `[token, inset, corner]`. */
export function plates(name) {
  const { corner } = SIGNS[name];
  return [["--map-rim", 1, corner + 1.5], [`--${name}`, 2.5, corner]];
}

/** The sign as an element. The text beside it carries the meaning. */
export function sign(name) {
  const { width, dots, lines } = SIGNS[name];
  const ink = `var(--on-${name})`;
  const pen = { fill: "none", stroke: ink, "stroke-width": width };
  return svg(
    "svg",
    { class: "sign", viewBox: `0 0 ${SIGN_PX} ${SIGN_PX}`, "aria-hidden": "true", focusable: "false" },
    ...plates(name).map(([token, inset, rx]) => {
      const side = SIGN_PX - 2 * inset;
      return svg("rect", { x: inset, y: inset, width: side, height: side, rx, fill: `var(${token})` });
    }),
    ...dots.map((d) => svg("path", { d, fill: ink })),
    ...lines.map((d) => svg("path", { d, ...pen })),
  );
}
