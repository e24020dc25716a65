// Opens WebSockets from pages of several origins. Prints what the pages saw as JSON.
import { openBrowser, openPage } from "./browser.mjs";

const { chromium, gateway, pages } = JSON.parse(process.argv[2]);
const browser = await openBrowser(chromium);

// Runs in the page: sends messages, and waits for the close of the service.
async function talk(url) {
  const socket = new WebSocket(url, ["v1", "v2"]);
  const received = [];
  let opened = {};
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    opened = { protocol: socket.protocol, extensions: socket.extensions, received };
    socket.send("hi");
    socket.send(new Uint8Array(100_000));
    socket.send("bye");
  };
  socket.onmessage = ({ data }) => received.push(typeof data === "string" ? data : data.byteLength);
  return new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ ...opened, closed: { code, reason, wasClean } });
  });
}

// Runs in the page: leaves a WebSocket open until the gateway closes it.
async function leaveOpen(url) {
  const socket = new WebSocket(url, ["v1"]);
  socket.onopen = () => socket.send("left open");
  return new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
  });
}

const seen = {};
for (const [name, url] of Object.entries(pages)) {
  const { page } = await openPage(browser);
  await page.goto(url);
  seen[name] = await page.evaluate(talk, gateway);
}
const { page } = await openPage(browser);
await page.goto(pages.allowed);
seen.allowed.stopped = await page.evaluate(leaveOpen, gateway);
await browser.close();
console.log(JSON.stringify(seen));
