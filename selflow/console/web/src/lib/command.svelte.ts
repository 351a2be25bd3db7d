/** An act of the owner: asked for, then followed until the supervisor has carried it out. */

import { ApiProblem, get } from "./api";
import type { Command, CommandTaken } from "./records";

const LOOK_MS = 1000;

export class Act {
  command = $state.raw<Command | null>(null);
  problem = $state.raw<ApiProblem | null>(null);
  /** Nothing carries it out now; it waits for the next session. */
  isWaiting = $state(false);
  isBusy = $state(false);
  #isOver = false;

  async run(ask: () => Promise<CommandTaken | null>): Promise<void> {
    this.isBusy = true;
    this.problem = null;
    try {
      const taken = await ask();
      this.command = taken;
      this.isWaiting = taken?.queued_until === "ray_up";
      if (taken) void this.#follow(taken.id);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      this.problem = error;
    } finally {
      this.isBusy = false;
    }
  }

  /** The page is left: stop looking. */
  end(): void {
    this.#isOver = true;
  }

  async #follow(id: string): Promise<void> {
    while (!this.#isOver && this.command && !this.command.finished_at) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      if (document.visibilityState !== "visible") continue;
      try {
        this.command = await get("/api/commands/{command_id}", {}, { command_id: id });
      } catch (error) {
        if (!(error instanceof ApiProblem)) throw error;
        this.problem = error;
        return;
      }
      if (this.command.state !== "queued") this.isWaiting = false;
    }
  }
}
