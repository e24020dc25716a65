// Simulates a draft while it is typed: after a short pause, and only the last answer counts.
import { SIMULATION_TIMEOUT_MS } from "./api.js";
import { h, setAttribute, setText } from "./dom.js";
import { renderEffect, renderMessage, summarizeEffect } from "./effect.js";

const PAUSE_MS = 250;
const IDLE = "Change a value: its effect on the recorded requests appears here before you apply it.";

export class Simulation {
  #api;
  #name;
  #onChange;
  /** @type {number | undefined} */
  #timer;
  /** @type {AbortController | null} */
  #controller = null;
  #content = h("div", { class: "effect-content" });
  #spoken = h("p", { class: "visually-hidden", role: "status" });
  element = h("div", { class: "effect" }, this.#spoken, this.#content);
  /** @type {"idle" | "pending" | "shown" | "failed"} */
  state = "idle";
  /** @type {Error | null} */
  error = null;

  /**
   * @param {import("./api.js").Api} api
   * @param {string} name The policy.
   * @param {() => void} onChange Called when the state changes.
   */
  constructor(api, name, onChange) {
    this.#api = api;
    this.#name = name;
    this.#onChange = onChange;
    renderMessage(this.#content, IDLE);
  }

  clear() {
    this.#cancel();
    this.#enter("idle");
    renderMessage(this.#content, IDLE);
    setText(this.#spoken, "");
  }

  /** @param {import("./types.js").LiveDocument} document */
  run(document) {
    this.#cancel();
    this.#enter("pending");
    if (!this.#content.querySelector(".effect-summary")) renderMessage(this.#content, "Simulating…");
    const controller = new AbortController();
    this.#controller = controller;
    this.#timer = setTimeout(() => this.#simulate(document, controller.signal), PAUSE_MS);
  }

  /** @param {import("./types.js").LiveDocument} document @param {AbortSignal} signal */
  async #simulate(document, signal) {
    try {
      const found = await this.#api.send("POST", `/limits/${encodeURIComponent(this.#name)}/simulate`, document, { signal, timeout: SIMULATION_TIMEOUT_MS });
      if (signal.aborted) return;
      this.#content.replaceChildren(...renderEffect(found));
      setText(this.#spoken, summarizeEffect(found));
      this.#enter("shown");
    } catch (error) {
      if (signal.aborted) return;
      this.error = /** @type {Error} */ (error);
      renderMessage(this.#content, `No simulation: ${this.error.message}`);
      setText(this.#spoken, `No simulation: ${this.error.message}`);
      this.#enter("failed");
    }
  }

  #cancel() {
    clearTimeout(this.#timer);
    this.#controller?.abort();
  }

  /** @param {Simulation["state"]} state */
  #enter(state) {
    this.state = state;
    if (state !== "failed") this.error = null;
    setAttribute(this.element, "aria-busy", state === "pending" ? "true" : null);
    this.#onChange();
  }
}
