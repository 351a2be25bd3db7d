import { describe, expect, test } from "vitest";
import type { Trial } from "../src/lib/records";
import { curvesOf, parallelOf, shownTrial } from "../src/lib/training";

const trial = (id: string, more: Partial<Trial> = {}): Trial => ({
  id, cycle_id: "cyc", agent: "parser", config: { rank: 8 }, state: "rung", tune_bits: 7, seconds: 1,
  error: "", step: 10, steps: 80, tokens_per_s: 100, memory_bytes: 1, losses: [[5, 8]], checks: [],
  eta_s: null, started_at: null, ...more,
});

describe("curves", () => {
  test("the loss on the tune part stands beside the training loss", () => {
    const spec = curvesOf({ losses: [[5, 8], [10, 7]], checks: [[10, 7.5]] });
    expect(spec?.xs).toEqual([5, 10]);
    expect(spec?.series.map((each) => each.values)).toEqual([[8, 7], [null, 7.5]]);
  });

  test("work without a loss has no chart", () => {
    expect(curvesOf({ losses: [], checks: [] })).toBeNull();
    expect(curvesOf({ losses: [], checks: [[1, 2]] })?.series).toHaveLength(1);
  });

  test("the trial that was asked for is shown, else what trains, else the best", () => {
    const trials = [trial("a"), trial("b", { tune_bits: 6 }), trial("c", { state: "running" })];
    expect(shownTrial(trials, "a")?.id).toBe("a");
    expect(shownTrial(trials, null)?.id).toBe("c");
    expect(shownTrial(trials.slice(0, 2), "gone")?.id).toBe("b");
  });

  test("the chosen trial stands out among the lines", () => {
    const spec = parallelOf([trial("a"), trial("b", { tune_bits: 6 })], "bits", "a");
    expect(spec?.lines.map((line) => line.share)).toEqual([1, 1]);
  });
});
