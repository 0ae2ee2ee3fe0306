// The one way to the server: adds the access token, renews it once when it ran out, and turns refusals into `ApiError`.
import { ApiError, errorFrom, networkError } from "./error";
import { currentToken, refreshSession, requirePasswordChange, signInAgain } from "./session";

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface RequestOptions {
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** Sign-in and set-up themselves carry no token and must not wait for one. */
  readonly anonymous?: boolean;
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** The address of an API path with its query; absent values are left out. */
export function apiUrl(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") search.set(key, String(value));
  }
  const text = search.toString();
  return `/api/v1${path}${text ? `?${text}` : ""}`;
}

async function once(method: Method, path: string, options: RequestOptions): Promise<Response> {
  const headers = new Headers(options.headers);
  const token = currentToken();
  if (token !== null && !options.anonymous) headers.set("Authorization", `Bearer ${token}`);
  if (options.body !== undefined) headers.set("Content-Type", "application/json");
  const response = await fetch(apiUrl(path, options.query), {
    method,
    headers,
    credentials: "same-origin",
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
    ...(options.signal ? { signal: options.signal } : {}),
  }).catch((cause: unknown) => {
    if (options.signal?.aborted) throw cause;
    throw networkError();
  });
  if (response.ok) return response;
  throw errorFrom(response.status, (name) => response.headers.get(name), await response.text().catch(() => ""));
}

/** Runs `attempt`; when the token has run out, renews it (or waits for the person to sign in) and runs it once more. */
export async function authorized<R>(attempt: () => Promise<R>): Promise<R> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof ApiError && error.code === "PasswordChangeRequiredError") requirePasswordChange();
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
  }
  try {
    await refreshSession();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    await signInAgain();
  }
  return attempt();
}

/** The raw response of a successful request, for streams and downloads. Throws `ApiError`, or the abort of `signal`. */
export function request(method: Method, path: string, options: RequestOptions = {}): Promise<Response> {
  const attempt = () => once(method, path, options);
  return options.anonymous ? attempt() : authorized(attempt);
}

async function json<R>(method: Method, path: string, options?: RequestOptions): Promise<R> {
  const response = await request(method, path, options);
  if (response.status === 204) return undefined as R;
  const text = await response.text().catch(() => {
    throw networkError();
  });
  try {
    return (text === "" ? undefined : JSON.parse(text)) as R;
  } catch {
    throw errorFrom(502, () => null, "");
  }
}

/** Typed calls; the path is relative to `/api/v1`. */
export const api = {
  get: <R>(path: string, options?: RequestOptions) => json<R>("GET", path, options),
  post: <R>(path: string, body?: unknown, options?: RequestOptions) => json<R>("POST", path, { ...options, body }),
  put: <R>(path: string, body?: unknown, options?: RequestOptions) => json<R>("PUT", path, { ...options, body }),
  patch: <R>(path: string, body?: unknown, options?: RequestOptions) => json<R>("PATCH", path, { ...options, body }),
  delete: (path: string, options?: RequestOptions) => json<void>("DELETE", path, options),
};
