/** The one way to the server: JSON in and out, problems as one class, a lost session noticed. */

export type Query = Record<string, string | number | boolean | null | undefined>;

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

async function request(method: string, url: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = { accept: "application/json" };
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

export async function get<T>(path: string, query: Query = {}): Promise<T> {
  const answer = await request("GET", urlOf(path, query));
  return (await answer.json()) as T;
}

export async function send<T>(
  method: "POST" | "PATCH" | "PUT" | "DELETE",
  path: string,
  body?: unknown,
): Promise<T | null> {
  const answer = await request(method, path, body);
  const text = await answer.text();
  return text ? (JSON.parse(text) as T) : null;
}
