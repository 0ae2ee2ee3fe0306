// The fake server: a quiet, empty installation that each test changes where it matters.
import { HttpResponse, http, type JsonBodyType } from "msw";
import { setupServer } from "msw/node";
import type { ErrorBody } from "@/api/types";

export const url = (path: string) => `*/api/v1${path}`;

/** A refusal in the shape of the contract. */
export function refuse(status: number, body: Partial<ErrorBody> & { error: string }, headers?: Record<string, string>) {
  return HttpResponse.json<JsonBodyType>({ message: "Refused.", ...body }, { status, ...(headers ? { headers } : {}) });
}

export const server = setupServer(
  http.post(url("/users/refresh"), () => refuse(401, { error: "AuthenticationError" })),
  http.get(url("/setup"), () => HttpResponse.json({ needed: false })),
  http.get(url("/assistants"), () => HttpResponse.json({ assistants: [], total: 0 })),
  http.get(url("/models"), () =>
    HttpResponse.json({ models: [], total: 0, stale: false, fetched_at: "2025-10-01T12:00:00.000Z" }),
  ),
  http.get(url("/conversations"), () => HttpResponse.json({ conversations: [], total: 0 })),
  http.get(url("/files"), () => HttpResponse.json({ files: [], total: 0 })),
);
