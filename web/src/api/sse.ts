// Turns the bytes of an answer's stream into its events; pure, and forgiving towards events it does not know.
import { createParser } from "eventsource-parser";
import type { Citation, FinishReason, Message, Retrieval, TokensUsed } from "./types";

/** What an answer has used; the price in dollars is absent while it is not known. */
export type Used = TokensUsed & { cost_usd?: number | null };

/** What the server tells about an answer, in the order it happens. */
export type StreamEvent =
  | { type: "start"; message_id: string; user_message_id: string | null; conversation_id: string; model: string | null }
  | { type: "citations"; retrieval: Retrieval; citations: Citation[] }
  | {
      type: "notice";
      code: string;
      from?: string;
      to?: string;
      reason?: string;
      extra_cost_percent?: number | null;
    }
  | { type: "chunk"; content: string }
  | { type: "title"; title: string }
  | { type: "usage"; usage: Used }
  | { type: "done"; message_id: string; finish_reason: FinishReason; usage?: Used }
  | {
      type: "error";
      error: string;
      message: string;
      retryable: boolean;
      message_id: string;
      status: Extract<Message["status"], "interrupted" | "error">;
    };

const TYPES = new Set(["start", "citations", "notice", "chunk", "title", "usage", "done", "error"]);

/** After one of these nothing follows. */
export function isTerminal(event: StreamEvent): boolean {
  return event.type === "done" || event.type === "error";
}

/** One event's JSON, or null when it is of a later version or not an event at all. */
export function parseEvent(data: string): StreamEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || !("type" in value)) return null;
  return TYPES.has(`${value.type}`) ? (value as StreamEvent) : null;
}

/** Takes bytes in any portions and gives every complete event once. */
export function createEventReader(onEvent: (event: StreamEvent) => void): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder();
  const parser = createParser({
    onEvent: ({ data }) => {
      const event = parseEvent(data);
      if (event !== null) onEvent(event);
    },
  });
  return (bytes) => parser.feed(decoder.decode(bytes, { stream: true }));
}
