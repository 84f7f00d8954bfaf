// The city as GeoJSON (RFC 7946) for the map's sources.

import { city, entitiesOf, entity, reading } from "./city.js";
import { isStale } from "./gauge-state.js";
import { alertLevel } from "./levels.js";
import { chosenSites } from "./sites.js";

const STANDING = ["WaterLevelGauge", "RainGauge", "EvacuationSite", "Building"];

const collection = (features) => ({ type: "FeatureCollection", features });

function feature(thing, geometry, more = {}) {
  const { en = "", ja = "" } = thing.name ?? {};
  return {
    type: "Feature",
    geometry,
    properties: { id: thing.id, name_en: en || ja, name_ja: ja || en, ...more },
  };
}

function point({ longitude, latitude }) {
  return { type: "Point", coordinates: [longitude, latitude] };
}

function shapes(...types) {
  return collection(
    types
      .flatMap((type) => entitiesOf(type))
      .filter((thing) => thing.geometry)
      .map((thing) => feature(thing, thing.geometry)),
  );
}

function points(things) {
  return collection(
    things
      .map((thing) => [thing, positionOf(thing)])
      .filter(([, position]) => position)
      .map(([thing, position]) => feature(thing, point(position))),
  );
}

/** Where a thing is: a vehicle where it last said it was, as long as that is not long ago. */
export function positionOf(thing) {
  const own = reading(thing.id, "position");
  if (own && Number.isFinite(own.value?.longitude)) {
    return isStale(thing, own) ? null : own.value;
  }
  return thing.position ?? null;
}

export const FEATURES = {
  municipality: () => shapes("Municipality"),
  areas: () => shapes("Area"),
  rivers: () => shapes("River"),
  routes: () => shapes("BusRoute"),
  alerts: () => collection([...alertShapes("exercise"), ...alertShapes("actual")]),
  sites: () => points(chosenSites()),
  buildings: () => points(entitiesOf("Building")),
  buses: () => points(entitiesOf("Bus")),
  selected: () => {
    const thing = city.selected && entity(city.selected);
    return points(thing && !thing.type.endsWith("Gauge") ? [thing] : []);
  },
};

/** What markers take of the map, as symbols that show nothing and let no label come near. */
export function roomOf(markers) {
  return collection(
    markers.map(({ position, dx, dy, size: [width, height] }) => ({
      type: "Feature",
      geometry: point(position),
      properties: { image: `room-${width}x${height}`, offset: [dx, dy] },
    })),
  );
}

/** The areas of alerts of one kind, the highest level of an area last (drawn on top). */
function alertShapes(kind) {
  const found = [];
  for (const alert of city[kind] ?? []) {
    const level = alertLevel(alert);
    if (level === 0) continue;
    for (const area of (alert.infos ?? []).flatMap((info) => info.areas ?? [])) {
      const geometry = areaGeometry(area);
      if (geometry) found.push(feature({ id: area.entity, name: area.name }, geometry, { level, kind }));
    }
  }
  const highest = new Map();
  for (const one of found) {
    const key = one.properties.id || JSON.stringify(one.geometry);
    if ((highest.get(key)?.properties.level ?? 0) < one.properties.level) highest.set(key, one);
  }
  return [...highest.values()].sort((a, b) => a.properties.level - b.properties.level);
}

function areaGeometry(area) {
  const known = area.entity && entity(area.entity)?.geometry;
  if (known && known.type.endsWith("Polygon")) return known;
  if (area.polygons?.length > 0) {
    return { type: "MultiPolygon", coordinates: area.polygons.map((ring) => [ring]) };
  }
  return null;
}

/** `[west, south, east, north]` of the outline; without one, of what stands in the city; or null. */
export function cityBounds() {
  const standing = points(STANDING.flatMap((type) => entitiesOf(type)));
  return (
    boundsOf(FEATURES.municipality()) ??
    boundsOf(collection([...FEATURES.areas().features, ...standing.features])) ??
    boundsOf(shapes("River", "BusRoute")) // last: they go on beyond the city
  );
}

/** `[west, south, east, north]` of a collection, or null when it is empty. */
function boundsOf({ features }) {
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  const visit = (coordinates) => {
    if (typeof coordinates[0] === "number") {
      west = Math.min(west, coordinates[0]);
      south = Math.min(south, coordinates[1]);
      east = Math.max(east, coordinates[0]);
      north = Math.max(north, coordinates[1]);
    } else {
      coordinates.forEach(visit);
    }
  };
  for (const { geometry } of features) visit(geometry.coordinates);
  return Number.isFinite(west) ? [west, south, east, north] : null;
}
