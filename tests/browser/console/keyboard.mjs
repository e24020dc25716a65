// Changes a limit with the keyboard alone.
import { openBrowser } from "../browser.mjs";
import { openConsole } from "./open_console.mjs";

const { chromium, url, token } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);
const { page, complaints } = await openConsole(browser, { url });
const focused = () =>
  page.evaluate(() => {
    const element = document.activeElement;
    const outline = getComputedStyle(element).outlineStyle;
    return { name: element.getAttribute("name") ?? element.textContent.slice(0, 40), tag: element.tagName, outline };
  });

// Presses Tab until the element with this name or text has the focus.
async function tabTo(name) {
  for (let count = 0; count < 60; count += 1) {
    await page.keyboard.press("Tab");
    const found = await focused();
    if (found.outline === "none") throw new Error(`the focus cannot be seen: ${JSON.stringify(found)}`);
    if (found.name.startsWith(name)) return;
  }
  throw new Error(`Tab does not reach ${name}`);
}

await page.keyboard.insertText(token); // the field has the focus
await page.keyboard.press("Enter");
await page.waitForSelector(".curves-full canvas");
await tabTo("Skip to the policy");
await page.keyboard.press("Enter");
const heading = await focused();
await tabTo("rate");
await page.keyboard.press("Control+A");
await page.keyboard.insertText("30/minute");
await page.waitForSelector(".effect-panel .effect-summary");
const spoken = await page.textContent(".effect-panel [role=status]");
await tabTo("reason");
await page.keyboard.insertText("By keyboard");
await tabTo("Apply");
await page.keyboard.press("Enter");
await page.waitForSelector(".applied");

// A dialog takes the focus, keeps it, and gives it back.
await tabTo("Override a key");
await page.keyboard.press("Enter");
await page.waitForSelector("dialog[open]");
const isInside = [];
for (let count = 0; count < 16; count += 1) {
  await page.keyboard.press("Tab");
  isInside.push(await page.evaluate(() => document.activeElement === document.body || document.activeElement.closest("dialog") !== null));
}
await page.keyboard.press("Escape");
const after = await focused();
console.log(JSON.stringify({ heading, spoken, isInside, after, complaints }));
await browser.close();
