/** What the parts about deletion, rules and folders say. */

import { count } from "./format";
import { plural } from "./text";

export const forgetText = {
  title: "Delete events",
  why: "With the events go their sums, every index, what was answered with their words, and all agents and models that were made from them; those are made again from what is left. Nothing brings them back.",
  fields: { folder: "Folder", source: "Source", app: "Program", q: "Words", since: "Since", until: "Before" },
  examples: { folder: "~/private", source: "", app: "", q: "", since: "2026-01-31", until: "2026-02-01" },
  look: "What would go?",
  events: (n: number): string => `${plural(n, "stored event is", "stored events are")} meant.`,
  span: (first: string, last: string, days: number): string =>
    `From ${first} to ${last}, on ${plural(days, "day", "days")}.`,
  sources: (names: readonly string[]): string => `Of the sources ${names.join(", ")}.`,
  retired: "Agents that stop serving:",
  retrained: "Patterns that are looked for again:",
  predictor: "What predicts the next step learns again from what is left.",
  some: (names: readonly string[], more: number): string =>
    names.length ? names.join(", ") + (more > 0 ? ` and ${count(more)} more` : "") : "none",
  byDay: "Events by day, newest first",
  day: "Day (UTC)",
  act: "Delete for good",
  last: (n: number): string =>
    `${plural(n, "event", "events")}, and what comes until then and is meant too, will be deleted. It cannot be undone.`,
  type: (word: string): string => `Type ${word} to go on:`,
  word: "forget",
  newest: (what: string): string => `The newest deletion: ${what}`,
  waits: "waits until SelFlow runs (selflow up), or for selflow forget --resume",
  retry: "Retry",
  stages: {
    cycle: "learning ended",
    spools: "what waited",
    log: "event log",
    derived: "sums and indices",
    models: "agents and models",
    serving: "service restarted",
    words: "answers and patterns",
    retrain: "learning asked for",
  } as Record<string, string>,
} as const;

export const ruleText = {
  title: "What is never stored",
  why: "Rules hold for every source. They are added here, never removed: that takes the settings file in which they stand.",
  none: "No rule so far.",
  isPath: "path",
  isApp: "program",
  path: "Path",
  app: "Program",
  save: "Save the rule",
  hides: (n: number, of: number): string => `This rule hides ${count(n)} of the last ${count(of)} events.`,
  saved: "Saved: it holds from now on.",
  past: "Delete what it means in the past, too",
  rows: "The first events that the rule hides",
} as const;

export const folderText = {
  title: "Files by folder",
  inside: (folder: string): string => `Files in ${folder}`,
  all: "All folders",
  folder: "Folder",
  none: "(in no folder)",
  files: "Files",
  events: "Events",
  change: "Against before",
  last: "Last",
  total: (n: number): string => `${plural(n, "event of a file", "events of files")}, in whole days (UTC);`,
  compared: "compared with the time of the same length before.",
  more: (n: number): string => `${plural(n, "folder more is", "folders more are")} not listed.`,
} as const;

export const decisionText = {
  title: "The newest answers",
  why: "A thumb is feedback on that answer: the router learns from it who should answer. From a right answer the predictor learns, too.",
  up: "Good",
  down: "Bad",
  nothing: "(no prediction)",
  wrong: "Give the right answer",
  kind: "Kind of the right answer",
  right: "What was right",
  correct: "Bad, this is right",
  saidUp: "good",
  saidDown: "bad",
  saidRight: (subjects: readonly string[]): string => `right: ${subjects.join(", ")}`,
  said: (words: string): string => `You said: ${words}`,
  arm: (arm: string, propensity: string): string =>
    propensity ? `by ${arm}, chosen with probability ${propensity}` : `by ${arm}`,
} as const;
