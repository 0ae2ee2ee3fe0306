// The fake server: a quiet, empty installation that each test changes where it matters.
import { HttpResponse, http, type JsonBodyType } from "msw";
import { setupServer } from "msw/node";
import type { ErrorBody, OwnUsage } from "@/api/types";

export const url = (path: string) => `*/api/v1${path}`;

/** A refusal in the shape of the contract. */
export function refuse(status: number, body: Partial<ErrorBody> & { error: string }, headers?: Record<string, string>) {
  return HttpResponse.json<JsonBodyType>({ message: "Refused.", ...body }, { status, ...(headers ? { headers } : {}) });
}

const unlimited = {
  daily_cost_limit: null,
  monthly_cost_limit: null,
  daily_token_limit: null,
  monthly_token_limit: null,
  requests_per_min: null,
  requests_per_hour: null,
};

/** Nothing used, nothing limited. */
export const noUsage: OwnUsage = {
  today: { requests: 0, tokens: 0, cost_usd: 0 },
  month: { requests: 0, tokens: 0, cost_usd: 0 },
  limits: unlimited,
  remaining: unlimited,
  scopes: unlimited,
  by_day: [],
  resets: { day: "2025-10-02T00:00:00.000Z", month: "2025-11-01T00:00:00.000Z" },
};

export const server = setupServer(
  http.post(url("/users/refresh"), () => refuse(401, { error: "AuthenticationError" })),
  http.get(url("/setup"), () => HttpResponse.json({ needed: false })),
  http.get(url("/assistants"), () => HttpResponse.json({ assistants: [], total: 0 })),
  http.get(url("/models"), () =>
    HttpResponse.json({ models: [], total: 0, stale: false, fetched_at: "2025-10-01T12:00:00.000Z" }),
  ),
  http.get(url("/conversations"), () => HttpResponse.json({ conversations: [], total: 0 })),
  http.get(url("/conversations/:id/messages/:message"), () => refuse(404, { error: "NotFoundError" })),
  http.get(url("/settings"), () => HttpResponse.json({ settings: {}, total: 0 })),
  http.get(url("/admin/embedding"), () =>
    HttpResponse.json({ current: null, files: 0, chunks: 0, models: [], change: null }),
  ),
  http.get(url("/notices"), () => HttpResponse.json({ notices: [], total: 0 })),
  http.get(url("/users/usage"), () => HttpResponse.json(noUsage)),
  // An assistant whose knowledge nobody counts.
  http.get(url("/assistants/:id/knowledge"), () => refuse(404, { error: "NotFoundError" })),
  http.get(url("/files"), () => HttpResponse.json({ files: [], total: 0 })),
);
