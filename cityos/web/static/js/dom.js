// Elements are built node by node and text goes in as text: data can never become markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** `h("button", {type: "button", onclick: run}, "Run")`. Null, undefined and false are left out. */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

/** Like `element.textContent = text`, but leaves an unchanged text alone (no reflow, no re-read). */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The element with this id; the page template has it. */
export function byId(id) {
  return document.getElementById(id);
}

/** Only http(s) links leave this page, whatever the data says. */
export function safeLink(url, text, properties = {}) {
  let target = null;
  try {
    target = new URL(url, location.href);
  } catch {
    return document.createTextNode(text);
  }
  if (!["http:", "https:"].includes(target.protocol)) return document.createTextNode(text);
  return h("a", { href: target.href, rel: "noopener noreferrer", ...properties }, text);
}
