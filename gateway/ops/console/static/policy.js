// One policy: its traffic, the form that changes it, its overrides, callers and history.
import { CallerLookup, TopKeys } from "./callers.js";
import { Chart, Legend, UsageTable } from "./charts.js";
import { openDialog } from "./dialog.js";
import { breakName, h, newId, setAttribute, setText, syncChildren, table } from "./dom.js";
import { ChangeForm } from "./form.js";
import { formatAgo, formatTime, toSentence } from "./format.js";
import { History } from "./history.js";
import { Overrides } from "./overrides.js";
import { describeQuota, describeSource, renderBadges } from "./policies.js";

/** @typedef {import("./types.js").Limit} Limit */
/** @typedef {import("./types.js").Usage} Usage */

/** What a policy does while Redis does not count. @type {Record<string, string>} */
const WITHOUT_REDIS = {
  local: "each gateway process counts its share by itself",
  allow: "every request is admitted",
  deny: "every request is refused",
};

/** @param {string} title @param {...(Node | false)} content */
function section(title, ...content) {
  const id = newId();
  return h("section", { class: "panel", "aria-labelledby": id }, h("h3", { id, tabindex: "-1" }, title), ...content);
}

export class PolicyView {
  #context;
  /** @type {Limit} */
  #limit;
  /** @type {Usage | null} */
  #usage = null;
  /** @type {number | null} */
  #index = null;
  #quota = h("p", { class: "quota" });
  #badges = h("span", { class: "badges" });
  #changed = h("p", { class: "hint" });
  #fault = h("p", { class: "notice", role: "alert", hidden: true });
  #redis = h("p", { class: "notice", hidden: true });
  #shadow = h("button", { type: "button", role: "switch", class: "switch", "data-changes": "", click: () => this.#confirmShadow() }, "Shadow");
  #curves = h("div", { class: "curves curves-full" });
  #unknown = h("p", { class: "placeholder unknown", hidden: true });
  #chart = new Chart(this.#curves, { onPoint: (index) => this.#showPoint(index) });
  #legend = new Legend();
  #usageTable = new UsageTable();
  #layers = table("Where the values come from", ["Value", "In force", "Live", "Settings", "Code"]);
  #topKeys;
  #form;
  #history;
  #parts;
  element;
  heading;

  /** @param {import("./types.js").Context} context @param {Limit} limit */
  constructor(context, limit) {
    this.#context = context;
    this.#limit = limit;
    this.#form = new ChangeForm(context, limit);
    const overrides = new Overrides(context, limit);
    const callers = new CallerLookup(context, limit, () => this.#history.reload());
    this.#history = new History(context, limit, () => this.#showCurves());
    this.#parts = [this.#form, overrides, callers, this.#history];
    this.#topKeys = new TopKeys((key) => callers.choose(key));
    this.#usageTable.element.addEventListener("toggle", () => this.#usage && this.#usageTable.update(this.#usage));
    this.heading = h("h2", { tabindex: "-1" }, ...breakName(limit.name));
    this.element = h(
      "article",
      { class: "policy" },
      h("a", { class: "back", href: "#" }, "← All policies"),
      h("header", { class: "policy-head" }, h("div", {}, h("div", { class: "title" }, this.heading, this.#badges), this.#quota, this.#changed), this.#shadow),
      this.#fault,
      this.#redis,
      section("Traffic", this.#legend.element, this.#unknown, this.#curves, this.#usageTable.element),
      section("Change the limit", this.#form.element, h("details", { class: "layers" }, h("summary", {}, "Where the values come from"), this.#layers.element)),
      h("div", { class: "pair" }, section("Top keys", this.#topKeys.element), section("Who is limited, and why", callers.element)),
      section("Overrides", overrides.element),
      section("History", this.#history.element),
    );
    this.update(limit);
  }

  get name() {
    return this.#limit.name;
  }

  /** @param {Limit} limit */
  update(limit) {
    this.#limit = limit;
    setText(this.#quota, `${describeQuota(limit)}, ${describeSource(limit)}`);
    this.#badges.replaceChildren(...renderBadges(limit));
    const { changed } = limit;
    setText(this.#changed, changed ? `Changed ${formatAgo(changed.at)} by ${changed.by}: ${changed.reason}` : "No live change yet.");
    setText(this.#fault, limit.fault ? `The live values are not in force: ${limit.fault}` : "");
    this.#fault.hidden = !limit.fault;
    setText(this.#redis, `Redis does not count now. Meanwhile, ${WITHOUT_REDIS[limit.in_force.without_redis]}.`);
    this.#redis.hidden = !this.#context.isRedisLost;
    setAttribute(this.#shadow, "aria-checked", String(limit.in_force.shadow));
    for (const part of this.#parts) part.update(limit);
    this.#showLayers();
  }

  /** @param {Usage} usage */
  updateUsage(usage) {
    this.#usage = usage;
    setText(this.#unknown, usage.fault ? toSentence(usage.fault) : "");
    this.#unknown.hidden = !usage.fault;
    this.#curves.hidden = Boolean(usage.fault);
    this.#showCurves();
    this.#showLegend();
    this.#usageTable.update(usage);
    this.#topKeys.update(usage);
  }

  followConnection() {
    this.#form.followConnection();
  }

  #showCurves() {
    if (this.#usage) this.#chart.update(this.#usage, this.#history.marks);
  }

  /** @param {number | null} index */
  #showPoint(index) {
    this.#index = index;
    this.#showLegend();
  }

  #showLegend() {
    const { shown } = this.#chart;
    if (this.#index !== null && shown) this.#legend.showPoint(shown, this.#index);
    else if (this.#usage) this.#legend.showNow(this.#usage);
  }

  #showLayers() {
    const { in_force, live, settings, declared } = this.#limit;
    const names = Object.keys(declared).filter((it) => [in_force, live, settings, declared].some((layer) => isSet(layer?.[/** @type {keyof typeof declared} */ (it)])));
    const show = (/** @type {any} */ value) => (!isSet(value) ? "–" : typeof value === "object" ? Object.entries(value).map(([name, it]) => `${name}: ${it}`).join(", ") : String(value));
    syncChildren(
      this.#layers.body,
      names,
      (it) => it,
      (it) => h("tr", {}, h("th", { scope: "row" }, it.replaceAll("_", " ")), h("td"), h("td"), h("td"), h("td")),
      (row, it) => [in_force, live, settings, declared].forEach((layer, index) => setText(row.children[index + 1], show(/** @type {any} */ (layer)?.[it]))),
    );
  }

  #confirmShadow() {
    const limit = this.#limit;
    const shadow = !limit.in_force.shadow;
    const until = limit.live?.until;
    const effect = shadow ? "Requests above the limit will be counted and admitted; none will be refused." : "Requests above the limit will be refused.";
    openDialog(this.#context, {
      limit,
      title: shadow ? "Turn shadow on" : "Enforce the limit",
      text: until ? `${effect} No live value ends at ${formatTime(until)} any more.` : effect,
      action: shadow ? "Turn shadow on" : "Enforce",
      draft: () => ({ ...limit.live, shadow, until: null }),
      submit: (reason) => this.#context.api.send("PATCH", `/limits/${encodeURIComponent(limit.name)}`, { shadow, until: null, reason }, { version: limit.version }),
    });
  }
}

/** @param {any} value */
const isSet = (value) => value !== null && value !== undefined && !(typeof value === "object" && !Object.keys(value).length);
