import { expect, test } from "vitest";
import { SILENT_MS, initial, reduce, type LiveState } from "../src/lib/live-state";

interface Shown {
  state: string;
  events: number;
}
const snapshot = { full: true, state: "running", events: 3 };
const heard = (atMs: number, data: object = snapshot): LiveState<Shown> =>
  reduce(initial<Shown>(), { kind: "message", topic: "live", data, atMs });

test("the first message is the whole state", () => {
  expect(heard(1).system).toEqual({ state: "running", events: 3 });
  expect(heard(1).phase).toBe("live");
});

test("a change leaves the other fields as they were", () => {
  const next = reduce(heard(1), { kind: "message", topic: "live", data: { events: 4 }, atMs: 2 });
  expect(next.system).toEqual({ state: "running", events: 4 });
});

test("a change before the snapshot shows nothing half", () => {
  expect(heard(1, { events: 4 }).system).toBeNull();
});

test("ten silent seconds are a lost connection, with the old figures kept", () => {
  const still = reduce(heard(0), { kind: "tick", atMs: SILENT_MS });
  const lost = reduce(still, { kind: "tick", atMs: SILENT_MS + 1 });
  expect([still.phase, lost.phase]).toEqual(["live", "disconnected"]);
  expect(lost.system).toEqual(heard(0).system);
  expect(lost.heardAtMs).toBe(0);
});

test("a message after a loss is live again", () => {
  const lost = reduce(heard(0), { kind: "failed" });
  const back = reduce(lost, { kind: "message", topic: "live", data: snapshot, atMs: 9 });
  expect(back.phase).toBe("live");
});

test("each topic counts its own messages", () => {
  const next = reduce(heard(0), { kind: "message", topic: "runs", data: {}, atMs: 1 });
  expect(next.revisions).toEqual({ live: 1, runs: 1 });
});
