// Map symbols, drawn on a canvas when the map asks for them: nothing is fetched.

const SIZE = 26;
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

function plate(context, colour, rim, radius) {
  context.fillStyle = rim;
  context.beginPath();
  context.roundRect(1, 1, SIZE - 2, SIZE - 2, radius + 1.5);
  context.fill();
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(2.5, 2.5, SIZE - 5, SIZE - 5, radius);
  context.fill();
}

function strokes(context, colour, width, paths) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const path of paths) context.stroke(new Path2D(path));
}

const DRAW = {
  // a person on the way through a door, after the green sign of JIS Z 8210
  site(context, colour) {
    plate(context, colour("--site"), colour("--map-rim"), 4);
    const white = colour("--on-site");
    context.fillStyle = white;
    context.beginPath();
    context.arc(14.6, 7.6, 2, 0, 7);
    context.fill();
    strokes(context, white, 2, [
      "M12.8 11.2l-2.6 4.6",
      "M8 12.200l4.6-1.2 2.6 2.6 2.8.4",
      "M11 15.400l3 2.2-.6 3.2",
      "M10.2 15.800l-1.6 2.4-3 .4",
    ]);
  },
  bus(context, colour) {
    plate(context, colour("--bus"), colour("--map-rim"), 12);
    const white = colour("--on-bus");
    strokes(context, white, 1.7, ["M8.5 7.500h9v9.500h-9z", "M8.5 12.500h9", "M10.5 17v1.8", "M15.5 17v1.8"]);
  },
  building(context, colour) {
    plate(context, colour("--building"), colour("--map-rim"), 4);
    strokes(context, colour("--on-building"), 1.7, [
      "M8.5 19V7.500h9V19",
      "M7 19h12",
      "M11.5 11h0",
      "M14.5 11h0",
      "M11.5 14.500h0",
      "M14.5 14.500h0",
    ]);
  },
};

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
  } else if (DRAW[id]) {
    const context = canvas(SIZE, SIZE);
    DRAW[id](context, colour);
    const pixels = context.getImageData(0, 0, SIZE * RATIO, SIZE * RATIO);
    map.addImage(id, pixels, { pixelRatio: RATIO });
  }
}
