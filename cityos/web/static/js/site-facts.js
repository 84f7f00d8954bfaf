// What one needs to know of an evacuation site: above all, for which hazards it is *not* meant.

import { h } from "./dom.js";
import { nameOf, number, t } from "./language.js";
import { SITE_HAZARDS } from "./sites.js";

export function siteFacts(site) {
  const attributes = site.attributes ?? {};
  const own = SITE_HAZARDS.filter((hazard) => attributes.hazards?.includes(hazard));
  const others = SITE_HAZARDS.filter((hazard) => !own.includes(hazard));
  const address = nameOf({ en: attributes.address_en, ja: attributes.address_ja });
  return [
    h("h3", {}, t("detail.suitable")),
    hazardList(own, "is-suitable"),
    h("h3", {}, t("detail.not_suitable")),
    hazardList(others, "is-unsuitable"),
    h(
      "dl",
      { class: "facts" },
      address && fact("detail.address", address),
      attributes.capacity
        && fact("detail.capacity", t("detail.capacity.value", { n: number(attributes.capacity) })),
    ),
  ];
}

function hazardList(hazards, className) {
  return h(
    "ul",
    { class: `hazards ${className}` },
    ...hazards.map((hazard) => h("li", {}, t(`hazard.${hazard}`))),
  );
}

function fact(key, text) {
  return h("div", {}, h("dt", {}, t(key)), h("dd", {}, text));
}
