// The list of all policies, each with its curves.
import { Chart } from "./charts.js";
import { breakName, h, setAttribute, setText, syncChildren } from "./dom.js";
import { formatCount, formatQuota, formatRate, plural } from "./format.js";

/** @typedef {import("./types.js").Limit} Limit */
/** @typedef {import("./types.js").Rates} Rates */
/** @typedef {import("./types.js").UsageNow} UsageNow */

const SOURCES = { code: "from the code", settings: "from the settings", live: "live" };

/** Badges: what is unusual about a policy. @param {Limit} limit @returns {HTMLElement[]} */
export function renderBadges(limit) {
  /** @type {[string, string, unknown][]} */
  const badges = [
    ["fault", "not in force", limit.fault],
    ["shadow", "shadow", limit.in_force.shadow],
    ["live", `live, version ${limit.version}`, limit.source === "live"],
    ["overrides", plural(limit.overrides.length, "override"), limit.overrides.length],
  ];
  return badges.filter(([, , isShown]) => isShown).map(([name, text]) => h("span", { class: `badge badge-${name}` }, text));
}

/** @param {Limit} limit */
export function describeQuota({ in_force }) {
  const burst = in_force.burst ? `, burst ${formatCount(in_force.burst)}` : "";
  return `${formatQuota(in_force)}${burst} per ${in_force.per}`;
}

/** @param {Limit} limit */
export const describeSource = (limit) => SOURCES[limit.source];

class Card {
  #quota = h("span", { class: "card-quota" });
  #badges = h("span", { class: "badges" });
  #allowed = h("span");
  #refused = h("span");
  #shadow = h("span", { class: "tone-shadow" });
  #curves = h("span", { class: "curves curves-compact" });
  #chart = new Chart(this.#curves, { compact: true });
  #link;
  isVisible = true; // until the observer says otherwise
  element;

  /** @param {string} name */
  constructor(name) {
    this.#link = h(
      "a",
      { href: `#${encodeURIComponent(name)}` },
      h("span", { class: "card-head" }, h("strong", { class: "card-name" }, ...breakName(name)), this.#badges),
      this.#quota,
      this.#curves,
      h("span", { class: "card-rates" }, this.#allowed, this.#refused, this.#shadow),
    );
    this.element = h("li", { class: "card" }, this.#link);
  }

  /** @param {Limit} limit @param {Rates | undefined} rates If they are known. @param {boolean} isSelected */
  update(limit, rates, isSelected) {
    setText(this.#quota, describeQuota(limit));
    const badges = renderBadges(limit);
    if (badges.map((it) => it.textContent).join() !== [...this.#badges.children].map((it) => it.textContent).join()) this.#badges.replaceChildren(...badges);
    setAttribute(this.#link, "aria-current", isSelected ? "true" : null);
    setText(this.#allowed, rates ? `${formatRate(rates.allowed)}/s allowed` : "– allowed");
    setText(this.#refused, rates ? `${formatRate(rates.refused)}/s refused` : "– refused");
    this.#refused.classList.toggle("tone-refused", Boolean(rates?.refused));
    setText(this.#shadow, rates?.shadow_refused ? `${formatRate(rates.shadow_refused)}/s shadow` : "");
  }

  /** @param {import("./types.js").Usage} usage */
  updateUsage(usage) {
    this.#chart.update(usage);
  }
}

export class PolicyList {
  /** @type {Map<Element, Card>} */
  #cards = new Map();
  /** @type {Map<string, Card>} */
  #byName = new Map();
  #filter = h("input", { type: "search", placeholder: "Filter policies", "aria-label": "Filter policies", autocomplete: "off" });
  #list = h("ul", { class: "cards" });
  #empty = h("p", { class: "placeholder" }, "Reading the policies…");
  #observer = new IntersectionObserver((entries) => {
    for (const it of entries) {
      const card = this.#cards.get(it.target);
      if (card) card.isVisible = it.isIntersecting;
    }
  });
  element = h("nav", { class: "policies", "aria-label": "Policies" }, this.#filter, this.#empty, this.#list);

  constructor() {
    this.#filter.addEventListener("input", () => this.#onFilter());
  }

  /** The names of the policies whose curves can be seen. */
  get visible() {
    return [...this.#byName].filter(([, card]) => card.isVisible && card.element.isConnected).map(([name]) => name);
  }

  /** @param {Limit[]} limits @param {UsageNow} usage @param {string} selected */
  update(limits, usage, selected) {
    const rates = usage.fault ? {} : usage.policies;
    this.#filter.hidden = limits.length < 6;
    this.#empty.hidden = limits.length > 0;
    setText(this.#empty, "This gateway declares no policy. See how to set a rate limit in the documentation.");
    syncChildren(this.#list, limits, (it) => it.name, (it) => this.#create(it.name), (_, it) => this.#byName.get(it.name)?.update(it, rates[it.name], it.name === selected));
    this.#onFilter();
  }

  /** @param {string} name @param {import("./types.js").Usage} usage */
  updateUsage(name, usage) {
    this.#byName.get(name)?.updateUsage(usage);
  }

  /** @param {string} name */
  #create(name) {
    const card = new Card(name);
    this.#byName.set(name, card);
    this.#cards.set(card.element, card);
    this.#observer.observe(card.element);
    return card.element;
  }

  #onFilter() {
    const part = this.#filter.value.trim().toLowerCase();
    for (const [name, card] of this.#byName) card.element.hidden = !name.toLowerCase().includes(part);
  }
}
