import { expect, test } from "vitest";
import type { Setting } from "../src/lib/records";
import { bySection, draftOf, matchingSettings, parsed, written } from "../src/lib/settings";

const setting = (key: string, layer: string): Setting =>
  ({
    key, value: 1, layer, default: 1, unit: "", meaning: `What ${key} means.`, override: null,
    is_united: false, kind: "whole", choices: [], minimum: null, maximum: null, bounds: "", fixed: "",
    takes_effect: "up",
  });

test("all words must stand in key, meaning or layer", () => {
  const all = [setting("serve.port", "user"), setting("console.port", "default")];
  expect(matchingSettings(all, "PORT means", false)).toEqual(all);
  expect(matchingSettings(all, "port user", false)).toEqual([all[0]]);
  expect(matchingSettings(all, "", true)).toEqual([all[0]]);
});

test("a value is written with its unit", () => {
  expect(written(64_000_000, "bytes")).toBe("64,000,000 bytes");
  expect(written(7731, "")).toBe("7731");
  expect(written(0.5, "s")).toBe("0.5 s");
  expect([written(null, "s"), written([], ""), written(true, "")]).toEqual(["–", "[]", "true"]);
});

test("what is typed goes to the server as its kind asks for", () => {
  const of = (more: Partial<Setting>): Setting =>
    ({ ...setting("a.b", "user"), ...more });
  expect(parsed(of({ kind: "whole" }), " 12 ")).toBe(12);
  expect(parsed(of({ kind: "number" }), "much")).toBe("much");
  expect(parsed(of({ kind: "number" }), "")).toBe("");
  expect(parsed(of({ kind: "switch" }), "false")).toBe(false);
  expect(parsed(of({ kind: "choice", choices: [4, 8] }), "8")).toBe(8);
  expect(parsed(of({ kind: "texts" }), "a\n\n b \n")).toEqual(["a", "b"]);
});

test("of a united list one's own part is edited, of others the value", () => {
  const list = { ...setting("a.b", "user"), value: ["x", "y"] };
  expect(draftOf({ ...list, is_united: true })).toBe("");
  expect(draftOf({ ...list, is_united: false })).toBe("x\ny");
  expect(bySection([setting("a.b", "user"), setting("c.d", "user"), setting("a.e", "user")]).map(
    ([section, rows]) => [section, rows.length],
  )).toEqual([["a", 2], ["c", 1]]);
});
