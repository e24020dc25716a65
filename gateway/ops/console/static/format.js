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

/** A text of the ops API as a sentence. @param {string} text */
export const toSentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** What an input of type `datetime-local` holds for a time. @param {Date} date */
export function toLocalInput(date) {
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 16);
}

/** @param {Partial<import("./types.js").Values>} values */
export function formatQuota(values) {
  if (values.limit !== null && values.limit !== undefined) return `${formatCount(values.limit)} at one time`;
  return values.rate ?? "";
}

/** A key of a policy, as an operator writes it. @param {import("./types.js").Limit} limit */
export function giveExample({ in_force }) {
  const [kind] = in_force.per.split(":");
  return kind === "address" ? "address:192.0.2.7" : `${kind}:42`;
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

/** What the names of tiers begin with among the fields of a live document. */
const TIER = "tiers.";

/** @param {string} text A value, with the layer that it is from. */
const dropSource = (text) => text.replace(/ \((?:code|settings)\)$/, "");

/** Whether two live documents have the same fields. @param {import("./types.js").LiveDocument | null} one @param {import("./types.js").LiveDocument | null} other */
export function isSameDocument(one, other) {
  const [first, second] = [flatten(one), flatten(other)].map((it) => JSON.stringify([...it].sort()));
  return first === second;
}

/**
 * The fields that differ between two live documents.
 * @param {import("./types.js").LiveDocument | null} before
 * @param {import("./types.js").LiveDocument | null} after
 * @param {import("./types.js").Limit} limit Says what an absent field is.
 * @returns {{field: string, before: string, after: string}[]}
 */
export function compareDocuments(before, after, limit) {
  const [old, now] = [flatten(before), flatten(after)];
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((it) => JSON.stringify(old.get(it)) !== JSON.stringify(now.get(it)))
    .map((it) => {
      const [value, other] = [old.get(it), now.get(it)];
      const isOverride = Boolean((value ?? other).kind);
      const show = (/** @type {any} */ shown, /** @type {any} */ document) => (shown !== undefined ? formatValue(shown) : isOverride ? formatOthers(document, limit) : formatBelow(it, limit));
      return { field: nameField(it, value ?? other), before: show(value, before), after: show(other, after) };
    })
    .filter(({ before, after }) => dropSource(before) !== dropSource(after));
}

/** @param {string} name A field, or the key of an override. @param {any} value */
const nameField = (name, value) => (value?.kind ? value.caller || name : name.startsWith(TIER) ? `tier ${name.slice(TIER.length)}` : name.replaceAll("_", " "));

/** What a caller gets without an override. @param {import("./types.js").LiveDocument | null} document @param {import("./types.js").Limit} limit */
function formatOthers(document, limit) {
  const { rate, limit: count } = { ...(limit.settings ?? limit.declared), ...document };
  return `as the others: ${formatQuota({ rate, limit: count })}`;
}

/** What a field is that no live document sets. @param {string} name @param {import("./types.js").Limit} limit */
function formatBelow(name, limit) {
  const [ofSettings, ofCode] = [readField(limit.settings, name), readField(limit.declared, name)];
  const [below, source] = ofSettings === undefined ? [ofCode, "code"] : [ofSettings, "settings"];
  return below === undefined || below === null ? "not set" : `${formatValue(below)} (${source})`;
}

/** @param {any} values @param {string} name */
const readField = (values, name) => (name.startsWith(TIER) ? values?.tiers?.[name.slice(TIER.length)] : values?.[name]);

/** The fields that are set, each tier, and each override by its key. @param {import("./types.js").LiveDocument | null} document @returns {Map<string, any>} */
function flatten(document) {
  const { overrides, tiers, reason: _, ...fields } = document ?? {};
  const ofTiers = Object.fromEntries(Object.entries(tiers ?? {}).map(([name, value]) => [TIER + name, value]));
  return new Map(Object.entries({ ...fields, ...ofTiers, ...overrides }).filter(([, it]) => it !== null && it !== undefined));
}
