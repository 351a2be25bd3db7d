import { describe, expect, test } from "vitest";
import { densitiesOf, lineageOf } from "../src/lib/agents";
import type { Agent } from "../src/lib/records";

const version = (id: string, previous_id: string | null): Agent => ({ id, previous_id }) as Agent;

describe("agents", () => {
  test("a density has area one and its mode where it belongs", () => {
    const { xs, series } = densitiesOf([
      { surface: "next", arm: "a", n: 8, a: 7, b: 3 },
      { surface: "next", arm: "b", n: 5_000, a: 4_000, b: 1_000 },
    ], new Map([["next b", 2]]));
    expect(series.map((each) => each.token)).toEqual(["rest", "series-2"]);
    for (const [at, mode] of [[0, 6 / 8], [1, 0.8]] as const) {
      const values = series[at]!.values as number[];
      expect(values.reduce((sum, value) => sum + value, 0) / 200).toBeCloseTo(1, 6);
      expect(xs[values.indexOf(Math.max(...values))]).toBeCloseTo(mode, 2);
    }
  });

  test("a lineage ends where a version is unknown or comes again", () => {
    const all = [version("c", "b"), version("b", "a"), version("a", "c")];
    expect(lineageOf(all[0]!, all).map((each) => each.id)).toEqual(["c", "b", "a"]);
    expect(lineageOf(version("d", "gone"), all)).toHaveLength(1);
  });
});
