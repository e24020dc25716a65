// What happens elsewhere: changes of another operator, a restart of the ops app, the end of a token.
import { openBrowser } from "../browser.mjs";
import { openConsole, propose, showPolicy, signIn } from "./open_console.mjs";

const { chromium, url, token, shortToken, policy: name } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);
const seen = {};
const first = await openConsole(browser, { url });
const second = await openConsole(browser, { url, width: 375 });
await showPolicy(second.page, shortToken, name);
await propose(second.page, "90/minute");
await showPolicy(first.page, token, name);

// A token that is refused while one types: the page asks for another at the first pause.
await first.page.route("**/limits", (route) => route.fulfill({ status: 401, json: {} }));
seen.typed = await first.page.evaluate(async () => {
  const field = document.querySelector(".change-form input[name=reason]");
  field.focus();
  for (let count = 0; count < 40; count += 1) {
    document.execCommand("insertText", false, "x");
    await new Promise((resolve) => setTimeout(resolve, 100)); // the page asks every two seconds
  }
  return field.value.length;
});
await first.page.waitForSelector("dialog.sign-in[open]");
await first.page.unroute("**/limits");
await signIn(first.page, token);
await first.page.waitForSelector("dialog.sign-in", { state: "hidden" });
seen.focus = await first.page.evaluate(() => document.activeElement.getAttribute("name"));
await first.page.fill(".change-form input[name=reason]", "");

async function change(page, rate, reason) {
  await propose(page, rate);
  await page.fill(".change-form input[name=reason]", reason);
  await page.click(".change-form button[type=submit]");
}

// The second operator has a draft, and then no valid token: it is asked again, and keeps the draft.
await second.page.waitForSelector("dialog.sign-in[open]");
seen.expired = await second.page.textContent("#token-error");
await signIn(second.page, token);
await second.page.waitForSelector("dialog.sign-in", { state: "hidden" });
seen.draft = await second.page.inputValue(".change-form input[name=rate]");

// The first operator changes the limit; the second is told so, and keeps its own value on top.
await change(first.page, "60/minute", "Too many requests");
await first.page.waitForSelector(".applied");
await second.page.waitForSelector(".conflict");
seen.conflict = await second.page.textContent(".conflict");
await second.page.click("button:has-text('Keep my values')");
await change(second.page, "90/minute", "Not quite so few");
await second.page.waitForSelector(".applied");
await first.page.waitForFunction(() => document.querySelector(".quota").textContent.startsWith("90/minute"));
seen.followed = await first.page.inputValue(".change-form input[name=rate]");

// Both apply at once: one of them gets 412, sees who changed what, and loads it.
const stale = await (await first.page.waitForResponse("**/limits")).json();
await first.page.route("**/limits", (route) => route.fulfill({ json: stale })); // it does not hear of the change
await propose(first.page, "30/minute");
await change(second.page, "45/minute", "Halfway");
await second.page.waitForSelector(".applied");
await first.page.fill(".change-form input[name=reason]", "Fewer");
await first.page.click(".change-form button[type=submit]");
await first.page.waitForSelector(".conflict");
seen.refused = await first.page.textContent(".conflict");
await first.page.unroute("**/limits");
await first.page.click(".conflict button:has-text('Load version')");
seen.loaded = await first.page.inputValue(".change-form input[name=rate]");

// The test restarts the ops app when it sees version 4.
await change(second.page, "44/minute", "The restart comes now");
await second.page.waitForSelector(".applied");
await first.page.waitForSelector(".connection[data-tone=bad]");
seen.banner = await first.page.textContent(".banner");
await first.page.fill(".change-form input[name=rate]", "43/minute");
await first.page.locator(".effect-panel", { hasText: "No simulation" }).waitFor();
await first.page.evaluate(() => scrollTo(0, document.body.scrollHeight));
seen.whileLost = {
  isEnabled: await first.page.locator(".change-form button[type=submit]").isEnabled(),
  apply: await first.page.textContent(".change-form button[type=submit]"),
  reason: await first.page.textContent(".change-form .actions .hint"),
  bannerTop: await first.page.evaluate(() => document.querySelector(".banner").getBoundingClientRect().top),
};
await first.page.waitForSelector(".connection[data-tone=good]");
await first.page.waitForSelector(".effect-panel .effect:not([aria-busy]) .effect-summary");
seen.applyAgain = await first.page.textContent(".change-form button[type=submit]");
seen.afterRestart = await first.page.textContent(".quota");

// A hidden page asks for nothing, and catches up when it is shown.
const hide = (isHidden) => {
  Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
};
await first.page.evaluate(hide, true);
await first.page.waitForTimeout(1500);
const count = first.requests.length;
await first.page.waitForTimeout(5000);
seen.whileHidden = first.requests.length - count;
await first.page.evaluate(hide, false);
await first.page.waitForTimeout(500);
seen.whenShown = first.requests.length - count;
console.log(JSON.stringify(seen));
await browser.close();
