/** Events per bin of time and group, as lines of one chart. */

import type { LineSeries } from "./charts/line";
import type { Activity } from "./records";
import { SLOTS, tokenOf } from "./slots";

interface ActivityLines {
  xs: number[];
  series: LineSeries[];
}

export interface GroupSum {
  group: string;
  events: number;
  durationS: number;
}

/** Groups by their events, largest first. */
export function sums(items: readonly Activity[]): GroupSum[] {
  const found = new Map<string, GroupSum>();
  for (const item of items) {
    const sum = found.get(item.group) ?? { group: item.group, events: 0, durationS: 0 };
    sum.events += item.events;
    sum.durationS += item.duration_s;
    found.set(item.group, sum);
  }
  return [...found.values()].sort((a, b) => b.events - a.events || a.group.localeCompare(b.group));
}

/** One line for each of the eight largest groups, one grey line for all others together; a bin
 * without events is zero, not a gap. */
export function linesOf(
  items: readonly Activity[],
  binS: number,
  names: { other: string; none: string },
): ActivityLines {
  if (!items.length) return { xs: [], series: [] };
  const starts = items.map((item) => Date.parse(item.start_at) / 1000);
  const first = Math.min(...starts);
  const bins = Math.round((Math.max(...starts) - first) / binS) + 1;
  const top = sums(items).slice(0, SLOTS).map((sum) => sum.group);
  const rows = new Map<string, number[]>(top.map((group) => [group, Array(bins).fill(0)]));
  const other: number[] = Array(bins).fill(0);
  items.forEach((item, at) => {
    const row = rows.get(item.group) ?? other;
    const bin = Math.round((starts[at]! - first) / binS);
    row[bin] = (row[bin] ?? 0) + item.events;
  });
  const series: LineSeries[] = top.map((group, at) => ({
    name: group || names.none,
    token: tokenOf(at + 1),
    values: rows.get(group)!,
  }));
  if (other.some((value) => value > 0)) {
    series.push({ name: names.other, token: tokenOf(0), values: other, isDashed: true });
  }
  return { xs: Array.from({ length: bins }, (_, at) => first + at * binS), series };
}
