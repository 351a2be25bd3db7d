import { describe, expect, test } from "vitest";
import { queueOf } from "../src/lib/queue";
import type { Agent, Command, Cycle, Pattern, Stage } from "../src/lib/records";
import { servingMatrix } from "../src/lib/serving";

const cycle = (more: Partial<Cycle>): Cycle =>
  ({ id: "cyc", state: "running", requested_at: "2027-01-01", finished_at: null, ...more }) as Cycle;
const stage = (name: string, finished_at: string | null = "2027-01-02"): Stage =>
  ({ name, finished_at }) as Stage;
const act = (action: string, requested_at: string, finished_at: string | null = null): Command =>
  ({ action, subject: "", state: "queued", requested_at, finished_at }) as Command;

describe("the queue", () => {
  test("an agent waits from the end of its training to its verdict", () => {
    const stages = [
      stage("grow:a"), stage("judge:a"), stage("grow:b"), stage("judge:b", null), stage("grow:c"),
      stage("grow:d", null),
    ];
    const rows = queueOf({ cycle: cycle({}), stages, commands: [] });
    expect(rows.map((row) => [row.of, row.state])).toEqual([
      ["b", "is judged now"], ["c", "trained, not judged yet"],
    ]);
    expect(queueOf({ cycle: cycle({ finished_at: "2027-01-03" }), stages, commands: [] })).toEqual([]);
  });

  test("open acts wait behind a cycle that was asked for, the earliest first", () => {
    const commands = [act("learn.start", "2027-01-03"), act("agent.retire", "2027-01-02"), act("x", "2", "3")];
    const rows = queueOf({ cycle: cycle({ state: "requested" }), stages: [], commands });
    expect(rows.map((row) => row.what)).toEqual(["a learning cycle", "agent.retire", "a learning cycle"]);
    expect(queueOf({ cycle: null, stages: [], commands: [] })).toEqual([]);
  });
});

describe("who serves which pattern", () => {
  const agent = (id: string, more: Partial<Agent>): Agent => ({
    id, status: "champion", surface: "next", pattern_id: "p0",
    verdict: { numbers: { slice_gain_bits: 0.07 } }, ...more,
  }) as Agent;
  const pattern = (id: string, reason = ""): Pattern =>
    ({ id, name: `name of ${id}`, title: "", reason }) as Pattern;

  test("only what serves is named, with the gain that was measured and no other", () => {
    const matrix = servingMatrix(
      [
        agent("a@1", {}), agent("a@0", { status: "retired" }),
        agent("l@1", { surface: "line", pattern_id: null, verdict: { numbers: {} } as Agent["verdict"] }),
        agent("g@1", { pattern_id: "gone" }),
      ],
      [pattern("p0"), pattern("p1"), pattern("p2", "too few days")],
    );
    expect(matrix.surfaces).toEqual(["line", "next"]);
    expect(matrix.rows).toEqual([
      { pattern: "name of p0", agents: { next: "a@1 (+0.070)" } },
      { pattern: null, agents: { line: "l@1" } },
      { pattern: "gone", agents: { next: "g@1 (+0.070)" } },
      { pattern: "name of p1", agents: {} },
    ]);
  });
});
