// A change that the ops API refuses: the page says why, and keeps what was typed.
import { openBrowser } from "../browser.mjs";
import { input, openConsole, propose, showPolicy } from "./open_console.mjs";

const { chromium, url, token, policy: name } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);
const { page } = await openConsole(browser, { url });
await showPolicy(page, token, name);
await propose(page, "60/minute");
await page.fill(".change-form input[name=reason]", "Too many requests");
await page.click(".change-form button[type=submit]");
await page.waitForSelector(".outcome .field-error");
const message = await page.textContent(".outcome .field-error");
const draft = await page.inputValue(".change-form input[name=rate]");
await page.click("button.switch");
const dialog = page.locator("dialog[open]");
await input(dialog, "Reason").fill("Watch only");
await dialog.locator("button.primary").click();
await dialog.locator("[role=alert] .field-error").waitFor();
const inDialog = await dialog.locator("[role=alert] .field-error").textContent();
console.log(JSON.stringify({ message, draft, inDialog }));
await browser.close();
