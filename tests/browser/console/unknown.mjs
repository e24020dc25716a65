// No gateway process is heard: the page says so, and shows no number of the traffic.
import { openBrowser } from "../browser.mjs";
import { openConsole, signIn } from "./open_console.mjs";

const { chromium, url, token, policy: name } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);
const { page, complaints } = await openConsole(browser, { url });
await signIn(page, token);
const card = page.locator(".card a", { hasText: name }).first();
await card.click();
const section = page.locator(".panel", { has: page.locator(".legend") });
await section.locator(".placeholder:not([hidden])").waitFor();
await page.waitForSelector(".status-items li");
const seen = {
  rates: await card.locator(".card-rates > span").allTextContents(),
  traffic: await section.textContent(),
  legend: await section.locator(".legend strong").allTextContents(),
  items: await page.locator(".status-items li").allTextContents(),
  curves: await page.locator("canvas").count(),
};
await page.waitForSelector(".connection[data-tone=bad]");
seen.connection = await page.textContent(".connection");
seen.banner = await page.textContent(".banner");
console.log(JSON.stringify({ ...seen, complaints }));
await browser.close();
