/** Requests to the server's JSON API, with its errors as sentences. */
import { t } from "./i18n";

/** The server's problem document, already in the reader's language. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export function csrfToken(): string {
  return document.querySelector<HTMLMetaElement>("meta[name=csrf-token]")?.content ?? "";
}

export async function getJson<T>(url: string): Promise<T> {
  return (await answer(url, { headers: { Accept: "application/json" } })).json() as Promise<T>;
}

export async function sendJson<T>(method: "POST" | "PUT", url: string, body: unknown, keepalive = false): Promise<T> {
  const headers = { Accept: "application/json", "Content-Type": "application/json", "X-CSRF-Token": csrfToken() };
  const response = await answer(url, { method, headers, keepalive, body: JSON.stringify(body) });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Before anybody is signed in there is no token to send. */
export async function postOpen<T>(url: string, body: unknown): Promise<T> {
  const headers = { Accept: "application/json", "Content-Type": "application/json" };
  return (await answer(url, { method: "POST", headers, body: JSON.stringify(body) })).json() as Promise<T>;
}

export async function getBytes(url: string): Promise<Uint8Array> {
  return new Uint8Array(await (await answer(url, {})).arrayBuffer());
}

async function answer(url: string, options: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { credentials: "same-origin", ...options });
  } catch {
    throw new Problem(0, "offline", t("The server does not answer. What you did here is kept; try again when the link is back."));
  }
  if (!response.ok) throw asProblem(response.status, await response.text());
  return response;
}

/** A problem from an answer's status and body: its title, what was kept and what to do, each said once. */
export function asProblem(status: number, body: string): Problem {
  if (status === 401)
    return new Problem(401, "sign_in_needed", t("Your session has ended. Sign in again in a new tab, then come back and repeat the step."));
  try {
    const said = JSON.parse(body) as Record<string, unknown>;
    const sentences = ["title", "detail", "what_was_kept", "what_to_do"].map((name) => said[name]);
    const words = [...new Set(sentences.filter((sentence) => typeof sentence === "string" && sentence !== ""))].join(" ");
    if (words) return new Problem(status, String(said["code"] ?? ""), words);
  } catch {
    // not a problem document: the sentence below says what there is to say
  }
  return new Problem(status, "", t("The server could not do this. Try again; if it happens again, tell the technician."));
}

/** The sentence for a failure of any kind; what is not a Problem is a defect and is raised again. */
export function wordsOf(failure: unknown): string {
  if (failure instanceof Problem) return failure.message;
  throw failure;
}
