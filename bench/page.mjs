// Opens the console's pages in the system's Chromium, cold and warm, and prints what DevTools told
// as JSON, for bench/page.py. Environment: CHROMIUM, WEB (the folder with playwright-core), URLS
// (JSON: one address with a one-time code for each cold load), PAGES (JSON: paths),
// WARM (loads), IDLE_S, SHOT (a file, optional).
import { createRequire } from "node:module";

const { chromium } = createRequire(`${process.env.WEB}/package.json`)("playwright-core");
const urls = JSON.parse(process.env.URLS);
const pages = JSON.parse(process.env.PAGES);
const base = new URL(urls[0]).origin;
const LIVE = 'data[data-figure="stored-events"]';
const seen = { cold: [], warm: [], pages: {}, outside: [], faults: [], csp: [] };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE *.localhost",
  ],
});

/** A fresh profile with one page that is watched. */
async function profile() {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const tools = await context.newCDPSession(page);
  const wire = { bytes: 0 };
  await tools.send("Network.enable");
  await tools.send("Performance.enable");
  tools.on("Network.loadingFinished", (each) => { wire.bytes += each.encodedDataLength; });
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    const kept = /Content.Security.Policy/i.test(message.text()) ? seen.csp : seen.faults;
    kept.push(message.text());
  });
  page.on("pageerror", (error) => seen.faults.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(base)) seen.outside.push(request.url());
  });
  return { context, page, tools, wire };
}

/** One load: milliseconds from the navigation's start, and bytes on the wire until complete. */
async function load({ page, wire }, url, first) {
  wire.bytes = 0;
  await page.goto(url);
  await page.locator(first).first().waitFor();
  const cards = await page.evaluate(() => performance.now());
  await page.waitForFunction(() => !document.querySelector(".skeleton"));
  const complete = await page.evaluate(() => performance.now());
  const paint = await page.evaluate(() =>
    performance.getEntriesByName("first-contentful-paint")[0].startTime);
  return { paint, cards, complete, bytes: wire.bytes };
}

let last;
for (const url of urls) {
  await last?.context.close();
  last = await profile();
  seen.cold.push(await load(last, url, LIVE));
}
for (let at = 0; at < Number(process.env.WARM); at += 1) {
  seen.warm.push(await load(last, `${base}/`, LIVE));
}
for (const path of pages) {
  seen.pages[path] = [];
  for (let at = 0; at < 3; at += 1) seen.pages[path].push(await load(last, base + path, "main h1"));
}
await load(last, `${base}/`, LIVE);
const busyS = async () => (await last.tools.send("Performance.getMetrics")).metrics
  .find(({ name }) => name === "TaskDuration").value;
const before = await busyS();
await last.page.waitForTimeout(1000 * Number(process.env.IDLE_S));
seen.idleFraction = (await busyS() - before) / Number(process.env.IDLE_S);
if (process.env.SHOT) await last.page.screenshot({ path: process.env.SHOT });
await browser.close();
console.log(JSON.stringify(seen));
