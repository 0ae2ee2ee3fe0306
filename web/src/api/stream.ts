// Opens the stream of an answer, by sending a message or by joining one that is being written, and reads its events.

import { request } from "./client";
import { createEventReader, isTerminal, type StreamEvent } from "./sse";
import type { Citation, Exchange, Message } from "./types";

export interface StreamListener {
  readonly onEvent: (event: StreamEvent) => void;
  /** Called for every portion of bytes, the server's keep-alive included. */
  readonly onActivity: () => void;
}

export interface TurnOptions {
  readonly conversationId: string;
  /** Below the conversation, e.g. `messages`, or `messages/ID/regenerate`. */
  readonly path: string;
  readonly body: { readonly content?: string; readonly model?: string };
  /** The same key for every try of one message: the server then stores it once. */
  readonly idempotencyKey: string;
}

/**
 * Begins an answer and reads it until the stream ends; `true` when it ended with its terminal event.
 * Throws `ApiError` when the server refuses, or the abort of `signal`.
 */
export async function openTurn(options: TurnOptions, listener: StreamListener, signal: AbortSignal): Promise<boolean> {
  const response = await request("POST", `/conversations/${options.conversationId}/${options.path}`, {
    body: { ...options.body, stream: true },
    headers: { Accept: "text/event-stream", "Idempotency-Key": options.idempotencyKey },
    signal,
  });
  return read(response, listener, signal);
}

/** Joins an answer that is being written, or reads a finished one again; as `openTurn`. */
export async function joinMessage(
  conversationId: string,
  messageId: string,
  listener: StreamListener,
  signal: AbortSignal,
): Promise<boolean> {
  const path = `/conversations/${conversationId}/messages/${messageId}/stream`;
  return read(await request("GET", path, { headers: { Accept: "text/event-stream" }, signal }), listener, signal);
}

async function read(response: Response, listener: StreamListener, signal: AbortSignal): Promise<boolean> {
  listener.onActivity();
  // A repeated send is answered with the stored outcome, which is plain JSON.
  if (response.headers.get("Content-Type")?.includes("json") === true) {
    const { user_message, assistant_message } = (await response.json()) as Exchange;
    for (const event of replay(user_message, assistant_message)) listener.onEvent(event);
    return true;
  }
  let ended = false;
  let signedOut = false;
  const feed = createEventReader((event) => {
    if (ended || signedOut) return;
    // It ends our reading, not the answer: reading goes on after signing in again.
    signedOut = event.type === "error" && event.error === "AuthenticationError";
    if (signedOut) return;
    ended = isTerminal(event);
    listener.onEvent(event);
  });
  const reader = response.body?.getReader();
  if (reader === undefined) return false;
  const stop = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  try {
    while (!ended && !signedOut) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) break;
      listener.onActivity();
      feed(value);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
  return ended;
}

/** The events that would have led to this message. */
export function replay(question: Message | null, answer: Message): StreamEvent[] {
  const citations: Citation[] = answer.citations;
  const events: StreamEvent[] = [
    {
      type: "start",
      message_id: answer.id,
      user_message_id: question?.id ?? answer.parent_id,
      conversation_id: answer.conversation_id,
      model: answer.model,
    },
  ];
  if (answer.retrieval) events.push({ type: "citations", retrieval: answer.retrieval, citations });
  if (answer.failover !== null) events.push({ type: "notice", code: "failover", ...answer.failover });
  events.push({ type: "chunk", content: answer.content });
  if (answer.tokens_used !== null) {
    events.push({ type: "usage", usage: { ...answer.tokens_used, cost_usd: answer.cost_usd } });
  }
  if (answer.status === "error" || answer.status === "interrupted") {
    const { error, message } = answer.error ?? { error: "ProviderStreamInterruptedError", message: "" };
    events.push({ type: "error", error, message, retryable: true, message_id: answer.id, status: answer.status });
  } else if (answer.status !== "streaming") {
    const reason = answer.status === "stopped" ? "stopped" : (answer.finish_reason ?? "stop");
    events.push({ type: "done", message_id: answer.id, finish_reason: reason });
  }
  return events;
}
