// Curves of allowed, refused and shadow-refused requests, drawn by uPlot, and their table.
import uPlot from "./uplot/uPlot.esm.js";
import { h, setText, syncChildren, table } from "./dom.js";
import { formatClock, formatCount, formatRate } from "./format.js";

/** @typedef {import("./types.js").Usage} Usage */
/** @typedef {"allowed" | "refused" | "shadow_refused"} Outcome */

/** @typedef {{time: number, label: string}} Mark A change of the policy, at a Unix time. */

/** @type {{name: Outcome, label: string, dash?: number[]}[]} */
export const OUTCOMES = [
  { name: "allowed", label: "Allowed" },
  { name: "refused", label: "Refused" },
  { name: "shadow_refused", label: "Shadow-refused", dash: [5, 3] },
];

const TABLE_STEP = 10;
const PIXELS_PER_POINT = 5;
const LABEL_PIXELS = 48; // from one label of a mark to the next
const scheme = matchMedia("(prefers-color-scheme: dark)");

/** @param {string} name A custom property of the style sheet. */
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/**
 * The means of some seconds, so that there are at most `points`; each mean is of the same seconds
 * whenever the usage was read, so curves move and do not flicker.
 * @param {Usage} usage @param {number} points @returns {Usage}
 */
function coarsen(usage, points) {
  const size = Math.max(1, Math.ceil(usage.allowed.length / Math.max(1, points)));
  const skipped = (size - (usage.from % size)) % size;
  const shorten = (/** @type {number[]} */ values) =>
    Array.from({ length: Math.max(0, Math.floor((values.length - skipped) / size)) }, (_, index) => sum(values.slice(skipped + index * size, skipped + (index + 1) * size)) / size);
  const [allowed, refused, shadow_refused] = [usage.allowed, usage.refused, usage.shadow_refused].map(shorten);
  return { ...usage, from: usage.from + skipped, step: size, allowed, refused, shadow_refused };
}

/** A curve that is 0 all the time is left out. @param {Usage} usage @returns {import("./uplot/uPlot.esm.js").AlignedData} */
function toData(usage) {
  const times = usage.allowed.map((_, index) => usage.from + index * usage.step);
  const [refused, shadowRefused] = [usage.refused, usage.shadow_refused].map((it) => (it.some(Boolean) ? it : it.map(() => null)));
  return [times, usage.allowed, refused, shadowRefused];
}

/** A chart in an element; it follows the width of the element and the color scheme. */
export class Chart {
  /** @type {uPlot | null} */
  #plot = null;
  /** @type {Usage | null} */
  #usage = null;
  /** @type {Mark[]} */
  #marks = [];
  #host;
  #compact;
  #onPoint;
  /** @type {Usage | null} What the curves show: requests per second, as means of some seconds. */
  shown = null;

  /**
   * @param {HTMLElement} host
   * @param {{compact?: boolean, onPoint?: (index: number | null) => void}} [options]
   */
  constructor(host, { compact = false, onPoint } = {}) {
    this.#host = host;
    this.#compact = compact;
    this.#onPoint = onPoint;
    host.setAttribute(compact ? "aria-hidden" : "role", compact ? "true" : "img");
    new ResizeObserver(() => this.#resize()).observe(host);
    scheme.addEventListener("change", () => this.#draw());
  }

  /** Show the curves; nothing if the traffic is unknown. @param {Usage} usage @param {Mark[]} [marks] */
  update(usage, marks = []) {
    if (usage.fault) return this.#clear();
    this.#usage = usage;
    this.#marks = marks;
    if (!this.#compact) this.#host.setAttribute("aria-label", summarize(usage));
    this.#coarsen();
    if (this.#plot && this.shown) this.#plot.setData(toData(this.shown));
    else this.#draw();
  }

  #clear() {
    this.#plot?.destroy();
    this.#plot = this.#usage = this.shown = null;
  }

  #coarsen() {
    if (this.#usage) this.shown = coarsen(this.#usage, this.#host.clientWidth / PIXELS_PER_POINT);
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.#host;
    if (!this.#plot || !width) return this.#draw();
    this.#coarsen();
    this.#plot.setSize({ width, height });
    if (this.shown) this.#plot.setData(toData(this.shown));
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#host;
    this.#coarsen();
    if (!this.shown || !width) return;
    this.#plot?.destroy();
    this.#plot = new uPlot(
      { width, height, ...(this.#compact ? compactOptions() : fullOptions(this.#onPoint, () => this.#marks)) },
      toData(this.shown),
      this.#host,
    );
  }
}

/** @param {number} width */
function buildSeries(width) {
  return OUTCOMES.map(({ name, label, dash }) => ({
    label,
    dash,
    width,
    stroke: color(name),
    fill: name === "allowed" ? color("allowed-fill") : undefined,
    points: { show: false },
  }));
}

/** The top of the scale: never 0, so that a quiet policy is a line at the bottom. */
const range = { y: { range: /** @type {(plot: uPlot, min: number, max: number) => [number, number]} */ ((_, __, max) => [0, Math.max(max * 1.08, 1)]) } };

function compactOptions() {
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: range,
    axes: [{ show: false }, { show: false }],
    padding: /** @type {[number, number, number, number]} */ ([2, 0, 0, 0]),
    series: [{}, ...buildSeries(1.25)],
  };
}

/** @param {((index: number | null) => void) | undefined} onPoint @param {() => Mark[]} listMarks */
function fullOptions(onPoint, listMarks) {
  const axis = {
    stroke: color("muted"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: color("grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    legend: { show: false },
    padding: /** @type {[number, number, number, number]} */ ([18, 20, 0, 0]),
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: range,
    axes: [
      { ...axis, grid: { show: false }, size: 32, gap: 8, space: 44, incrs: [60, 120, 300], values: /** @type {any} */ ((/** @type {any} */ _, /** @type {number[]} */ times) => times.map((it) => formatClock(it).slice(0, 5))) },
      { ...axis, size: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000], values: /** @type {any} */ ((/** @type {any} */ _, /** @type {number[]} */ values) => values.map((it) => formatRate(it))) },
    ],
    series: [{}, ...buildSeries(1.75)],
    hooks: {
      setCursor: [(/** @type {uPlot} */ plot) => onPoint?.(plot.cursor.idx ?? null)],
      draw: [(/** @type {uPlot} */ plot) => drawMarks(plot, listMarks())],
    },
  };
}

/** Draw a line at each change of the policy, with its label above the curves. @param {uPlot} plot @param {Mark[]} marks The latest first. */
function drawMarks(plot, marks) {
  const { ctx, bbox } = plot;
  const { min = 0, max = 0 } = plot.scales.x;
  const pixel = devicePixelRatio;
  const shown = marks.filter((it) => min <= it.time && it.time <= max).map((it) => ({ ...it, x: Math.round(plot.valToPos(it.time, "x", true)) }));
  ctx.save();
  ctx.fillStyle = color("muted");
  ctx.font = `${11 * pixel}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  for (const { x } of shown) ctx.fillRect(x, bbox.top, pixel, bbox.height);
  for (const { label, x } of joinLabels(shown, LABEL_PIXELS * pixel)) {
    const half = ctx.measureText(label).width / 2;
    const inside = Math.min(Math.max(x, bbox.left + half), bbox.left + bbox.width - half);
    ctx.fillText(label, inside, bbox.top - 5 * pixel);
  }
  ctx.restore();
}

/**
 * The labels of marks; those that would overlap are one: `v2–v4`.
 * @param {{label: string, x: number}[]} marks The latest first. @param {number} space
 */
function joinLabels(marks, space) {
  /** @type {{latest: {label: string, x: number}, first: {label: string, x: number}}[]} */
  const groups = [];
  for (const mark of marks) {
    const group = groups.at(-1);
    if (group && group.first.x - mark.x < space) group.first = mark;
    else groups.push({ latest: mark, first: mark });
  }
  return groups.map(({ latest, first }) => ({ label: latest === first ? latest.label : `${first.label}–${latest.label}`, x: (latest.x + first.x) / 2 }));
}

/** @param {number[]} values */
const sum = (values) => values.reduce((total, it) => total + it, 0);

/** @param {Usage} usage */
export function summarize(usage) {
  const seconds = usage.allowed.length * usage.step;
  const parts = OUTCOMES.map(({ name, label }) => `${formatCount(sum(usage[name]))} ${label.toLowerCase()}`);
  return `Requests in the last ${Math.round(seconds / 60)} minutes: ${parts.join(", ")}.`;
}

/** The legend of a chart: requests per second now, or at the time under the pointer. */
export class Legend {
  /** @type {Map<Outcome, HTMLElement>} */
  #values = new Map();
  #time = h("span", { class: "legend-time" });
  element;

  constructor() {
    const items = OUTCOMES.map(({ name, label }) => {
      const value = h("strong", { class: "number" });
      this.#values.set(name, value);
      return h("li", {}, h("span", { class: `key key-${name}` }), `${label} `, value, h("span", { class: "unit" }, "/s"));
    });
    this.element = h("div", { class: "legend" }, h("ul", {}, ...items), this.#time);
  }

  /** The mean of the last ten seconds. @param {Usage} usage */
  showNow(usage) {
    if (usage.fault) return this.#show(() => null, "");
    this.#show((name) => sum(usage[name].slice(-10)) / 10, "mean of 10 s");
  }

  /** A point of the curves. @param {Usage} shown @param {number} index */
  showPoint(shown, index) {
    this.#show((name) => shown[name][index] ?? 0, formatClock(shown.from + index * shown.step));
  }

  /** @param {(name: Outcome) => number | null} read `null`: unknown. @param {string} time */
  #show(read, time) {
    for (const [name, element] of this.#values) {
      const rate = read(name);
      setText(element, rate === null ? "–" : formatRate(rate));
      this.element.classList.toggle("is-unknown", rate === null);
    }
    setText(this.#time, time);
  }
}

/** The numbers of a chart as a table, newest first: for those who do not see the curves. */
export class UsageTable {
  #table = table("Requests in steps of 10 seconds", ["From", ...OUTCOMES.map((it) => `#${it.label}`)]);
  element = h("details", { class: "as-table" }, h("summary", {}, "Show the curves as a table"), this.#table.element);

  /** @param {Usage} usage */
  update(usage) {
    this.element.hidden = Boolean(usage.fault);
    if (!this.element.open || usage.fault) return;
    /** @type {{time: number, counts: number[]}[]} */
    const rows = [];
    const first = Math.ceil(usage.from / TABLE_STEP) * TABLE_STEP;
    const size = TABLE_STEP / usage.step;
    for (let start = (first - usage.from) / usage.step; start + size <= usage.allowed.length; start += size) {
      const counts = OUTCOMES.map(({ name }) => sum(usage[name].slice(start, start + size)));
      rows.unshift({ time: usage.from + start * usage.step, counts });
    }
    const create = (/** @type {{time: number, counts: number[]}} */ { time, counts }) =>
      h("tr", {}, h("th", { scope: "row" }, formatClock(time)), ...counts.map(() => h("td", { class: "number" })));
    syncChildren(this.#table.body, rows, (it) => String(it.time), create, (row, { counts }) =>
      counts.forEach((it, index) => setText(row.children[index + 1], formatCount(it))));
  }
}
