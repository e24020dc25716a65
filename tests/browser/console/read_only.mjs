// A token that has only the scope limits:read: the page shows everything and changes nothing.
import { openBrowser } from "../browser.mjs";
import { openConsole, propose, showPolicy } from "./open_console.mjs";

const { chromium, url, token, policy: name } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);
const { page } = await openConsole(browser, { url });
await showPolicy(page, token, name);
await propose(page, "60/minute");
await page.waitForSelector("button.switch[disabled]");
const identity = await page.textContent(".identity");
/** @type {Record<string, boolean>} */
const disabled = {};
for (const it of ["Apply", "Override a key…"]) disabled[it] = await page.getByRole("button", { name: it, exact: true }).isDisabled();
disabled.Shadow = await page.getByRole("switch").isDisabled();
console.log(JSON.stringify({ identity, disabled }));
await browser.close();
