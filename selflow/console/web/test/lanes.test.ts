import { describe, expect, test } from "vitest";
import { blocksOf, boundsOf, dayOf, extentOf, rowsHref, ticksOf } from "../src/lib/lanes";
import type { LanesAnswer } from "../src/lib/wire";

const block = (hour: number, minutes: number, events = 1) => ({
  start_at: new Date(2026, 0, 31, hour).toISOString(),
  end_at: new Date(2026, 0, 31, hour, minutes).toISOString(),
  events,
});
const bounds = boundsOf("2026-01-31")!;
const answer: LanesAnswer = {
  by: "app",
  since_at: bounds.since,
  until_at: bounds.until,
  before_at: null,
  after_at: null,
  lanes: [
    { name: "vim", events: 3, covered_s: 60, blocks: [block(6, 0), block(12, 90, 2)] },
    { name: "mail", events: 1, covered_s: 0, blocks: [block(9, 1)] },
  ],
  more: 0,
  joined_s: 300,
  unnamed_events: 0,
  focus: [],
  focus_s: 0,
  active_s: 60,
};

describe("lanes", () => {
  test("a day is from midnight to midnight on the owner's clock", () => {
    expect(dayOf(bounds.since)).toBe("2026-01-31");
    expect(dayOf(Date.parse(bounds.until) - 1)).toBe("2026-01-31");
    expect(dayOf(bounds.until)).toBe("2026-02-01");
  });

  test("what is no day has no bounds", () => {
    expect(["", "2026-02-30", "2026-13-01", "today", "2026-1-1"].map(boundsOf)).toEqual(
      Array(5).fill(null),
    );
  });

  test("a block lies where its time does", () => {
    expect(extentOf(block(12, 90), answer)).toEqual({ leftPercent: 50, widthPercent: 6.25 });
  });

  test("a whole day has a tick every three hours", () => {
    expect(ticksOf(answer).length).toBe(8);
    expect(Date.parse(ticksOf(answer)[1]!) - Date.parse(bounds.since)).toBe(3 * 3_600_000);
  });

  test("blocks of all lanes are told by time", () => {
    expect(blocksOf(answer).map((each) => each.name)).toEqual(["vim", "mail", "vim"]);
  });

  test("a block leads to its events, a name that no filter takes nowhere", () => {
    const part = { ...block(6, 0), name: "a&b" };
    expect(rowsHref("app", part)).toMatch(/^\/privacy\?app=a%26b&since=2026.*&until=2026.*#events$/);
    expect(rowsHref("app", { ...part, name: "x".repeat(201) })).toBeNull();
  });
});
