// The look of the map: the city's own shapes on plain ground, coloured by the page's own tokens.

const FONTS = ["Hiragino Sans", "Noto Sans JP", "Noto Sans CJK JP", "Yu Gothic", "sans-serif"];

/** Fonts that MapLibre draws labels with, on this device: no glyphs are fetched. */
export const MAP_FONTS = FONTS.join(", ");

function palette() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(name).trim();
}

const label = { "text-font": FONTS, "text-max-width": 7, "text-padding": 6 };
const byLevel = (colour, suffix = "") => [
  "match",
  ["get", "level"],
  ...[1, 2, 3, 4, 5].flatMap((level) => [level, colour(`--level-${level}${suffix}`)]),
  colour("--muted"),
];

/**
 * A style (MapLibre style specification, version 8). `data` maps a source to its GeoJSON, `tiles`
 * is `{url, attribution}` or null, `language` is `en` or `ja`.
 */
export function mapStyle(data, tiles, language) {
  const colour = palette();
  const name = ["get", `name_${language}`];
  const sources = Object.fromEntries(
    Object.entries(data).map(([id, features]) => [id, { type: "geojson", data: features }]),
  );
  if (tiles) sources.tiles = { type: "raster", tiles: [tiles.url], tileSize: 256 };
  return {
    version: 8,
    sources,
    layers: [
      { id: "ground", type: "background", paint: { "background-color": colour("--map-ground") } },
      ...(tiles ? [{ id: "tiles", type: "raster", source: "tiles" }] : []),
      ...cityLayers(colour, Boolean(tiles)),
      ...lineLayers(colour),
      ...alertLayers(colour),
      ...placeLabels(colour, name),
      ...pointLayers(colour, name),
    ],
  };
}

function cityLayers(colour, onTiles) {
  return [
    {
      id: "municipality-fill",
      type: "fill",
      source: "municipality",
      paint: { "fill-color": colour("--map-city"), "fill-opacity": onTiles ? 0.12 : 1 },
    },
    {
      id: "municipality-halo",
      type: "line",
      source: "municipality",
      layout: { "line-join": "round" },
      paint: { "line-color": colour("--map-halo"), "line-width": 9, "line-blur": 7 },
    },
    {
      id: "areas-line",
      type: "line",
      source: "areas",
      layout: { "line-join": "round" },
      paint: { "line-color": colour("--map-area"), "line-width": 1, "line-dasharray": [3, 3] },
    },
    {
      id: "municipality-line",
      type: "line",
      source: "municipality",
      layout: { "line-join": "round" },
      paint: { "line-color": colour("--map-border"), "line-width": 1.6 },
    },
  ];
}

function lineLayers(colour) {
  const line = (id, source, paint) => ({
    id,
    type: "line",
    source,
    layout: { "line-cap": "round", "line-join": "round" },
    paint,
  });
  return [
    line("routes-line", "routes", {
      "line-color": colour("--map-route"),
      "line-width": ["interpolate", ["linear"], ["zoom"], 10, 1, 15, 3],
    }),
    line("rivers-line", "rivers", {
      "line-color": colour("--map-water"),
      "line-width": ["interpolate", ["linear"], ["zoom"], 10, 3, 15, 12],
    }),
  ];
}

function alertLayers(colour) {
  const exercise = ["==", ["get", "kind"], "exercise"];
  return [
    {
      id: "alert-actual",
      type: "fill",
      source: "alerts",
      filter: ["!", exercise],
      paint: { "fill-color": byLevel(colour), "fill-opacity": 0.34 },
    },
    {
      id: "alert-exercise",
      type: "fill",
      source: "alerts",
      filter: exercise,
      paint: { "fill-pattern": ["concat", "stripes-", ["to-string", ["get", "level"]]] },
    },
    {
      id: "alert-line",
      type: "line",
      source: "alerts",
      layout: { "line-join": "round" },
      paint: { "line-color": byLevel(colour, "-line"), "line-width": 2 },
    },
  ];
}

function placeLabels(colour, name) {
  const halo = { "text-halo-color": colour("--map-label-halo"), "text-halo-width": 1.4 };
  return [
    {
      id: "area-names",
      type: "symbol",
      source: "areas",
      minzoom: 11.4,
      layout: { ...label, "text-field": name, "text-size": 11.5 },
      paint: { "text-color": colour("--map-area-label"), ...halo },
    },
    {
      id: "river-names",
      type: "symbol",
      source: "rivers",
      layout: {
        ...label,
        "symbol-placement": "line",
        "symbol-spacing": 320,
        "text-field": name,
        "text-size": 12,
      },
      paint: { "text-color": colour("--map-water-label"), ...halo },
    },
  ];
}

function pointLayers(colour, name) {
  const halo = { "text-halo-color": colour("--map-label-halo"), "text-halo-width": 1.6 };
  const point = (id, image, text, from) => ({
    id,
    type: "symbol",
    source: id,
    layout: {
      ...label,
      "icon-image": image,
      "icon-size": ["interpolate", ["linear"], ["zoom"], 10, 0.4, 12, 0.62, 14, 1],
      "icon-allow-overlap": true,
      "text-field": ["step", ["zoom"], "", from, text],
      "text-size": 12,
      "text-offset": [0, 1.1],
      "text-anchor": "top",
      "text-optional": true,
    },
    paint: { "text-color": colour("--ink"), ...halo },
  });
  return [
    point("sites", "site", name, 14),
    point("buildings", "building", name, 13.5),
    point("buses", "bus", name, 13),
    {
      id: "selected",
      type: "circle",
      source: "selected",
      paint: {
        "circle-radius": 18,
        "circle-color": "rgba(0,0,0,0)",
        "circle-stroke-color": colour("--focus"),
        "circle-stroke-width": 3,
      },
    },
    {
      id: "room", // the last is the first that labels make way for
      type: "symbol",
      source: "room",
      layout: {
        "icon-image": ["get", "image"],
        "icon-offset": ["get", "offset"],
        "icon-allow-overlap": true,
        "icon-padding": 1,
      },
    },
  ];
}
