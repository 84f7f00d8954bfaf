// Line icons, 24 x 24, drawn for this page. The text beside an icon carries the meaning.

import { svg } from "./dom.js";

const PATHS = {
  close: ["M6 6l12 12", "M18 6L6 18"],
  rising: ["M5 17L17 7", "M9 7h8v8"],
  falling: ["M5 7l12 10", "M17 9v8H9"],
  steady: ["M4 12h16", "M14 6l6 6-6 6"],
  person: ["M12 12a4 4 0 100-8 4 4 0 000 8z", "M4 21c.8-4.4 3.9-6.5 8-6.5s7.2 2.1 8 6.5"],
  rain: ["M7 14a4.5 4.5 0 01.5-9 5.5 5.5 0 0110.2 2A3.6 3.6 0 0117 14z", "M8 17.5l-1 3", "M12.5 17.5l-1 3", "M17 17.5l-1 3"],
  frame: ["M4 9V4h5", "M20 9V4h-5", "M4 15v5h5", "M20 15v5h-5"],
  chevron: ["M9 5l7 7-7 7"],
  locate: ["M12 8a4 4 0 100 8 4 4 0 000-8z", "M12 2.5v3", "M12 18.5v3", "M2.5 12h3", "M18.5 12h3"],
};

export function icon(name, className = "icon") {
  const paths = PATHS[name].map((d) => svg("path", { d }));
  return svg(
    "svg",
    { class: className, viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" },
    ...paths,
  );
}
