// Builds elements. Every text becomes a text node: names, keys and reasons of others are never
// parsed as HTML.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Build an element. An attribute that is a function listens to the event of that name; `true` sets
 * an empty attribute; `false`, `null` and `undefined` set none.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(...children.filter(isShown).map(toNode));
  return element;
}

/** @param {Child} child */
function isShown(child) {
  return child !== null && child !== undefined && child !== false;
}

/** @param {any} child @returns {Node | string} */
function toNode(child) {
  return child instanceof Node ? child : String(child);
}

/** @param {Element} element @param {string} name @param {any} value */
export function setAttribute(element, name, value) {
  if (typeof value === "function") element.addEventListener(name, value);
  else if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

/** The parts of a name; a line may end after each underscore. @param {string} name @returns {Child[]} */
export const breakName = (name) => name.split(/(?<=_)/).flatMap((part) => [part, h("wbr")]);

/** Set the text only where it differs, so that a screen reader is not interrupted.
 * @param {Element} element @param {string | number} text */
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = String(text);
}

/**
 * Give a parent one element per item, in order. An element is kept for its key, with its focus.
 * @template T
 * @param {Element} parent
 * @param {readonly T[]} items
 * @param {(item: T) => string} keyOf
 * @param {(item: T) => HTMLElement} create
 * @param {(element: HTMLElement, item: T) => void} [update]
 */
export function syncChildren(parent, items, keyOf, create, update) {
  /** @type {Map<string, HTMLElement>} */
  const kept = elementsOf.get(parent) ?? new Map();
  const next = new Map();
  const hadFocus = parent.contains(document.activeElement);
  items.forEach((item, index) => {
    const key = keyOf(item);
    const element = kept.get(key) ?? create(item);
    update?.(element, item);
    next.set(key, element);
    if (parent.children[index] !== element) parent.insertBefore(element, parent.children[index] ?? null);
  });
  while (parent.children.length > items.length) parent.lastElementChild?.remove();
  elementsOf.set(parent, next);
  if (hadFocus && !parent.contains(document.activeElement)) focusHeading(parent);
}

/** Focus the heading of a section: what had the focus in it is gone. @param {Element} element */
function focusHeading(element) {
  const heading = element.closest("section")?.querySelector("h3");
  if (heading instanceof HTMLElement) heading.focus({ preventScroll: true });
}

/** @type {WeakMap<Element, Map<string, HTMLElement>>} */
const elementsOf = new WeakMap();

let ids = 0;

/** A new id, for labels and descriptions. */
export const newId = () => `id-${(ids += 1)}`;

/**
 * A labelled input with a hint and a place for an error.
 * @param {string} label
 * @param {HTMLElement} input
 * @param {string} [hint]
 * @param {HTMLElement} [button] Stands beside the input.
 */
export function field(label, input, hint, button) {
  const id = newId();
  input.id ||= `${id}-input`;
  const error = h("p", { class: "field-error", id: `${id}-error`, hidden: true });
  const described = [hint && `${id}-hint`, error.id].filter(Boolean).join(" ");
  input.setAttribute("aria-describedby", described);
  return h(
    "div",
    { class: "field" },
    h("label", { for: input.id }, label),
    button ? h("div", { class: "with-button" }, input, button) : input,
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
    error,
  );
}

/** Show or remove the error of an input that `field` made. @param {HTMLElement} input @param {string} message */
export function showFieldError(input, message) {
  const error = input.closest(".field")?.querySelector(".field-error");
  if (!(error instanceof HTMLElement)) return;
  setText(error, message);
  error.hidden = !message;
  setAttribute(input, "aria-invalid", message ? "true" : null);
}

/**
 * Show the errors of a response at their inputs; return whether each has one.
 * @param {{field: string, message: string}[]} fields
 * @param {(name: string) => HTMLElement | undefined} findInput
 */
export function showFieldErrors(fields, findInput) {
  const inputs = fields.map((it) => findInput(it.field));
  inputs.forEach((input, index) => input && showFieldError(input, fields[index].message));
  return fields.length > 0 && inputs.every(Boolean);
}

/** Focus the first input that has an error, if there is one. @param {HTMLElement} scope */
export function focusInvalid(scope) {
  const input = scope.querySelector("input[aria-invalid=true]");
  if (input instanceof HTMLInputElement) input.focus();
}

/**
 * A table with a caption for screen readers.
 * @param {string} caption
 * @param {string[]} columns A column that begins with `#` holds numbers.
 * @param {"" | "stacked"} [kind] `stacked`: on a phone, each row is a block, with the `data-label` of each cell.
 */
export function table(caption, columns, kind = "") {
  const body = h("tbody");
  const head = columns.map((it) => h("th", { scope: "col", class: it.startsWith("#") && "number" }, it.replace("#", "")));
  const element = h(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", { class: kind }, h("caption", { class: "visually-hidden" }, caption), h("thead", {}, h("tr", {}, ...head)), body),
  );
  return { element, body };
}
