// Calls the gateway from pages of several origins. Prints what the pages could read as JSON.
import { openBrowser, openPage } from "./browser.mjs";

const { chromium, gateway, token, pages } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);

// Runs in the page: what a frontend can read of one response.
async function call([url, options]) {
  const started = performance.now();
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    return { refused: error.name };
  }
  const body = await response.text();
  await new Promise((resolve) => setTimeout(resolve, 50)); // the timing is recorded after the body
  const entry = performance.getEntriesByName(url).filter((it) => it.startTime >= started).at(-1);
  const timing = entry && {
    request: entry.requestStart > 0,
    size: entry.transferSize,
    server: entry.serverTiming.map(({ name, duration }) => [name, duration]),
    milliseconds: entry.duration,
  };
  const headers = Object.fromEntries(response.headers);
  return { status: response.status, headers, body: body ? JSON.parse(body) : null, timing };
}

// Runs in the page: fills all places of the gateway, then calls it once more.
async function callOverloaded([url, hanging, places]) {
  const controller = new AbortController();
  for (let place = 0; place < places; place += 1) {
    fetch(`${hanging}?place=${place}`, { signal: controller.signal }).catch(() => {});
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const response = await fetch(url);
  const result = { status: response.status, headers: Object.fromEntries(response.headers), body: await response.json() };
  controller.abort();
  await new Promise((resolve) => setTimeout(resolve, 500));
  return result;
}

const authorization = { headers: { Authorization: `Bearer ${token}` } };
const large = { method: "POST", headers: { "Content-Type": "application/json" }, body: "x".repeat(5_000_000) };
const requests = {
  dashboard: ["/dashboard/42", authorization],
  again: ["/dashboard/42?limit=5", authorization],
  head: ["/dashboard/42?limit=6", { ...authorization, method: "HEAD" }],
  exceeded: ["/dashboard/42?limit=7", authorization],
  unauthenticated: ["/dashboard/42", {}],
  expired: ["/dashboard/42", { headers: { Authorization: "Bearer x.y.z" } }],
  forbidden: ["/dashboard/43", authorization],
  unknown: ["/nowhere", authorization],
  method: ["/dashboard/42", { ...authorization, method: "DELETE" }],
  large: ["/notes", large],
  failed: ["/failed", {}],
  unavailable: ["/unavailable", {}],
  credentials: ["/healthz", { credentials: "include" }],
  header: ["/healthz", { headers: { "X-Unknown": "1" } }],
};

const results = {};
for (const [name, url] of Object.entries(pages)) {
  const { page } = await openPage(browser);
  await page.goto(url);
  const seen = {};
  const wanted = name === "allowed" ? Object.entries(requests) : [["dashboard", requests.dashboard], ["health", ["/healthz", {}]]];
  for (const [key, [path, options]] of wanted) {
    seen[key] = await page.evaluate(call, [gateway + path, options]);
  }
  if (name === "allowed") {
    seen.overloaded = await page.evaluate(callOverloaded, [`${gateway}/healthy`, `${gateway}/hang`, 4]);
  }
  results[name] = seen;
  await page.close();
}
console.log(JSON.stringify(results));
await browser.close();
