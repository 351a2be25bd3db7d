/** What the page says of an answer, and what was said of it. */

import { decisionText } from "./privacy-text";
import type { Decision } from "./records";

interface Guess {
  kind: string;
  subject: string;
}

/** What an answer predicted, likeliest first; a text predicted nothing. */
export function guessesOf(row: Pick<Decision, "predictions">): Guess[] {
  return row.predictions.flatMap((each) => {
    const { kind, subject } = (each ?? {}) as Record<string, unknown>;
    return typeof kind === "string" && typeof subject === "string" ? [{ kind, subject }] : [];
  });
}

/** The kinds that a right answer may have, the first prediction's first. */
export const kindsOf = (guesses: readonly Guess[]): string[] => [
  ...new Set(guesses.map((each) => each.kind)),
];

/** Thumbs and right answers as words; other feedback is not the owner's from the page. */
export function saidOf(row: Pick<Decision, "feedback">): string {
  const words = row.feedback.flatMap(({ metric, value }) => {
    if (metric === "thumb") return [value === false || value === -1 ? decisionText.saidDown : decisionText.saidUp];
    if (metric !== "outcome") return [];
    const { labels } = (value ?? {}) as { labels?: [string, string][] };
    return labels ? [decisionText.saidRight(labels.map(([, subject]) => subject))] : [];
  });
  return words.join("; ");
}
