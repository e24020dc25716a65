// The form that changes the live values of a policy: simulates while one types, then applies.
import { Problem, Unreachable } from "./api.js";
import { readConflict, renderConflict } from "./conflict.js";
import { field, focusInvalid, h, newId, setText, showFieldError, showFieldErrors } from "./dom.js";
import { formatTime, toLocalInput } from "./format.js";
import { Simulation } from "./simulation.js";

/** @typedef {import("./types.js").Limit} Limit */
/** @typedef {import("./types.js").LiveDocument} LiveDocument */
/** @typedef {{name: string, input: HTMLInputElement, element: HTMLElement}} Field */

/** What an empty input means where the settings or the code have a value. @type {Record<string, number>} */
const NONE = { burst: 0, prefetch: 0 };
const RATE_HINT = "Such as 120/minute, or several windows: 10/second, 120/minute.";

/** @param {Limit} limit @returns {Field[]} */
function buildFields(limit) {
  const values = limit.in_force;
  const number = { type: "number", min: 0, step: 1, inputmode: "numeric" };
  const text = { type: "text", autocomplete: "off", spellcheck: "false", class: "code" };
  const fields =
    limit.kind === "concurrency"
      ? [build("limit", "Requests at the same time", number)]
      : [build("rate", "Rate", text, RATE_HINT), build("burst", "Burst", number, "How many requests may come at once. Empty: sliding window.")];
  for (const tier of Object.keys(values.tiers ?? {})) fields.push(build(`tiers.${tier}`, `Tier ${tier}`, text));
  if (values.prefetch !== null && values.prefetch !== undefined) fields.push(build("prefetch", "Prefetch", number, "Requests of a hot key that a process may take in advance."));
  fields.push(build("until", "Ends at (optional)", { type: "datetime-local" }, "Then the values of the settings and the code apply again."));
  return fields;
}

/** @param {string} name @param {string} label @param {Record<string, any>} attributes @param {string} [hint] */
function build(name, label, attributes, hint) {
  const input = h("input", { ...attributes, name });
  return { name, input, element: field(label, input, hint) };
}

/** What an input shows of a policy. @param {Limit} limit @param {string} name */
function readShown(limit, name) {
  if (name === "until") return limit.live?.until ? toLocalInput(new Date(limit.live.until)) : "";
  return String(readValue(limit.in_force, name) ?? "");
}

/** @param {any} values @param {string} name `rate`, or `tiers.free` */
function readValue(values, name) {
  return name.split(".").reduce((it, key) => it?.[key], values);
}

/** @param {Field} field_ */
function readInput({ name, input }) {
  if (input.value.trim() === "") return undefined;
  if (name === "until") return new Date(input.value).toISOString();
  return input.type === "number" ? Number(input.value) : input.value.trim();
}

export class ChangeForm {
  #context;
  /** @type {Limit} The policy that the operator sees and changes. */
  #base;
  #fields;
  #reason = h("input", { type: "text", name: "reason", required: true, maxlength: 500, autocomplete: "off" });
  #apply = h("button", { type: "submit", class: "primary" }, "Apply");
  #reset = h("button", { type: "button", click: () => this.#discard() }, "Discard");
  #outcome = h("div", { class: "outcome", "aria-live": "polite" });
  #hint = h("p", { class: "hint", id: newId() });
  #actions = h("div", { class: "actions" }, this.#apply, this.#reset, this.#hint);
  #conflict = h("div", { role: "alert" });
  /** The version that the conflict is about; -1 without one. */
  #conflicting = -1;
  #simulation;
  #isLost = false;
  element;

  /** @param {import("./types.js").Context} context @param {Limit} limit */
  constructor(context, limit) {
    this.#context = context;
    this.#base = limit;
    this.#fields = buildFields(limit);
    this.#simulation = new Simulation(context.api, limit.name, () => this.#onSimulation(), (it) => this.#showAtInputs(it));
    this.#apply.setAttribute("aria-describedby", this.#hint.id);
    const form = h(
      "form",
      { class: "change-form", submit: (/** @type {SubmitEvent} */ event) => this.#submit(event), input: (/** @type {Event} */ event) => event.target === this.#reason || this.#onInput() },
      ...this.#fields.map((it) => it.element),
      field("Reason", this.#reason, "Required. Kept in the history for everybody who reads it."),
      this.#outcome,
      this.#actions,
    );
    const effect = h("section", { class: "effect-panel", "aria-label": "Effect of the change" }, h("h4", {}, "Effect"), this.#simulation.element);
    this.element = h("div", {}, this.#conflict, h("div", { class: "columns" }, form, effect));
    this.#fill();
  }

  /** Whether the operator has typed values that are not those in force. */
  get #isDirty() {
    return this.#fields.some((it) => this.#isChanged(it));
  }

  /** @param {Field} field_ */
  #isChanged({ name, input }) {
    return input.value.trim() !== readShown(this.#base, name);
  }

  /** Follow the policy; a draft of the operator stays. @param {Limit} limit */
  update(limit) {
    const { version } = this.#base;
    if (limit.version !== version) this.#outcome.querySelector(".applied")?.remove();
    if (limit.version === version && limit.source === this.#base.source) {
      this.#base = limit;
    } else if (this.#isDirty) {
      if (this.#conflicting !== limit.version) void this.#showConflict(limit.version);
    } else {
      this.#base = limit;
      this.#endConflict();
      this.#fill();
    }
  }

  /** Follow the connection to the ops app: without it, nothing can be applied. */
  followConnection() {
    if (this.#isLost === this.#context.isLost) return;
    this.#isLost = this.#context.isLost;
    if (!this.#isLost && this.#simulation.error instanceof Unreachable) this.#simulation.run(this.#buildDocument());
    else this.#showState();
  }

  #fill() {
    for (const { name, input } of this.#fields) {
      input.value = readShown(this.#base, name);
      showFieldError(input, "");
    }
    this.#simulation.clear();
  }

  #discard() {
    this.#outcome.replaceChildren();
    this.#endConflict();
    this.#reason.value = "";
    this.#fill();
  }

  /** The live values with what the operator typed; a value of the settings or the code is left out. */
  #buildDocument() {
    const { overrides: _, reason: __, ...kept } = structuredClone(this.#base.live ?? {});
    /** @type {LiveDocument} */
    const document = Object.fromEntries(Object.entries(kept).filter(([, it]) => it !== null));
    for (const it of this.#fields) {
      if (!this.#isChanged(it)) continue;
      const below = readValue(this.#base.settings, it.name) ?? readValue(this.#base.declared, it.name);
      const value = readInput(it) ?? (below && NONE[it.name]);
      setValue(document, it.name, value === below ? undefined : value);
    }
    return document;
  }

  #onInput() {
    this.#outcome.querySelector(".applied")?.remove();
    for (const { input } of this.#fields) showFieldError(input, "");
    if (!this.#isDirty) this.#simulation.clear();
    else this.#simulation.run(this.#buildDocument());
  }

  #onSimulation() {
    if (this.#simulation.error instanceof Unreachable) this.#context.refresh(); // is it lost?
    this.#showState();
  }

  #showState() {
    const { state, error } = this.#simulation;
    const obstacle = this.#findObstacle();
    this.#apply.disabled = Boolean(obstacle) || isInvalid(error);
    setText(this.#apply, state === "failed" && !isInvalid(error) && !obstacle ? "Apply without a simulation" : "Apply");
    this.#reset.hidden = state === "idle";
    setText(this.#hint, obstacle);
  }

  /** Why nothing can be applied now; "" if a change can be. */
  #findObstacle() {
    if (this.#context.api.identity.isReadOnly) return "This token may only read.";
    if (this.#isLost) return "The ops app does not respond: nothing can be applied now.";
    const { state } = this.#simulation;
    return state === "idle" ? "Nothing to apply: these values are in force." : state === "pending" ? "Simulating…" : "";
  }

  /** @param {Error} error */
  #showAtInputs(error) {
    if (!(error instanceof Problem)) return false;
    return showFieldErrors(error.fields, (name) => (name === "reason" ? this.#reason : this.#fields.find((it) => name === it.name || name.startsWith(`${it.name}.`))?.input));
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    if (!this.#isDirty || this.#conflicting >= 0) return;
    this.#apply.disabled = true;
    try {
      await this.#put();
    } catch (error) {
      if (error instanceof Problem && error.status === 412) await this.#showConflict(error.body.current_version);
      else this.#showError(/** @type {Error} */ (error));
    } finally {
      this.#showState();
    }
  }

  async #put() {
    const { name, version } = this.#base;
    const body = { ...this.#buildDocument(), reason: this.#reason.value.trim() };
    this.#base = await this.#context.api.send("PUT", `/limits/${encodeURIComponent(name)}`, body, { version });
    this.#discard();
    const until = this.#base.live?.until;
    const inForce = `ersion ${this.#base.version} is in force${until ? ` until ${formatTime(until)}` : ""}.`;
    const text = this.#base.version === version ? `Nothing was written: these are the values already. V${inForce}` : `V${inForce}`;
    this.#outcome.replaceChildren(h("p", { class: "applied" }, text));
    this.#context.refresh();
  }

  /** @param {Error} error */
  #showError(error) {
    const text = this.#showAtInputs(error) ? "Correct the marked value." : error.message;
    this.#outcome.replaceChildren(h("p", { class: "field-error" }, `Not applied. ${text}`));
    focusInvalid(this.element);
  }

  /** Show what others changed; if it cannot be read now, the next poll tries again. @param {number} inForce The version. */
  async #showConflict(inForce) {
    this.#conflicting = inForce;
    try {
      this.#renderConflict(await readConflict(this.#context.api, this.#base.name, this.#base.version));
    } catch (error) {
      this.#conflicting = -1;
      this.#showError(/** @type {Error} */ (error));
    }
  }

  /** @param {Awaited<ReturnType<typeof readConflict>>} conflict */
  #renderConflict(conflict) {
    const { version } = conflict.limit;
    this.#conflicting = version;
    const take = () => {
      this.#base = conflict.limit;
      this.#discard();
      this.#fields[0].input.focus();
    };
    const keep = () => {
      const first = this.#fields.find((it) => this.#isChanged(it)) ?? this.#fields[0];
      this.#rebase(conflict.limit);
      this.#outcome.replaceChildren();
      this.#endConflict();
      this.#onInput();
      first.input.focus();
    };
    this.#outcome.replaceChildren();
    this.#actions.hidden = true; // a change of the former version would be refused again
    this.#conflict.replaceChildren(
      renderConflict(
        conflict,
        h("button", { type: "button", class: "primary", click: keep }, "Keep my values"),
        h("button", { type: "button", click: take }, `Load version ${version}`),
      ),
    );
  }

  #endConflict() {
    this.#conflicting = -1;
    this.#conflict.replaceChildren();
    this.#actions.hidden = false;
  }

  /** Let what the operator typed stand, and all else follow the new version. @param {Limit} limit */
  #rebase(limit) {
    const typed = this.#fields.filter((it) => this.#isChanged(it));
    this.#base = limit;
    for (const it of this.#fields) if (!typed.includes(it)) it.input.value = readShown(limit, it.name);
  }
}

/** @param {Error | null} error */
const isInvalid = (error) => error instanceof Problem && error.status === 422;

/** @param {LiveDocument} document @param {string} name @param {unknown} value `undefined` removes it. */
function setValue(document, name, value) {
  const [first, ...rest] = name.split(".");
  if (rest.length) {
    document[first] = { ...document[first] };
    setValue(document[first], rest.join("."), value);
    if (!Object.keys(document[first]).length) delete document[first];
  } else if (value === undefined) delete document[first];
  else document[first] = value;
}
