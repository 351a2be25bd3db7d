/** The time range of a page; it lives in the URL, so that a link shows what its sender saw. */

export const RANGES = ["24h", "7d", "30d", "1y", "all"] as const;
export type RangeKey = (typeof RANGES)[number];

const HOURS: Record<RangeKey, number | null> = {
  "24h": 24,
  "7d": 7 * 24,
  "30d": 30 * 24,
  "1y": 365 * 24,
  all: null,
};

const isRange = (text: string | null): text is RangeKey =>
  (RANGES as readonly (string | null)[]).includes(text);

/** What the URL says; anything unknown is everything there is. */
export function rangeOf(search: string): RangeKey {
  const wanted = new URLSearchParams(search).get("range");
  return isRange(wanted) ? wanted : "all";
}

/** The start as RFC 3339, a whole minute so that answers can be cached; none for all. */
export function sinceOf(range: RangeKey, nowMs: number): string | undefined {
  const hours = HOURS[range];
  if (hours === null) return undefined;
  const minute = Math.floor(nowMs / 60_000) * 60_000;
  return new Date(minute - hours * 3_600_000).toISOString();
}

/** The same URL with other parameters; null removes one. */
export function withParams(
  path: string,
  search: string,
  changed: Record<string, string | null>,
): string {
  const params = new URLSearchParams(search);
  for (const [name, value] of Object.entries(changed)) {
    if (value === null || value === "") params.delete(name);
    else params.set(name, value);
  }
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}
