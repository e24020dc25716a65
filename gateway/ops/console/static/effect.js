// Shows what a simulation found.
import { h, setText } from "./dom.js";
import { formatCount, formatDuration, formatShare, plural } from "./format.js";

/** @typedef {import("./types.js").Effect} Effect */

/** @param {Effect} found One sentence, which a screen reader speaks. */
export function summarizeEffect({ effect, covers }) {
  const changes = [
    effect.newly_refused && `${formatCount(effect.newly_refused)} more refused`,
    effect.newly_admitted && `${formatCount(effect.newly_admitted)} more admitted`,
  ].filter(Boolean);
  if (!effect.requests) return `No request under this policy in the last ${formatDuration(covers.seconds)}.`;
  const requests = `${plural(effect.requests, "request")} under this policy in the last ${formatDuration(covers.seconds)}`;
  return changes.length ? `${changes.join(" and ")}, of ${requests}.` : `No difference for the ${requests}.`;
}

/** @param {Effect} found @returns {HTMLElement[]} */
export function renderEffect(found) {
  const { effect, covers, accuracy } = found;
  const tone = effect.newly_refused ? "refused" : effect.newly_admitted ? "allowed" : "none";
  return [
    h("p", { class: `effect-summary tone-${tone}` }, summarizeEffect(found)),
    effect.shadow_refused > 0 && h("p", { class: "tone-shadow" }, `${formatCount(effect.shadow_refused)} of them would be refused without shadow.`),
    h("div", { class: "bars" }, ...renderBar("Refused now", effect.refused_before, effect.requests), ...renderBar("Refused with the change", effect.refused_after, effect.requests)),
    found.restarts_counts && h("p", { class: "notice" }, "This change restarts counts: a key with another window or algorithm begins with its whole quota."),
    renderKeys(found.keys.filter((it) => it.newly_refused || it.newly_admitted)),
    h("p", { class: "hint" }, `${plural(covers.keys ?? 0, "key")} under all policies, recorded by ${plural(covers.processes.length, "process", "processes")}. ${accuracy}`, ...describeLeftOut(covers.left_out)),
  ].filter((it) => it instanceof HTMLElement);
}

/** @param {string} label @param {number} part @param {number} total */
function renderBar(label, part, total) {
  const fill = h("span", { class: "bar-fill" });
  fill.style.width = `${(100 * part) / Math.max(1, total)}%`;
  return [h("span", {}, label), h("span", { class: "bar" }, fill), h("span", { class: "number" }, `${formatCount(part)} (${formatShare(part, total)})`)];
}

/** @param {Effect["keys"]} keys */
function renderKeys(keys) {
  if (!keys.length) return null;
  const shown = keys.slice(0, 5).map((it) => {
    const change = [it.newly_refused && `+${formatCount(it.newly_refused)} refused`, it.newly_admitted && `+${formatCount(it.newly_admitted)} admitted`];
    return h("li", {}, h("span", { class: "key-name", title: it.key }, it.caller || it.key), h("span", { class: "number" }, change.filter(Boolean).join(", ")));
  });
  return h("div", {}, h("h4", {}, "Most affected"), h("ul", { class: "pairs" }, ...shown));
}

/** @param {Record<string, number>} leftOut */
function describeLeftOut(leftOut) {
  const parts = Object.entries(leftOut).map(([reason, count]) => `${formatCount(count)} ${reason}`);
  return parts.length ? [` Left out: ${parts.join(", ")}.`] : [];
}

/** @param {Element} host @param {string} text */
export function renderMessage(host, text) {
  const paragraph = h("p", { class: "placeholder" });
  setText(paragraph, text);
  host.replaceChildren(paragraph);
}
