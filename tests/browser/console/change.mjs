// From an empty start to a change that is simulated, applied, observed and rolled back.
import { openBrowser } from "../browser.mjs";
import { input, openConsole, propose, signIn } from "./open_console.mjs";

const { chromium, url, token, wrongToken, policy: name, rate, reason } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);
const { page, complaints, requests } = await openConsole(browser, { url });
const seen = { before: requests.map((it) => it.path) };

await signIn(page, wrongToken);
await page.waitForSelector("#token-error:not(:empty)");
seen.refusal = await page.textContent("#token-error");
await signIn(page, token);
const card = page.locator(".card a", { hasText: name }).first();
await card.click();
await page.waitForSelector(".curves-full canvas");
const form = page.locator(".change-form");
const apply = form.locator("button[type=submit]");
seen.isEnabledAtFirst = await apply.isEnabled();

// While one types, only what stands at a pause is simulated.
const field = form.locator("input[name=rate]");
const countSimulations = () => requests.filter((it) => it.path.endsWith("/simulate")).length;
await field.evaluate((element) => {
  globalThis.inputs = [];
  element.addEventListener("input", () => globalThis.inputs.push(performance.now()));
});
await field.fill("");
await field.pressSequentially(rate, { delay: 20 });
seen.effect = await propose(page, rate);
seen.simulations = countSimulations();
seen.pauses = await page.evaluate(() => globalThis.inputs.filter((it, index, all) => !(all[index + 1] - it < 240)).length);

// The response to an earlier text comes last, and is not shown.
let respond = () => {};
const isHeld = new Promise((resolve) => (respond = resolve));
const isRequested = page.waitForRequest((it) => it.url().endsWith("/simulate") && it.postData().includes("1000/minute"));
await page.route("**/simulate", async (route) => {
  if (route.request().postData().includes("1000/minute")) await isHeld;
  await route.continue().catch(() => {}); // the page has aborted it
});
await field.fill("1000/minute");
await isRequested;
seen.lastEffect = await propose(page, rate);
respond();
await page.unrouteAll({ behavior: "wait" });
seen.effectLater = await page.textContent(".effect-panel .effect-summary");

// A text that means the values in force is no change.
await field.fill(" 120/minute ");
await form.locator(".hint", { hasText: "Nothing to apply" }).waitFor();
seen.isEnabledForTheSame = await apply.isEnabled();

await field.fill("nonsense");
await page.waitForSelector(".change-form .field-error:not([hidden]):not(:empty)");
seen.effectOfInvalid = await page.textContent(".effect-panel .effect-content");
seen.fieldError = await form.locator(".field-error:not([hidden])").first().textContent();
seen.isEnabledWhenInvalid = await apply.isEnabled();
await propose(page, rate);

await apply.click(); // without a reason
seen.changesWithoutReason = requests.filter((it) => it.method === "PUT").length;
await input(form, "Reason").fill(reason);
await page.keyboard.press("Enter");
await page.waitForSelector(".applied");
seen.applied = await page.textContent(".applied");
await propose(page, rate.replace("/", "/1")); // another text for the same rate
await input(form, "Reason").fill("Once more");
await page.keyboard.press("Enter");
await page.locator(".applied", { hasText: "Nothing was written" }).waitFor();
await page.waitForFunction(([text]) => document.querySelector(".card a[aria-current] .card-quota").textContent.includes(text), [rate]);
await page.waitForFunction(() => Number(document.querySelectorAll(".legend strong")[1].textContent) > 1);
seen.refusedPerSecond = Number(await page.locator(".legend strong").nth(1).textContent());
await page.click("text=Show the curves as a table");
await page.waitForSelector(".as-table tbody tr");
seen.table = await page.locator(".as-table tbody tr").first().locator("td").allTextContents();

const entry = page.locator(".history > li").first();
await entry.locator("button").click();
const dialog = page.locator("dialog[open]");
await dialog.locator(".effect-summary").waitFor();
seen.undo = { title: await dialog.locator("h2").textContent(), differences: await dialog.locator(".differences").textContent() };
await dialog.locator("button.primary").click();
await dialog.waitFor({ state: "detached" });
await page.waitForFunction(([text]) => !document.querySelector(".quota").textContent.startsWith(text), [rate]);
await page.waitForFunction(() => document.querySelectorAll(".history > li").length === 2);
seen.history = await page.locator(".history > li .change-head").allTextContents();
seen.reasons = await page.locator(".history > li .reason").allTextContents();
seen.quota = await page.textContent(".quota");

const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, history.state]));
seen.keepsToken = kept.includes(token.slice(-20));
seen.fieldAfter = await page.inputValue("#token");
seen.requests = requests.filter((it) => it.token === null || !it.token.endsWith(token.slice(-20))).map((it) => it.path);
seen.complaints = complaints.filter((it) => !it.includes("401") && !it.includes("422"));
seen.unguarded = await page.evaluate(() => {
  try {
    document.body.insertAdjacentHTML("beforeend", "<b>markup</b>");
    return true;
  } catch (error) {
    return error.name;
  }
});
console.log(JSON.stringify(seen));
await browser.close();
