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

# how many pixels of a canvas have the colour of level 4
PURPLE = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let purple = 0;
  for (let i = 0; i < data.length; i += 4) {
    purple += data[i] === 170 && data[i + 1] === 0 && data[i + 2] === 170;
  }
  return purple;
}"""

# the boxes of what a selector finds: left, top, right, bottom
BOXES = """(selector) => [...document.querySelectorAll(selector)]
  .map((element) => element.getBoundingClientRect())
  .map((box) => [box.left, box.top, box.right, box.bottom])"""

# of a mark on the map: what one can read of it, without moving or asking
READABLE = """() => [...document.querySelectorAll("#map .marker")]
  .filter((marker) => marker.checkVisibility({ visibilityProperty: true }))
  .map((marker) => [...marker.querySelectorAll("span")]
    .filter((e) => !e.children.length && e.textContent.trim() && e.checkVisibility())
    .filter((e) => parseFloat(getComputedStyle(e).fontSize) > 0)
    .map((e) => e.className.split(" ")[0]))"""

# what one can read of marks that the edge of the map cuts through
CUT = """() => {
  const stage = document.querySelector("#map").getBoundingClientRect();
  const cut = (low, high, from, to) => low < to && high > from && (low < from || high > to);
  return [...document.querySelectorAll("#map .marker")]
    .filter((marker) => marker.checkVisibility({ visibilityProperty: true }))
    .filter((marker) => {
      const box = marker.getBoundingClientRect();
      return cut(box.left, box.right, stage.left, stage.right)
        || cut(box.top, box.bottom, stage.top, stage.bottom);
    })
    .flatMap((marker) => [...marker.querySelectorAll(".marker-value, .marker-name")])
    .filter((part) => part.checkVisibility())
    .map((part) => part.textContent);
}"""

# the smallest type, in pixels of the screen, of what a selector finds
SHOWN_PX = """(selector) => Math.min(...[...document.querySelectorAll(selector)]
  .filter((e) => e.checkVisibility() && parseFloat(getComputedStyle(e).fontSize) > 0)
  .map((e) => parseFloat(getComputedStyle(e).fontSize)
    * e.getBoundingClientRect().width / e.offsetWidth))"""

# what a keyboard has to reach
CONTROLS = """() => [...document
  .querySelectorAll("a[href], button, input, summary, canvas[tabindex]")]
  .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.disabled)"""

# which of CONTROLS has the focus, and whether that can be seen on it or on what it frames
FOCUSED = """() => {
  const focused = document.activeElement;
  return {
    place: CONTROLS.indexOf(focused),
    ring: [focused, ...focused.children].some((e) => getComputedStyle(e).outlineStyle !== "none"),
    html: focused.outerHTML.slice(0, 90),
  };
}"""

# how far the legend's sign for a layer of the map is from the image that the map draws there, and
# from the one of another layer: mean difference of a channel, 0..255
SIGNS = """async ([layer, label, other]) => {
  const { provideImage } = await import("/static/js/map-images.js");
  const { mapStyle } = await import("/static/js/map-style.js");
  const drawn = (id) => {
    const { layout } = mapStyle({}, null, "en").layers.find((one) => one.id === id);
    let pixels = null;
    provideImage({ addImage: (_, image) => (pixels = image) }, layout["icon-image"]);
    return pixels;
  };
  const picture = drawn(layer);
  const shown = [...document.querySelectorAll("#map-legend label")]
    .find((one) => one.textContent.trim() === label).querySelector("svg");
  const copy = shown.cloneNode(true);
  [copy, ...copy.children].forEach((part, index) => {
    const style = getComputedStyle([shown, ...shown.children][index]);
    for (const name of ["fill", "stroke", "stroke-width", "stroke-linecap", "stroke-linejoin"]) {
      part.setAttribute(name, style.getPropertyValue(name));
    }
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", picture.width);
  copy.setAttribute("height", picture.height);
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(copy.outerHTML)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: picture.width, height: picture.height });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, picture.width, picture.height);
  const far = (pixels) =>
    data.reduce((sum, channel, i) => sum + Math.abs(channel - pixels.data[i]), 0) / data.length;
  return [far(picture), far(drawn(other))];
}"""
