// The state of Redis, the database, providers, services and processes.
import { h, setText, syncChildren } from "./dom.js";
import { formatAgo, formatCount, formatDuration, plural } from "./format.js";

/** @typedef {import("./types.js").Status} Status */
/** @typedef {"good" | "bad" | "unknown"} Tone */
/** @typedef {{name: string, text: string, tone: Tone, details: [string, string][]}} Item */

const GOOD = new Set(["ok", "reachable"]);
const UNKNOWN = new Set(["unknown", "none", "unused", "not used", "loading"]);

/** @param {string} state @returns {Tone} */
const toTone = (state) => (GOOD.has(state) ? "good" : UNKNOWN.has(state) ? "unknown" : "bad");

/** Whether Redis should count, and does not. @param {Status} status */
export const isRedisLost = ({ redis }) => redis.status !== "ok" && redis.status !== "unknown";

/** What the fields of a state are. @type {Record<string, string>} */
const LABELS = {
  status: "state",
  redis: "connection",
  disconnects: "connections lost",
  without_redis: "without Redis",
  degraded_checks: "own checks without Redis",
  counters: "counts",
  keys: "keys counted",
  age_seconds: "last read",
};

/** @param {Record<string, string | number>} state @returns {[string, string][]} */
const describeFields = ({ status, ...state }) =>
  Object.entries(state.redis ? state : { status, ...state }).map(([key, value]) => [LABELS[key] ?? key.replaceAll("_", " "), key === "age_seconds" ? `${formatDuration(Number(value))} ago` : String(value)]);

/** @param {string} name @param {Record<string, string | number>} state @returns {Item} */
function describeState(name, state) {
  const isUsed = state.counters !== "embedded";
  const text = isUsed ? String(state.status === "ok" ? "ok" : (state.redis ?? state.status ?? "unknown")) : "not used";
  return { name, text, tone: toTone(text), details: isUsed ? describeFields(state) : [["counts", "in the memory of the gateway process"]] };
}

/** @param {string} name @param {[string, string][]} parts Each with its state. @returns {Item} */
function describeParts(name, parts) {
  const bad = parts.filter(([, state]) => toTone(state) === "bad");
  const good = parts.filter(([, state]) => toTone(state) === "good");
  const tone = bad.length ? "bad" : good.length ? "good" : "unknown";
  const text = bad.length ? `${formatCount(bad.length)} of ${formatCount(parts.length)} not ok` : good.length ? `${formatCount(good.length)} ok` : formatCount(parts.length);
  return { name, text, tone, details: parts };
}

/** @param {Status} status @param {string} fault Why no process is heard; "" if one is. @returns {Item[]} */
function describeStatus(status, fault) {
  const { processes, recording } = status;
  const seen = /** @type {[string, string][]} */ (processes.map((it) => [it.name, `started ${formatAgo(it.started_at)}, seen ${formatDuration(it.last_seen_seconds)} ago`]));
  return [
    describeState("Redis", status.redis),
    describeState("Database", status.database),
    describeParts("Providers", status.providers.map((it) => [it.issuer, it.state])),
    fault ? describeUnknown("Services") : describeParts("Services", status.services.map((it) => [it.name, it.state])),
    { name: "Processes", text: fault ? "none heard" : formatCount(processes.length), tone: fault ? "bad" : "good", details: fault ? [["reason", fault]] : seen },
    fault ? describeUnknown("Recording") : describeRecording(recording),
  ];
}

/** What only the processes know. @param {string} name @returns {Item} */
const describeUnknown = (name) => ({ name, text: "unknown", tone: "unknown", details: [["unknown", "no process is heard"]] });

/** @param {Status["recording"]} recording @returns {Item} */
function describeRecording(recording) {
  if (!recording) return { name: "Recording", text: "off", tone: "unknown", details: [] };
  const details = /** @type {[string, string][]} */ ([
    ["covers", formatDuration(recording.seconds)],
    ["holds", plural(recording.requests, "request")],
    ...Object.entries(recording.left_out).map(([reason, count]) => [reason, `${formatCount(count)} left out`]),
  ]);
  return { name: "Recording", text: "on", tone: "good", details };
}

export class StatusBar {
  #items = h("ul", { class: "status-items" });
  #details = h("div", { class: "status-details" });
  element = h("section", { class: "status", "aria-label": "State of the system" }, h("details", {}, h("summary", {}, this.#items), this.#details));

  /** @param {Status} status @param {string} fault Why no process is heard; "" if one is. */
  update(status, fault) {
    const items = describeStatus(status, fault);
    syncChildren(this.#items, items, (it) => it.name, (it) => renderItem(it), (element, it) => {
      element.dataset.tone = it.tone;
      setText(/** @type {Element} */ (element.lastElementChild), it.text);
    });
    syncChildren(this.#details, items, (it) => it.name, (it) => h("section", {}, h("h2", {}, it.name), h("dl")), (element, it) => {
      const list = /** @type {Element} */ (element.lastElementChild);
      const rows = (it.details.length ? it.details : [["none", ""]]).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
      if (list.textContent !== rows.map((row) => row.textContent).join("")) list.replaceChildren(...rows);
    });
  }
}

/** @param {Item} item */
function renderItem(item) {
  return h("li", {}, h("span", { class: "dot" }), h("span", { class: "status-name" }, `${item.name} `), h("span", { class: "status-text" }));
}
