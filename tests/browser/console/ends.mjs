// Ends: a policy whose live values have ended is changed, and the switch takes an end away.
import { openBrowser } from "../browser.mjs";
import { input, openConsole, propose, showPolicy } from "./open_console.mjs";

const { chromium, url, token, policy: name } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);
const { page, complaints } = await openConsole(browser, { url });
await showPolicy(page, token, name);
const until = page.locator(".change-form input[name=until]");

async function apply() {
  await page.fill(".change-form input[name=reason]", "Load");
  await page.click(".change-form button[type=submit]");
  await page.waitForSelector(".outcome .applied");
  return page.textContent(".outcome .applied");
}

const seen = { untilAfterTheEnd: await until.inputValue() };
await propose(page, "60/minute");
seen.applied = await apply();
await until.fill("2099-12-04T18:00");
seen.appliedWithEnd = await apply();
await page.click("button.switch");
const dialog = page.locator("dialog[open]");
seen.text = await dialog.locator("form > p").first().textContent();
await input(dialog, "Reason").fill("Watch only");
await dialog.locator("button.primary").click();
await dialog.waitFor({ state: "detached" });
await page.waitForFunction(() => document.querySelector(".change-form input[name=until]").value === "");
seen.complaints = complaints;
console.log(JSON.stringify(seen));
await browser.close();
