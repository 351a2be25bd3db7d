import { expect, test } from "vitest";
import { problemOf, urlOf } from "../src/lib/api";
import { sorted } from "../src/lib/columns";
import { matching } from "../src/lib/palette";
import { rangeOf, sinceOf, withParams } from "../src/lib/range";
import { slotsOf } from "../src/lib/slots";

test("an unknown range is everything", () => {
  expect(rangeOf("?range=7d")).toBe("7d");
  expect(rangeOf("?range=ten-years")).toBe("all");
  expect(sinceOf("all", 0)).toBeUndefined();
});

test("a range starts at a whole minute", () => {
  const since = sinceOf("24h", Date.parse("2026-03-10T12:00:42.5Z"));
  expect(since).toBe("2026-03-09T12:00:00.000Z");
});

test("a changed parameter leaves the others", () => {
  expect(withParams("/privacy", "?range=7d&kind=a", { kind: null, q: "x y" })).toBe(
    "/privacy?range=7d&q=x+y",
  );
});

test("empty parameters are not sent", () => {
  expect(urlOf("/api/events", { limit: 5, q: "", kind: undefined, source: "a b" })).toBe(
    "/api/events?limit=5&source=a+b",
  );
});

test("a refusal of another form still has a code", () => {
  expect(problemOf(503, { code: "ray_down", detail: "no", hint: "selflow up" }).code).toBe("ray_down");
  expect(problemOf(502, null).code).toBe("http_502");
});

test("missing values stand last in both directions", () => {
  const column = { title: "", cell: String, value: (row: { n: number | null }) => row.n };
  const rows = [{ n: 1 }, { n: null }, { n: 3 }];
  expect(sorted(rows, column, false).map((row) => row.n)).toEqual([1, 3, null]);
  expect(sorted(rows, column, true).map((row) => row.n)).toEqual([3, 1, null]);
});

test("the palette puts what begins with the query first", () => {
  const entries = ["Appearance: Dark", "Data & privacy", "Dark"].map((name) => ({ name }));
  expect(matching(entries, "da").map((entry) => entry.name)).toEqual([
    "Data & privacy",
    "Dark",
    "Appearance: Dark",
  ]);
});

test("the ninth group is grey", () => {
  const slots = slotsOf([..."abcdefghi"]);
  expect([slots.get("a"), slots.get("h"), slots.get("i")]).toEqual([1, 8, 0]);
});
