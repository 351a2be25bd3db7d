import { describe, expect, test } from "vitest";
import { guessesOf, kindsOf, saidOf } from "../src/lib/decisions";

const said = (metric: string, value: unknown) => ({
  feedback: [{ id: "fb", metric, value, tags: {}, at: "2027-01-31T14:03:00Z" }] as never[],
});

describe("an answer and what was said of it", () => {
  test("a right answer may be of any predicted kind, the likeliest first", () => {
    const predictions = [
      { kind: "git.commit", subject: "fix" }, { kind: "file.modify", subject: "a.py" },
      { kind: "git.commit", subject: "add" },
    ];
    expect(kindsOf(guessesOf({ predictions }))).toEqual(["git.commit", "file.modify"]);
    expect(guessesOf({ predictions: [{ text: "a line" }, null] })).toEqual([]);
  });

  test("thumbs and right answers are told, a deleted one is not", () => {
    expect(saidOf(said("thumb", true))).toBe("good");
    expect(saidOf(said("thumb", -1))).toBe("bad");
    expect(saidOf(said("outcome", { labels: [["file.modify", "b.py"]], after_seq: 4 }))).toBe("right: b.py");
    expect(saidOf(said("outcome", null))).toBe("");
    expect(saidOf(said("rating", 4))).toBe("");
  });
});
