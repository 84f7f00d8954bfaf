// Keeps the page current: server-sent events, and polling while they are away.

import * as api from "./api.js";
import { changed, city, putLatest, setConnection } from "./city.js";

const POLL_MS = 10_000;
const CHECK_MS = 30_000; // also while live: a dead stream may look alive, and it tells of one
// status only (exercises in a city that is not a practice city are found by looking)
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

let stream = null;
let retryMs = FIRST_RETRY_MS;
let retryTimer = 0;
let pollTimer = 0;
let lastEventMs = 0;

export function startLive() {
  open();
  setInterval(() => void refresh(), CHECK_MS);
  addEventListener("online", retryNow);
  addEventListener("offline", () => void refresh()); // it may still reach a server on this machine
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && city.connection !== "live") retryNow();
  });
  addEventListener("pagehide", () => stream?.close());
  addEventListener("pageshow", ({ persisted }) => persisted && retryNow()); // out of the cache
}

export function retryNow() {
  retryMs = FIRST_RETRY_MS;
  void refresh();
  open();
}

function open() {
  clearTimeout(retryTimer);
  retryTimer = 0;
  stream?.close();
  const own = new EventSource("/v1/live");
  stream = own;
  own.onopen = () => {
    retryMs = FIRST_RETRY_MS;
    clearInterval(pollTimer);
    pollTimer = 0;
    setConnection("live");
    void refresh(); // what passed while nobody listened
  };
  own.addEventListener("latest", (event) => {
    lastEventMs = performance.now();
    const items = parse(event.data)?.items;
    if (Array.isArray(items)) putLatest(items);
  });
  own.addEventListener("gap", () => void refresh()); // this device read too slowly
  // An event may end an alert as well as begin one: what is in force is asked for anew.
  own.addEventListener("alert", () => void refreshAlerts().catch(() => {}));
  // The browser's own retry gives up on an error status; ours never does, and waits longer.
  own.onerror = () => {
    if (stream === own) lost("reconnecting");
  };
}

function lost(connection) {
  stream?.close();
  // what plain requests have found out holds until they find otherwise: a retry every second or so
  // that fails again is no news
  if (city.connection !== "offline" && city.connection !== "polling") setConnection(connection);
  if (!pollTimer) {
    pollTimer = setInterval(() => void refresh(), POLL_MS);
    void refresh();
  }
  if (retryTimer) return;
  retryTimer = setTimeout(open, retryMs * (0.75 + Math.random() / 2));
  retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}

let refreshes = 0;

/**
 * Latest values and alerts by plain requests. Also finds out whether the city answers at all: the
 * newest request decides, for an answer to an older one may be late.
 */
export async function refresh() {
  refreshes += 1;
  const own = refreshes;
  try {
    const [items] = await Promise.all([api.latest(), refreshAlerts()]);
    putLatest(items);
    if (own !== refreshes || city.connection === "live") return;
    const isBack = city.connection === "offline";
    setConnection(pollTimer ? "polling" : "connecting");
    if (isBack) open();
  } catch (error) {
    if (own !== refreshes) return;
    if (error.status === 429) return; // too often: what is shown stays true, the next turn comes
    if (city.connection === "live" && performance.now() - lastEventMs < CHECK_MS) return;
    setConnection("offline");
    lost("offline");
  }
}

let alertsAsked = 0;
let inForceBefore = null; // as long as it is the same, nothing was ended

/** An answer that was overtaken by a newer question is dropped. */
export async function refreshAlerts() {
  alertsAsked += 1;
  const asked = alertsAsked;
  try {
    const [actual, exercise] = await Promise.all([
      api.alertsInForce("Actual"),
      api.alertsInForce("Exercise"),
    ]);
    if (asked !== alertsAsked) return;
    // The server filters by status; a mix-up there must still not show an exercise as actual.
    city.actual = actual.filter((alert) => alert.status === "Actual");
    city.exercise = exercise.filter((alert) => alert.status === "Exercise");
    changed("alerts");
    await refreshEnded(asked).catch(() => {}); // what is over comes second: the next turn asks again
  } catch (error) {
    if (asked === alertsAsked && city.actual === null) changed("alerts");
    throw error;
  }
}

async function refreshEnded(asked) {
  const inForce = [...city.actual, ...city.exercise].map((alert) => alert.identifier).join(" ");
  if (inForce === inForceBefore) return;
  const [actual, exercise] = await Promise.all([
    api.endedOrders("Actual"),
    api.endedOrders("Exercise"),
  ]);
  if (asked !== alertsAsked) return;
  inForceBefore = inForce;
  city.ended = { actual, exercise };
  changed("alerts");
}
