// Beyond disasters: buses in service and the power that public buildings draw.

import { entitiesOf, on, reading, select } from "./city.js";
import { byId, h, setText } from "./dom.js";
import { STALE_AFTER_MS } from "./gauge-state.js";
import { nameLanguage, nameOf, now, number, onLanguage, t } from "./language.js";
import { sign } from "./signs.js";
import { forDisplay } from "./units.js";

let figures = null;

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
    h("ul", { class: "rows" }, ...buildings.map(buildingRow)),
  );
  update();
}

function tile(name, labelKey, value, note) {
  return h("div", { class: "tile" }, sign(name), h("span", {}, t(labelKey)), value, note);
}

function buildingRow(building) {
  const value = h("span", { class: "row-value is-small" });
  figures.rows.push({ building, value });
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "row is-plain", onclick: () => select(building.id) },
      sign("building"),
      h(
        "span",
        { class: "row-name" },
        h("span", { lang: nameLanguage(building.name) }, nameOf(building.name)),
      ),
      value,
    ),
  );
}

function fresh(id, property) {
  const own = reading(id, property);
  return own && now() - own.at <= STALE_AFTER_MS ? own : null;
}

function update() {
  if (!figures) return;
  if (figures.buses) updateBuses();
  let total = 0;
  let known = 0;
  for (const { building, value } of figures.rows) {
    const own = fresh(building.id, "active_power");
    if (own) {
      total += own.value;
      known += 1;
    }
    setText(value, own ? display(own.value, own.unit) : "–");
  }
  if (figures.power) setText(figures.power, known > 0 ? display(total, "W") : "–");
}

function updateBuses() {
  const buses = entitiesOf("Bus").filter((bus) => fresh(bus.id, "position"));
  const shares = buses.map((bus) => fresh(bus.id, "occupancy")?.value).filter(Number.isFinite);
  setText(figures.buses, t("life.buses.value", { n: buses.length }));
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  setText(figures.occupancy, shares.length > 0 ? t("life.occupancy", { n: number(mean) }) : "");
}

function display(value, unit) {
  const shown = forDisplay(value, unit);
  return `${number(shown.value, shown.decimals)} ${shown.unit}`;
}
