/** Settings as the page shows them: which are set, which match, and how a value is written. */

import { count } from "./format";
import type { Setting } from "./records";

/** Some layer has set it, whatever to. */
export const isChanged = (setting: Setting): boolean => setting.layer !== "default";

export function matchingSettings(
  settings: readonly Setting[],
  words: string,
  onlyChanged: boolean,
): Setting[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return settings.filter((setting) => {
    const told = `${setting.key} ${setting.meaning} ${setting.layer}`.toLowerCase();
    return (!onlyChanged || isChanged(setting)) && wanted.every((word) => told.includes(word));
  });
}

/** A number with its unit, an empty list as such, all else as JSON has it. */
export function written(value: unknown, unit: string): string {
  if (value === null) return "–";
  if (typeof value === "string") return value;
  if (Number.isInteger(value) && unit) return `${count(value as number)} ${unit}`;
  const plain = JSON.stringify(value);
  return unit ? `${plain} ${unit}` : plain;
}

/** In the order of the server: [section, its settings]. */
export function bySection(settings: readonly Setting[]): [string, Setting[]][] {
  const sections = new Map<string, Setting[]>();
  for (const setting of settings) {
    const section = setting.key.split(".")[0] ?? "";
    sections.set(section, [...(sections.get(section) ?? []), setting]);
  }
  return [...sections];
}

/** What stands in the input before anything is typed; of united lists, only one's own part. */
export function draftOf(setting: Setting): string {
  const value = setting.override ?? (setting.is_united ? [] : setting.value);
  if (Array.isArray(value)) return value.join("\n");
  return value === null ? "" : String(value);
}

/** What was typed, as the server takes it; what is no number goes as it is, and is refused there. */
export function parsed(setting: Setting, draft: string): unknown {
  if (setting.kind === "switch") return draft === "true";
  if (setting.kind === "texts") {
    return draft.split("\n").map((line) => line.trim()).filter(Boolean);
  }
  if (setting.kind === "choice") return setting.choices.find((each) => String(each) === draft);
  if (setting.kind === "text" || !draft.trim()) return draft;
  return Number.isFinite(Number(draft)) ? Number(draft) : draft;
}
