// What single keys get instead of the limit of the policy.
import { openDialog } from "./dialog.js";
import { field, h, setText, syncChildren, table } from "./dom.js";
import { formatAgo, formatOverride, formatQuota, giveExample, formatTime, toLocalInput } from "./format.js";

/** @typedef {import("./types.js").Limit} Limit */
/** @typedef {import("./types.js").Override} Override */

const HOUR = 3_600_000;
const MANY = 10; // overrides, which then have a filter
const ENDS = /** @type {[string, number][]} */ ([["1 hour", HOUR], ["1 day", 24 * HOUR], ["1 week", 168 * HOUR]]);

/** @param {Limit} limit */
const path = (limit) => `/limits/${encodeURIComponent(limit.name)}`;

/**
 * Ask what a key gets, until when and why.
 * @param {import("./types.js").Context} context
 * @param {Limit} limit
 * @param {string} [key]
 */
export function openOverride(context, limit, key = "") {
  const text = { type: "text", autocomplete: "off", spellcheck: "false", class: "code" };
  const keyInput = h("input", { ...text, required: true, placeholder: giveExample(limit) });
  keyInput.value = key;
  const issuer = h("input", text);
  const amount = h("input", { ...text, required: true });
  const amountField = field("Times the limit", amount);
  const until = h("input", { type: "datetime-local" });
  until.value = toLocalInput(new Date(Date.now() + HOUR));
  const kind = h(
    "select",
    { change: () => showKind() },
    h("option", { value: "times" }, "A multiple of the limit"),
    h("option", { value: "rate" }, limit.kind === "rate" ? "A rate of its own" : "A limit of its own"),
    h("option", { value: "block" }, "Block: refuse every request"),
    h("option", { value: "allow" }, "Allow: no limit"),
  );
  const showKind = () => {
    const label = kind.value === "times" ? "Times the limit" : limit.kind === "rate" ? "Rate" : "Requests at the same time";
    setText(/** @type {HTMLElement} */ (amountField.querySelector("label")), label);
    amountField.hidden = !["times", "rate"].includes(kind.value);
    amount.required = !amountField.hidden;
  };
  const presets = ENDS.map(([label, length]) => {
    const choose = () => (until.value = toLocalInput(new Date(Date.now() + length)));
    return h("button", { type: "button", class: "small", click: choose }, label);
  });
  const untilField = field("Ends at", until, "Empty: it stays until someone removes it.");
  untilField.append(h("div", { class: "actions" }, ...presets));

  const others = () => Object.fromEntries(Object.entries(limit.live?.overrides ?? {}).filter(([key, it]) => !isSameKey(context, keyInput.value.trim(), key, it.caller)));
  const findInput = (/** @type {string} */ name) => ({ until, reason: undefined, times: amount, rate: amount, limit: amount, kind, issuer })[name.slice(name.lastIndexOf(".") + 1)] ?? (name.startsWith("overrides.") ? keyInput : undefined);
  const build = (reason = "") => buildOverride(limit, { kind: kind.value, amount: amount.value, until: until.value, issuer: issuer.value.trim(), reason });
  openDialog(context, {
    limit,
    title: "Override one key",
    content: [
      field("Key", keyInput, `As the tables of this page show it, or as the caller is known: ${giveExample(limit)}.`),
      context.issuers > 1 && field("Issuer", issuer, "Of a key such as user:42, as several identity providers are trusted.") ,
      h("div", { class: "pair-of-fields" }, field("It gets", kind), amountField),
      untilField,
    ].filter((it) => it instanceof Node),
    action: "Override",
    draft: () => (keyInput.value.trim() && (amountField.hidden || amount.value.trim()) ? { ...limit.live, overrides: { ...others(), [keyInput.value.trim()]: build() } } : null),
    findInput,
    submit: (reason) => context.api.send("PATCH", path(limit), { overrides: { [keyInput.value.trim()]: build(reason) }, reason }, { version: limit.version }),
  });
}

/**
 * Whether a key that was typed is that of an override: as the table shows it, or as its caller is known.
 * @param {import("./types.js").Context} context @param {string} typed @param {string} key @param {string | undefined} caller
 */
const isSameKey = (context, typed, key, caller) => typed === key || (typed === caller && context.issuers < 2);

/** @param {Limit} limit @param {Record<"kind" | "amount" | "until" | "issuer" | "reason", string>} typed */
function buildOverride(limit, { kind, amount, until, issuer, reason }) {
  /** @type {Record<string, unknown>} */
  const override = { kind, reason };
  if (kind === "times") override.times = Number(amount);
  else if (kind === "rate" && limit.kind === "rate") override.rate = amount.trim();
  else if (kind === "rate") override.limit = Number(amount);
  if (until) override.until = new Date(until).toISOString();
  if (issuer) override.issuer = issuer;
  return override;
}

/** @param {Override} override */
const nameKey = (override) => override.caller || override.key;

export class Overrides {
  #context;
  /** @type {Limit} */
  #limit;
  #table = table("Overrides of single keys", ["Key", "Gets", "Ends", "Reason", ""], "stacked");
  #filter = h("input", { type: "search", class: "filter", placeholder: "Filter keys", "aria-label": "Filter the overrides by key", autocomplete: "off", input: () => this.#show() });
  #empty = h("p", { class: "placeholder" }, "No key has an override: all get the limit of the policy.");
  element;

  /** @param {import("./types.js").Context} context @param {Limit} limit */
  constructor(context, limit) {
    this.#context = context;
    this.#limit = limit;
    const add = h("button", { type: "button", "data-changes": "", click: () => openOverride(context, this.#limit) }, "Override a key…");
    this.element = h("div", {}, this.#empty, this.#filter, this.#table.element, h("div", { class: "actions" }, add));
  }

  /** @param {Limit} limit */
  update(limit) {
    this.#limit = limit;
    this.#show();
  }

  #show() {
    const { overrides } = this.#limit;
    this.#empty.hidden = overrides.length > 0;
    this.#filter.hidden = overrides.length < MANY;
    this.#table.element.hidden = !overrides.length;
    const part = this.#filter.hidden ? "" : this.#filter.value.trim().toLowerCase();
    const shown = overrides.filter((it) => nameKey(it).toLowerCase().includes(part) || it.key.includes(part));
    shown.sort((one, other) => nameKey(one).localeCompare(nameKey(other), "en", { numeric: true }));
    syncChildren(this.#table.body, shown, (it) => JSON.stringify(it), (it) => this.#renderRow(it), (row, it) => setText(row.children[2], it.until ? formatAgo(it.until) : "never"));
  }

  /** @param {Override} override */
  #renderRow(override) {
    const name = nameKey(override);
    const remove = h("button", { type: "button", class: "small", "data-changes": "", disabled: this.#context.api.identity.isReadOnly, click: () => this.#remove(override), "aria-label": `Remove the override of ${name}` }, "Remove");
    return h(
      "tr",
      {},
      h("th", { scope: "row", class: "key-name", title: override.key }, name),
      h("td", { "data-label": "Gets" }, formatOverride(override)),
      h("td", { "data-label": "Ends", class: "when", title: override.until && formatTime(override.until) }),
      h("td", { "data-label": "Reason", class: "reason" }, override.reason || "–"),
      h("td", { class: "number" }, remove),
    );
  }

  /** @param {Override} override */
  #remove(override) {
    const limit = this.#limit;
    const { [override.key]: _, ...others } = limit.live?.overrides ?? {};
    openDialog(this.#context, {
      limit,
      title: "Remove the override",
      text: `${nameKey(override)} is ${formatOverride(override)}; then as the others: ${formatQuota(limit.in_force)}.`,
      action: "Remove",
      draft: () => ({ ...limit.live, overrides: others }),
      submit: (reason) => this.#context.api.send("PATCH", path(limit), { overrides: { [override.key]: null }, reason }, { version: limit.version }),
    });
  }
}
