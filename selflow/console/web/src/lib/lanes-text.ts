/** What the lanes of a day say. */

import { duration } from "./format";
import { plural } from "./text";

export const lanesText = {
  title: "Lanes of a day",
  note: (minutes: number): string =>
    `Blocks of events at most ${minutes} minutes apart; a bar below marks focus. A block leads to its events.`,
  by: "Lanes",
  groups: { app: "Programs", project: "Projects", source: "Sources" },
  day: "Day",
  earlier: "Earlier day",
  later: "Later day",
  nothing: "No events with such a name on this day.",
  lane: "Lane",
  from: "From",
  until: "To",
  events: "Events",
  length: "Length",
  block: (name: string, from: string, until: string, events: number): string =>
    `${name}, ${from} to ${until}: ${plural(events, "event", "events")}`,
  lasted: (coveredS: number, events: number): string =>
    `${coveredS >= 60 ? `${duration(coveredS)}, ` : ""}${plural(events, "event", "events")}`,
  more: (n: number): string => `${plural(n, "lane more is", "lanes more are")} not shown.`,
  unnamed: (n: number): string => `${plural(n, "event has", "events have")} no such name.`,
  cut: (until: string): string => `There is too much for one picture: it ends at ${until}.`,
  focusTitle: "Focus",
  focus: (n: number, s: number, activeS: number): string =>
    n
      ? `${duration(s)} of focus in ${plural(n, "stretch", "stretches")}, of ${duration(activeS)} with events.`
      : `No stretch of 15 minutes without a switch, in ${duration(activeS)} with events.`,
} as const;
