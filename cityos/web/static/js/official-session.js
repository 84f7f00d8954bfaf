// The official's key. It lives in this tab's session storage and nowhere else.

import * as api from "./api.js";
import { changed } from "./city.js";

const STORED = "cityos.official-key";
const POLL_MS = 3_000; // proposals are not public, so they do not come over the open live stream

let key = read();
let timer = 0;

export const session = {
  /** Proposals that wait, newest first; null: not known. */
  proposals: null,
  /** Decided ones that can be assessed again, newest first. */
  decided: [],
  failed: false,
};

function read() {
  try {
    return sessionStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}

export function signedIn() {
  return key !== "";
}

/** Starts watching when this tab already has a key. */
export async function resume() {
  if (!signedIn()) return;
  changed("session");
  watch();
  await refreshProposals();
}

/** Raises ApiError: 401 for a key that is not ours, 403 for one that may not decide. */
export async function signIn(candidate) {
  await ask(candidate);
  key = candidate;
  try {
    sessionStorage.setItem(STORED, candidate);
  } catch {
    // without storage the key lasts until the page is left
  }
  watch();
  changed("session");
  changed("proposals");
}

export function signOut() {
  key = "";
  session.proposals = null;
  session.decided = [];
  clearInterval(timer);
  try {
    sessionStorage.removeItem(STORED);
  } catch {
    // as above
  }
  changed("session");
  changed("proposals");
}

function watch() {
  clearInterval(timer);
  timer = setInterval(() => void refreshProposals(), POLL_MS);
}

export async function refreshProposals() {
  if (!signedIn()) return;
  const asked = key;
  try {
    await ask(asked, () => key === asked);
  } catch (error) {
    if (key !== asked) return;
    if (error.status === 401 || error.status === 403) {
      signOut();
      return;
    }
    session.failed = true;
  }
  changed("proposals");
}

/** Raises ApiError. What comes when it is no longer `wanted` is dropped. */
async function ask(candidate, wanted = () => true) {
  const [proposals, decided] = await Promise.all([
    api.pendingProposals(candidate),
    api.reassessableProposals(candidate).catch(() => session.decided), // what waits goes without it
  ]);
  if (wanted()) Object.assign(session, { proposals, decided, failed: false });
}

/** Raises ApiError. `decision` is `approve` or `reject`. */
export function decide(proposal, decision, note) {
  return api.decide(key, proposal.id, decision, note);
}

/** Raises ApiError. */
export function endOrder(alert, reason) {
  return api.endOrder(key, alert.identifier, reason);
}

/** Raises ApiError. */
export function reassess(proposal, reason) {
  return api.reassess(key, proposal.id, reason);
}

/** Raises ApiError. */
export function endExercise(run, reason) {
  return api.endExercise(key, run, reason);
}

/** True for a proposal or an alert of an exercise. What does not say so is treated as actual. */
export function isExercise(proposal) {
  return proposal.status === "Exercise";
}
