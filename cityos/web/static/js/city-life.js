// Beyond disasters: buses in service and the power that public buildings draw.

import { entitiesOf, on, reading, select } from "./city.js";
import { byId, h, setText } from "./dom.js";
import { isStale } from "./gauge-state.js";
import { nameLanguage, nameOf, number, onLanguage, t } from "./language.js";
import { sign } from "./signs.js";
import { forDisplay } from "./units.js";

let figures = null;
let busesShown = false;

export function startCityLife() {
  on("entities", build);
  on("readings", update);
  onLanguage(build);
}

function build() {
  const block = byId("city-life");
  const buses = entitiesOf("Bus");
  const buildings = entitiesOf("Building");
  block.hidden = buses.length + buildings.length === 0;
  figures = { rows: [] };
  const tiles = [];
  if (buses.length > 0) {
    figures.buses = h("b", {});
    figures.occupancy = h("small", {});
    tiles.push(tile("bus", "life.buses", figures.buses, figures.occupancy));
  }
  if (buildings.length > 0) {
    figures.power = h("b", {});
    const count = h("small", {}, t("life.buildings", { n: buildings.length }));
    tiles.push(tile("building", "life.power", figures.power, count));
  }
  block.replaceChildren(
    h("h2", { class: "block-title" }, t("life.title")),
    h("div", { class: "tiles" }, ...tiles),
    ...(buses.length > 0 ? [busList(buses)] : []),
    h("ul", { class: "rows" }, ...buildings.map(buildingRow)),
  );
  update();
}

function tile(name, labelKey, value, note) {
  return h("div", { class: "tile" }, sign(name), h("span", {}, t(labelKey)), value, note);
}

/** On the map a bus moves and cannot be reached by keyboard: here it can. */
function busList(buses) {
  return h(
    "details",
    { class: "folded", open: busesShown, ontoggle: (event) => (busesShown = event.target.open) },
    h("summary", {}, t("life.buses.all", { n: buses.length })),
    h("ul", { class: "rows" }, ...buses.map((bus) => row("bus", bus))),
  );
}

function buildingRow(building) {
  const value = h("span", { class: "row-value is-small" });
  figures.rows.push({ building, value });
  return row("building", building, value);
}

function row(name, thing, value = null) {
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "row is-plain", onclick: () => select(thing.id) },
      sign(name),
      h(
        "span",
        { class: "row-name" },
        h("span", { lang: nameLanguage(thing.name) }, nameOf(thing.name)),
      ),
      value,
    ),
  );
}

function fresh(thing, property) {
  const own = reading(thing.id, property);
  return own && !isStale(thing, own) ? own : null;
}

function update() {
  if (!figures) return;
  if (figures.buses) updateBuses();
  let total = 0;
  let known = 0;
  for (const { building, value } of figures.rows) {
    const own = fresh(building, "active_power");
    if (own) {
      total += own.value;
      known += 1;
    }
    setText(value, own ? display(own.value, own.unit) : silence(building));
  }
  if (figures.power) setText(figures.power, known > 0 ? display(total, "W") : "–");
}

/** Of a place that never spoke there is nothing to say; of one that fell silent, that it did. */
function silence(building) {
  return reading(building.id, "active_power") ? t("state.stale") : "–";
}

function updateBuses() {
  const buses = entitiesOf("Bus").filter((bus) => fresh(bus, "position"));
  const shares = buses.map((bus) => fresh(bus, "occupancy")?.value).filter(Number.isFinite);
  setText(figures.buses, t("life.buses.value", { n: buses.length }));
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  setText(figures.occupancy, shares.length > 0 ? t("life.occupancy", { n: number(mean) }) : "");
}

function display(value, unit) {
  const shown = forDisplay(value, unit);
  return `${number(shown.value, shown.decimals)} ${shown.unit}`;
}
