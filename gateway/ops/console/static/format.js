// Writes numbers, times, values and differences for people.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

/** @param {number} value */
export const formatCount = (value) => whole.format(value);

/** @param {number} value Requests per second. */
export const formatRate = (value) => (value >= 100 ? whole : precise).format(value);

/** @param {number} part @param {number} total */
export const formatShare = (part, total) => percent.format(total ? part / total : 0);

/** @param {number} count @param {string} one @param {string} [many] */
export const plural = (count, one, many = `${one}s`) => `${formatCount(count)} ${count === 1 ? one : many}`;

/** @param {number} seconds */
export function formatDuration(seconds) {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 120) return `${rounded}\u00a0s`;
  if (rounded < 7200) return `${Math.round(rounded / 60)}\u00a0min`;
  return rounded < 172_800 ? `${Math.round(rounded / 3600)}\u00a0h` : `${Math.round(rounded / 86_400)}\u00a0days`;
}

/** @param {string | number} time RFC 3339, or Unix time in seconds. */
export const toDate = (time) => new Date(typeof time === "number" ? time * 1000 : time);

/** @param {string | number} time */
export function formatAgo(time) {
  const seconds = (Date.now() - toDate(time).getTime()) / 1000;
  if (seconds < -5) return `in ${formatDuration(-seconds)}`;
  return seconds < 5 ? "just now" : `${formatDuration(seconds)} ago`;
}

/** @param {string | number} time */
export function formatTime(time) {
  const date = toDate(time);
  const isToday = date.toDateString() === new Date().toDateString();
  const clock = { hour: "2-digit", minute: "2-digit", hour12: false };
  const day = isToday ? {} : { day: "numeric", month: "short" };
  return date.toLocaleString("en-GB", /** @type {Intl.DateTimeFormatOptions} */ ({ ...day, ...clock }));
}

/** @param {number} time Unix time in seconds. */
export const formatClock = (time) => toDate(time).toLocaleTimeString("en-GB", { hour12: false });

/** What an input of type `datetime-local` holds for a time. @param {Date} date */
export function toLocalInput(date) {
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

/** @param {Partial<import("./types.js").Values>} values */
export function formatQuota(values) {
  if (values.limit !== null && values.limit !== undefined) return `${formatCount(values.limit)} at a time`;
  return values.rate ?? "";
}

/** @param {Partial<import("./types.js").Override>} override */
export function formatOverride(override) {
  if (override.kind === "block") return "blocked";
  if (override.kind === "allow") return "without a limit";
  if (override.kind === "times") return `${override.times} times the limit`;
  return formatQuota(override);
}

/** @param {unknown} value */
function formatValue(value) {
  if (value === undefined || value === null) return "not set";
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value)) return formatTime(value);
  if (typeof value !== "object") return String(value);
  if ("kind" in value) return formatOverride(/** @type {any} */ (value));
  return Object.entries(value).map(([name, it]) => `${name}: ${it}`).join(", ");
}

/** @param {string} text A value, with the layer that it is from. */
const dropSource = (text) => text.replace(/ \((?:code|settings)\)$/, "");

/**
 * The fields that differ between two live documents.
 * @param {import("./types.js").LiveDocument | null} before
 * @param {import("./types.js").LiveDocument | null} after
 * @param {import("./types.js").Limit} limit Says what an absent field is.
 * @returns {{field: string, before: string, after: string}[]}
 */
export function compareDocuments(before, after, limit) {
  const [old, now] = [flatten(before), flatten(after)];
  const fields = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return fields
    .filter((it) => JSON.stringify(old[it]) !== JSON.stringify(now[it]))
    .map((it) => ({ field: it, before: formatLive(old, it, limit), after: formatLive(now, it, limit) }))
    .filter(({ before, after }) => dropSource(before) !== dropSource(after));
}

/** @param {Record<string, unknown>} document @param {string} name @param {import("./types.js").Limit} limit */
function formatLive(document, name, limit) {
  const key = /** @type {keyof import("./types.js").Values} */ (name);
  if (document[name] !== undefined) return formatValue(document[name]);
  const [below, source] = limit.settings?.[key] === undefined ? [limit.declared[key], "code"] : [limit.settings[key], "settings"];
  return below === undefined || below === null ? "not set" : `${formatValue(below)} (${source})`;
}

/** @param {import("./types.js").LiveDocument | null} document @returns {Record<string, unknown>} */
function flatten(document) {
  const { overrides = {}, reason: _, ...fields } = document ?? {};
  const keys = Object.entries(overrides ?? {}).map(([key, it]) => [it?.caller ? `${it.caller} (${key})` : key, it]);
  const set = Object.entries(fields).filter(([, it]) => it !== null && it !== undefined);
  return { ...Object.fromEntries(set), ...Object.fromEntries(keys) };
}
