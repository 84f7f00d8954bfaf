// The map: MapLibre with the city's own shapes. It needs no tile server and no internet.

import { Map as LibreMap, ScaleControl } from "maplibre-gl";

import { city, entity, on, select } from "./city.js";
import { byId, h } from "./dom.js";
import { icon } from "./icons.js";
import { language, onLanguage, t } from "./language.js";
import { startLegend } from "./map-legend.js";
import { FEATURES, cityBounds, positionOf, roomOf } from "./map-features.js";
import { provideImage } from "./map-images.js";
import { arrangeMarkers, placeMarkers, takenRoom, updateMarkers } from "./map-markers.js";
import { MAP_FONTS, mapStyle } from "./map-style.js";
import { settings } from "./settings.js";

const CLICKABLE = ["buses", "sites", "buildings"];
const MOVING_MS = 1_000; // how often vehicles are redrawn at most
const SOURCES = { ...FEATURES, room: () => roomOf(takenRoom()) };
const SEEN_PX = 160; // what a chosen gauge needs between the legend and its details
const NEAREST_ZOOM = 14; // a city of which one thing is known is more than that thing
const JAPAN = [[128, 30], [146, 46]];

const tiles = settings.tile_url
  ? { url: settings.tile_url, attribution: settings.tile_attribution }
  : null;
let map = null;
let fitted = false;
let touched = false; // the visitor has moved the map: it is theirs
let styledFor = null;
let movedAt = 0;
let moving = null; // what will redraw them, while that is too early

/** Throws when the device has no WebGL 2. */
export function startMap() {
  map = new LibreMap({
    container: byId("map"),
    style: style(),
    bounds: JAPAN,
    attributionControl: false,
    localIdeographFontFamily: MAP_FONTS,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    maxPitch: 0,
    minZoom: 4,
    maxZoom: 18,
    fadeDuration: 0,
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.addControl(new ScaleControl({ maxWidth: 120, unit: "metric" }), "bottom-right");
  map.setMissingStyleImageResolver((id) => provideImage(map, id));
  map.on("style.load", pushAll); // what came before there was anything to put it into
  map.on("moveend", arrange); // of a zoom, too
  map.on("movestart", ({ originalEvent }) => (touched ||= Boolean(originalEvent)));
  map.on("resize", () => {
    if (fitted && !touched && !city.selected) fitCity(0);
  });
  for (const layer of CLICKABLE) makeClickable(layer);

  on("entities", showCity);
  on("readings", () => {
    updateMarkers();
    moving ??= setTimeout(moveOn, Math.max(0, movedAt + MOVING_MS - performance.now()));
  });
  on("alerts", () => push("alerts"));
  on("sites", () => push("sites"));
  on("layers", arrange);
  on("selection", showSelection);
  onLanguage(relabel);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const image of map.listImages()) map.removeImage(image);
    map.setStyle(style());
  });
  startLegend(map);
  showCity(); // what came while the map was being loaded
}

function showCity() {
  pushAll();
  placeMarkers(map);
  if (!fitted) {
    fitted = fitCity(0);
    if (fitted && city.selected) showSelection(); // it was chosen before there was a map
  }
  arrange();
}

function style() {
  styledFor = language();
  const data = Object.fromEntries(
    Object.entries(SOURCES).map(([source, features]) => [source, features()]),
  );
  return mapStyle(data, tiles, language());
}

function pushAll() {
  for (const source of Object.keys(SOURCES)) push(source);
}

function push(source) {
  map.getSource(source)?.setData(SOURCES[source]());
}

/** What the readings since the last time ask for: where buses are, which labels have grown. */
function moveOn() {
  moving = null;
  movedAt = performance.now();
  push("buses");
  arrange();
}

function arrange() {
  if (arrangeMarkers(map)) push("room");
}

function makeClickable(layer) {
  map.on("click", layer, (event) => select(event.features[0].properties.id));
  map.on("mouseenter", layer, () => map.getCanvas().classList.add("is-pointing"));
  map.on("mouseleave", layer, () => map.getCanvas().classList.remove("is-pointing"));
}

/** True when it is known where the city lies and the map shows it. */
function fitCity(duration) {
  const bounds = cityBounds();
  if (!bounds) return false;
  map.fitBounds(bounds, { padding: 36, duration, maxZoom: NEAREST_ZOOM });
  return true;
}

function showSelection() {
  push("selected");
  updateMarkers();
  arrange();
  const thing = city.selected && entity(city.selected);
  const position = thing && positionOf(thing);
  if (!position) return;
  const panel = byId("detail").getBoundingClientRect();
  const stage = byId("map").getBoundingClientRect();
  const legend = byId("map-legend").getBoundingClientRect();
  const beside = panel.width < stage.width * 0.7;
  const left = panel.left - legend.right > SEEN_PX ? Math.max(stage.left, legend.right) : stage.left;
  const middle = (left + panel.left) / 2 - (stage.left + stage.width / 2);
  map.easeTo({
    center: [position.longitude, position.latitude],
    zoom: Math.max(map.getZoom(), 12.8),
    offset: beside ? [middle, 0] : [0, 0],
    duration: 600,
  });
}

function relabel() {
  if (!map) return;
  const municipality = FEATURES.municipality().features[0]?.properties;
  const name = municipality ? municipality[`name_${language()}`] : "CityOS";
  map.getCanvas().setAttribute("aria-label", t("map.label", { city: name }));
  if (styledFor !== language()) map.setStyle(style());
  placeMarkers(map);
  arrange();
  renderControls();
}

function renderControls() {
  const button = (label, content, run) =>
    h(
      "button",
      { type: "button", class: "map-button", "aria-label": label, title: label, onclick: run },
      content,
    );
  byId("map").querySelector(".map-controls")?.remove();
  byId("map").append(
    h(
      "div",
      { class: "map-controls" },
      button(t("map.zoom_in"), "+", () => map.zoomIn()),
      button(t("map.zoom_out"), "−", () => map.zoomOut()),
      button(t("map.whole_city"), icon("frame"), () => fitCity(600)),
    ),
    ...(tiles?.attribution ? [attribution()] : []),
  );
}

function attribution() {
  byId("map").querySelector(".map-attribution")?.remove();
  return h("p", { class: "map-attribution" }, tiles.attribution);
}
