import { describe, expect, test } from "vitest";
import type { System } from "../src/lib/records";
import { worthKnowing } from "../src/lib/worth";

const NOW = Date.parse("2026-03-10T12:00:00Z");
const system = (more: object): System =>
  ({ cycle: null, behaviour: [], next_learning: { at: null, text: "" }, ...more }) as unknown as System;
const change = (text: string): object => ({ text });

describe("worth knowing", () => {
  test("nothing is made up where nothing happened", () => {
    expect(worthKnowing(system({}), NOW)).toEqual([]);
    const old = { id: "cyc", state: "done", error: "", finished_at: "2026-03-01T12:00:00Z" };
    expect(worthKnowing(system({ cycle: old }), NOW)).toEqual([]);
  });

  test("at most three things, each with where it leads", () => {
    const cycle = { id: "cyc 1", state: "failed", error: "no space", finished_at: "2026-03-10T09:00:00Z" };
    const next_learning = { at: "2026-03-10T14:15:00Z", text: "in about 2 h 15 min" };
    const seen = worthKnowing(system({ behaviour: [change("new")], cycle, next_learning }), NOW);
    expect(seen.map((one) => one.href)).toEqual(["/patterns", "/training?cycle=cyc%201", "/training"]);
    expect(seen[1]?.text).toContain("failed: no space");
    const many = [1, 2, 3, 4].map((at) => change(`change ${at}`));
    expect(worthKnowing(system({ behaviour: many }), NOW)).toHaveLength(3);
  });
});
