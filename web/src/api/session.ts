// Who is signed in, and the short-lived access token. Both live in memory only; the refresh token is a cookie the
// script cannot read.
import { create } from "zustand";
import { ApiError, errorFrom, networkError } from "./error";
import type { Role, TokenPair, User } from "./types";

/** `expired`: the person was signed in, and the page with their text is still open. */
export type SessionStatus = "unknown" | "signed-out" | "signed-in" | "expired";

interface Session {
  readonly status: SessionStatus;
  readonly user: User | null;
}

export const useSession = create<Session>(() => ({ status: "unknown", user: null }));

let accessToken: string | null = null;
let refreshing: Promise<void> | null = null;
/** Those waiting for the person to sign in again, to go on with their request. */
let waiting: { resolve: () => void; reject: (error: unknown) => void }[] = [];

export function currentToken(): string | null {
  return accessToken;
}

/** Takes a fresh token pair; requests that waited for it go on. */
export function startSession(pair: TokenPair): void {
  accessToken = pair.access_token;
  useSession.setState({ status: "signed-in", user: pair.user });
  const released = waiting;
  waiting = [];
  for (const each of released) each.resolve();
}

/** Forgets token and person; requests that waited for a sign-in fail. */
export function endSession(): void {
  accessToken = null;
  useSession.setState({ status: "signed-out", user: null });
  const released = waiting;
  waiting = [];
  for (const each of released) each.reject(signedOutError());
}

function signedOutError(): ApiError {
  return new ApiError(401, { error: "AuthenticationError", message: "Not signed in." });
}

/** The server takes nothing more before the person has chosen a new password: the app leads them there. */
export function requirePasswordChange(): void {
  const { user } = useSession.getState();
  if (user !== null && !user.must_change_password)
    useSession.setState({ user: { ...user, must_change_password: true } });
}

/** Asks for the password in place and waits until it was given: what the person wrote stays on the page. */
export function signInAgain(): Promise<void> {
  accessToken = null;
  if (useSession.getState().user === null) {
    endSession();
    return Promise.reject(signedOutError());
  }
  useSession.setState({ status: "expired" });
  return new Promise((resolve, reject) => {
    waiting.push({ resolve, reject });
  });
}

async function refreshOnce(): Promise<void> {
  let response: Response;
  try {
    response = await fetch("/api/v1/users/refresh", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-AIAcross-CSRF": "1" },
      credentials: "same-origin",
      body: "{}",
    });
  } catch {
    throw networkError();
  }
  const text = await response.text();
  if (!response.ok) throw errorFrom(response.status, (name) => response.headers.get(name), text);
  const pair = JSON.parse(text) as TokenPair;
  const user = useSession.getState().user;
  // Another person signed in from a second tab: this tab must not go on with the first one's text and caches.
  if (user !== null && user.id !== pair.user.id) {
    globalThis.location.reload();
    throw signedOutError();
  }
  startSession(pair);
}

/**
 * Exchanges the cookie for a new access token. Many callers share one exchange, and tabs take turns, because the
 * server takes a refresh token used twice for a stolen one.
 */
export function refreshSession(): Promise<void> {
  refreshing ??= inTurn(refreshOnce).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

/** One tab after the other; plain HTTP has no locks, there the server's grace of a few seconds must do. */
async function inTurn(work: () => Promise<void>): Promise<void> {
  if (navigator.locks) await navigator.locks.request("ai-across-refresh", work);
  else await work();
}

/** Whether this role may create and change assistants and files. */
export function canManage(role: Role | undefined): boolean {
  return role === "manager" || role === "admin";
}
