/** What the Training page says of cycles, stages and trials. */

import type { LineSpec } from "./charts/line";
import type { ParallelSpec } from "./charts/rich";
import { decimal } from "./format";
import type { Cycle, Pattern, Run, Trial } from "./records";
import { text } from "./text";

export const isOpen = (cycle: Cycle): boolean =>
  cycle.state === "requested" || cycle.state === "running";

/** Seconds from the beginning to the end, or until now; null before the beginning. */
export function secondsOf(cycle: Cycle, nowMs: number): number | null {
  if (!cycle.started_at) return null;
  const end = cycle.finished_at ? Date.parse(cycle.finished_at) : nowMs;
  return Math.max(0, (end - Date.parse(cycle.started_at)) / 1000);
}

/** The loss by step, of training and beside it on the tune part; null where there is no point. */
export function curvesOf(of: Pick<Run, "losses" | "checks">): LineSpec | null {
  const [losses, checks] = [new Map(of.losses), new Map(of.checks)];
  const xs = [...new Set([...losses.keys(), ...checks.keys()])].sort((a, b) => a - b);
  if (!xs.length) return null;
  const along = (curve: Map<number, number>): (number | null)[] =>
    xs.map((step) => curve.get(step) ?? null);
  const training = { name: text.runs.training, token: "series-1", values: along(losses), isJoined: true };
  const tune = { name: text.runs.tune, token: "series-2", values: along(checks), isSparse: true };
  return {
    xs,
    isTime: false,
    series: [...(losses.size ? [training] : []), ...(checks.size ? [tune] : [])],
    startsAtZero: false,
    format: (value) => decimal(value),
  };
}

/** Whose curves are shown: the one that was asked for, else what trains now, else the best. */
export function shownTrial(trials: readonly Trial[], id: string | null): Trial | undefined {
  const drawn = trials.filter((trial) => trial.losses.length || trial.checks.length);
  const byLoss = [...drawn].sort((a, b) => (a.tune_bits ?? Infinity) - (b.tune_bits ?? Infinity));
  return (
    trials.find((trial) => trial.id === id) ??
    drawn.find((trial) => trial.state === "running") ??
    byLoss[0]
  );
}

/** Trials as lines over their numeric settings and their log-loss; the best one and the chosen one
 * stand out, those that were stopped early are dashed. Null where there is nothing to compare. */
export function parallelOf(
  trials: readonly Trial[],
  lossName: string,
  chosenId: string | null = null,
): ParallelSpec | null {
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
      share: trial.id === chosenId || trial.tune_bits === best ? 1 : 0.3,
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
