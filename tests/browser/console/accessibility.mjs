// Runs axe-core in each state of the page, in both color schemes and widths.
import { readFileSync } from "node:fs";
import { openBrowser } from "../browser.mjs";
import { openConsole, propose } from "./open_console.mjs";

const { chromium, url, token, policy: name } = JSON.parse(process.argv[2]);
const axe = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf-8");
const browser = await openBrowser(chromium);
const results = [];

async function inspect(page, state) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  const faults = violations.map((it) => ({ id: it.id, impact: it.impact, nodes: it.nodes.map((node) => `${node.html.slice(0, 160)} ${node.failureSummary}`) }));
  results.push({ state, faults, overflow });
}

for (const scheme of ["light", "dark"]) {
  for (const width of [1280, 375]) {
    const { page } = await openConsole(browser, { url, scheme, width });
    const as = (state) => `${state}, ${scheme}, ${width}`;
    await inspect(page, as("sign in"));
    await page.fill("#token", token);
    await page.keyboard.press("Enter");
    await page.waitForSelector(".card canvas");
    await inspect(page, as("list"));
    await page.locator(".card a", { hasText: name }).first().click();
    await page.waitForSelector(".curves-full canvas");
    await propose(page, "30/minute");
    for (const summary of ["Show the curves as a table", "Where the values come from"]) await page.click(`text=${summary}`);
    await page.locator("table button.link").first().click();
    await page.waitForSelector(".caller .badge");
    await page.click(".status summary");
    await inspect(page, as("policy"));
    await page.click("button:text-is('Override a key…')");
    await page.fill("dialog[open] input", "user:42");
    await inspect(page, as("override"));
    await page.keyboard.press("Escape");
    await page.fill(".change-form input[name=rate]", "nonsense");
    await page.waitForSelector(".change-form .field-error:not([hidden]):not(:empty)");
    await inspect(page, as("invalid"));
    await page.context().close();
  }
}
console.log(JSON.stringify(results));
await browser.close();
