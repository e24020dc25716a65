// Calls a function again and again while the page is visible.

const INTERVAL_MS = 2000;
const MAX_INTERVAL_MS = 10_000;

export class Poller {
  #tick;
  #onResult;
  #failures = 0;
  #requests = 0;
  /** @type {(() => void) | null} */
  #wake = null;

  /**
   * @param {(isStale: () => boolean) => Promise<void>} tick `isStale` says that `runNow` was called since the tick began.
   * @param {(error: Error | null) => void} onResult Gets the error of a tick.
   */
  constructor(tick, onResult) {
    this.#tick = tick;
    this.#onResult = onResult;
  }

  async start() {
    document.addEventListener("visibilitychange", () => this.runNow());
    for (;;) {
      while (document.hidden) await this.#sleep(Infinity);
      const requests = this.#requests;
      const isStale = () => requests !== this.#requests;
      const error = await this.#tick(isStale).then(() => null, (it) => it);
      this.#failures = error ? this.#failures + 1 : 0;
      const pause = Math.min(INTERVAL_MS * 2 ** Math.max(0, this.#failures - 1), MAX_INTERVAL_MS);
      this.#onResult(error);
      if (!isStale()) await this.#sleep(pause);
    }
  }

  /** Begin the next tick now, or after the one that runs. */
  runNow() {
    this.#requests += 1;
    this.#wake?.();
  }

  /** @param {number} milliseconds */
  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const timer = Number.isFinite(milliseconds) ? setTimeout(resolve, milliseconds) : undefined;
      this.#wake = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }
}
