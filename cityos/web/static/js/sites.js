// Evacuation sites by hazard, on the map and as a list; nearest first where the visitor wants it.

import { changed, entitiesOf, on, select } from "./city.js";
import { byId, h } from "./dom.js";
import { icon } from "./icons.js";
import { nameLanguage, nameOf, number, onLanguage, t } from "./language.js";
import { sign } from "./signs.js";

/** Codes of the hazards for which sites are designated, in the order of the law's list. */
export const SITE_HAZARDS = [
  "flood",
  "landslide",
  "storm_surge",
  "earthquake",
  "tsunami",
  "large_fire",
  "inland_flood",
  "volcano",
];

const SHORT_LIST = 5;
const EARTH_RADIUS_M = 6_371_008.8;
const filter = { hazard: "", here: null, failed: false, expanded: false };

export function startSites() {
  on("entities", render);
  onLanguage(render);
}

/** The sites that fit the chosen hazard. */
export function chosenSites() {
  return entitiesOf("EvacuationSite").filter(
    (site) => !filter.hazard || site.attributes?.hazards?.includes(filter.hazard),
  );
}

function render() {
  const block = byId("sites");
  const all = entitiesOf("EvacuationSite");
  block.hidden = all.length === 0;
  if (all.length === 0) {
    block.replaceChildren();
    return;
  }
  const sites = withDistances(chosenSites());
  const visible = filter.expanded ? sites : sites.slice(0, SHORT_LIST);
  block.replaceChildren(
    h(
      "h2",
      { class: "block-title" },
      t("sites.title"),
      h("span", { class: "block-count" }, t("sites.count", { n: sites.length })),
    ),
    hazardChoice(all),
    ...("geolocation" in navigator && isSecureContext ? [nearestControl()] : []),
    sites.length === 0
      ? h("p", { class: "empty" }, t("sites.none"))
      : h("ul", { class: "rows" }, ...visible.map(siteRow)),
    ...(sites.length > SHORT_LIST ? [expandButton(sites.length)] : []),
  );
}

/** Renders again with the focus where it was: the control with the same name. */
function renderKeepingFocus() {
  const name = document.activeElement?.getAttribute("data-control");
  render();
  if (name) byId("sites").querySelector(`[data-control="${name}"]`)?.focus();
}

function hazardChoice(all) {
  const offered = SITE_HAZARDS.filter((hazard) =>
    all.some((site) => site.attributes?.hazards?.includes(hazard)),
  );
  const choose = (hazard) => () => {
    filter.hazard = hazard;
    filter.expanded = false;
    renderKeepingFocus();
    changed("sites");
  };
  return h(
    "div",
    { class: "choices", role: "group", "aria-label": t("sites.hazard") },
    ...["", ...offered].map((hazard) =>
      h(
        "button",
        {
          type: "button",
          class: "choice",
          "data-control": `hazard-${hazard}`,
          "aria-pressed": String(filter.hazard === hazard),
          onclick: choose(hazard),
        },
        hazard ? t(`hazard.${hazard}`) : t("sites.all"),
      ),
    ),
  );
}

/** The distance is worked out here: the visitor's position never leaves the device. */
function nearestControl() {
  const locate = () => {
    if (filter.here) {
      filter.here = null;
      renderKeepingFocus();
      return;
    }
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        filter.here = coords;
        filter.failed = false;
        renderKeepingFocus();
      },
      () => {
        filter.failed = true;
        renderKeepingFocus();
      },
      { timeout: 10_000, maximumAge: 60_000 },
    );
  };
  return h(
    "p",
    { class: "nearest" },
    h(
      "button",
      {
        type: "button",
        class: "link-button",
        "data-control": "nearest",
        "aria-pressed": String(filter.here !== null),
        onclick: locate,
      },
      icon("locate"),
      t("sites.nearest"),
    ),
    h("small", {}, t(filter.failed ? "sites.nearest.failed" : "sites.nearest.private")),
  );
}

function expandButton(n) {
  return h(
    "button",
    {
      type: "button",
      class: "link-button rows-more",
      "data-control": "expand",
      "aria-expanded": String(filter.expanded),
      onclick: () => {
        filter.expanded = !filter.expanded;
        renderKeepingFocus();
      },
    },
    filter.expanded ? t("sites.show_less") : t("sites.show_all", { n }),
  );
}

function siteRow({ site, distance_m: distance }) {
  return h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        class: "row is-plain",
        "data-control": site.id,
        onclick: () => select(site.id),
      },
      sign("site"),
      h(
        "span",
        { class: "row-name" },
        h("span", { lang: nameLanguage(site.name) }, nameOf(site.name)),
        site.attributes?.address_ja && h("small", { lang: "ja" }, site.attributes.address_ja),
      ),
      distance !== null && h("span", { class: "row-value is-small" }, distanceText(distance)),
    ),
  );
}

function withDistances(sites) {
  if (!filter.here) return sites.map((site) => ({ site, distance_m: null }));
  return sites
    .filter((site) => site.position)
    .map((site) => ({ site, distance_m: distanceM(filter.here, site.position) }))
    .sort((a, b) => a.distance_m - b.distance_m);
}

/** Great-circle distance, haversine formula. */
function distanceM(a, b) {
  const radians = (degrees) => (degrees * Math.PI) / 180;
  const dLatitude = radians(b.latitude - a.latitude);
  const dLongitude = radians(b.longitude - a.longitude);
  const chord =
    Math.sin(dLatitude / 2) ** 2
    + Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude))
      * Math.sin(dLongitude / 2) ** 2;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(chord));
}

function distanceText(metres) {
  if (metres < 1000) return t("distance.m", { n: number(Math.round(metres / 10) * 10) });
  return t("distance.km", { n: number(metres / 1000, 1) });
}
