/** The one event stream of a visible tab: open while the page is seen, asking while it is silent. */

import { ApiProblem, get } from "./api";
import { initial, isSilent, reduce, type LiveEvent, type LiveState } from "./live-state";
import type { Messages, StoredEvent, System, Topic } from "./records";

class Live {
  state = $state.raw<LiveState<Messages>>(initial());
  nowMs = $state(Date.now());
  problem = $state.raw<ApiProblem | null>(null);
  #source: EventSource | null = null;
  #topics: readonly Topic[] = ["live"];
  #isAsking = false;

  get system(): System | null {
    return this.state.messages.live?.system ?? null;
  }

  get events(): readonly StoredEvent[] {
    return this.state.messages.live?.events ?? [];
  }

  /** Follow the stream until the returned function is called. */
  start(): () => void {
    const onVisible = (): void => {
      if (document.visibilityState === "visible") this.#open();
      else this.#close();
    };
    document.addEventListener("visibilitychange", onVisible);
    const ticking = setInterval(() => {
      this.nowMs = Date.now();
      if (document.visibilityState === "visible" && isSilent(this.state, this.nowMs)) {
        void this.ask();
      }
    }, 1000);
    onVisible();
    return () => {
      document.removeEventListener("visibilitychange", onVisible);
      clearInterval(ticking);
      this.#close();
    };
  }

  /** Change what is followed; the state is always in it, since the top bar shows it. */
  follow(topics: readonly Topic[]): void {
    const wanted = [...new Set<Topic>(["live", ...topics])];
    if (wanted.join() === this.#topics.join()) return;
    this.#topics = wanted;
    if (this.#source) {
      this.#source.close();
      this.#source = null;
      this.#open();
    }
  }

  async ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      const [system, newest] = await Promise.all([
        get("/api/system"),
        get("/api/events", { limit: 20 }),
      ]);
      const changed = { live: { full: true as const, system, events: newest.items } };
      this.#apply({ kind: "polled", changed, atMs: Date.now() });
      this.problem = null;
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      this.problem = error;
      this.#apply({ kind: "failed" });
    } finally {
      this.#isAsking = false;
    }
  }

  #apply(event: LiveEvent<Messages>): void {
    this.state = reduce(this.state, event);
  }

  #open(): void {
    if (this.#source) return;
    const source = new EventSource(`/api/stream?topics=${this.#topics.join(",")}`);
    for (const topic of this.#topics) {
      source.addEventListener(topic, (message) => {
        const data: unknown = JSON.parse((message as MessageEvent<string>).data);
        this.#apply({ kind: "message", topic, data, atMs: Date.now() });
      });
    }
    // The browser connects again by itself, with the id of the last message; the question tells
    // whether it was the server or the session that ended.
    source.addEventListener("error", () => {
      this.#apply({ kind: "failed" });
      void this.ask();
    });
    this.#source = source;
  }

  #close(): void {
    this.#source?.close();
    this.#source = null;
    this.#apply({ kind: "hidden" });
  }
}

export const live = new Live();
