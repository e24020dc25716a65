// One change of a policy: what, when, by whom and why.
import { h } from "./dom.js";
import { compareDocuments, formatAgo, formatTime } from "./format.js";

const NAMES = /** @type {Record<string, string>} */ ({ "limit.change": "changed", "limit.rollback": "rolled back" });

/**
 * @param {import("./types.js").LiveDocument | null} from
 * @param {import("./types.js").LiveDocument | null} to
 * @param {import("./types.js").Limit} limit
 */
export function renderDifferences(from, to, limit) {
  const differences = compareDocuments(from, to, limit);
  if (!differences.length) return h("p", { class: "hint" }, "The same values as before.");
  return h(
    "ul",
    { class: "differences" },
    ...differences.map((it) => h("li", {}, `${it.field}: `, h("del", {}, it.before), " → ", h("ins", {}, it.after))),
  );
}

/** What changed, when, by whom and why. @param {import("./types.js").Entry} entry @param {import("./types.js").Limit} limit @returns {HTMLElement[]} */
export function renderChange(entry, limit) {
  const isReset = entry.action === "limit.reset";
  return [
    h(
      "p",
      { class: "change-head" },
      !isReset && h("strong", {}, `Version ${entry.version} `),
      isReset ? `The counts of ${entry.caller || entry.key} were reset by ` : `${NAMES[entry.action] ?? entry.action} by `,
      h("span", { class: "who" }, entry.by),
      " ",
      h("time", { datetime: entry.at, title: entry.at }, `${formatTime(entry.at)} (${formatAgo(entry.at)})`),
    ),
    h("p", { class: "reason" }, entry.reason || "no reason given"),
    ...(isReset ? [] : [renderDifferences(entry.from, entry.to, limit)]),
  ];
}
