/** Questions about the owner's events: asked of the server, and proposed from the newest of them. */

import { send } from "./api";
import { sinceOf, withParams, type RangeKey } from "./range";
import type { AskedAnswer, StoredEvent } from "./records";
import { text } from "./text";

export const MAX_QUESTION_CHARACTERS = 2000;
const LISTED_EVENTS = 20;
const EXAMPLES = 3;
/** What a question can name without quotes. */
const NAME = /^[\w+-][\w.+-]*$/;

export const questionHref = (question: string): string => withParams("/ask", "", { q: question });

/** The answer, of the events of a range of time. */
export async function ask(question: string, range: RangeKey): Promise<AskedAnswer> {
  const since = sinceOf(range, Date.now());
  const body = { text: question, limit: LISTED_EVENTS, ...(since ? { since } : {}) };
  return (await send("post", "/api/ask", { body }))!; // a question is always answered with a document
}

/** The first value that a question can name. */
const firstName = (values: readonly (string | undefined)[]): string | undefined =>
  values.find((value) => value !== undefined && NAME.test(value));

/** Up to three questions about events that are there, newest first: a folder, a command, a program;
 * else the newest day. */
export function examples(events: readonly StoredEvent[]): string[] {
  const of = (kind: string): StoredEvent[] => events.filter((event) => event.kind.startsWith(kind));
  const folder = firstName(of("file.").map((event) => event.subject.split("/").at(-2)));
  const command = firstName(of("shell.command").map((event) => event.subject.split(" ")[0]));
  const app = firstName(events.map((event) => event.app));
  const newest = events[0] && new Date(events[0].ts);
  const day = newest && [newest.getFullYear(), newest.getMonth() + 1, newest.getDate()]
    .map((part) => String(part).padStart(2, "0")).join("-");
  const { inFolder, ofCommand, ofApp, onDay } = text.ask.exampleOf;
  return [
    folder && inFolder(folder),
    command && ofCommand(command),
    app && ofApp(app),
    day && onDay(day),
  ].filter((example) => example !== undefined).slice(0, EXAMPLES);
}
