/** What the Patterns page says of the clusters of a discovery. */

import type { HeatSpec } from "./charts/rich";
import type { Pattern } from "./records";

/** How a pattern is called: the owner's title if there is one. */
export const titleOf = (pattern: Pattern): string => pattern.title || pattern.name;

/** The families of clusterings that scored any pattern, in the order of their first appearance. */
export function familiesOf(patterns: readonly Pattern[]): string[] {
  return [...new Set(patterns.flatMap((pattern) => Object.keys(pattern.families)))];
}

/** Agreement by pattern and family; undefined values are left out, they are not zero. */
export function agreementMap(patterns: readonly Pattern[]): HeatSpec {
  const columns = familiesOf(patterns);
  const cells: [number, number, number][] = patterns.flatMap((pattern, row) =>
    columns.flatMap((family, column): [number, number, number][] => {
      const value = pattern.families[family];
      return value == null ? [] : [[column, row, value]];
    }),
  );
  return { kind: "heat", columns, rows: patterns.map(titleOf), cells };
}

/** Patterns that may have an agent: nothing speaks against them. */
export const admitted = (patterns: readonly Pattern[]): Pattern[] =>
  patterns.filter((pattern) => pattern.reason === "");

/** A label of a step, kind and subject divided by U+001F, as it is read. */
export const readable = (label: string): string => label.replaceAll("\u001f", " ");
