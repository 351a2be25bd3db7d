// Tries a rule, deletes a folder's events with the typed word, and follows a folder to its rows, for
// tests/e2e/test_page_privacy.py. Environment: CHROMIUM, PAGE_URL, FORGET (JSON: the command line
// that carries a waiting deletion out), SCREENSHOTS (a folder, optional).
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const base = new URL(process.env.PAGE_URL).origin;
const shots = process.env.SCREENSHOTS;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE *.localhost",
  ],
});
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
page.setDefaultTimeout(15_000);
const seen = { axe: [], console: [] };
page.on("console", (message) => {
  if (["error", "warning"].includes(message.type())) seen.console.push(message.text());
});
page.on("pageerror", (error) => seen.console.push(String(error)));

const figure = async (name) => {
  const found = page.locator(`data[data-figure="${name}"]`).first();
  await found.waitFor();
  return found.getAttribute("value");
};
const look = async (name) => {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  for (const { id, impact, nodes } of violations) {
    if (["serious", "critical"].includes(impact)) seen.axe.push(`${name}: ${id} ${nodes[0].html}`);
  }
  if (!shots) return;
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const width of [1400, 420]) {
      await page.setViewportSize({ width, height: 900 });
      await page.screenshot({ path: join(shots, `${name}-${scheme}-${width}.png`), fullPage: true });
    }
  }
  await page.setViewportSize({ width: 1400, height: 900 });
};

await page.goto(process.env.PAGE_URL);
await page.locator("nav").waitFor();
await page.goto(`${base}/activity?range=7d`);
seen.fileEvents = await figure("file-events");
await look("folders");
await page.getByRole("link", { name: "src", exact: true }).click();
await page.getByRole("link", { name: "src", exact: true }).click();
await page.locator("#events tbody tr").first().waitFor();
seen.rows = await page.locator("#events tbody tr").allInnerTexts();

await page.goto(`${base}/privacy`);
await page.waitForFunction(() => // counted from the log since the console started
  document.querySelector('data[data-figure="stored-events"]')?.value === "600");
seen.before = await figure("stored-events");
const rules = page.locator("#rules");
await rules.getByLabel("Path").fill("src/");
seen.hidden = await figure("rule-hidden");
await rules.getByRole("button", { name: "Save the rule" }).click();
await rules.locator("code", { hasText: "src/" }).waitFor();
await look("rule");
await rules.getByRole("link", { name: "Delete what it means in the past, too" }).click();

const forget = page.locator("#forget");
await page.waitForFunction(() => document.querySelector("#forget input").value === "src");
await forget.getByRole("button", { name: "What would go?" }).click();
seen.meant = await figure("forget-events");
await forget.getByRole("button", { name: "Delete for good" }).click();
const dialog = page.getByRole("dialog");
seen.withoutWord = await dialog.getByRole("button", { name: "Delete for good" }).isDisabled();
await dialog.getByRole("textbox").fill("forget");
await look("forget-dialog");
await dialog.getByRole("button", { name: "Delete for good" }).click();
await forget.locator("p", { hasText: "queued" }).first().waitFor();
const [command, ...args] = JSON.parse(process.env.FORGET);
execFileSync(command, args);
await forget.locator("p", { hasText: "done" }).first().waitFor();
await page.waitForFunction((before) =>
  document.querySelector('data[data-figure="stored-events"]').value !== before, seen.before);
seen.after = await figure("stored-events");
await look("forgotten");
await browser.close();
console.log(JSON.stringify(seen));
