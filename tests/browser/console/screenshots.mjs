// Takes the screenshots of docs/how-to/use-the-console.md.
import { openBrowser } from "../browser.mjs";
import { input, openConsole, propose, showPolicy } from "./open_console.mjs";

const { chromium, url, token, policy: name, into } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);

async function open(scheme, width) {
  const { page } = await openConsole(browser, { url, scheme, width });
  await showPolicy(page, token, name);
  await page.waitForTimeout(7000); // the state of the system and the curves are read again
  return page;
}

const save = (shown, file) => shown.screenshot({ path: `${into}/${file}.png` });

const page = await open("light", 1280);
await propose(page, "60/minute");
await input(page.locator(".change-form"), "Reason").fill("Scrapers overload the order service");
await save(page.locator(".panel", { has: page.locator(".change-form") }), "simulate");
await page.click(".change-form button[type=submit]");
await page.waitForSelector(".applied");
await page.waitForTimeout(25_000);
await page.evaluate(() => scrollTo(0, 0));
await save(page, "overview");
await page.locator(".history button").first().click();
await page.locator("dialog[open] .effect-summary").waitFor();
await save(page.locator("dialog[open]"), "roll-back");

const phone = await open("dark", 375);
await save(phone, "phone");
await browser.close();
console.log("null");
