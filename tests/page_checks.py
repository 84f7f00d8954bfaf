"""What a program can tell of how readable a page is (WCAG 2.2). Run in the browser."""

WIDTH = "document.documentElement.scrollWidth"

# 2.5.8 asks for 24 pixels, but for links in a sentence
TOO_SMALL = """() => [...document.querySelectorAll("button, a, summary, label")]
  .filter((e) => e.checkVisibility() && !e.closest("p, li") && !e.matches(".skip-link"))
  .map((e) => [e, e.getBoundingClientRect()])
  .filter(([, box]) => box.width > 0 && (box.width < 24 || box.height < 24))
  .map(([e]) => e.outerHTML.slice(0, 80))"""

NAMELESS = """() => [...document.querySelectorAll("button, a, input, textarea, [role=img]")]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim()
    || e.labels?.length || e.title))
  .map((e) => e.outerHTML.slice(0, 120))"""

CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return { r, g, b, a: a / 255 };
  };
  const over = (top, under) => ({ a: 1, ...Object.fromEntries(["r", "g", "b"]
    .map((c) => [c, top[c] * top.a + under[c] * (1 - top.a)])) });
  const light = ({ r, g, b }) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.backgroundImage !== "none") return null; // stripes: looked at by people
      const colour = rgba(style.backgroundColor);
      layers.push(colour);
      if (colour.a === 1) break;
    }
    return layers.reverse().reduce((under, top) => over(top, under), rgba("white"));
  };
  const poor = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".visually-hidden, svg")) continue;
    const under = ground(element);
    if (!under) continue;
    const style = getComputedStyle(element);
    const ink = over(rgba(style.color), under);
    const [a, b] = [light(ink), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) {
      poor.push(`${ratio.toFixed(2)} ${element.className}: ${element.textContent.slice(0, 30)}`);
    }
  }
  return poor;
}"""
