// Gauges on the map as real buttons: they can be reached by keyboard and read aloud. They keep out
// of each other's way, and `takenRoom` tells the map's own labels where they are.

import { Marker } from "maplibre-gl";

import { city, entitiesOf, reading, select } from "./city.js";
import { h, setText } from "./dom.js";
import { gaugeState } from "./gauge-state.js";
import { icon } from "./icons.js";
import { ago, nameOf, number, t } from "./language.js";
import { levelMark, setLevelMark, stateText } from "./level-mark.js";
import { MAIN_PROPERTY } from "./levels.js";
import { place } from "./map-places.js";
import { forDisplay } from "./units.js";

const FORMS = ["is-compact", "is-full", "is-named"]; // a point, with its value, with its name
const REACH_PX = [96, 96, 24]; // how far from its place a gauge may stand in each form
const NAMES_FROM_ZOOM = 12;
const FURNITURE = ".map-controls, .map-legend, .map-attribution, .maplibregl-ctrl"; // lies on the map

const markers = new Map();

/** Creates markers for gauges that have none and removes those of gauges that are gone. */
export function placeMarkers(map) {
  const gauges = [...entitiesOf("RainGauge"), ...entitiesOf("WaterLevelGauge")]
    .filter((gauge) => gauge.position);
  const wanted = new Set(gauges.map((gauge) => gauge.id));
  for (const [id, { marker, lead }] of markers) {
    marker.remove();
    lead.remove();
    if (!wanted.has(id)) markers.delete(id);
  }
  for (const gauge of gauges) markers.set(gauge.id, createMarker(map, gauge));
  updateMarkers();
}

const kindOf = (type) => (type === "RainGauge" ? "is-rain" : "is-water");

function pill(type, ...children) {
  return h("span", { class: "marker-pill" }, type === "RainGauge" && icon("rain"), ...children);
}

/** A gauge as the map draws it where it is calm and there is no room for its value. */
export function gaugeSign(type) {
  const mark = levelMark({ kind: "normal", level: 0 });
  return h("span", { class: `marker ${kindOf(type)} is-compact` }, pill(type, mark));
}

function createMarker(map, gauge) {
  const mark = h("span", { "aria-hidden": "true" });
  const value = h("span", { class: "marker-value", "aria-hidden": "true" });
  const age = h("span", { class: "marker-age", "aria-hidden": "true" });
  const name = h("span", { class: "marker-name", "aria-hidden": "true" }, nameOf(gauge.name));
  const element = h(
    "button",
    {
      type: "button",
      class: `marker ${kindOf(gauge.type)}`,
      onclick: (event) => {
        event.stopPropagation();
        select(gauge.id);
      },
    },
    pill(gauge.type, mark, value, age),
    name,
  );
  const { longitude, latitude } = gauge.position;
  const put = (part) =>
    new Marker({ element: part, anchor: "center" }).setLngLat([longitude, latitude]).addTo(map);
  // from the place to its gauge: on its own, for it lies below all gauges and strikes none out
  const lead = put(h("span", { class: "marker-lead", "aria-hidden": "true" }, h("i")));
  return { gauge, marker: put(element), lead, element, mark, value, age, room: null };
}

/** Moves the markers apart as far as the present view asks for. True when something has changed. */
export function arrangeMarkers(map) {
  const shown = [...markers.values()].sort((a, b) => weight(b) - weight(a));
  const before = JSON.stringify(shown.map((one) => one.room));
  const forms = map.getZoom() >= NAMES_FROM_ZOOM ? FORMS : FORMS.slice(0, -1);
  const sizes = forms.map((form) => measure(shown, form));
  const { clientWidth: right, clientHeight: bottom } = map.getContainer();
  const stage = { left: 0, right, top: 0, bottom };
  const labels = shown.map(({ marker, dry }, index) => {
    const { x, y } = map.project(marker.getLngLat());
    const own = sizes.map((size) => size[index]);
    const hidden = own[0][0] === 0; // a hidden layer takes no room
    // seen from afar a gauge without rain has nothing to say
    const silent = dry && forms.length < FORMS.length;
    const inside = x >= 0 && x <= stage.right && y >= 0 && y <= stage.bottom;
    // of what is not in view nothing juts in that could be read only in part
    const most = hidden ? 0 : silent || !inside ? 1 : undefined;
    return { x, y, forms: own.slice(0, most), within: inside ? stage : null };
  });
  place(labels, REACH_PX, furniture(map)).forEach((found, index) => {
    const one = shown[index];
    const { form, dx, dy } = found ?? { form: 0, dx: 0, dy: 0 };
    setForm(one.element, forms[form]);
    const [width, height] = sizes[form][index];
    one.element.classList.toggle("has-no-room", !found);
    const lead = one.lead.getElement();
    lead.hidden = 2 * Math.abs(dx) <= width && 2 * Math.abs(dy) <= height;
    lead.style.setProperty("--lead", `${Math.hypot(dx, dy)}px`);
    lead.style.setProperty("--turn", `${Math.atan2(dy, dx)}rad`);
    one.marker.setOffset([dx, dy]);
    one.room = found && { dx, dy, size: [width, height] };
  });
  return JSON.stringify(shown.map((one) => one.room)) !== before;
}

/** What the markers take: for each its place, its offset and its size in pixels. */
export function takenRoom() {
  return [...markers.values()]
    .filter((one) => one.room)
    .map(({ gauge, room }) => ({ position: gauge.position, ...room }));
}

/** Where the map is covered, in its own pixels. What spans most of it was opened for a moment. */
function furniture(map) {
  const stage = map.getContainer().getBoundingClientRect();
  return [...map.getContainer().parentElement.querySelectorAll(FURNITURE)]
    .map((part) => part.getBoundingClientRect())
    .filter(({ width }) => width < stage.width / 2)
    .map(({ left, right, top, bottom }) => ({
      left: left - stage.left,
      right: right - stage.left,
      top: top - stage.top,
      bottom: bottom - stage.top,
    }));
}

function weight({ gauge, level }) {
  return (city.selected === gauge.id ? 100 : 0) + level * 2 + (gauge.type === "RainGauge" ? 0 : 1);
}

function setForm(element, form) {
  for (const one of FORMS) element.classList.toggle(one, one === form);
}

/** All first, then all sizes: one layout of the page for a form, not one for a marker. */
function measure(shown, form) {
  for (const { element } of shown) setForm(element, form);
  return shown.map(({ element }) => [element.offsetWidth, element.offsetHeight]);
}

export function updateMarkers() {
  for (const one of markers.values()) {
    const { gauge, element, mark, value, age } = one;
    const own = reading(gauge.id, MAIN_PROPERTY[gauge.type]);
    const state = gaugeState(gauge);
    const shown = own && typeof own.value === "number" ? forDisplay(own.value, own.unit) : null;
    const text = shown ? number(shown.value, shown.decimals) : "–";
    setLevelMark(mark, state);
    one.level = state.level;
    setText(value, text);
    const old = state.kind === "stale" ? ago(own.at) : "";
    setText(age, old);
    element.classList.toggle("is-raised", state.level > 0);
    element.classList.toggle("is-stale", state.kind === "stale" || state.kind === "none");
    one.dry = gauge.type === "RainGauge" && own?.value === 0;
    element.classList.toggle("is-selected", city.selected === gauge.id);
    element.style.zIndex = String(state.level + (gauge.type === "WaterLevelGauge" ? 2 : 1));
    const spoken = [
      t(`kind.${gauge.type}`),
      nameOf(gauge.name),
      shown ? `${text} ${shown.unit}` : t("state.none"),
      stateText(state),
      ...(old ? [old] : []),
    ].join(t("separator"));
    if (element.getAttribute("aria-label") !== spoken) element.setAttribute("aria-label", spoken);
  }
}
