// One change of a policy: what, when, by whom and why.
import { h } from "./dom.js";
import { compareDocuments, formatAgo, formatTime } from "./format.js";

const NAMES = /** @type {Record<string, string>} */ ({ "limit.change": "changed", "limit.rollback": "rolled back", "limit.reset": "reset a key" });

/** @param {import("./types.js").LiveDocument | null} from @param {import("./types.js").LiveDocument | null} to */
export function renderDifferences(from, to) {
  const differences = compareDocuments(from, to);
  if (!differences.length) return h("p", { class: "hint" }, "The same values as before.");
  return h(
    "ul",
    { class: "differences" },
    ...differences.map((it) => h("li", {}, `${it.field}: `, h("del", {}, it.before), " → ", h("ins", {}, it.after))),
  );
}

/** What changed, when, by whom and why. @param {import("./types.js").Entry} entry @returns {HTMLElement[]} */
export function renderChange(entry) {
  const isReset = entry.action === "limit.reset";
  return [
    h(
      "p",
      { class: "change-head" },
      !isReset && h("strong", {}, `Version ${entry.version} `),
      `${NAMES[entry.action] ?? entry.action} by `,
      h("span", { class: "who" }, entry.by),
      " ",
      h("time", { datetime: entry.at, title: entry.at }, `${formatTime(entry.at)} (${formatAgo(entry.at)})`),
    ),
    h("p", { class: "reason" }, entry.reason || "no reason given"),
    ...(isReset ? [] : [renderDifferences(entry.from, entry.to)]),
  ];
}
