// Asks for a token. The field is no password field, so that no browser offers to store the token.
import { h, setText } from "./dom.js";

const input = h("input", { type: "text", class: "secret", id: "token", name: "token", autocomplete: "off", autocapitalize: "off", autocorrect: "off", spellcheck: "false", required: true, "aria-describedby": "token-hint token-error" });
const error = h("p", { class: "field-error", id: "token-error", role: "alert" });
const form = h(
  "form",
  { method: "dialog", novalidate: true },
  h("h1", { id: "sign-in-title" }, "Lockgate console"),
  h("p", {}, "Paste an operator's token to see the limits and to change them."),
  h(
    "div",
    { class: "field" },
    h("label", { for: "token" }, "Token"),
    input,
    h("p", { class: "hint", id: "token-hint" }, "Its audience is ops.audience; its scope holds limits:read, and limits:write for changes. The page keeps it in memory and forgets it when you close or reload the page."),
    error,
  ),
  h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Open the console")),
);
const dialog = h("dialog", { class: "sign-in", "aria-labelledby": "sign-in-title" }, form);
document.body.append(dialog);

const TYPING_PAUSE_MS = 1500;
let typedAt = -Infinity;
addEventListener("input", () => (typedAt = performance.now()));

/** Wait for a pause in typing: the form takes the focus, and what is typed into another field must not end up in this one. */
async function waitForPause() {
  for (;;) {
    const left = typedAt + TYPING_PAUSE_MS - performance.now();
    if (left <= 0) return;
    await new Promise((resolve) => setTimeout(resolve, left));
  }
}

/** Show the form until a token is pasted. @param {boolean} isRefused Whether the last token was refused. @returns {Promise<string>} */
export async function askForToken(isRefused) {
  if (isRefused && !dialog.contains(document.activeElement)) await waitForPause();
  setText(error, isRefused ? "The token was refused: it is not for the ops app, or it has expired." : "");
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      const token = input.value.trim().replace(/^Bearer\s+/i, "");
      if (!/^[\x21-\x7e]+$/.test(token)) {
        setText(error, token ? "This is no token: a token has no spaces and only ASCII characters." : "Paste a token.");
        return;
      }
      input.value = "";
      dialog.onclose = null;
      dialog.close();
      resolve(token);
    };
    dialog.onclose = () => dialog.showModal(); // Escape does not close it: nothing works without a token
  });
}
