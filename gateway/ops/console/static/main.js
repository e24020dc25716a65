// Starts the page: reads the limits every two seconds, and shows the one that the URL names.
import { Api, Problem, Unreachable } from "./api.js";
import { h, setText } from "./dom.js";
import { formatDuration, toSentence } from "./format.js";
import { PolicyList } from "./policies.js";
import { PolicyView } from "./policy.js";
import { Poller } from "./poll.js";
import { askForToken } from "./sign_in.js";
import { StatusBar, isRedisLost } from "./status.js";

/** @typedef {import("./types.js").Limit} Limit */

const USAGE_SECONDS = 300;
const MAX_CURVES = 24; // policies whose curves are read at a time
const LIST_EVERY = 2; // ticks: the curves of the list
const STATUS_EVERY = 3;
const wide = matchMedia("(min-width: 62rem)");

const api = new Api(askForToken);
/** @type {import("./types.js").Context} */
const context = { api, refresh: () => poller.runNow(), isLost: false, isRedisLost: false, issuers: 1 };
const list = new PolicyList();
const status = new StatusBar();
const connection = h("span", { class: "connection", role: "status", "data-tone": "unknown" }, "Connecting…");
const identity = h("span", { class: "identity" });
const banner = h("div", { class: "banner", role: "alert", hidden: true });
const detail = h("div", { class: "detail" });
const placeholder = h("p", { class: "placeholder" }, "Choose a policy to see its traffic and to change it.");

/** @type {Limit[]} */
let limits = [];
/** @type {PolicyView | null} */
let view = null;
let ticks = 0;
/** Why nothing is known of the traffic; "" if something is. */
let fault = "";

document.getElementById("app")?.replaceChildren(
  h("header", { class: "top" }, h("a", { class: "skip", href: "#", click: focusPolicy }, "Skip to the policy"), h("h1", {}, "Lockgate ", h("span", {}, "limits")), connection, identity, h("button", { type: "button", class: "small", click: changeToken }, "Change token")),
  banner,
  status.element,
  h("main", { class: "layout" }, list.element, detail),
);

/** @param {() => boolean} isStale What was read before a change of the operator is not shown. */
async function tick(isStale) {
  const [found, usage] = await Promise.all([api.get("/limits"), api.get("/usage")]);
  if (isStale()) return;
  limits = found.limits;
  fault = usage.fault ?? "";
  showSelected();
  list.update(limits, usage, view?.name ?? "");
  const inList = ticks % LIST_EVERY === 0 ? list.visible : [];
  const names = new Set([...(view ? [view.name] : []), ...inList]);
  const readStatus = ticks % STATUS_EVERY === 0 ? api.get("/status") : null;
  ticks += 1;
  await Promise.all([...names].slice(0, MAX_CURVES).map(showUsage));
  if (readStatus) {
    const state = await readStatus;
    context.issuers = state.providers.length;
    context.isRedisLost = isRedisLost(state);
    status.update(state, fault);
  }
}

/** @param {string} name */
async function showUsage(name) {
  const usage = dropLast(await api.get(`/limits/${encodeURIComponent(name)}/usage?seconds=${USAGE_SECONDS}`));
  list.updateUsage(name, usage);
  if (view?.name === name) view.updateUsage(usage);
}

/** Leave out the second that is not over yet. @param {import("./types.js").Usage} usage */
function dropLast(usage) {
  const { allowed, refused, shadow_refused } = usage;
  return { ...usage, allowed: allowed.slice(0, -1), refused: refused.slice(0, -1), shadow_refused: shadow_refused.slice(0, -1) };
}

/** Show the policy that the URL names; on a wide page, the first one if it names none. */
function showSelected() {
  const named = decodeURIComponent(location.hash.slice(1));
  const limit = limits.find((it) => it.name === named) ?? (wide.matches && !named ? limits[0] : undefined);
  document.body.classList.toggle("has-policy", Boolean(limit));
  if (!limit) {
    view = null;
    setText(placeholder, named && limits.length ? `There is no policy ${named}.` : "Choose a policy to see its traffic and to change it.");
    detail.replaceChildren(placeholder);
  } else if (view?.name === limit.name) {
    view.update(limit);
  } else {
    view = new PolicyView(context, limit);
    detail.replaceChildren(view.element);
  }
}

/** @param {Error | null} error */
function showConnection(error) {
  connection.dataset.tone = error || fault ? "bad" : "good";
  setText(connection, error ? "Not up to date" : fault ? "Traffic unknown" : "Live");
  banner.hidden = !error && !fault;
  setText(banner, error ? describeFailure(error) : fault && toSentence(fault));
  context.isLost = error instanceof Unreachable;
  enableChanges();
  const { subject, expires, isReadOnly } = api.identity;
  const left = expires && expires - Date.now() / 1000;
  setText(identity, [subject, isReadOnly && "read only", left && left < 900 && `token ends in ${formatDuration(left)}`].filter(Boolean).join(", "));
}

/** @param {Error} error */
function describeFailure(error) {
  if (!(error instanceof Problem || error instanceof Unreachable)) console.error(error);
  const problem = error instanceof Problem ? `The ops app refused: ${error.message}` : error.message;
  return `${problem} What you see may be old; the page keeps trying.`;
}

/** Disable what changes a limit if the token may only read, or the ops app does not respond. */
function enableChanges() {
  for (const it of document.querySelectorAll("button[data-changes]")) {
    if (it instanceof HTMLButtonElement) it.disabled = api.identity.isReadOnly || context.isLost;
  }
  view?.followConnection();
}

function changeToken() {
  api.forgetToken();
  context.refresh();
}

/** @param {Event} event */
function focusPolicy(event) {
  event.preventDefault();
  view?.heading.focus();
}

addEventListener("hashchange", () => {
  showSelected();
  view?.heading.focus({ preventScroll: wide.matches });
  if (!wide.matches) scrollTo(0, 0);
  context.refresh();
});

const poller = new Poller(tick, showConnection);
void poller.start();
