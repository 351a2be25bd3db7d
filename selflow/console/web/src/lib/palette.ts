/** What the command palette offers, and which of it a query means. */

export interface Entry {
  name: string;
  act: () => void;
}

/** Entries that hold each word of the query, those that begin with it first. */
export function matching<E extends { name: string }>(entries: readonly E[], query: string): E[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const first = words[0] ?? "";
  return entries
    .filter((entry) => words.every((word) => entry.name.toLowerCase().includes(word)))
    .map((entry, at) => ({ entry, at, isStart: entry.name.toLowerCase().startsWith(first) }))
    .sort((a, b) => Number(b.isStart) - Number(a.isStart) || a.at - b.at)
    .map(({ entry }) => entry);
}
