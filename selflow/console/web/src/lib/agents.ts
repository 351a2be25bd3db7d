/** What the Agents page says of versions and beliefs. */

import { percent } from "./format";
import type { LineSpec } from "./charts/line";
import type { Agent, ArmBelief } from "./records";
import { tokenOf } from "./slots";
import { text } from "./text";
import type { Density, RoutingAnswer } from "./wire";

/** Below this many answers a mean says nothing, and none is shown. */
const LEAST_N = 10;

/** The gain on its own slice, in bits per step, if the gate got as far. */
export function gainOf(agent: Agent): number | null {
  const gain = agent.verdict.numbers["slice_gain_bits"];
  return typeof gain === "number" ? gain : null;
}

/** Arms by mean success; those that are not known well enough stand last. */
export function ranked(arms: readonly ArmBelief[]): ArmBelief[] {
  const isKnown = (arm: ArmBelief): number => Number(arm.pulls >= LEAST_N);
  return [...arms].sort((a, b) => isKnown(b) - isKnown(a) || b.success - a.success);
}

export const successOf = (arm: ArmBelief): string =>
  arm.pulls < LEAST_N
    ? `not enough data (n = ${arm.pulls})`
    : `${percent(arm.success)} [${percent(arm.low)}, ${percent(arm.high)}]`;

/** A verdict's number as it is read: whole ones whole, others with four digits that count. */
export function written(value: unknown): string {
  if (typeof value !== "number") return typeof value === "string" ? value : JSON.stringify(value);
  return Number.isInteger(value) ? value.toLocaleString("en") : String(Number(value.toPrecision(4)));
}

export const spaced = (name: string): string => name.replaceAll("_", " ");

/** Shares of explored and exploited requests over the bins, by the end of each. */
export function routingOf(routing: RoutingAnswer): LineSpec {
  const share = (n: number, of: number): number => (of ? n / of : 0);
  return {
    xs: routing.bins.map((bin) => Date.parse(bin.to_at) / 1000),
    isTime: true,
    series: [
      {
        name: text.routing.exploited,
        token: "series-1",
        values: routing.bins.map((bin) => share(bin.exploited, bin.n)),
      },
      {
        name: text.routing.explored,
        token: "series-2",
        values: routing.bins.map((bin) => share(bin.explored, bin.n)),
        isDashed: true,
      },
    ],
    startsAtZero: true,
    format: (value) => percent(value),
  };
}

const GRID = 200;

/** Densities of Beta beliefs; each has area 1, and the colour of its arm. */
export function densitiesOf(
  densities: readonly Density[],
  slots: ReadonlyMap<string, number>,
): LineSpec {
  const xs = Array.from({ length: GRID - 1 }, (_, at) => (at + 1) / GRID);
  const valuesOf = ({ a, b }: Density): number[] => {
    const logs = xs.map((x) => (a - 1) * Math.log(x) + (b - 1) * Math.log(1 - x));
    const highest = Math.max(...logs);
    const heights = logs.map((log) => Math.exp(log - highest));
    const area = heights.reduce((sum, height) => sum + height, 0) / GRID;
    return heights.map((height) => height / area);
  };
  return {
    xs,
    isTime: false,
    series: densities.map((each) => ({
      name: `${each.arm} (${each.surface}, n = ${each.n})`,
      token: tokenOf(slots.get(`${each.surface} ${each.arm}`) ?? 0),
      values: valuesOf(each),
    })),
    startsAtZero: true,
    format: (value) => value.toFixed(1),
  };
}

/** The versions that served one before the other, the newest first. */
export function lineageOf(agent: Agent, all: readonly Agent[]): Agent[] {
  const chain = [agent];
  for (let at = agent; at.previous_id; ) {
    const before = all.find((each) => each.id === at.previous_id);
    if (!before || chain.includes(before)) break;
    chain.push(before);
    at = before;
  }
  return chain;
}
