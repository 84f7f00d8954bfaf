// The last 24 hours of one property as a line, with its thresholds drawn across.

import uPlot from "uplot";

import { thresholdNames } from "./chart-labels.js";
import { language, now, number, time } from "./language.js";

const DAY_S = 86_400;
const GAP_STEPS = 3;
const TIME_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360].map((minutes) => minutes * 60);
const FONT = '12px "Hiragino Sans", "Noto Sans JP", "Noto Sans CJK JP", "Yu Gothic", sans-serif';

/**
 * Draws into `host`. `samples` are `[{at, value}]`, `at` in milliseconds, oldest first, over the
 * last 24 hours or from `since` on; `thresholds` as `levels` gives them, with a `label` each.
 * Returns `{add(sample), destroy()}`.
 */
export function drawChart(host, { samples, since, thresholds, decimals, fromZero }) {
  const data = withGaps(samples);
  const names = thresholdNames(host, thresholds);
  const settings = options(host, { since, thresholds, names, decimals, fromZero });
  const chart = new uPlot(settings, data, host);
  const observer = new ResizeObserver(() => {
    const size = sizeOf(host);
    if (size.width > 0 && size.width !== chart.width) chart.setSize(size);
  });
  observer.observe(host);
  return {
    add({ at, value }) {
      const second = at / 1000;
      if (data[0].length > 0 && second <= data[0].at(-1)) return;
      data[0].push(second);
      data[1].push(value);
      while (data[0].length > 0 && data[0][0] < second - DAY_S) {
        data[0].shift();
        data[1].shift();
      }
      chart.setData(data);
    },
    destroy() {
      observer.disconnect();
      chart.destroy();
    },
  };
}

/** Columns for the chart. Where readings are missing the line is broken, not drawn across. */
function withGaps(samples) {
  const steps = samples.slice(1).map((sample, index) => sample.at - samples[index].at);
  const usual = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0;
  const [seconds, values] = [[], []];
  samples.forEach(({ at, value }, index) => {
    if (index > 0 && steps[index - 1] > GAP_STEPS * usual) {
      seconds.push((samples[index - 1].at + usual) / 1000);
      values.push(null);
    }
    seconds.push(at / 1000);
    values.push(value);
  });
  return [seconds, values];
}

function sizeOf(host) {
  return { width: Math.floor(host.clientWidth), height: 210 };
}

function options(host, { since, thresholds, names, decimals, fromZero }) {
  const style = getComputedStyle(host);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--muted"),
    font: FONT,
    ticks: { stroke: colour("--line"), width: 1, size: 4 },
  };
  return {
    ...sizeOf(host),
    padding: [14, Math.max(10, names.width), 0, 0],
    legend: { show: false },
    cursor: { points: { size: 7 }, drag: { x: false, y: false }, y: false },
    tzDate: (second) => uPlot.tzDate(new Date(second * 1000), "Asia/Tokyo"),
    scales: {
      x: { time: true, range: () => period(since) },
      y: { range: (_, low, high) => span(low, high, thresholds, fromZero) },
    },
    axes: [
      {
        ...axis,
        grid: { stroke: colour("--line"), width: 1 },
        size: 30,
        space: 52,
        incrs: TIME_STEPS_S,
        values: (_, seconds) => seconds.map((second) => hour(second)),
      },
      {
        ...axis,
        grid: { show: false },
        size: 44,
        values: (_, values) => values.map((value) => number(value, Math.min(decimals, 1))),
      },
    ],
    series: [
      {},
      {
        stroke: colour("--chart-line"),
        fill: colour("--chart-fill"),
        width: 2,
        points: { show: false },
        spanGaps: false,
      },
    ],
    hooks: {
      draw: [(chart) => drawThresholds(chart, thresholds, colour), names.place],
      setCursor: [(chart) => showReading(chart, decimals)],
      ready: [(chart) => chart.over.append(readout(chart))],
    },
  };
}

/** From the beginning to a little beyond now, in seconds. */
function period(since) {
  const end = now() / 1000;
  const start = Math.max(since ? since / 1000 : 0, end - DAY_S);
  return [start, end + Math.max(end - start, 60) / 96];
}

function span(low, high, thresholds, fromZero) {
  const values = thresholds.map((threshold) => threshold.value);
  const bottom = Math.min(low ?? 0, fromZero ? 0 : (low ?? 0), ...values);
  const top = Math.max(high ?? 1, ...values);
  const room = (top - bottom || 1) * 0.08;
  return [fromZero && bottom >= 0 ? 0 : bottom - room, top + room];
}

function hour(second) {
  return new Intl.DateTimeFormat(language() === "ja" ? "ja-JP" : "en-GB", {
    timeZone: "Asia/Tokyo",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).format(new Date(second * 1000));
}

function drawThresholds(chart, thresholds, colour) {
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  for (const { value, level } of thresholds) {
    const y = Math.round(chart.valToPos(value, "y", true));
    ctx.strokeStyle = colour(`--level-${level}-line`);
    ctx.lineWidth = 1.5 * ratio;
    ctx.setLineDash([5 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  }
  ctx.restore();
}

function readout(chart) {
  const box = document.createElement("div");
  box.className = "chart-readout";
  box.hidden = true;
  chart.readout = box;
  return box;
}

function showReading(chart, decimals) {
  const box = chart.readout;
  const index = chart.cursor.idx;
  if (!box) return;
  const value = index === null || index === undefined ? null : chart.data[1][index];
  box.hidden = value === null || value === undefined || chart.cursor.left < 0;
  if (box.hidden) return;
  const at = new Date(chart.data[0][index] * 1000);
  box.textContent = `${time(at)}  ${number(value, decimals)}`;
  const left = chart.valToPos(chart.data[0][index], "x");
  box.classList.toggle("is-left", left > chart.over.clientWidth / 2);
  box.style.left = `${left}px`;
}
