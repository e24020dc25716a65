// Reads the state of the system, and what the policy says of it.
import { openBrowser } from "../browser.mjs";
import { openConsole, showPolicy } from "./open_console.mjs";

const { chromium, url, token, policy: name } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);
const { page, complaints } = await openConsole(browser, { url });
await showPolicy(page, token, name);
await page.waitForSelector(".notice:not([hidden])");
const notice = await page.textContent(".notice:not([hidden])");
const items = await page.locator(".status-items li").allTextContents();
await page.click(".status summary");
const details = await page.locator(".status-details").innerText();
console.log(JSON.stringify({ notice, items, details, complaints }));
await browser.close();
