/** Which tone a state of ours has; a page never decides it by itself. */

export type Tone = "ok" | "warn" | "bad" | "rest";

const TONES: Record<string, Tone> = {
  running: "ok",
  ok: "ok",
  done: "ok",
  passed: "ok",
  champion: "ok",
  finished: "ok",
  alive: "ok",
  on: "ok",
  accepted: "warn",
  starting: "warn",
  degraded: "warn",
  paused: "warn",
  requested: "warn",
  queued: "warn",
  failed: "bad",
  dead: "bad",
  rejected: "warn",
};

/** A word that is not in the list has none, and is shown grey. */
export const toneOf = (state: string): Tone => TONES[state] ?? "rest";
