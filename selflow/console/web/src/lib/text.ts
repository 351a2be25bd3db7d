/** Every sentence that the page shows, in one place. */

import { count, duration, percent, timeOfDay } from "./format";

const plural = (n: number, one: string, many: string): string =>
  `${count(n)} ${n === 1 ? one : many}`;

export const text = {
  product: "SelFlow",
  skip: "Skip to the content",
  pages: {
    live: "Live",
    activity: "Activity",
    patterns: "Patterns",
    training: "Training",
    agents: "Agents",
    ask: "Ask",
    privacy: "Data & privacy",
    models: "Models",
    settings: "Settings",
  },
  state: {
    loading: "Loading",
    unreachable: "The console does not answer.",
    failed: "The console could not answer.",
    next: "Next:",
    updated: (ageMs: number): string => `updated ${duration(ageMs / 1000)} ago`,
    disconnected: (heardAtMs: number | null): string =>
      heardAtMs === null
        ? "Disconnected. Trying again."
        : `Disconnected, showing ${timeOfDay(heardAtMs)}`,
    rayDown: "Learning is stopped, your data is safe.",
    rayDownNext: "Everything that is stored can be read; commands wait. To start again:",
    notFound: "There is no such page.",
    toLive: "To the Live page",
  },
  act: {
    retry: "Try again",
    refresh: "Refresh",
    copied: "Copied",
    copyDetails: "Copy details",
    showData: "Show data",
    showChart: "Show chart",
    showAll: (n: number): string => `Show all ${count(n)}`,
    close: "Close",
    cancel: "Cancel",
    save: "Save",
    more: "Older ones",
  },
  frame: {
    pages: "Pages",
    range: "Time range",
    ranges: { "24h": "24 hours", "7d": "7 days", "30d": "30 days", "1y": "A year", all: "All" },
    theme: "Appearance",
    themes: { system: "As the system", light: "Light", dark: "Dark" },
    search: "Go to, do",
    searchKey: "Ctrl K",
    help: "Keys",
    signOut: "Sign out",
    palette: "Command palette",
    paletteHint: "A page, a pattern, an agent or an act",
    nothingFound: "Nothing of that name.",
    keys: [
      ["g, then a letter", "go to a page: l live, a activity, p patterns, t training, b agents, d data, m models, s settings"],
      ["/ or Ctrl K", "the command palette"],
      ["?", "these keys"],
      ["Esc", "close what is open"],
    ] as const,
    keysOn: "Single keys act",
  },
  login: {
    title: "Sign in",
    working: "Signing in …",
    refused: "This code is used up or expired.",
    needed: "This page needs a one-time code.",
    next: "In a terminal on this machine, run",
    command: "selflow ui",
    why: "It opens this page with a new code. Only programs that run as you can ask for one.",
    signedOut: "You are signed out.",
  },
  live: {
    question: "Is it running, what is it doing, when does it learn next?",
    today: "Events today",
    perMinute: "Events in each of the last 60 minutes",
    stored: (n: number): string => `${count(n)} stored in all`,
    buffer: "Buffer",
    bufferOf: (filled: string, budget: string): string => `${filled} of ${budget}`,
    waiting: (n: number): string => `${plural(n, "event waits", "events wait")} for the next cycle`,
    learning: "Next learning",
    cycle: (state: string): string => `The last cycle is ${state}`,
    agents: "Agents serving",
    noAgents: "The base answers until a pattern has earned an agent.",
    newest: "Newest events",
    all: "Browse all",
    noEvents: "No event yet",
    noEventsWhy: "Nothing is collected before you allow a source; an import brings data at once.",
    noEventsNext: "selflow init",
    worth: "Worth knowing",
    services: "Services and processes",
    memory: "Memory",
    privacy: "Recording",
    recording: (n: number): string => plural(n, "source allowed", "sources allowed"),
    noBuffer: "No event log yet",
    endpoints: "Listening",
  },
  collection: {
    state: (state: string, until: string | null): string =>
      state === "paused"
        ? until
          ? `collection paused until ${timeOfDay(until)}`
          : "collection paused"
        : "collecting",
  },
  cell: {
    time: "Time",
    source: "Source",
    kind: "Kind",
    subject: "Subject",
    app: "App",
    name: "Name",
    state: "State",
    restarts: "Restarts",
    error: "Last error",
    memory: "Memory",
    pid: "Process",
    share: (fraction: number): string => percent(fraction, 1),
  },
} as const;
