// Starts the parts of the page and loads what they show.

import { startAlertBanner } from "./alert-banner.js";
import * as api from "./api.js";
import { city, changed, entitiesOf, on, putEntities, samplesOf } from "./city.js";
import { startCityLife } from "./city-life.js";
import { startColophon } from "./colophon.js";
import { startConnection } from "./connection.js";
import { startDetail } from "./detail.js";
import { byId, h, setText } from "./dom.js";
import { startEndedOrders } from "./ended-orders.js";
import { startGaugeLists } from "./gauge-list.js";
import { language, nameOf, now, number, onLanguage, setLanguage, t } from "./language.js";
import { retryNow, startLive } from "./live.js";
import { resume } from "./official-session.js";
import { startOfficials } from "./officials.js";
import { startProposals } from "./proposals.js";
import { settings } from "./settings.js";
import { startSites } from "./sites.js";
import { startSummary } from "./summary.js";

const TYPES = [
  "Municipality",
  "Area",
  "River",
  "WaterLevelGauge",
  "RainGauge",
  "EvacuationSite",
  "BusRoute",
  "Bus",
  "Building",
];
const AGE_MS = 20_000; // readings grow old without any event
const RELOAD_MS = 10_000;
const TREND_MS = 65 * 60_000;
const TREND_READINGS = 400; // a gauge that speaks every ten seconds, over an hour

document.documentElement.lang = language();
startFrame();
startConnection();
startAlertBanner();
startSummary();
startEndedOrders();
startGaugeLists();
startSites();
startCityLife();
startDetail();
startProposals();
startOfficials();
startColophon();
startLive();
void startMap();
void load();
void resume();
setInterval(() => changed("readings"), AGE_MS);

function startFrame() {
  byId("language-button").addEventListener("click", () =>
    setLanguage(language() === "ja" ? "en" : "ja"),
  );
  on("entities", nameCity);
  onLanguage(() => {
    for (const element of document.querySelectorAll("[data-text]")) {
      element.textContent = t(element.dataset.text);
    }
    const button = byId("language-button");
    button.replaceChildren(
      h("span", { class: "label" }, t("language.switch")),
      h("span", { class: "short" }, t("language.switch.short")),
    );
    button.lang = language() === "ja" ? "en" : "ja";
    button.setAttribute("aria-label", t("language.switch.label"));
    const mark = byId("practice-mark");
    mark.hidden = !settings.city.practice;
    const lapse = settings.city.time_lapse;
    const kind = lapse === 1 ? "practice.mark.more" : "practice.mark.lapse";
    const more = h("span", { class: "practice-more" }, t(kind, { n: number(lapse) }));
    mark.replaceChildren(t("practice.mark"), more);
    nameCity();
  });
}

function nameCity() {
  const name = cityName();
  setText(byId("city-name"), name);
  document.title = t("page.title", { city: name });
}

/** The municipality's own name; until it is known the tenant's. */
function cityName() {
  return nameOf(entitiesOf("Municipality")[0]?.name) || nameOf(settings.city.name) || "CityOS";
}

/** The page works without a map: no WebGL, or the vendor files are not installed. */
async function startMap() {
  try {
    const map = await import("./map.js");
    map.startMap();
  } catch (error) {
    console.warn("the map cannot be shown", error);
    const notice = byId("map-notice");
    byId("map").hidden = true;
    byId("map-legend").hidden = true;
    notice.hidden = false;
    onLanguage(() => notice.replaceChildren(h("p", {}, t("map.missing"))));
  }
}

async function load() {
  try {
    const [properties, ...lists] = await Promise.all([
      api.observedProperties(),
      ...TYPES.map((type) => api.entities(type)),
    ]);
    city.properties = new Map(properties.map((property) => [property.name, property]));
    TYPES.forEach((type, index) => putEntities(type, lists[index]));
    city.loaded = true;
    city.failed = false;
    changed("entities");
    void loadTrends();
  } catch {
    city.failed = true;
    changed("entities");
    setTimeout(() => {
      retryNow();
      void load();
    }, RELOAD_MS);
  }
}

/** The last hour of each gauge, by its river's time, one after the other so that the page itself comes first. */
async function loadTrends() {
  for (const gauge of entitiesOf("WaterLevelGauge")) {
    try {
      const since = new Date(now() - TREND_MS / settings.city.time_lapse);
      const past = await api.recent(gauge.id, "water_level", since, TREND_READINGS);
      for (const { at, value } of past) samplesOf(gauge.id).add(at, value);
      changed("readings");
    } catch {
      // without its past a gauge shows no trend until it has spoken for ten minutes
    }
  }
}
