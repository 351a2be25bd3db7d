/** What the Training page says of cycles, stages and trials. */

import type { ParallelSpec } from "./charts/rich";
import type { Cycle, Pattern, Trial } from "./records";

export const isOpen = (cycle: Cycle): boolean =>
  cycle.state === "requested" || cycle.state === "running";

/** Seconds from the beginning to the end, or until now; null before the beginning. */
export function secondsOf(cycle: Cycle, nowMs: number): number | null {
  if (!cycle.started_at) return null;
  const end = cycle.finished_at ? Date.parse(cycle.finished_at) : nowMs;
  return Math.max(0, (end - Date.parse(cycle.started_at)) / 1000);
}

/** Trials as lines over their numeric settings and their log-loss; the best one stands out, those
 * that were stopped early are dashed. Null where there is nothing to compare. */
export function parallelOf(trials: readonly Trial[], lossName: string): ParallelSpec | null {
  const scored = trials.filter((trial) => trial.tune_bits !== null);
  if (scored.length < 2) return null;
  const first = scored[0]!;
  const names = Object.keys(first.config).filter((name) =>
    scored.every((trial) => typeof trial.config[name] === "number"),
  );
  const best = Math.min(...scored.map((trial) => trial.tune_bits!));
  return {
    kind: "parallel",
    axes: [
      ...names.map((name) => ({ name: name.replaceAll("_", " "), isLog: /rate/.test(name) })),
      { name: lossName, isLog: false },
    ],
    lines: scored.map((trial) => ({
      values: [...names.map((name) => trial.config[name] as number), trial.tune_bits!],
      isDashed: trial.state !== "finished",
      share: trial.tune_bits === best ? 1 : 0.3,
    })),
  };
}

interface FamilyScore {
  name: string;
  scored: number;
  mean: number;
}

/** Each family's mean agreement over the patterns that it scored. */
export function familyScores(patterns: readonly Pattern[]): FamilyScore[] {
  const sums = new Map<string, { scored: number; sum: number }>();
  for (const [name, value] of patterns.flatMap((pattern) => Object.entries(pattern.families))) {
    if (value === null) continue;
    const known = sums.get(name) ?? { scored: 0, sum: 0 };
    sums.set(name, { scored: known.scored + 1, sum: known.sum + value });
  }
  return [...sums].map(([name, { scored, sum }]) => ({ name, scored, mean: sum / scored }));
}
