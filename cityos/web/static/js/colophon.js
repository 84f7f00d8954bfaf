// The foot of the page: whose data this is and under which licence, and where to get it.

import { byId, h, safeLink } from "./dom.js";
import { nameOf, onLanguage, t } from "./language.js";
import { settings } from "./settings.js";

export function startColophon() {
  onLanguage(render);
}

function render() {
  const { sources } = settings.city;
  byId("colophon").replaceChildren(
    ...(sources.length > 0 ? [sourceList(sources)] : []),
    h(
      "ul",
      { class: "colophon-links" },
      h("li", {}, h("a", { href: "/docs" }, t("footer.api"))),
      h("li", {}, h("a", { href: "/v1/alerts.atom?status=Actual" }, t("footer.alerts"))),
      h("li", {}, t("footer.map")),
      h("li", {}, t("footer.software")),
    ),
  );
}

function sourceList(sources) {
  return h(
    "div",
    { class: "colophon-sources" },
    h("h2", {}, t("footer.sources")),
    h("ul", {}, ...sources.map(source)),
  );
}

/** `{title, publisher, licence, licence_url}`; title and publisher a text or `{en, ja}`. */
function source({ title, publisher, licence, licence_url: url }) {
  const text = (value) => (typeof value === "object" ? nameOf(value) : String(value ?? ""));
  const owner = [text(publisher), text(title)].filter(Boolean).join(": ");
  return h(
    "li",
    {},
    owner,
    licence && " · ",
    licence && (url ? safeLink(url, text(licence)) : text(licence)),
  );
}
