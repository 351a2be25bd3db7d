// The owner's story in a browser beside a session that lives, for tests/e2e/test_story.py. Each line
// of standard input names a chapter and what it needs; one line of standard output says what was
// seen. The page stays open from the first to the last. Environment: CHROMIUM.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE *.localhost",
  ],
});
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
page.setDefaultTimeout(Number(process.env.LIMIT_MS));
const faults = [];
let documents = 0;
page.on("console", (message) => {
  if (["error", "warning"].includes(message.type())) faults.push(message.text());
});
page.on("pageerror", (error) => faults.push(String(error)));
page.on("request", (request) => (documents += Number(request.isNavigationRequest())));

const figure = (name) => page.locator(`data[data-figure="${name}"]`).first();
const valueOf = async (name) => {
  await figure(name).waitFor();
  return figure(name).getAttribute("value");
};
/** Waits until a figure has a value. */
const reaches = (name, value) =>
  page.locator(`data[data-figure="${name}"][value="${value}"]`).first().waitFor();
const card = (title) => page.locator(`section[aria-label="${title}"]`);
/** Follows a link of the page itself, so that nothing is loaded again. */
async function open(path) {
  await page.evaluate((to) => {
    const link = document.createElement("a");
    link.href = to;
    document.body.append(link);
    link.click();
    link.remove();
  }, path);
}

const chapters = {
  async signIn({ url }) {
    await page.goto(url);
    await page.locator("nav").waitFor();
    await open("/privacy");
    const allowed = card("What may be collected").locator("li", { hasText: "file_system" });
    await allowed.locator(".status.ok", { hasText: "allowed" }).waitFor();
    return { address: page.url(), folders: await allowed.locator("p").allInnerTexts() };
  },
  /** Events come while the page is open: how many there are, and a row that names one. */
  async stored({ events, subject }) {
    await open("/");
    if (events) await reaches("stored-events", events);
    await card("Newest events").locator("tr", { hasText: subject }).first().waitFor();
    return {};
  },
  /** A cycle from the button to its end; each stage as it stood there. */
  async train() {
    await open("/training");
    await page.getByRole("button", { name: "Train now" }).click();
    await page.getByRole("button", { name: "Cancel the cycle" }).waitFor();
    await page.evaluate(() => {
      globalThis.stages = [];
      const look = () => {
        const now = document.querySelector("main .grid strong")?.textContent;
        if (now && now !== globalThis.stages.at(-1)) globalThis.stages.push(now);
      };
      look();
      new MutationObserver(look).observe(document.querySelector("main"),
        { subtree: true, childList: true, characterData: true });
    });
    await figure("newest-cycle").waitFor();
    return {
      cycle: await valueOf("newest-cycle"),
      state: await card("The newest cycle").locator(".status").innerText(),
      stages: await page.evaluate(() => globalThis.stages),
    };
  },
  async patterns({ count }) {
    await open("/patterns");
    await reaches("patterns", count);
    return { rows: await card("All groups, admitted or not").locator("tbody tr").allInnerTexts() };
  },
  async verdict({ id }) {
    await open(`/agents?id=${encodeURIComponent(id)}`);
    const detail = page.locator("#detail");
    await detail.getByText("All numbers of the verdict").first().waitFor();
    const numbers = await detail.getByRole("region", { name: "All numbers of the verdict" })
      .locator("tbody tr").evaluateAll((rows) =>
        rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));
    const gain = detail.locator('data[data-figure="gain-bits"]');
    return {
      versions: await valueOf("agent-versions"),
      gain: (await gain.count()) ? await gain.getAttribute("value") : null,
      numbers: Object.fromEntries(numbers),
      text: await detail.innerText(),
    };
  },
  async ask({ question }) {
    await open("/ask");
    await page.getByRole("searchbox").fill(question);
    await page.getByRole("button", { name: "Ask", exact: true }).click();
    const events = await valueOf("ask-events");
    return { events, sentences: await page.locator(".facts li > p").allInnerTexts() };
  },
  /** The version that serves is rolled back; its state changes without a reload. */
  async rollBack({ id }) {
    await open(`/agents?id=${encodeURIComponent(id)}`);
    await page.getByRole("button", { name: "Roll back" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Roll back" }).click();
    await page.locator("#detail .status", { hasText: "retired" }).waitFor();
    return {};
  },
  async forget({ folder, left }) {
    await open("/privacy");
    const form = page.locator("#forget");
    await form.getByLabel("Folder").fill(folder);
    await form.getByRole("button", { name: "What would go?" }).click();
    const meant = await valueOf("forget-events");
    await form.getByRole("button", { name: "Delete for good" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("textbox").fill("forget");
    await dialog.getByRole("button", { name: "Delete for good" }).click();
    await form.locator("p .status", { hasText: /done|failed/ }).first().waitFor();
    const state = await form.locator("p .status", { hasText: /done|failed/ }).first().innerText();
    await reaches("stored-events", left);
    return { meant, state, text: await form.innerText() };
  },
  async stopped() {
    await page.getByText("Learning is stopped, your data is safe.").waitFor();
    return { stored: await valueOf("stored-events") };
  },
  async back() {
    await page.getByText("Learning is stopped, your data is safe.").waitFor({ state: "detached" });
    await page.locator("header .status", { hasText: "running" })
      .filter({ hasNotText: "not running" }).waitFor();
    return { stored: await valueOf("stored-events") };
  },
  /** What the page said to its console, and how often a document was loaded. */
  async end() {
    return { faults, documents };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { chapter, ...needs } = JSON.parse(line);
  try {
    console.log(JSON.stringify(await chapters[chapter](needs)));
  } catch (error) {
    const text = await page.locator("body").innerText().catch(() => "");
    console.log(JSON.stringify({ error: `${error}\n--- the page\n${text}` }));
  }
}
await browser.close();
