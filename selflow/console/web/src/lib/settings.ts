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
