/** The lanes of a day: its bounds on the owner's clock, where blocks lie, and what they lead to. */

import type { BlockItem, FocusItem, LanesAnswer } from "./wire";

const MAX_NAME = { app: 200, source: 200, project: 400 };
const STEPS_MIN = [1, 5, 15, 30, 60, 180];
const MAX_TICKS = 9;

export interface LaneBlock extends BlockItem {
  name: string;
}
interface Bounds {
  since: string;
  until: string;
}
interface Extent {
  leftPercent: number;
  widthPercent: number;
}

/** The day of a moment, as `2026-01-31`. */
export function dayOf(at: number | string): string {
  const date = new Date(at);
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** From midnight to midnight, 23 to 25 hours; null for what is no day. */
export function boundsOf(day: string): Bounds | null {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day);
  if (!parts) return null;
  const [year, month, date] = parts.slice(1).map(Number) as [number, number, number];
  const since = new Date(year, month - 1, date);
  if (dayOf(since.getTime()) !== day) return null;
  return {
    since: since.toISOString(),
    until: new Date(year, month - 1, date + 1).toISOString(),
  };
}

/** Where a time lies between two others. */
export function extentOf(part: { start_at: string; end_at: string }, of: LanesAnswer): Extent {
  const [since, until] = [Date.parse(of.since_at), Date.parse(of.until_at)];
  const percent = (at: string): number => ((Date.parse(at) - since) / (until - since)) * 100;
  const leftPercent = percent(part.start_at);
  return { leftPercent, widthPercent: Math.max(0, percent(part.end_at) - leftPercent) };
}

/** Moments to write below, at most nine, in equal steps. */
export function ticksOf(of: LanesAnswer): string[] {
  const [since, until] = [Date.parse(of.since_at), Date.parse(of.until_at)];
  const minutes = (until - since) / 60_000;
  const step = STEPS_MIN.find((each) => minutes / each <= MAX_TICKS) ?? 360;
  const ticks = Math.max(0, Math.ceil(minutes / step));
  return Array.from({ length: ticks }, (_, at) => new Date(since + at * step * 60_000).toISOString());
}

/** The events of one lane and time; a name that no filter takes leads nowhere. */
export function rowsHref(
  by: LanesAnswer["by"],
  part: { name: string; start_at: string; end_at: string },
): string | null {
  if (part.name.length > MAX_NAME[by]) return null;
  const query = new URLSearchParams({ [by]: part.name, since: part.start_at, until: part.end_at });
  return `/privacy?${query}#events`;
}

/** All blocks of all lanes, by time. */
export function blocksOf(of: LanesAnswer): LaneBlock[] {
  return of.lanes
    .flatMap((lane) => lane.blocks.map((block) => ({ ...block, name: lane.name })))
    .sort((a, b) => a.start_at.localeCompare(b.start_at) || a.name.localeCompare(b.name));
}

export const focusOf = (name: string, of: LanesAnswer): FocusItem[] =>
  of.focus.filter((each) => each.name === name);
