// A dialog that asks for a reason, shows the effect of a change, and applies it.
import { Problem } from "./api.js";
import { readConflict, renderConflict } from "./conflict.js";
import { field, focusInvalid, h, setText, showFieldError, showFieldErrors } from "./dom.js";
import { Simulation } from "./simulation.js";

/** @typedef {import("./types.js").Limit} Limit */
/** @typedef {import("./types.js").LiveDocument} LiveDocument */

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} [text]
 * @property {Node[]} [content] Shown above the reason: fields, or a list of differences.
 * @property {string} action The text of the button.
 * @property {string} [reason] Proposed, for the operator to change.
 * @property {Limit} limit The policy, as the operator sees it.
 * @property {() => LiveDocument | null} [draft] What to simulate; read again after each input.
 * @property {(name: string) => HTMLElement | undefined} [findInput] The input that a field of an error is about.
 * @property {string} [nothing] Why there is nothing to do; the button is then disabled.
 * @property {(reason: string) => Promise<{version: number} | null>} submit Resolves with the policy, unless its version stays.
 */

/**
 * @param {import("./types.js").Context} context
 * @param {Question} question
 */
export function openDialog(context, question) {
  new ReasonDialog(context, question).open();
}

class ReasonDialog {
  #context;
  #question;
  #message = h("div", { role: "alert" });
  #reason = h("input", { type: "text", required: true, maxlength: 500, autocomplete: "off" });
  #button;
  #dialog;
  /** @type {Simulation | null} */
  #simulation = null;

  /** @param {import("./types.js").Context} context @param {Question} question */
  constructor(context, question) {
    this.#context = context;
    this.#question = question;
    this.#reason.value = question.reason ?? "";
    this.#button = h("button", { type: "submit", class: "primary", disabled: Boolean(question.nothing) }, question.action);
    if (question.draft) this.#simulation = new Simulation(context.api, question.limit.name, () => {}, (it) => this.#showAtInputs(it));
    const title = h("h2", { id: "dialog-title" }, question.title);
    const form = h(
      "form",
      { submit: (/** @type {SubmitEvent} */ event) => this.#submit(event), input: (/** @type {Event} */ event) => event.target === this.#reason || this.#simulate() },
      title,
      question.text && h("p", {}, question.text),
      ...(question.content ?? []),
      this.#simulation?.element,
      field("Reason", this.#reason, "Kept in the history for everybody who reads it."),
      this.#message,
      h("div", { class: "actions" }, question.nothing && h("p", { class: "hint" }, question.nothing), h("button", { type: "button", click: () => this.#dialog.close() }, "Cancel"), this.#button),
    );
    this.#dialog = h("dialog", { "aria-labelledby": title.id, close: () => this.#close() }, form);
  }

  open() {
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    const inputs = [...this.#dialog.querySelectorAll("input")];
    const first = inputs.find((it) => it.required && !it.value && it.offsetParent) ?? this.#reason;
    first.focus();
    first.select();
    this.#simulate();
  }

  #close() {
    this.#simulation?.clear();
    this.#dialog.remove();
  }

  #simulate() {
    for (const input of this.#dialog.querySelectorAll("input")) showFieldError(input, "");
    const draft = this.#question.draft?.();
    if (draft) this.#simulation?.run(draft);
    else this.#simulation?.clear();
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    const { limit, nothing, submit } = this.#question;
    if (nothing) return;
    this.#button.disabled = true;
    this.#message.replaceChildren();
    try {
      const changed = await submit(this.#reason.value.trim());
      this.#context.refresh();
      if (changed?.version === limit.version) this.#show("hint", `Nothing was written: version ${limit.version} has these values already.`);
      else this.#dialog.close();
    } catch (error) {
      await this.#explain(/** @type {Error} */ (error));
    } finally {
      this.#button.disabled = false;
    }
  }

  /** @param {Error} error */
  async #explain(error) {
    if (error instanceof Problem && error.status === 412) {
      const { limit } = this.#question;
      const conflict = await readConflict(this.#context.api, limit.name, limit.version).catch((it) => it);
      if (conflict instanceof Error) return this.#show("field-error", conflict.message);
      const reload = () => {
        this.#dialog.close();
        this.#context.refresh();
      };
      this.#message.replaceChildren(renderConflict(conflict, h("button", { type: "button", click: reload }, `Show version ${conflict.limit.version}`)));
    } else {
      this.#show("field-error", this.#showAtInputs(error) ? "Correct the marked value." : error.message);
      focusInvalid(this.#dialog);
    }
  }

  /** @param {Error} error */
  #showAtInputs(error) {
    const find = (/** @type {string} */ name) => (name === "reason" ? this.#reason : this.#question.findInput?.(name));
    return error instanceof Problem && showFieldErrors(error.fields, find);
  }

  /** @param {"hint" | "field-error"} kind @param {string} text */
  #show(kind, text) {
    const message = h("p", { class: kind });
    setText(message, text);
    this.#message.replaceChildren(message);
  }
}
