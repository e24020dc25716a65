// Callers and reasons with markup: they stay text wherever the page shows them.
import { openBrowser } from "../browser.mjs";
import { input, openConsole, propose, showPolicy } from "./open_console.mjs";

const { chromium, url, token, policy: name, hostile } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);
const { page, complaints, alerts } = await openConsole(browser, { url });
await showPolicy(page, token, name);
await propose(page, "90/minute");
await page.fill(".change-form input[name=reason]", hostile);
await page.click(".change-form button[type=submit]");
await page.waitForSelector(".applied");

// The caller of the top keys is looked up, gets an override, and is reset.
await page.locator("button.link", { hasText: hostile }).click();
await page.waitForSelector(".caller .badge");
const caller = await page.textContent(".caller strong");
await page.click(".caller button:text-is('Override…')");
const dialog = page.locator("dialog[open]");
await input(dialog, "Times the limit").fill("5");
await input(dialog, "Reason").fill(hostile);
await dialog.locator(".effect-summary").waitFor();
await dialog.locator("button.primary").click();
await dialog.waitFor({ state: "detached" });
const row = page.locator("tr", { has: page.locator("button:text-is('Remove')") });
await row.waitFor();
const override = await row.locator("th, td").allTextContents();
await page.click(".caller button:text-is('Reset its counts…')");
await input(page.locator("dialog[open]"), "Reason").fill(hostile);
await page.locator("dialog[open] button.primary").click();
await page.locator(".caller .badge", { hasText: "Not limited" }).waitFor();
await row.locator("button").click();
await input(page.locator("dialog[open]"), "Reason").fill(hostile);
await page.locator("dialog[open] button.primary").click();
await row.waitFor({ state: "detached" });
const focus = await page.evaluate(() => document.activeElement.textContent); // the button is gone
await page.waitForFunction(() => document.querySelectorAll(".history > li").length === 4);
const reasons = await page.locator(".history .reason").allTextContents();

// A policy in the URL that does not exist.
await page.evaluate((text) => (location.hash = encodeURIComponent(text)), hostile);
await page.locator(".detail .placeholder", { hasText: hostile }).waitFor();
const elements = await page.evaluate(() => document.querySelectorAll("#app img, #app script, dialog img").length);
console.log(JSON.stringify({ focus, caller, override, reasons, elements, alerts, complaints }));
await browser.close();
