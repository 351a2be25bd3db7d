/** Three things worth knowing now, each a sentence and where it leads; the rarest first. */

import type { System } from "./records";
import { text } from "./text";

export interface Worth {
  text: string;
  href: string;
}

const MOST = 3;
const DAY_MS = 86_400_000;

export function worthKnowing(system: System, nowMs: number): Worth[] {
  const { cycle, behaviour, next_learning: next } = system;
  const ended = cycle?.finished_at ? Date.parse(cycle.finished_at) : null;
  const isRecent = ended !== null && nowMs - ended < DAY_MS;
  const isSoon = next.at !== null && Date.parse(next.at) - nowMs < DAY_MS;
  return [
    ...behaviour.map((change) => ({ text: change.text, href: "/patterns" })),
    ...(cycle && isRecent
      ? [{ text: text.worth.cycle(cycle.state, cycle.error), href: `/training?cycle=${encodeURIComponent(cycle.id)}` }]
      : []),
    ...(isSoon ? [{ text: text.live.trainsIn(next.text), href: "/training" }] : []),
  ].slice(0, MOST);
}
