/** What the page knows of the live stream, as a pure reducer: the browser's clock comes from outside. */

/** No word for this long: the state is asked for, and without an answer the page says so. */
export const SILENT_MS = 10_000;
/** While the server does not answer, it is asked this often. */
export const POLL_MS = 30_000;

/** Stands for a topic's message while the server cannot make it. */
interface Refusal {
  full: false;
  problem: string;
}

export interface LiveState<Messages> {
  phase: "connecting" | "live" | "disconnected";
  /** When the newest message came; null before the first. */
  heardAtMs: number | null;
  messages: Partial<Messages>;
  problem: string;
}

export type LiveEvent<Messages> =
  | { kind: "message"; topic: keyof Messages; data: unknown; atMs: number }
  | { kind: "polled"; changed: Partial<Messages>; atMs: number }
  | { kind: "failed" }
  | { kind: "hidden" };

export const initial = <Messages>(): LiveState<Messages> => ({
  phase: "connecting",
  heardAtMs: null,
  messages: {},
  problem: "",
});

const isRefusal = (data: unknown): data is Refusal =>
  typeof data === "object" && data !== null && "problem" in data && "full" in data && !data.full;

export function reduce<Messages>(
  state: LiveState<Messages>,
  event: LiveEvent<Messages>,
): LiveState<Messages> {
  switch (event.kind) {
    case "message": {
      const heard = { ...state, phase: "live" as const, heardAtMs: event.atMs };
      if (isRefusal(event.data)) return { ...heard, problem: event.data.problem };
      const messages = { ...state.messages, [event.topic]: event.data };
      return { ...heard, messages, problem: "" };
    }
    case "polled":
      return {
        ...state,
        heardAtMs: event.atMs,
        messages: { ...state.messages, ...event.changed },
      };
    case "failed":
      return { ...state, phase: "disconnected" };
    case "hidden":
      return { ...state, phase: "connecting" };
  }
}

export const isSilent = (state: LiveState<unknown>, nowMs: number): boolean =>
  nowMs - (state.heardAtMs ?? -Infinity) > (state.phase === "disconnected" ? POLL_MS : SILENT_MS);
