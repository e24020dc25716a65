// The keys with the most requests, and one caller: whether it is limited, and why.
import { Problem } from "./api.js";
import { openDialog } from "./dialog.js";
import { field, h, setText, showFieldError, showFieldErrors, syncChildren, table } from "./dom.js";
import { formatClock, formatCount, formatDuration, formatOverride, formatTime, giveExample } from "./format.js";
import { openOverride } from "./overrides.js";

/** @typedef {import("./types.js").Limit} Limit */
/** @typedef {import("./types.js").Caller} Caller */

export class TopKeys {
  #table = table("Keys with the most requests", ["Key", "#Allowed", "#Refused"]);
  #empty = h("p", { class: "placeholder" });
  #onChoose;
  element = h("div", {}, this.#empty, this.#table.element);

  /** @param {(key: import("./types.js").TopKey) => void} onChoose */
  constructor(onChoose) {
    this.#onChoose = onChoose;
  }

  /** @param {import("./types.js").Usage} usage */
  update({ top_keys, fault }) {
    const shown = fault ? [] : top_keys.slice(0, 10);
    setText(this.#empty, fault ? "Nothing is known of the traffic." : "No request in the last minutes.");
    this.#empty.hidden = shown.length > 0;
    this.#table.element.hidden = !shown.length;
    syncChildren(this.#table.body, shown, (it) => it.key, (it) => this.#renderRow(it), (row, it) => {
      setText(row.children[1], formatCount(it.allowed));
      setText(row.children[2], formatCount(it.refused));
      row.children[2].classList.toggle("tone-refused", it.refused > 0);
    });
  }

  /** @param {import("./types.js").TopKey} key */
  #renderRow(key) {
    const choose = h("button", { type: "button", class: "link key-name", title: key.key, click: () => this.#onChoose(key) }, key.caller || key.key);
    return h("tr", {}, h("th", { scope: "row" }, choose), h("td", { class: "number" }), h("td", { class: "number" }));
  }
}

export class CallerLookup {
  #context;
  /** @type {Limit} */
  #limit;
  #onReset;
  #key = h("input", { type: "text", required: true, autocomplete: "off", spellcheck: "false", class: "code" });
  #issuer = h("input", { type: "text", autocomplete: "off", spellcheck: "false", class: "code" });
  #tier = h("select");
  #tierField = field("Tier", this.#tier, "The value of the claim that selects the rates of this caller.");
  #issuerField = field("Issuer", this.#issuer, "Of a key such as user:42, as several identity providers are trusted.");
  #result = h("div", { class: "caller" });
  #spoken = h("p", { class: "visually-hidden", role: "status" });
  element;

  /** @param {import("./types.js").Context} context @param {Limit} limit @param {() => void} onReset */
  constructor(context, limit, onReset) {
    this.#context = context;
    this.#limit = limit;
    this.#onReset = onReset;
    const search = h("button", { type: "submit" }, "Look up");
    const key = field("Key", this.#key, `As the tables show it, or as the caller is known: ${giveExample(limit)}.`, search);
    const submit = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      void this.#search();
    };
    this.element = h("div", {}, h("form", { submit }, key, this.#issuerField, this.#tierField), this.#spoken, this.#result);
    this.update(limit);
  }

  /** @param {Limit} limit */
  update(limit) {
    this.#limit = limit;
    this.#issuerField.hidden = this.#context.issuers < 2;
    const tiers = Object.keys(limit.in_force.tiers ?? {});
    this.#tierField.hidden = !tiers.length;
    if (this.#tier.options.length !== tiers.length + 1) this.#tier.replaceChildren(h("option", { value: "" }, "none"), ...tiers.map((it) => h("option", { value: it }, it)));
  }

  /** @param {import("./types.js").TopKey} found */
  choose({ key, caller }) {
    // A caller has one key if one identity provider is trusted; a key is longer than the field.
    this.#key.value = caller && this.#context.issuers < 2 ? caller : key;
    this.#key.focus();
    this.#key.setSelectionRange(0, 0);
    void this.#search();
  }

  /** @param {Record<string, string>} [parameters] */
  #path(parameters = {}) {
    const given = Object.entries({ ...parameters, issuer: this.#issuer.value.trim() }).filter(([, value]) => value);
    const query = new URLSearchParams(given);
    const path = `/limits/${encodeURIComponent(this.#limit.name)}/callers/${encodeURIComponent(this.#key.value.trim())}`;
    return query.size ? `${path}?${query}` : path;
  }

  /** @param {string} name A field of an error. */
  #findInput(name) {
    if (name === "key") return this.#key;
    return name === "issuer" && !this.#issuerField.hidden ? this.#issuer : undefined;
  }

  async #search() {
    for (const input of [this.#key, this.#issuer]) showFieldError(input, "");
    try {
      this.#show(await this.#context.api.get(this.#path({ tier: this.#tier.value })));
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      const isAtInput = error instanceof Problem && showFieldErrors(error.fields, (name) => this.#findInput(name));
      this.#result.replaceChildren(...(isAtInput ? [] : [h("p", { class: "field-error" }, message)]));
      setText(this.#spoken, message);
    }
  }

  async #searchAgain() {
    await this.#search();
    this.#result.querySelector("button")?.focus();
  }

  /** @param {Caller} caller */
  #show(caller) {
    const rules = table("Rules of this caller", ["Window", "#Remaining", "#Resets in", "#Retry after"]);
    for (const it of caller.rules) {
      const remaining = `${formatCount(it.remaining)} of ${formatCount(it.burst ?? it.quota)}`;
      const retry = it.retry_after_seconds ? formatDuration(it.retry_after_seconds) : "–";
      const window = this.#limit.kind !== "rate" ? "at one time" : it.burst ? `burst, ${formatCount(it.quota)} in ${formatDuration(it.window_seconds)}` : formatDuration(it.window_seconds);
      rules.body.append(h("tr", {}, h("th", { scope: "row", title: it.label }, window), ...[remaining, formatDuration(it.reset_seconds), retry].map((text) => h("td", { class: "number" }, text))));
    }
    const { override } = caller;
    setText(this.#spoken, `${caller.caller || caller.key}: ${caller.why}`);
    this.#result.replaceChildren(
      h("p", {}, h("span", { class: `badge ${caller.limited ? "badge-refused" : "badge-allowed"}` }, caller.limited ? "Limited" : "Not limited"), " ", h("strong", { class: "key-name" }, caller.caller || caller.key)),
      h("p", {}, caller.why),
      ...(override ? [h("p", { class: "hint" }, `Override: ${formatOverride(override)}${override.until ? ` until ${formatTime(override.until)}` : ""}.`)] : []),
      ...(caller.rules.length ? [rules.element] : []),
      h("p", { class: "hint" }, `As of ${formatClock(Date.now() / 1000)}.`),
      h(
        "div",
        { class: "actions" },
        h("button", { type: "button", click: () => this.#searchAgain() }, "Look up again"),
        h("button", { type: "button", "data-changes": "", disabled: this.#context.api.identity.isReadOnly, click: () => this.#reset(caller) }, "Reset its counts…"),
        h("button", { type: "button", "data-changes": "", disabled: this.#context.api.identity.isReadOnly, click: () => openOverride(this.#context, this.#limit, caller.key) }, "Override…"),
      ),
    );
  }

  /** @param {Caller} caller */
  #reset(caller) {
    openDialog(this.#context, {
      limit: this.#limit,
      title: "Reset the counts of one key",
      text: `${caller.caller || caller.key} begins again with its whole quota of ${this.#limit.name}.`,
      action: "Reset",
      submit: async (reason) => {
        await this.#context.api.send("DELETE", this.#path({ reason }));
        this.#onReset();
        await this.#search();
        return null;
      },
    });
  }
}
