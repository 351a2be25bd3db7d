/** The one event stream of a visible tab: open while the page is seen, polling while it is down. */

import { ApiProblem, get } from "./api";
import { POLL_MS, initial, reduce, type LiveEvent, type LiveState } from "./live-state";
import type { System } from "./records";

const TOPICS = ["live", "runs", "agents", "patterns"] as const;

class Live {
  state = $state.raw<LiveState<System>>(initial());
  nowMs = $state(Date.now());
  problem = $state.raw<ApiProblem | null>(null);
  #source: EventSource | null = null;

  get system(): System | null {
    return this.state.system;
  }

  revision(topic: (typeof TOPICS)[number]): number {
    return this.state.revisions[topic] ?? 0;
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
      this.#apply({ kind: "tick", atMs: this.nowMs });
    }, 1000);
    const polling = setInterval(() => {
      if (this.state.phase === "disconnected" && document.visibilityState === "visible") {
        void this.poll();
      }
    }, POLL_MS);
    onVisible();
    void this.poll();
    return () => {
      document.removeEventListener("visibilitychange", onVisible);
      clearInterval(ticking);
      clearInterval(polling);
      this.#close();
    };
  }

  async poll(): Promise<void> {
    try {
      this.#apply({ kind: "polled", system: await get("/api/system"), atMs: Date.now() });
      this.problem = null;
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      this.problem = error;
    }
  }

  #apply(event: LiveEvent<System>): void {
    this.state = reduce(this.state, event);
  }

  #open(): void {
    if (this.#source) return;
    const source = new EventSource(`/api/stream?topics=${TOPICS.join(",")}`);
    for (const topic of TOPICS) {
      source.addEventListener(topic, (message) => {
        const data = JSON.parse((message as MessageEvent<string>).data);
        this.#apply({ kind: "message", topic, data, atMs: Date.now() });
      });
    }
    // The browser connects again by itself, with the id of the last message it saw.
    source.addEventListener("error", () => this.#apply({ kind: "failed" }));
    this.#source = source;
  }

  #close(): void {
    this.#source?.close();
    this.#source = null;
    this.#apply({ kind: "hidden" });
  }
}

export const live = new Live();
