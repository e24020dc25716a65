// Starts Chromium without a connection to any host but this machine.
import { chromium } from "playwright-core";

export const LOCAL = /^https?:\/\/([a-z.]+\.)?(localhost|127\.0\.0\.1)(:|\/)/;

export async function openBrowser(executablePath) {
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
    ],
  });
}

// Returns a page, and the complaints about it: requests to other hosts, errors, CSP violations.
export async function openPage(browser) {
  const page = await browser.newPage({ viewport: { width: 1200, height: 1400 } });
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  // Not with page.route(): that would take the preflights away from the gateway.
  page.on("request", (request) => {
    const url = request.url();
    if (!LOCAL.test(url) && !url.startsWith("data:")) complaints.push(`a request to ${url}`);
  });
  return { page, complaints };
}
