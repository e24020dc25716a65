// Simulates a draft while it is typed: after a short pause, and only the last answer counts.
import { Problem, SIMULATION_TIMEOUT_MS } from "./api.js";
import { h, setAttribute, setText } from "./dom.js";
import { renderEffect, renderMessage, summarizeEffect } from "./effect.js";

const PAUSE_MS = 250;
const BUSY_PAUSE_MS = 1000;
const MAX_BUSY = 20; // responses that others simulate now
const IDLE = "Change a value: its effect on the recorded requests appears here before you apply it.";

export class Simulation {
  #api;
  #name;
  #onChange;
  #showAtInputs;
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
   * @param {(error: Error) => boolean} showAtInputs Shows an error at the inputs that it is about; false if it cannot.
   */
  constructor(api, name, onChange, showAtInputs) {
    this.#api = api;
    this.#name = name;
    this.#onChange = onChange;
    this.#showAtInputs = showAtInputs;
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
      const found = await this.#send(document, signal);
      if (signal.aborted) return;
      this.#content.replaceChildren(...renderEffect(found));
      setText(this.#spoken, summarizeEffect(found));
      this.#enter("shown");
    } catch (error) {
      if (signal.aborted) return;
      this.error = /** @type {Error} */ (error);
      const isAtInput = this.#showAtInputs(this.error);
      renderMessage(this.#content, isAtInput ? "Correct the marked value: the effect appears here then." : `No simulation: ${this.error.message}`);
      setText(this.#spoken, isAtInput ? this.error.message : `No simulation: ${this.error.message}`);
      this.#enter("failed");
    }
  }

  /** Simulate; while others do, wait for a place. @param {import("./types.js").LiveDocument} document @param {AbortSignal} signal */
  async #send(document, signal) {
    for (let count = 1; ; count += 1) {
      try {
        return await this.#api.send("POST", `/limits/${encodeURIComponent(this.#name)}/simulate`, document, { signal, timeout: SIMULATION_TIMEOUT_MS });
      } catch (error) {
        const isBusy = error instanceof Problem && error.status === 503 && count <= MAX_BUSY;
        if (!isBusy || signal.aborted) throw error;
        await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE_MS));
        signal.throwIfAborted();
      }
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
