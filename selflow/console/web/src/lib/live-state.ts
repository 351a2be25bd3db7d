/** What the page knows of the live stream, as a pure reducer: the browser's clock comes from outside. */

/** No word for this long: the figures on the screen are old, and the page says so. */
export const SILENT_MS = 10_000;
/** While the stream is down, the state is asked for this often. */
export const POLL_MS = 30_000;

export interface LiveState<T> {
  phase: "connecting" | "live" | "disconnected";
  /** When the newest message came; null before the first. */
  heardAtMs: number | null;
  system: T | null;
  /** Counts the messages of each topic; a page that shows one loads again when its count changes. */
  revisions: Record<string, number>;
}

export type LiveEvent<T> =
  | { kind: "message"; topic: string; data: Partial<T> & { full?: boolean }; atMs: number }
  | { kind: "polled"; system: T; atMs: number }
  | { kind: "failed" }
  | { kind: "hidden" }
  | { kind: "tick"; atMs: number };

export const initial = <T>(): LiveState<T> => ({
  phase: "connecting",
  heardAtMs: null,
  system: null,
  revisions: {},
});

export function reduce<T>(state: LiveState<T>, event: LiveEvent<T>): LiveState<T> {
  switch (event.kind) {
    case "message":
      return heard(state, event.topic, event.data, event.atMs);
    case "polled":
      return { ...state, system: event.system, heardAtMs: event.atMs };
    case "failed":
      return { ...state, phase: "disconnected" };
    case "hidden":
      return { ...state, phase: "connecting" };
    case "tick": {
      const isSilent = state.heardAtMs !== null && event.atMs - state.heardAtMs > SILENT_MS;
      return state.phase === "live" && isSilent ? { ...state, phase: "disconnected" } : state;
    }
  }
}

function heard<T>(
  state: LiveState<T>,
  topic: string,
  data: Partial<T> & { full?: boolean },
  atMs: number,
): LiveState<T> {
  const revisions = { ...state.revisions, [topic]: (state.revisions[topic] ?? 0) + 1 };
  const next = { ...state, phase: "live" as const, heardAtMs: atMs, revisions };
  if (topic !== "live") return next;
  const { full, ...fields } = data;
  if (full) return { ...next, system: fields as unknown as T };
  return state.system === null ? next : { ...next, system: { ...state.system, ...fields } as T };
}
