// The open API as this page uses it. Every call has a deadline and fails as ApiError.

import { setServerTime } from "./language.js";
import { settings } from "./settings.js";

const DEADLINE_MS = 10_000;
const ANOTHER_CITY = "urn:cityos:problem:another-city";
const ENDED_AMONG = 100; // what was ended lately is among the newest
const MOST_PAGES = 20; // a city with more things than that needs a map of tiles, not this page

/** `status` is the HTTP status, 0 when no answer came. `problem` is the RFC 9457 body, if any. */
export class ApiError extends Error {
  constructor(status, problem = null) {
    super(problem?.title ?? `status ${status}`);
    this.status = status;
    this.problem = problem;
  }

  /** True for a key that is good, but not for the city of this page. */
  get isOfAnotherCity() {
    return this.problem?.type === ANOTHER_CITY;
  }
}

async function request(path, { method = "GET", key = "", body = null } = {}) {
  // named, or a key would choose its own city and this page would show that one
  const headers = { Accept: "application/json", "CityOS-Tenant": settings.city.id };
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
      credentials: "same-origin",
    });
  } catch {
    throw new ApiError(0);
  }
  setServerTime(response.headers.get("Date"));
  const document = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, document);
  if (document === null) throw new ApiError(0);
  return document;
}

/** All items of a list, page after page. `next` may be absolute: only its path is followed. */
async function list(path, parameters = {}, options = {}) {
  const query = new URLSearchParams(parameters);
  let next = `${path}?${query}`;
  const items = [];
  for (let page = 0; next && page < MOST_PAGES; page += 1) {
    const answer = await request(next, options);
    items.push(...(answer.items ?? []));
    const url = answer.next ? new URL(answer.next, location.href) : null;
    next = url && url.pathname + url.search;
  }
  return items;
}

export function entities(type) {
  return list("/v1/entities", { type, limit: 500 });
}

export function latest() {
  return list("/v1/latest", { limit: 500 });
}

export function observedProperties() {
  return list("/v1/observed-properties");
}

/** Alerts in force of one status. Actual and Exercise are asked for apart and kept apart. */
export function alertsInForce(status) {
  return list("/v1/alerts", { status, in_force: "true" });
}

/** The Cancels among the newest messages of this city's own, newest first. */
export async function endedOrders(status) {
  const query = new URLSearchParams({ status, ours: "true", limit: ENDED_AMONG });
  const { items } = await request(`/v1/alerts?${query}`);
  return items.filter((alert) => alert.message_type === "Cancel" && alert.status === status);
}

/** Averages over `interval` (ISO 8601) since a time, oldest first: `[{at, value}]`. */
export function history(entityId, property, since, interval) {
  return series(entityId, property, {
    since: since.toISOString(),
    interval,
    aggregate: "average",
  });
}

/** The newest readings since a time, `limit` at most, oldest first: `[{at, value}]`. */
export function recent(entityId, property, since, limit) {
  return series(entityId, property, { since: since.toISOString(), order: "newest_first", limit });
}

async function series(entityId, property, parameters) {
  const query = new URLSearchParams(parameters);
  const answer = await request(`${historyPath(entityId, property)}?${query}`);
  return (answer.items ?? [])
    .map((item) => ({ at: new Date(item.start ?? item.observed_at), value: item.value }))
    .filter((sample) => Number.isFinite(sample.value) && !Number.isNaN(sample.at.getTime()))
    .sort((a, b) => a.at - b.at);
}

export function historyPath(entityId, property) {
  return `/v1/entities/${encodeURIComponent(entityId)}/history/${encodeURIComponent(property)}`;
}

export function pendingProposals(key) {
  return list("/v1/proposals", { state: "pending" }, { key });
}

/** The newest decisions on dangers that stand without an order: those that can be taken back. */
export function reassessableProposals(key) {
  return list("/v1/proposals", { reassessable: "true" }, { key });
}

/** Takes a decision back: the rules are applied again. */
export function reassess(key, proposalId, reason) {
  return request(`/v1/proposals/${encodeURIComponent(proposalId)}/reassess`, {
    method: "POST",
    key,
    body: { reason },
  });
}

/** Closes what waits of an exercise and cancels its orders. */
export function endExercise(key, run, reason) {
  return request(`/v1/exercises/${encodeURIComponent(run)}/end`, {
    method: "POST",
    key,
    body: { reason },
  });
}

/** Issues the Cancel of an order in force and returns it. */
export function endOrder(key, identifier, reason) {
  return request(`/v1/alerts/${encodeURIComponent(identifier)}/cancel`, {
    method: "POST",
    key,
    body: { reason },
  });
}

/** `decision` is `approve` or `reject`. */
export function decide(key, proposalId, decision, note) {
  return request(`/v1/proposals/${encodeURIComponent(proposalId)}/${decision}`, {
    method: "POST",
    key,
    body: { note },
  });
}
