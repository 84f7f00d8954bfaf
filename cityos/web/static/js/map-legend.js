// What the marks mean, and which layers are shown.

import { changed, entitiesOf, on } from "./city.js";
import { byId, h } from "./dom.js";
import { onLanguage, t } from "./language.js";
import { levelMark } from "./level-mark.js";
import { gaugeSign } from "./map-markers.js";
import { sign } from "./signs.js";

const ROOM_PX = { width: 560, height: 400 }; // less than that belongs to the map itself
const LAYERS = [
  { key: "gauges", type: "WaterLevelGauge", marker: "hides-water" },
  { key: "rain", type: "RainGauge", marker: "hides-rain" },
  { key: "sites", sign: "site", type: "EvacuationSite", layers: ["sites"] },
  { key: "buses", sign: "bus", type: "Bus", layers: ["buses", "routes-line"] },
  { key: "buildings", sign: "building", type: "Building", layers: ["buildings"] },
];
const hidden = new Set();
let chosen = null; // what the visitor wants; null: as the room allows

export function startLegend(map) {
  const draw = () => render(map);
  on("entities", draw);
  onLanguage(draw);
  map.on("styledata", () => apply(map));
  map.on("resize", () => {
    const details = byId("map-legend").querySelector("details");
    if (details && chosen === null) details.open = hasRoom();
  });
}

function hasRoom() {
  const { clientWidth, clientHeight } = byId("map");
  return clientWidth >= ROOM_PX.width && clientHeight >= ROOM_PX.height;
}

function render(map) {
  const present = LAYERS.filter((layer) => entitiesOf(layer.type).length > 0);
  const panel = byId("map-legend");
  panel.hidden = present.length === 0;
  const details = h(
    "details",
    { open: chosen ?? hasRoom(), ontoggle: () => changed("layers") },
    h("summary", { onclick: () => (chosen = !details.open) }, t("layers.title")),
    h("div", { class: "legend-layers" }, ...present.map((layer) => layerBox(map, layer))),
    h("p", { class: "legend-title" }, t("legend.title")),
    h("ul", { class: "legend-levels" }, ...scale()),
  );
  panel.replaceChildren(details);
}

function layerBox(map, layer) {
  const box = h("input", {
    type: "checkbox",
    checked: !hidden.has(layer.key),
    onchange: () => {
      if (box.checked) hidden.delete(layer.key);
      else hidden.add(layer.key);
      apply(map);
      changed("layers");
    },
  });
  const shown = layer.sign ? sign(layer.sign) : gaugeSign(layer.type);
  return h(
    "label",
    {},
    box,
    h("span", { class: "legend-sign", "aria-hidden": "true" }, shown),
    h("span", {}, t(`layers.${layer.key}`)),
  );
}

function scale() {
  const levels = [1, 2, 3, 4, 5].map((level) => ({ kind: "level", level }));
  const spelled = (kind) =>
    h("li", { class: "legend-state" }, levelMark({ kind, level: 0 }), t(`state.${kind}`));
  return [
    h("li", {}, ...levels.map((state) => levelMark(state))),
    spelled("normal"),
    spelled("stale"),
  ];
}

function apply(map) {
  for (const layer of LAYERS) {
    const off = hidden.has(layer.key);
    if (layer.marker) byId("map").classList.toggle(layer.marker, off);
    for (const id of layer.layers ?? []) {
      const wanted = off ? "none" : "visible";
      if (!map.getLayer(id)) continue;
      if ((map.getLayoutProperty(id, "visibility") ?? "visible") !== wanted) {
        map.setLayoutProperty(id, "visibility", wanted);
      }
    }
  }
}
