/** The browser's session: it lasts thirty days from its last use, renewed at most once a day. */

import { ApiProblem, send } from "./api";

const KEY = "selflow.renewed";
const DAY_MS = 86_400_000;

export async function renewSession(nowMs: number): Promise<void> {
  if (nowMs - Number(localStorage.getItem(KEY) ?? 0) < DAY_MS) return;
  try {
    await send("put", "/api/auth/session");
    localStorage.setItem(KEY, String(nowMs));
  } catch (error) {
    // A console that is away is met by everything else on the page too, and the next load asks again.
    if (!(error instanceof ApiProblem)) throw error;
  }
}
