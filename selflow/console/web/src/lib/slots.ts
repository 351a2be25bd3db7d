/** Which of the eight series colours an entity has: the same on every page, the rest grey. */

export const SLOTS = 8;

/** The first eight names in the given order get a slot from 1 on; all others 0, which is grey. */
export function slotsOf(names: readonly string[]): Map<string, number> {
  return new Map(names.map((name, at) => [name, at < SLOTS ? at + 1 : 0]));
}

export const tokenOf = (slot: number): string => (slot > 0 ? `series-${slot}` : "rest");
