// Pages that must get nothing: of another origin, and under a host name that was rebound.
import { openBrowser, openPage } from "../browser.mjs";

const { chromium, url, rebound, other, token } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);

// Runs in a page: what it can read of a response, and whether it can send a change.
async function attack([base, token]) {
  const attempt = async (path, options) => {
    try {
      const response = await fetch(base + path, options);
      return { status: response.status, text: (await response.text()).slice(0, 200) };
    } catch (error) {
      return error.name;
    }
  };
  const headers = { Authorization: `Bearer ${token}` };
  const change = { method: "PATCH", headers: { ...headers, "Content-Type": "application/json", "If-Match": '"0"' }, body: '{"rate":"1/minute","reason":"an attack"}' };
  const frame = document.createElement("iframe");
  frame.src = `${base}/`;
  const loaded = new Promise((resolve) => (frame.onload = resolve));
  document.body.append(frame);
  await loaded;
  const script = document.createElement("script");
  script.src = `${base}/limits`;
  const included = new Promise((resolve) => {
    script.onload = () => resolve("loaded");
    script.onerror = () => resolve("refused");
  });
  document.body.append(script);
  return {
    page: await attempt("/", {}),
    list: await attempt("/limits", { headers }),
    change: await attempt("/limits/dashboards", change),
    opaque: await attempt("/limits", { mode: "no-cors" }),
    script: await included,
  };
}

const seen = {};
const { page } = await openPage(browser);
await page.goto(other);
seen.other = await page.evaluate(attack, [url.slice(0, -1), token]);
seen.frame = page.frames()[1]?.url();
const reached = await page.goto(rebound);
seen.rebound = { status: reached.status(), text: (await reached.text()).slice(0, 300) };
seen.reboundApi = await page
  .evaluate(async ([token]) => (await fetch("/limits", { headers: { Authorization: `Bearer ${token}` } })).text(), [token])
  .catch((error) => String(error));
console.log(JSON.stringify(seen));
await browser.close();
