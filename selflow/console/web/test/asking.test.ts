import { expect, test } from "vitest";
import { examples, questionHref } from "../src/lib/asking";
import type { StoredEvent } from "../src/lib/records";

const event = (kind: string, subject: string, app = ""): StoredEvent =>
  ({ seq: 1, ts: "2026-03-10T12:00:00Z", source: "s", kind, subject, app, duration_s: 0, data: {} });

test("examples name what the newest events hold", () => {
  const events = [
    event("shell.command", "make check"),
    event("file.modify", "~/projects/docs/a.md", "vim"),
    event("file.modify", "~/old/b.md", "emacs"),
  ];
  expect(examples(events)).toEqual([
    "What did I change in docs/?",
    "How often did I run make?",
    "On which days did I use vim?",
  ]);
});

test("what a question cannot name is in no example, and nothing is invented", () => {
  const odd = [event("file.modify", "<b>/x.py", "my program"), event("shell.command", "'; rm")];
  expect(examples(odd)).toEqual(["What happened on 2026-03-10?"]);
  expect(examples([])).toEqual([]);
});

test("a question stands in the address", () => {
  expect(questionHref("in docs/ & src?")).toBe("/ask?q=in+docs%2F+%26+src%3F");
});
