// What the chat's tests share: a layout jsdom lacks, and a stream whose words the test says one by one.
import { HttpResponse, http } from "msw";
import { afterEach, beforeEach, vi } from "vitest";
import type { StreamEvent } from "@/api/sse";
import type { Citation, Conversation, Message } from "@/api/types";
import { aMessage, anAssistant } from "./factories";
import { server, url } from "./server";

const ROW = 60;
const SCREEN = 900;

/** Gives elements a size, so that virtual lists draw rows. */
export function withLayout(): void {
  beforeEach(() => {
    vi.spyOn(HTMLElement.prototype, "offsetHeight", "get").mockImplementation(function (this: HTMLElement) {
      return this.dataset.index === undefined ? SCREEN : ROW;
    });
    vi.spyOn(HTMLElement.prototype, "offsetWidth", "get").mockReturnValue(700);
    vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(SCREEN);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });
}

/** An answer's stream under the test's control. */
export function aStream() {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given;
    },
  });
  const encoder = new TextEncoder();
  return {
    response: () => new HttpResponse(body, { headers: { "Content-Type": "text/event-stream; charset=utf-8" } }),
    say: (...events: StreamEvent[]) => {
      for (const event of events) controller?.enqueue(encoder.encode(`data: ${JSON.stringify(event)}\n\n`));
    },
    close: () => controller?.close(),
    /** The line breaks. */
    fail: () => controller?.error(new TypeError("network error")),
  };
}

export const start = (conversationId: string, messageId = "m-answer", questionId = "m-question"): StreamEvent => ({
  type: "start",
  message_id: messageId,
  user_message_id: questionId,
  conversation_id: conversationId,
  model: "anthropic/claude-sonnet",
});

export const chunk = (content: string): StreamEvent => ({ type: "chunk", content });

export const done = (reason: "stop" | "stopped" | "length" = "stop"): StreamEvent => ({
  type: "done",
  message_id: "m-answer",
  finish_reason: reason,
});

export function aCitation(fields: Partial<Citation> = {}): Citation {
  return {
    index: 1,
    file_id: "file-1",
    filename: "brief v3.pdf",
    chunk_index: 3,
    last_chunk_index: 3,
    page: 4,
    start: 13,
    end: 39,
    score: 0.86,
    cosine: 0.71,
    heading: null,
    snippet: "38 validators have signed.",
    vector_rank: 1,
    keyword_rank: null,
    fused_rank: 1,
    matched_words: ["validators"],
    threshold: 0.7,
    ...fields,
  };
}

export const assistant = anAssistant({ name: "Press Writer", file_count: 12 });

/** A conversation with these messages, oldest first. */
export function serve(conversation: Conversation, messages: readonly Message[] = []) {
  server.use(
    http.get(url("/assistants"), () => HttpResponse.json({ assistants: [assistant], total: 1 })),
    http.get(url(`/conversations/${conversation.id}`), () => HttpResponse.json(conversation)),
    http.get(url(`/conversations/${conversation.id}/messages`), () =>
      HttpResponse.json({ messages: [...messages].reverse(), total: messages.length }),
    ),
  );
}

/** A question and its answer. */
export const turn = (id: string, answer: Partial<Message> = {}): Message[] => {
  const chainlab = { role: "assistant", content: "Chainlab opens.", finish_reason: "stop" } as const;
  return [
    aMessage({ conversation_id: id, content: "Draft a pitch." }),
    aMessage({ conversation_id: id, ...chainlab, ...answer }),
  ];
};
