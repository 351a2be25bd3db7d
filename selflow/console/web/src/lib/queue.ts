/** What waits for learning: acts, a cycle that was asked for, and agents without their verdict. */

import type { Messages } from "./records";
import { queueText } from "./training-text";

export interface Waiting {
  what: string;
  of: string;
  state: string;
  since: string;
}

const GROWN = "grow:";

/** In the order in which it will be done: the open cycle's agents, the cycle, then open acts. */
export function queueOf(runs: Pick<Messages["runs"], "cycle" | "stages" | "commands">): Waiting[] {
  const { cycle, stages, commands } = runs;
  const isOpen = cycle !== null && cycle.finished_at === null;
  const judged = new Map(
    stages.filter((each) => each.name.startsWith("judge:")).map((each) => [each.name.slice(6), each]),
  );
  const agents = stages.flatMap((stage): Waiting[] => {
    const name = stage.name.slice(GROWN.length);
    if (!isOpen || !stage.name.startsWith(GROWN) || !stage.finished_at) return [];
    const verdict = judged.get(name);
    if (verdict?.finished_at) return [];
    const state = verdict ? queueText.judging : queueText.trained;
    return [{ what: queueText.verdict, of: name, state, since: stage.finished_at }];
  });
  const asked =
    cycle?.state === "requested"
      ? [{ what: queueText.cycle, of: cycle.id, state: queueText.asked, since: cycle.requested_at }]
      : [];
  const acts = commands
    .filter((each) => !each.finished_at)
    .sort((a, b) => a.requested_at.localeCompare(b.requested_at))
    .map((each) => ({
      what: queueText.acts[each.action] ?? each.action,
      of: each.subject,
      state: each.state,
      since: each.requested_at,
    }));
  return [...agents, ...asked, ...acts];
}
