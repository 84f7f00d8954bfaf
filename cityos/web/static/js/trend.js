// Whether the water rises: the slope through a gauge's recent readings, by their own times.

const LONGEST_MS = 60 * 60_000;
const SHORTEST_MS = 20 * 60_000; // of a gauge that speaks every few seconds
const LEAST_MS = 9 * 60_000; // ten minutes, less a gauge's jitter: less says nothing of an hour
const READINGS = 6; // what a slope rests on where readings are rare (every 10 minutes in Japan)
const LEAST_READINGS = 3;
const STEADY_M_PER_H = 0.05;
const SURE = 2; // standard errors: below that, a slope may be nothing but waves
const NOISE_READINGS = 5; // fewer do not tell noise from change
const SPACING_MS = 10_000; // with the capacity, bounds what is kept of a gauge
const CAPACITY = 400;

/**
 * Readings `{at, value}` of one gauge over a little more than an hour, oldest first. `timeLapse` is
 * how many hours of the river pass in one of the readings' times: more than one in a rehearsal.
 */
export class RecentSamples {
  #samples = [];
  #timeLapse;

  constructor(timeLapse = 1) {
    this.#timeLapse = timeLapse;
  }

  /** `at` is a Date or milliseconds. Readings closer than ten seconds to a kept one are left out. */
  add(at, value) {
    const ms = Number(at) * this.#timeLapse;
    const after = this.#samples.findLastIndex((sample) => sample.at <= ms);
    const neighbours = [this.#samples[after], this.#samples[after + 1]];
    if (neighbours.some((sample) => sample && Math.abs(sample.at - ms) < SPACING_MS)) return;
    this.#samples.splice(after + 1, 0, { at: ms, value });
    const newest = this.#samples.at(-1).at;
    const old = this.#samples.findIndex((sample) => newest - sample.at <= LONGEST_MS);
    this.#samples.splice(0, Math.max(old, this.#samples.length - CAPACITY, 0));
  }

  /**
   * `{direction: "rising" | "falling" | "steady", perHour}`, or null when not known yet. `perHour`
   * is null in a time lapse: there is no hour then that a reader could wait for.
   */
  trend() {
    const samples = this.#window();
    if (samples.length < LEAST_READINGS) return null;
    if (samples.at(-1).at - samples[0].at < LEAST_MS) return null;
    const { perHour, error } = slope(samples);
    const sure = Math.abs(perHour) >= Math.max(STEADY_M_PER_H, SURE * error);
    return {
      direction: !sure ? "steady" : perHour > 0 ? "rising" : "falling",
      perHour: this.#timeLapse === 1 ? perHour : null,
    };
  }

  #window() {
    const last = this.#samples.slice(-READINGS - 1);
    if (last.length < LEAST_READINGS) return [];
    const span = last.at(-1).at - last[0].at;
    const length = Math.min(Math.max(span, SHORTEST_MS), LONGEST_MS);
    return this.#samples.filter((sample) => last.at(-1).at - sample.at <= length);
  }
}

/** Least squares: metres an hour, and the standard error that the noise gives it. */
function slope(samples) {
  const mean = (of) => samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const hours = ({ at }) => (at - samples[0].at) / 3_600_000;
  const at = mean(hours);
  const value = mean((sample) => sample.value);
  const along = mean((sample) => (hours(sample) - at) ** 2);
  const perHour = mean((sample) => (hours(sample) - at) * (sample.value - value)) / along;
  return { perHour, error: noise(samples) / Math.sqrt(along * samples.length) };
}

/**
 * The usual spread of a reading, in metres: from the median bend between neighbours, so that
 * neither a steady rise nor one sudden jump of the water counts as noise.
 */
function noise(samples) {
  if (samples.length < NOISE_READINGS) return 0;
  const bends = samples
    .slice(2)
    .map((sample, i) => Math.abs(sample.value - 2 * samples[i + 1].value + samples[i].value))
    .sort((a, b) => a - b);
  return bends[Math.floor(bends.length / 2)] / (0.6745 * Math.sqrt(6));
}
