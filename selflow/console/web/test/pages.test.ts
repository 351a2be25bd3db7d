import { expect, test } from "vitest";
import { linesOf, sums } from "../src/lib/activity";
import { gainOf, ranked, successOf } from "../src/lib/agents";
import { agreementMap } from "../src/lib/patterns";
import type { Agent, Pattern, Trial } from "../src/lib/records";
import { familyScores, parallelOf } from "../src/lib/training";

const NAMES = { other: "others", none: "none" };
const bin = (hour: number, group: string, events: number) => ({
  start_at: `2026-03-10T${String(hour).padStart(2, "0")}:00:00Z`,
  group,
  events,
  duration_s: 1,
});

test("an hour without events is zero, not a gap", () => {
  const { xs, series } = linesOf([bin(8, "files", 3), bin(11, "files", 1)], 3600, NAMES);
  expect(xs.length).toBe(4);
  expect(series[0]!.values).toEqual([3, 0, 0, 1]);
});

test("the ninth group and all smaller ones are one grey line, and no event is lost", () => {
  const items = [..."abcdefghij"].map((group, at) => bin(8, group, 20 - at));
  const { series } = linesOf(items, 3600, NAMES);
  expect(series.length).toBe(9);
  expect(series[8]).toMatchObject({ name: "others", token: "rest", values: [23] });
  const drawn = series.flatMap((each) => each.values).reduce<number>((a, b) => a + (b ?? 0), 0);
  expect(drawn).toBe(sums(items).reduce((total, sum) => total + sum.events, 0));
});

const arm = (name: string, pulls: number, success: number) => ({
  surface: "next", arm: name, pulls, success, low: success - 0.05, high: success + 0.05, latency_s: null,
});

test("an arm with three answers has no rank and no percentage", () => {
  const arms = [arm("lucky", 3, 0.99), arm("known", 400, 0.9)];
  expect(ranked(arms).map((each) => each.arm)).toEqual(["known", "lucky"]);
  expect(successOf(arms[0]!)).toBe("not enough data (n = 3)");
  expect(successOf(arms[1]!)).toBe("90 % [85 %, 95 %]");
});

test("a verdict that never looked has no gain", () => {
  const judged = (numbers: object) => ({ verdict: { numbers } }) as unknown as Agent;
  expect(gainOf(judged({}))).toBeNull();
  expect(gainOf(judged({ slice_gain_bits: -0.1 }))).toBe(-0.1);
});

const pattern = (name: string, families: Record<string, number | null>): Pattern =>
  ({ name, title: "", families }) as unknown as Pattern;

test("an undefined agreement is not drawn as zero and not averaged", () => {
  const found = [pattern("a", { ward: 0.5, gmm: null }), pattern("b", { ward: 1, gmm: 0.2 })];
  expect(agreementMap(found).cells).toEqual([[0, 0, 0.5], [0, 1, 1], [1, 1, 0.2]]);
  expect(familyScores(found)).toEqual([
    { name: "ward", scored: 2, mean: 0.75 },
    { name: "gmm", scored: 1, mean: 0.2 },
  ]);
});

test("the best trial stands out, a stopped one is dashed, a failed one is left out", () => {
  const trial = (state: string, bits: number | null): Trial =>
    ({ state, tune_bits: bits, config: { rank: 4 } }) as unknown as Trial;
  const spec = parallelOf([trial("finished", 6), trial("rung", 7), trial("failed", null)], "bits");
  expect(spec?.lines.map((line) => [line.share, line.isDashed])).toEqual([[1, false], [0.3, true]]);
  expect(parallelOf([trial("finished", 6)], "bits")).toBeNull();
});
