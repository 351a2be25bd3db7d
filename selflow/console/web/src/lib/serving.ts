/** Which agent serves which pattern on which surface. */

import { gainOf } from "./agents";
import { signed } from "./format";
import type { Agent, Pattern } from "./records";

export interface Served {
  /** The pattern's name; null: all that comes on the surface. */
  pattern: string | null;
  /** By surface the agent that serves, with its gain if the gate measured one. */
  agents: Record<string, string>;
}

/** A row for each pattern that has an agent or may have one, those with one first. Patterns that a
 * later cycle did not find again keep the id by which their agent knows them. */
export function servingMatrix(
  agents: readonly Agent[],
  patterns: readonly Pattern[],
): { surfaces: string[]; rows: Served[] } {
  const serving = agents.filter((each) => each.status === "champion");
  const nameOf = new Map(patterns.map((each) => [each.id, each.title || each.name]));
  const rows = new Map<string | null, Served>();
  for (const agent of serving) {
    const pattern = agent.pattern_id === null ? null : (nameOf.get(agent.pattern_id) ?? agent.pattern_id);
    const row = rows.get(pattern) ?? { pattern, agents: {} };
    const gain = gainOf(agent);
    const said = gain === null ? agent.id : `${agent.id} (${signed(gain)})`;
    row.agents[agent.surface] = [row.agents[agent.surface], said].filter(Boolean).join(", ");
    rows.set(pattern, row);
  }
  for (const pattern of patterns) {
    const name = pattern.title || pattern.name;
    if (!pattern.reason && !rows.has(name)) rows.set(name, { pattern: name, agents: {} });
  }
  return { surfaces: [...new Set(serving.map((each) => each.surface))].sort(), rows: [...rows.values()] };
}
