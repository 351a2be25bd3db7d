/** Something that a page loads: its value, how old it is, and what went wrong. */

import { ApiProblem } from "./api";

export class Resource<T> {
  value = $state.raw<T | null>(null);
  problem = $state.raw<ApiProblem | null>(null);
  isLoading = $state(false);
  loadedAtMs = $state<number | null>(null);
  #latest = 0;

  constructor(readonly load: () => Promise<T>) {}

  /** Load again; of overlapping calls the newest wins. The old value stays until then. */
  async refresh(): Promise<void> {
    const number = ++this.#latest;
    this.isLoading = true;
    try {
      const value = await this.load();
      if (number !== this.#latest) return;
      this.value = value;
      this.problem = null;
      this.loadedAtMs = Date.now();
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      if (number === this.#latest) this.problem = error;
    } finally {
      if (number === this.#latest) this.isLoading = false;
    }
  }
}
