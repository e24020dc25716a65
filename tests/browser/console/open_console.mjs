// Opens the console, and gathers what a test asks of every page: complaints and requests.
import { LOCAL } from "../browser.mjs";

const SIZES = { 1280: 900, 375: 812 };

/** Returns the page, the complaints about it, its requests, and the texts of its alerts. */
export async function openConsole(browser, { url, scheme = "light", width = 1280 }) {
  const context = await browser.newContext({
    colorScheme: scheme,
    viewport: { width, height: SIZES[width] },
    locale: "en-GB",
    timezoneId: "UTC",
    reducedMotion: "reduce",
  });
  context.setDefaultTimeout(90_000); // a machine may be busy
  const page = await context.newPage();
  const [complaints, requests, alerts] = [[], [], []];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("response", async (response) => {
    if (response.status() === 409) complaints.push(await response.text()); // why it cannot simulate
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("dialog", (dialog) => {
    alerts.push(dialog.message());
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    requests.push({
      method: request.method(),
      path: request.url().replace(new URL(url).origin, ""),
      token: request.headers().authorization ?? null,
    });
    if (!LOCAL.test(request.url())) complaints.push(`a request to ${request.url()}`);
  });
  await page.goto(url);
  await page.waitForSelector("dialog.sign-in[open]");
  return { page, complaints, requests, alerts };
}

export async function signIn(page, token) {
  await page.fill("#token", token);
  await page.keyboard.press("Enter");
}

/** Signs in and shows a policy with its curves. */
export async function showPolicy(page, token, name) {
  await signIn(page, token);
  await page.locator(".card a", { hasText: name }).first().click();
  await page.waitForSelector(".curves-full canvas");
}

/** The input of a label, in the form of the policy or in a dialog. */
export const input = (scope, label) => scope.getByLabel(label, { exact: true });

/** Types a rate, and waits until its effect is shown. */
export async function propose(page, rate) {
  await page.fill(".change-form input[name=rate]", rate);
  await page.waitForSelector(".effect-panel .effect:not([aria-busy]) .effect-summary");
  return page.textContent(".effect-panel .effect-summary");
}
