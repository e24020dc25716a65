// Explains a conflict: who changed the policy since it was read, and to what.
import { h } from "./dom.js";
import { renderChange } from "./change.js";

/**
 * @param {import("./api.js").Api} api
 * @param {string} name
 * @param {number} version The version that the operator saw.
 * @returns {Promise<{limit: import("./types.js").Limit, entries: import("./types.js").Entry[]}>}
 */
export async function readConflict(api, name, version) {
  const path = `/limits/${encodeURIComponent(name)}`;
  const [limit, history] = await Promise.all([api.get(path), api.get(`${path}/history?limit=10`)]);
  const entries = history.entries.filter((/** @type {import("./types.js").Entry} */ it) => Number(it.version) > version);
  return { limit, entries };
}

/**
 * @param {{limit: import("./types.js").Limit, entries: import("./types.js").Entry[]}} conflict
 * @param {...HTMLElement} actions
 */
export function renderConflict({ limit, entries }, ...actions) {
  return h(
    "div",
    { class: "conflict" },
    h("p", {}, h("strong", {}, `The policy has changed: version ${limit.version} is in force.`), " Your change is not applied."),
    h("ul", { class: "changes" }, ...entries.map((it) => h("li", {}, ...renderChange(it, limit)))),
    h("div", { class: "actions" }, ...actions),
  );
}
