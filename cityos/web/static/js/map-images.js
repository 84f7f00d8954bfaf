// Map symbols, drawn on a canvas when the map asks for them: nothing is fetched.

import { SIGN_PX, SIGNS, plates } from "./signs.js";

const RATIO = 2;

const tokens = () => {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(name).trim();
};

function canvas(width, height) {
  const element = document.createElement("canvas");
  element.width = width * RATIO;
  element.height = height * RATIO;
  const context = element.getContext("2d");
  context.scale(RATIO, RATIO);
  return context;
}

function sign(name, colour) {
  const { width, dots, lines } = SIGNS[name];
  const context = canvas(SIGN_PX, SIGN_PX);
  for (const [token, inset, corner] of plates(name)) {
    const side = SIGN_PX - 2 * inset;
    context.fillStyle = colour(token);
    context.beginPath();
    context.roundRect(inset, inset, side, side, corner);
    context.fill();
  }
  context.fillStyle = context.strokeStyle = colour(`--on-${name}`);
  context.lineWidth = width;
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const dot of dots) context.fill(new Path2D(dot));
  for (const line of lines) context.stroke(new Path2D(line));
  return context.getImageData(0, 0, SIGN_PX * RATIO, SIGN_PX * RATIO);
}

function stripes(level, colour) {
  const context = canvas(16, 16);
  context.globalAlpha = 0.16;
  context.fillStyle = colour(`--level-${level}-line`);
  context.fillRect(0, 0, 16, 16);
  context.globalAlpha = 0.75;
  context.strokeStyle = colour(`--level-${level}-line`);
  context.lineWidth = 2.5;
  for (const offset of [-16, 0, 16]) {
    context.beginPath();
    context.moveTo(offset - 2, 18);
    context.lineTo(offset + 18, -2);
    context.stroke();
  }
  return context.getImageData(0, 0, 16 * RATIO, 16 * RATIO);
}

/** Adds the image called `id` to the map, if it is one of ours. */
export function provideImage(map, id) {
  const colour = tokens();
  const [, width, height] = /^room-(\d+)x(\d+)$/.exec(id) ?? [];
  if (width) {
    const pixels = new ImageData(Number(width), Number(height)); // nothing: it only takes room
    map.addImage(id, pixels);
    return;
  }
  const level = /^stripes-([1-5])$/.exec(id)?.[1];
  if (level) {
    map.addImage(id, stripes(level, colour), { pixelRatio: RATIO });
  } else if (SIGNS[id]) {
    map.addImage(id, sign(id, colour), { pixelRatio: RATIO });
  }
}
