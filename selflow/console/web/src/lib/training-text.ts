/** The words of the queue and of what earlier runs came to. */

export const queueText = {
  title: "What comes next",
  what: "Waits",
  of: "Of",
  since: "Since",
  state: "State",
  nothing: "Nothing waits.",
  acts: {
    "learn.start": "a learning cycle",
    "learn.cancel": "the end of a cycle",
  } as Record<string, string>,
  cycle: "a learning cycle",
  verdict: "a verdict",
  asked: "asked for",
  trained: "trained, not judged yet",
  judging: "is judged now",
} as const;

export const pastText = {
  title: "What earlier runs came to",
  run: "Run",
  best: "Best loss, bits",
  last: "Last loss, bits",
  measure: "Measured on",
  measures: { tune: "the tune part", training: "training" },
  steps: "Steps",
  began: "Began",
  note: "Bits can be compared within one cycle: each has data of its own.",
} as const;
