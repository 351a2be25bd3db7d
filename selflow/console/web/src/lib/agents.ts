/** What the Agents page says of versions and beliefs. */

import { percent } from "./format";
import type { Agent, ArmBelief } from "./records";

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
