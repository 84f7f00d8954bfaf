// What one needs to know of an evacuation site: above all, for which hazards it is *not* meant.

import { h } from "./dom.js";
import { nameLanguage, nameOf, number, t } from "./language.js";
import { SITE_HAZARDS } from "./sites.js";

export function siteFacts(site) {
  const attributes = site.attributes ?? {};
  const own = SITE_HAZARDS.filter((hazard) => attributes.hazards?.includes(hazard));
  const others = SITE_HAZARDS.filter((hazard) => !own.includes(hazard));
  const address = { en: attributes.address_en, ja: attributes.address_ja };
  return [
    h("h3", {}, t("detail.suitable")),
    hazardList(own, "is-suitable"),
    h("h3", {}, t("detail.not_suitable")),
    hazardList(others, "is-unsuitable"),
    h(
      "dl",
      { class: "facts" },
      nameOf(address) && fact("detail.address", nameOf(address), nameLanguage(address)),
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

function fact(key, text, lang = null) {
  return h("div", {}, h("dt", {}, t(key)), h("dd", { lang }, text));
}
