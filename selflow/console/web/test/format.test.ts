import { describe, expect, test } from "vitest";
import { ago, bytes, count, decimal, duration, percent, signed } from "../src/lib/format";

const NOW = Date.parse("2026-03-10T12:00:00Z");
const before = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString();

describe("formats", () => {
  test("a missing value is a dash, never a zero", () => {
    for (const shown of [count(null), decimal(null), percent(undefined), bytes(null), duration(null)]) {
      expect(shown).toBe("–");
    }
    expect(signed(null)).toBe("–");
  });

  test("a megabyte is a million bytes", () => {
    expect(bytes(999)).toBe("999 B");
    expect(bytes(1_000_000)).toBe("1.0 MB");
    expect(bytes(67_100_000)).toBe("67.1 MB");
    expect(bytes(250_000_000_000)).toBe("250 GB");
  });

  test("durations have at most two units", () => {
    expect(duration(1.42)).toBe("1.4 s");
    expect(duration(59.7)).toBe("1 min");
    expect(duration(13_320)).toBe("3 h 42 min");
    expect(duration(3600)).toBe("1 h");
    expect(duration(180_000)).toBe("2 d 2 h");
  });

  test("a gain and a loss have a sign", () => {
    expect(signed(0.0124)).toBe("+0.012");
    expect(signed(-0.5)).toBe("−0.500");
  });

  test("recent times are told from now, old ones by their day", () => {
    expect(ago(before(2), NOW)).toBe("just now");
    expect(ago(before(40), NOW)).toBe("40 s ago");
    expect(ago(before(200), NOW)).toBe("3 min ago");
    expect(ago(before(7300), NOW)).toBe("2 h ago");
    expect(ago("2024-02-01T12:00:00Z", NOW)).toContain("2024");
  });
});
