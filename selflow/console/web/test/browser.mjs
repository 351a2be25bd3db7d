// Visits every page in the system's Chromium and prints what it saw as JSON, for
// tests/e2e/test_page.py. Environment: CHROMIUM, PAGE_URL (with a one-time code), TRAY_URL (with
// another, and the page that it leads to), PAGES (JSON:
// address and the address's own figure), QUESTION, SCREENSHOTS (a folder, optional).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const WORST = ["serious", "critical"];
const base = new URL(process.env.PAGE_URL).origin;
const pages = JSON.parse(process.env.PAGES);
const shots = process.env.SCREENSHOTS;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE *.localhost",
  ],
});
const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
const page = await context.newPage();
page.setDefaultTimeout(15_000);
const seen = { console: [], outside: [], axe: [], wide: [], pages: {} };
page.on("console", (message) => {
  if (["error", "warning"].includes(message.type())) seen.console.push(message.text());
});
page.on("pageerror", (error) => seen.console.push(String(error)));
page.on("request", (request) => {
  if (!request.url().startsWith(base)) seen.outside.push(request.url());
});

async function axe(name) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  for (const { id, impact, nodes } of violations.filter((each) => WORST.includes(each.impact))) {
    seen.axe.push(`${name}: ${id} (${impact}) ${nodes[0].html.slice(0, 160)}`);
  }
}

async function figures() {
  const found = await page.locator("data[data-figure]").evaluateAll((all) =>
    all.map((each) => [each.dataset.figure, each.value]));
  return Object.fromEntries(found);
}

/** Bytes of scripts and styles that came over the wire since the document was loaded. */
const transferred = () => page.evaluate(() => performance.getEntriesByType("resource")
  .filter((entry) => entry.name.includes("/assets/"))
  .reduce((sum, entry) => sum + entry.transferSize, 0));

async function open(path, figure) {
  await page.evaluate((to) => {
    const link = document.createElement("a");
    link.href = to;
    document.body.append(link);
    link.click();
    link.remove();
  }, path);
  if (figure) await page.locator(`data[data-figure="${figure}"]`).first().waitFor();
}

// Scrolls to the end and back, so that each chart is mounted; then waits until all are drawn.
async function drawAll() {
  await page.waitForFunction(() => !document.querySelector(".skeleton"));
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await page.waitForFunction(() =>
    [...document.querySelectorAll(".chart")].every((each) => each.childElementCount > 0) &&
    [...document.querySelectorAll('.chart > [role="img"]')].every((each) => each.dataset.ready || each.tagName === "svg"));
  await page.evaluate(() => scrollTo(0, 0));
}

await page.goto(process.env.PAGE_URL);
await page.locator("nav").waitFor();
seen.address = page.url();
seen.cookies = await page.evaluate(() => document.cookie);
await page.locator('data[data-figure="stored-events"]').first().waitFor();
seen.firstBytes = await transferred();
seen.rail = await page.locator("nav li").allInnerTexts();

// The tray's entries sign in and lead to their page.
const led = await context.newPage();
await led.goto(process.env.TRAY_URL);
await led.locator('data[data-figure="agent-versions"]').waitFor();
seen.ledTo = led.url();
await led.close();

for (const scheme of ["light", "dark"]) {
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
  for (const [path, figure] of pages) {
    await open(path, figure);
    await drawAll();
    seen.pages[path] = {
      heading: await page.locator("h1").innerText(),
      figures: await figures(),
      charts: await page.locator(".chart").count(),
      tables: await page.getByRole("button", { name: "Show data" }).count(),
      rows: await page.locator("main").innerText(),
    };
    await axe(`${path} ${scheme}`);
    await page.setViewportSize({ width: 320, height: 900 });
    const widthPx = await page.evaluate(() => document.documentElement.scrollWidth);
    if (widthPx > 320) seen.wide.push(`${path}: ${widthPx}`);
    await page.setViewportSize({ width: 1400, height: 900 });
    if (!shots) continue;
    const name = `${path.replace(/[^a-z]+/gi, "-").replace(/^-|-$/g, "") || "live"}-${scheme}`;
    await page.screenshot({ path: join(shots, `${name}-1400.png`), fullPage: true });
    await page.setViewportSize({ width: 420, height: 900 });
    await page.screenshot({ path: join(shots, `${name}-420.png`), fullPage: true });
    await page.setViewportSize({ width: 1400, height: 900 });
  }
}

seen.allBytes = await transferred();

// What is drawn around on the map is told; of a triangle that is not its rectangle. Keys select, too.
await open("/patterns", "patterns");
await drawAll();
const map = page.locator(".chart", { has: page.locator(".views") });
const canvas = map.locator("canvas").first();
await canvas.scrollIntoViewIfNeeded();
const box = await canvas.boundingBox();
const inside = map.locator("p[aria-live]");
async function drawAround(corners) {
  const places = corners.map(([x, y]) => [12 + x * (box.width - 24), 12 + y * (box.height - 24)]);
  for (const [at, [x, y]] of [...places, places[0]].entries()) {
    await page.mouse.move(box.x + x, box.y + y, { steps: 6 });
    if (!at) await page.mouse.down();
  }
  await page.mouse.up();
  await inside.filter({ hasText: "inside" }).waitFor();
}
await drawAround([[0, 0], [1, 0], [1, 1], [0, 1]]);
await inside.filter({ hasText: "shell-make" }).waitFor();
seen.inside = await inside.innerText();
await drawAround([[0, 0], [0, 1], [1, 1]]);
await inside.filter({ hasNotText: seen.inside.split(" inside")[0] }).waitFor();
seen.insideHalf = await inside.innerText();
if (shots) await map.screenshot({ path: join(shots, "lasso-1400.png") });
await map.locator('[role="img"]').focus();
await page.keyboard.press("ArrowDown");
await inside.filter({ hasNotText: seen.insideHalf.split(" inside")[0] }).waitFor();
seen.insideByKeys = await inside.innerText();
await axe("a selection by keys");
if (shots) await map.screenshot({ path: join(shots, "lasso-keys-1400.png") });

// A block of a lane and a stretch of focus lead to their events, and to no other.
const yesterday = new Date(Date.now() - 86_400_000);
const two = (n) => String(n).padStart(2, "0");
const lanesOf = `/activity?day=${yesterday.getFullYear()}-${two(yesterday.getMonth() + 1)}-${two(yesterday.getDate())}`;
const eventsOf = async (link) => {
  await link.click();
  await page.locator("#events tbody tr").first().waitFor();
  const query = new URL(page.url()).searchParams;
  return { query: Object.fromEntries(query), rows: await page.locator("#events tbody tr").allInnerTexts() };
};
await open(lanesOf, "focus-s");
await drawAll();
seen.focusS = Number((await figures())["focus-s"]);
await axe("lanes");
for (const scheme of shots ? ["light", "dark"] : []) {
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
  for (const width of [420, 1400]) {
    await page.setViewportSize({ width, height: 900 });
    await page.screenshot({ path: join(shots, `lanes-${scheme}-${width}.png`), fullPage: true });
  }
}
const block = page.locator(".track a").first();
const blockEvents = await block.getAttribute("data-events");
seen.block = { ...(await eventsOf(block)), events: Number(blockEvents) };
await open(lanesOf, "focus-s");
seen.focus = await eventsOf(page.getByRole("region", { name: "Focus" }).getByRole("link").first());

// Figures are followed to their rows: pattern, its word, the events that hold it, one event.
await open("/patterns", "patterns");
await page.getByRole("link", { name: "shell-make" }).click();
await page.locator('data[data-figure="pattern-windows"]').waitFor();
seen.patternWindows = (await figures())["pattern-windows"];
await page.locator(".terms a").first().click();
await page.locator("#events tbody tr").first().waitFor();
seen.termRows = await page.locator("#events tbody tr").allInnerTexts();
await page.locator("#events tbody a").first().click();
seen.oneEvent = JSON.parse(await page.locator("#events pre").innerText());

// A key leads to Ask and one into its field; a sentence is followed to its events and one of them.
await page.locator("#content").focus();
await page.keyboard.press("g");
await page.keyboard.press("q");
await page.locator(".examples a").first().waitFor();
await axe("examples");
const asked = await page.locator(".examples a").allInnerTexts();
await page.keyboard.press("/");
await page.keyboard.type(process.env.QUESTION);
await page.keyboard.press("Enter");
await page.locator(".facts li").first().waitFor();
seen.sentence = await page.locator(".facts p").first().innerText();
seen.behind = (await page.locator(".facts button").first().innerText()).replace(/^\S\s+/, "");
await page.locator(".facts button").first().click();
await page.locator(".facts tbody tr").first().waitFor();
await axe("events behind a sentence");
if (shots) await page.screenshot({ path: join(shots, "ask-behind-1400.png"), fullPage: true });
await page.locator(".facts").getByRole("button", { name: "Show all" }).click();
seen.behindRows = await page.locator(".facts tbody tr").allInnerTexts();
await page.locator(".facts tbody a").last().click();
await page.locator("#events pre").waitFor();
seen.behindEvent = JSON.parse(await page.locator("#events pre").innerText());
seen.examples = [];
for (const example of asked) {
  await open("/ask", null);
  await page.locator(".examples a", { hasText: example }).click();
  await page.locator('data[data-figure="ask-events"]').waitFor();
  seen.examples.push([example, (await figures())["ask-events"]]);
}
await open("/ask?q=zebra", "ask-events");
await axe("nothing found");
if (shots) await page.screenshot({ path: join(shots, "ask-nothing-1400.png"), fullPage: true });
seen.notFound = await page.locator("main").innerText();

// A chart's data as a table, without a mouse.
await open("/activity", "activity-events");
await page.getByRole("button", { name: "Show data" }).first().press("Enter");
seen.dataRows = await page.locator("main table tbody tr").count();

// The range lives in the URL; keys go to pages; the palette goes there too.
await page.getByRole("combobox", { name: "Time range" }).selectOption("24h");
seen.rangeInUrl = new URL(page.url()).search;
await page.locator("#content").focus();
await page.keyboard.press("g");
await page.keyboard.press("p");
await page.locator('data[data-figure="patterns"]').waitFor();
await page.keyboard.press("Control+k");
await page.keyboard.type("agen");
await page.keyboard.press("Enter");
await page.locator('data[data-figure="agent-versions"]').waitFor();
seen.byPalette = new URL(page.url()).pathname;

// An act is queued, and says that it waits while nothing runs.
await page.getByRole("link", { name: /^parser@0/ }).click();
await page.getByRole("button", { name: "Roll back" }).click();
await axe("a dialog");
await page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
seen.act = await page.locator(".row[aria-live]", { hasText: "queued" }).first().innerText();

// An answer was wrong: a thumb down with the right one.
await open("/agents", "agent-versions");
await drawAll(); // a chart that is mounted meanwhile moves what is below it
const wrong = page.locator("#decisions li").first();
await wrong.getByText("Give the right answer").click();
await wrong.getByLabel("What was right").fill("README.md");
await axe("a right answer");
if (shots) await page.screenshot({ path: join(shots, "right-answer-1400.png"), fullPage: true });
await wrong.getByRole("button", { name: "Bad, this is right" }).click();
await wrong.locator(".row[aria-live]", { hasText: "queued" }).waitFor();

// A key pauses; the top bar says so until it is resumed.
await page.locator("#content").focus();
await page.keyboard.press(".");
await axe("the pause dialog");
if (shots) await page.screenshot({ path: join(shots, "pause-1400.png") });
await page.getByRole("button", { name: "Until I resume" }).click();
const paused = page.locator("header .status", { hasText: "paused until" });
await paused.waitFor();
seen.paused = (await paused.innerText()).replace(/^!\s*/, "");
await page.locator("header").getByRole("button", { name: "Resume" }).first().click();
await page.getByRole("dialog").getByRole("button", { name: "Resume", exact: true }).click();
await paused.waitFor({ state: "detached" });
seen.pausedToo = await paused.count();

// A setting: refused by its bound, then changed, then reset.
await open("/settings?q=lora.epochs", "changed-settings");
const epochs = page.locator("li", { has: page.getByLabel("lora.epochs") });
const refusals = seen.console.length;
await page.getByLabel("lora.epochs").fill("500");
await epochs.getByRole("button", { name: "Save" }).click();
seen.refusedSetting = await epochs.getByRole("alert").innerText();
seen.console.length = refusals; // the browser itself reports the 400 that was asked for
await page.getByLabel("lora.epochs").fill("4");
await epochs.getByRole("button", { name: "Save" }).click();
await epochs.getByRole("button", { name: "Reset" }).waitFor();
await axe("a changed setting");
seen.changedSetting = await epochs.innerText();
await epochs.getByRole("button", { name: "Reset" }).click();
await epochs.getByRole("button", { name: "Reset" }).waitFor({ state: "detached" });

// A token is made, shown once, and revoked.
await page.getByLabel("For", { exact: true }).fill("grafana");
await page.getByRole("button", { name: "Make a token" }).click();
seen.token = await page.locator("[data-secret]").innerText();
const listedToken = page.locator("#tokens li", { hasText: "grafana" });
seen.listedToken = await listedToken.innerText();
await axe("a new token");
if (shots) await page.screenshot({ path: join(shots, "token-1400.png"), fullPage: true });
await listedToken.getByRole("button", { name: "Revoke" }).click();
await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
await listedToken.waitFor({ state: "detached" });

// What serves has no way to be deleted; what does not is deleted by an act that waits.
await open("/models", "models");
const deletes = page.locator("main li").getByRole("button", { name: "Delete" });
seen.deletable = await deletes.count();
await deletes.last().click();
await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
seen.deleteAct = await page.locator(".row[aria-live]", { hasText: "queued" }).first().innerText();
// The bell tells how many alert; a notice leads to its page and is acted on.
const bell = page.locator("button[data-unread]");
seen.unread = await bell.getAttribute("data-unread");
for (const scheme of ["dark", "light"]) {
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
  await open("/?notices=open", null);
  await page.getByRole("dialog").getByRole("link").first().waitFor();
  await axe(`notices ${scheme}`);
  for (const width of shots ? [420, 1400] : []) {
    await page.setViewportSize({ width, height: 900 });
    await page.screenshot({ path: join(shots, `notices-${scheme}-${width}.png`) });
  }
}
await page.locator("li.unread a", { hasText: "An agent passed its verdict and serves." }).click();
await page.locator('data[data-figure="agent-versions"]').waitFor();
await page.locator('button[data-unread="2"]').waitFor();
await bell.click();
await page.getByRole("button", { name: "Mark all as read" }).click();
await page.locator('button[data-unread="0"]').waitFor();
await page.getByRole("button", { name: "Close" }).click();

// What changes comes by the stream: the act stands in its table without a reload.
await open("/training", "newest-cycle");
await page.getByRole("button", { name: "Train now" }).click();
const row = page.locator("tr", { hasText: "learn.start" });
await row.waitFor();
seen.byStream = await row.innerText();

// Without a connection the last figures stay, with their time; then the stream comes back by itself.
const faults = seen.console.length;
await context.setOffline(true);
await open("/patterns", "patterns");
const lost = page.locator("header", { hasText: "Disconnected" }).first();
await lost.waitFor();
seen.disconnected = await lost.innerText();
await context.setOffline(false);
const back = page.locator("header", { hasText: "not running" }).first();
await back.waitFor();
seen.connected = await back.innerText();
seen.console.length = faults; // the browser itself reports what it could not reach

await page.goto(`${base}/patterns?name=never`);
seen.gone = await page.getByRole("alert").innerText();
await page.goto(`${base}/no-such-page`);
seen.noPage = await page.locator("h1").innerText();

await page.goto(`${base}/docs`);
await page.locator(".opblock").first().waitFor();
seen.docs = await page.locator(".opblock").count();
await page.goto(base);

// A used code opens nothing; without a session only the way to one is shown.
await page.getByRole("button", { name: "Sign out" }).click();
await page.locator("h1", { hasText: "SelFlow" }).waitFor();
const before = seen.console.length;
await page.goto("about:blank");
await page.goto(process.env.PAGE_URL);
await page.getByRole("alert").waitFor();
seen.usedCode = await page.getByRole("alert").innerText();
seen.afterUsedCode = page.url();
seen.console.length = before; // the browser itself reports the 401 that was asked for
await axe("sign in");
await browser.close();
console.log(JSON.stringify(seen));
