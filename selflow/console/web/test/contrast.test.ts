import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const SRC = join(import.meta.dirname, "../src");
const tokens = new Map(
  [...readFileSync(join(SRC, "tokens.css"), "utf-8").matchAll(
    /--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g,
  )].map(([, name, light, dark]) => [name!, { light: light!, dark: dark! }]),
);

/** WCAG 2.2: relative luminance of an sRGB colour. */
function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light! + 0.05) / (dark! + 0.05);
}

const hex = (name: string, scheme: "light" | "dark"): string => {
  const token = tokens.get(name);
  if (!token) throw new Error(`no token ${name}`);
  return token[scheme];
};

const GROUNDS = ["page", "card", "selection"];
const TEXT_PAIRS = [
  ...["text", "muted", "accent"].flatMap((ink) => GROUNDS.map((ground) => [ink, ground])),
  ["on-accent", "accent"],
  ...["ok", "warn", "bad"].flatMap((tone) => [
    [tone, `${tone}-tint`],
    [tone, "card"],
    ["text", `${tone}-tint`],
  ]),
];
const series = [1, 2, 3, 4, 5, 6, 7, 8].map((slot) => `series-${slot}`);
const MARK_PAIRS = [
  ...["border", "rest", "accent"].flatMap((mark) => [[mark, "page"], [mark, "card"]]),
  ...series.flatMap((mark) => [[mark, "page"], [mark, "card"]]),
];

describe.each(["light", "dark"] as const)("%s", (scheme) => {
  test.each(TEXT_PAIRS)("text %s on %s has 4.5:1", (ink, ground) => {
    expect(contrast(hex(ink!, scheme), hex(ground!, scheme))).toBeGreaterThanOrEqual(4.5);
  });
  test.each(MARK_PAIRS)("the mark %s on %s has 3:1", (mark, ground) => {
    expect(contrast(hex(mark!, scheme), hex(ground!, scheme))).toBeGreaterThanOrEqual(3);
  });
});

test("raw colours stand in the token file alone", () => {
  const faulty = readdirSync(SRC, { recursive: true, encoding: "utf-8" })
    .filter((name) => /\.(svelte|css|ts)$/.test(name) && name !== "tokens.css")
    .filter((name) => /#[0-9a-f]{3,8}\b/i.test(readFileSync(join(SRC, name), "utf-8")
      .replace(/\{#\w+/g, "").replace(/href="#[\w-]+"/g, "")));
  expect(faulty).toEqual([]);
});
