import { expect, test } from "vitest";
import { POLL_MS, SILENT_MS, initial, isSilent, reduce, type LiveState } from "../src/lib/live-state";

interface Messages {
  live: { events: number };
  runs: { cycle: string };
}
const heard = (atMs: number, data: unknown = { full: true, events: 3 }): LiveState<Messages> =>
  reduce(initial<Messages>(), { kind: "message", topic: "live", data, atMs });

test("a message is the whole document of its topic", () => {
  const both = reduce(heard(1), { kind: "message", topic: "runs", data: { cycle: "c" }, atMs: 2 });
  const next = reduce(both, { kind: "message", topic: "live", data: { events: 4 }, atMs: 3 });
  expect(next.messages).toEqual({ live: { events: 4 }, runs: { cycle: "c" } });
  expect(next.phase).toBe("live");
});

test("a document that cannot be made leaves the old one, and says why", () => {
  const data = { full: false, problem: "cannot read the catalog" };
  const refused = reduce(heard(1), { kind: "message", topic: "live", data, atMs: 2 });
  expect(refused.messages).toEqual(heard(1).messages);
  expect(refused.problem).toBe("cannot read the catalog");
  expect(reduce(refused, { kind: "message", topic: "live", data: {}, atMs: 3 }).problem).toBe("");
});

test("a lost connection keeps the figures and when they were heard", () => {
  const lost = reduce(heard(5), { kind: "failed" });
  expect([lost.phase, lost.heardAtMs]).toEqual(["disconnected", 5]);
  expect(lost.messages).toEqual(heard(5).messages);
});

test("ten silent seconds are asked about, then every thirty while nobody answers", () => {
  expect(isSilent(heard(0), SILENT_MS)).toBe(false);
  expect(isSilent(heard(0), SILENT_MS + 1)).toBe(true);
  const lost = reduce(heard(0), { kind: "failed" });
  expect(isSilent(lost, SILENT_MS + 1)).toBe(false);
  expect(isSilent(lost, POLL_MS + 1)).toBe(true);
});

test("an answer to the question is heard, and does not make a lost stream live", () => {
  const lost = reduce(heard(0), { kind: "failed" });
  const asked = reduce(lost, { kind: "polled", changed: { live: { events: 9 } }, atMs: 7 });
  expect(asked).toMatchObject({ phase: "disconnected", heardAtMs: 7, messages: { live: { events: 9 } } });
});

test("a message after a loss is live again", () => {
  const lost = reduce(heard(0), { kind: "failed" });
  const back = reduce(lost, { kind: "message", topic: "live", data: { events: 1 }, atMs: 9 });
  expect(back.phase).toBe("live");
});
