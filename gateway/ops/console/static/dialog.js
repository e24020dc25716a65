// A dialog that asks for a reason, shows the effect of a change, and applies it.
import { Problem } from "./api.js";
import { readConflict, renderConflict } from "./conflict.js";
import { field, h, setText } from "./dom.js";
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
 * @property {(reason: string) => Promise<unknown>} submit
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
  #error = h("div", { role: "alert" });
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
    this.#button = h("button", { type: "submit", class: "primary" }, question.action);
    if (question.draft) this.#simulation = new Simulation(context.api, question.limit.name, () => {});
    const title = h("h2", { id: "dialog-title" }, question.title);
    const form = h(
      "form",
      { submit: (/** @type {SubmitEvent} */ event) => this.#submit(event), input: (/** @type {Event} */ event) => event.target === this.#reason || this.#simulate() },
      title,
      question.text && h("p", {}, question.text),
      ...(question.content ?? []),
      this.#simulation?.element,
      field("Reason", this.#reason, "Kept in the history for everybody who reads it."),
      this.#error,
      h("div", { class: "actions" }, h("button", { type: "button", click: () => this.#dialog.close() }, "Cancel"), this.#button),
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
    const draft = this.#question.draft?.();
    if (draft) this.#simulation?.run(draft);
    else this.#simulation?.clear();
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    this.#button.disabled = true;
    this.#error.replaceChildren();
    try {
      await this.#question.submit(this.#reason.value.trim());
      this.#dialog.close();
      this.#context.refresh();
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
      const conflict = await readConflict(this.#context.api, limit.name, limit.version);
      const reload = () => {
        this.#dialog.close();
        this.#context.refresh();
      };
      this.#error.replaceChildren(renderConflict(conflict, h("button", { type: "button", click: reload }, `Show version ${conflict.limit.version}`)));
    } else {
      const message = h("p", { class: "field-error" });
      setText(message, error.message);
      this.#error.replaceChildren(message);
    }
  }
}
