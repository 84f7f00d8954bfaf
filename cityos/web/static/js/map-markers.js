// Gauges on the map as real buttons: they can be reached by keyboard and read aloud.

import { Marker } from "maplibre-gl";

import { city, entitiesOf, reading, select } from "./city.js";
import { h, setText } from "./dom.js";
import { gaugeState } from "./gauge-state.js";
import { icon } from "./icons.js";
import { nameOf, number, t } from "./language.js";
import { setLevelMark, stateText } from "./level-mark.js";
import { MAIN_PROPERTY } from "./levels.js";
import { forDisplay } from "./units.js";

const markers = new Map();

/** Creates markers for gauges that have none and removes those of gauges that are gone. */
export function placeMarkers(map) {
  const gauges = [...entitiesOf("RainGauge"), ...entitiesOf("WaterLevelGauge")]
    .filter((gauge) => gauge.position);
  const wanted = new Set(gauges.map((gauge) => gauge.id));
  for (const [id, { marker }] of markers) {
    if (wanted.has(id)) continue;
    marker.remove();
    markers.delete(id);
  }
  for (const gauge of gauges) {
    markers.get(gauge.id)?.marker.remove();
    markers.set(gauge.id, createMarker(map, gauge));
  }
  updateMarkers();
}

function createMarker(map, gauge) {
  const mark = h("span", { "aria-hidden": "true" });
  const value = h("span", { class: "marker-value", "aria-hidden": "true" });
  const name = h("span", { class: "marker-name", "aria-hidden": "true" }, nameOf(gauge.name));
  const rain = gauge.type === "RainGauge";
  const element = h(
    "button",
    {
      type: "button",
      class: `marker ${rain ? "is-rain" : "is-water"}`,
      onclick: (event) => {
        event.stopPropagation();
        select(gauge.id);
      },
    },
    h("span", { class: "marker-pill" }, rain && icon("rain"), mark, value),
    name,
  );
  const { longitude, latitude } = gauge.position;
  const marker = new Marker({ element, anchor: "center" }).setLngLat([longitude, latitude]);
  marker.addTo(map);
  return { gauge, marker, element, mark, value };
}

export function updateMarkers() {
  for (const { gauge, element, mark, value } of markers.values()) {
    const own = reading(gauge.id, MAIN_PROPERTY[gauge.type]);
    const state = gaugeState(gauge);
    const shown = own && typeof own.value === "number" ? forDisplay(own.value, own.unit) : null;
    const text = shown ? number(shown.value, shown.decimals) : "–";
    setLevelMark(mark, state);
    setText(value, text);
    element.classList.toggle("is-raised", state.level > 0);
    element.classList.toggle("is-stale", state.kind === "stale" || state.kind === "none");
    element.classList.toggle("is-dry", gauge.type === "RainGauge" && own?.value === 0);
    element.classList.toggle("is-selected", city.selected === gauge.id);
    element.style.zIndex = String(state.level + (gauge.type === "WaterLevelGauge" ? 2 : 1));
    const spoken = [
      t(`kind.${gauge.type}`),
      nameOf(gauge.name),
      shown ? `${text} ${shown.unit}` : t("state.none"),
      stateText(state),
    ].join(t("separator"));
    if (element.getAttribute("aria-label") !== spoken) element.setAttribute("aria-label", spoken);
  }
}
