// Calls proxied routes of the gateway from a page of another origin. Prints what it got as JSON.
import { openBrowser, openPage } from "./browser.mjs";

const { chromium, gateway, token, page: address } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);
const { page, complaints } = await openPage(browser);
await page.goto(address);

// Runs in the page: sends a body, and returns what arrived at the service.
async function echo([url, token]) {
  const options = { method: "PUT", headers: { Authorization: `Bearer ${token}` }, body: "x".repeat(100_000) };
  const response = await fetch(url, options);
  return { status: response.status, id: response.headers.get("x-request-id"), body: await response.json() };
}

// Runs in the page: reads a stream piece by piece.
async function readStream([url, token]) {
  const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const pieces = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { status: response.status, type: response.headers.get("content-type"), pieces };
    pieces.push(value);
  }
}

// Runs in the page: gets a ticket for the path, and listens with it, if `token` is set.
async function listen([gateway, path, token]) {
  let ticket = "";
  if (token) {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const response = await fetch(`${gateway}/auth/tickets`, { method: "POST", headers, body: JSON.stringify({ path }) });
    ticket = (await response.json()).ticket;
  }
  const receive = () =>
    new Promise((resolve) => {
      const source = new EventSource(`${gateway}${path}?count=3&interval_ms=100&ticket=${ticket}`);
      const events = [];
      source.onmessage = (event) => events.push([event.lastEventId, JSON.parse(event.data).number]);
      source.onerror = () => {
        const refused = source.readyState === EventSource.CLOSED;
        source.close();
        resolve({ events, refused });
      };
    });
  return { first: await receive(), again: await receive() };
}

const results = {
  echo: await page.evaluate(echo, [`${gateway}/echo/upload?a=1`, token]),
  refused: await page.evaluate(echo, [`${gateway}/echo/upload?a=1`, "x.y.z"]),
  stream: await page.evaluate(readStream, [`${gateway}/echo/events?count=3&interval_ms=300`, token]),
  withTicket: await page.evaluate(listen, [gateway, "/echo/events", token]),
  withoutTicket: await page.evaluate(listen, [gateway, "/echo/events", null]),
};
console.log(JSON.stringify({ ...results, complaints }));
await browser.close();
