import { expect, test } from "vitest";
import type { Setting } from "../src/lib/records";
import { matchingSettings, written } from "../src/lib/settings";

const setting = (key: string, layer: string): Setting =>
  ({ key, value: 1, layer, default: 1, unit: "", meaning: `What ${key} means.` });

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
