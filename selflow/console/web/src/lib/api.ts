/** The one way to the server: JSON in and out, problems as one class, a lost session noticed. */

import type { paths } from "./wire";

type Query = Record<string, string | number | boolean | null | undefined>;

/** An answer that says no (RFC 9457), or no answer at all (`status` 0). */
export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly hint: string,
    readonly requestId: string,
  ) {
    super(detail);
  }
}

export function urlOf(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value != null && value !== "") params.set(name, String(value));
  }
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

/** What a refused answer says of itself; an answer of another form still gets a code. */
export function problemOf(status: number, body: unknown): ApiProblem {
  const fields = (body ?? {}) as Record<string, unknown>;
  const text = (name: string): string =>
    typeof fields[name] === "string" ? (fields[name] as string) : "";
  return new ApiProblem(
    status,
    text("code") || `http_${status}`,
    text("detail") || text("title"),
    text("hint"),
    text("request_id"),
  );
}

type Listener = () => void;
let onSignedOut: Listener = () => undefined;

/** Called at each answer 401: the page then asks for a new code. */
export function whenSignedOut(listener: Listener): void {
  onSignedOut = listener;
}

async function request(
  method: string,
  url: string,
  body?: unknown,
  more: Record<string, string> = {},
): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json", ...more };
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(url, {
      method,
      headers,
      credentials: "same-origin",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiProblem(0, "unreachable", "", "selflow status", "");
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && !url.startsWith("/api/auth/")) onSignedOut();
  const text = await answer.text();
  let parsed: unknown = null;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw problemOf(answer.status, parsed);
}

type Method = "get" | "post" | "patch" | "put" | "delete";
type Operation<P extends keyof paths, M extends Method> = NonNullable<paths[P][M]>;
/** What a route takes in its query, its path and its body, and what it answers. */
type QueryOf<O> = O extends { parameters: { query?: infer Q } } ? Q : never;
type PathOf<O> = O extends { parameters: { path: infer P } } ? P : undefined;
type BodyOf<O> = O extends { requestBody?: { content: { "application/json": infer B } } }
  ? B
  : undefined;
type AnswerOf<O> = O extends { responses: infer R }
  ? { [S in keyof R]: R[S] extends { content: { "application/json": infer A } }
      ? S extends "4XX" | 503 ? never : A
      : never }[keyof R]
  : never;
type PathsWith<M extends Method> = {
  [P in keyof paths]: [Operation<P, M>] extends [never] ? never : P;
}[keyof paths];

const filled = (path: string, names: Record<string, string | number> = {}): string =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(names[name])));

/** Read a route; path, query and answer are those of the server's own description. */
export async function get<P extends PathsWith<"get">>(
  path: P,
  query: QueryOf<Operation<P, "get">> | Record<string, never> = {},
  names?: PathOf<Operation<P, "get">>,
): Promise<AnswerOf<Operation<P, "get">>> {
  const answer = await request("GET", urlOf(filled(path, names ?? {}), query as Query));
  return (await answer.json()) as AnswerOf<Operation<P, "get">>;
}

/** Read a route that answers bytes. */
export async function getBytes<P extends PathsWith<"get">>(
  path: P,
  query: QueryOf<Operation<P, "get">> | Record<string, never> = {},
): Promise<ArrayBuffer> {
  return (await request("GET", urlOf(path, query as Query))).arrayBuffer();
}

/** Change something; null where the route answers nothing. */
export async function send<M extends Exclude<Method, "get">, P extends PathsWith<M>>(
  method: M,
  path: P,
  options: {
    names?: PathOf<Operation<P, M>>;
    body?: BodyOf<Operation<P, M>>;
    headers?: Record<string, string>;
    /** The `etag` of what the reader saw: a change of anything newer is refused (412). */
    seen?: string;
  } = {},
): Promise<AnswerOf<Operation<P, M>> | null> {
  const url = filled(path, options.names ?? {});
  const seen: Record<string, string> = options.seen ? { "if-match": `"${options.seen}"` } : {};
  const answer = await request(method.toUpperCase(), url, options.body, { ...seen, ...options.headers });
  const text = await answer.text();
  return text ? (JSON.parse(text) as AnswerOf<Operation<P, M>>) : null;
}
