// The history of a policy, with a button that rolls back to each version.
import { renderChange, renderDifferences } from "./change.js";
import { openDialog } from "./dialog.js";
import { h, setText, syncChildren } from "./dom.js";
import { isSameDocument } from "./format.js";

/** @typedef {import("./types.js").Entry} Entry */
/** @typedef {import("./types.js").Limit} Limit */

const PAGE = 20;

export class History {
  #context;
  /** @type {Limit} */
  #limit;
  /** @type {Entry[]} */
  #entries = [];
  #loaded = -1;
  #list = h("ol", { class: "history" });
  #empty = h("p", { class: "placeholder" }, "Reading the history…");
  #onLoad;
  #more = h("button", { type: "button", hidden: true, click: () => this.#load(this.#entries.at(-1)?.seq) }, "Show older changes");
  element = h("div", {}, this.#empty, this.#list, this.#more);

  /** @param {import("./types.js").Context} context @param {Limit} limit @param {() => void} onLoad Called when `marks` has changed. */
  constructor(context, limit, onLoad) {
    this.#context = context;
    this.#onLoad = onLoad;
    this.#limit = limit;
  }

  /** The times at which the policy changed, for the curves. @returns {import("./charts.js").Mark[]} */
  get marks() {
    return this.#entries.filter((it) => it.version !== null).map((it) => ({ time: Date.parse(it.at) / 1000, label: `v${it.version}` }));
  }

  /** @param {Limit} limit */
  update(limit) {
    this.#limit = limit;
    if (limit.version !== this.#loaded) void this.reload();
  }

  async reload() {
    this.#loaded = this.#limit.version;
    await this.#load();
  }

  /** @param {number} [before] */
  async #load(before) {
    const query = before === undefined ? "" : `&before=${before}`;
    try {
      const { entries } = await this.#context.api.get(`/limits/${encodeURIComponent(this.#limit.name)}/history?limit=${PAGE}${query}`);
      this.#entries = before === undefined ? entries : [...this.#entries, ...entries];
      this.#more.hidden = entries.length < PAGE;
      this.#show();
      this.#onLoad();
    } catch (error) {
      this.#loaded = -1;
      setText(this.#empty, `No history: ${/** @type {Error} */ (error).message}`);
      this.#empty.hidden = false;
    }
  }

  #show() {
    setText(this.#empty, "This policy has not been changed: the values of the settings and the code are in force.");
    this.#empty.hidden = this.#entries.length > 0;
    const version = this.#limit.version;
    syncChildren(this.#list, this.#entries, (it) => `${it.seq} ${it.version === version}`, (it) => this.#renderEntry(it));
  }

  /** @param {Entry} entry */
  #renderEntry(entry) {
    return h("li", {}, h("div", { class: "change" }, ...renderChange(entry, this.#limit)), this.#renderButton(entry));
  }

  /** @param {Entry} entry */
  #renderButton({ version, from, to }) {
    if (version === null) return null;
    if (version !== this.#limit.version) {
      const restore = () => this.#confirm(version, to);
      return h("button", { type: "button", class: "small", "data-changes": "", disabled: this.#context.api.identity.isReadOnly, click: restore, "aria-label": `Roll back to version ${version}` }, "Roll back to this");
    }
    const undo = () => this.#confirm(version - 1, from);
    return h("button", { type: "button", class: "small", "data-changes": "", disabled: this.#context.api.identity.isReadOnly, click: undo }, "Undo this change");
  }

  /** @param {number} version @param {import("./types.js").LiveDocument | null} document */
  #confirm(version, document) {
    const limit = this.#limit;
    openDialog(this.#context, {
      limit,
      title: version === 0 ? "Roll back to the settings and the code" : `Roll back to version ${version}`,
      content: [renderDifferences(limit.live, document, limit)],
      action: "Roll back",
      reason: `Roll back version ${limit.version}`,
      nothing: isSameDocument(limit.live, document) ? "Nothing to roll back: these values are in force." : "",
      draft: () => document ?? {},
      submit: (reason) => this.#context.api.send("POST", `/limits/${encodeURIComponent(limit.name)}/rollback`, { version, reason }, { version: limit.version }),
    });
  }
}
