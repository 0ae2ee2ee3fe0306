// One answer as it becomes visible: folds the stream's events into what is shown. Pure.

import type { StreamEvent, Used } from "@/api/sse";
import type { Citation, Failover, FinishReason, Message, Retrieval, TokensUsed } from "@/api/types";

export interface Turn {
  /** Null until the server has stored the message. */
  readonly messageId: string | null;
  readonly userMessageId: string | null;
  readonly model: string | null;
  readonly status: Message["status"];
  readonly content: string;
  readonly citations: readonly Citation[];
  readonly retrieval: Retrieval | null;
  readonly failover: Failover | null;
  readonly title: string | null;
  readonly finishReason: FinishReason | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** US dollars; null while it is not known. */
  readonly cost: number | null;
  /** What was counted; `estimated` where the provider did not say. */
  readonly used: TokensUsed | null;
  /** After joining again the next chunk carries the whole text so far and replaces what is shown. */
  readonly rejoined: boolean;
}

export const NEW_TURN: Turn = {
  messageId: null,
  userMessageId: null,
  model: null,
  status: "streaming",
  content: "",
  citations: [],
  retrieval: null,
  failover: null,
  title: null,
  finishReason: null,
  error: null,
  cost: null,
  used: null,
  rejoined: false,
};

/** The turn of a message that was found half-written, before its stream is joined. */
export function turnOf(message: Message): Turn {
  return {
    ...NEW_TURN,
    messageId: message.id,
    userMessageId: message.parent_id,
    model: message.model,
    status: message.status,
    content: message.content,
    citations: message.citations,
    retrieval: message.retrieval,
    failover: message.failover,
    finishReason: message.finish_reason,
    cost: message.cost_usd,
    used: message.tokens_used,
    error: message.error === null ? null : { code: message.error.error, message: message.error.message },
  };
}

/** An answer that is about to go on: its text stays, how it ended is forgotten. */
export function continued(message: Message): Turn {
  return { ...turnOf(message), status: "streaming", finishReason: null, error: null };
}

/** The turn after one more event; events after the end, and unknown ones, change nothing. */
export function reduceTurn(turn: Turn, event: StreamEvent): Turn {
  if (turn.status !== "streaming") {
    return event.type === "title" ? { ...turn, title: event.title } : turn;
  }
  switch (event.type) {
    case "start":
      return {
        ...turn,
        messageId: event.message_id,
        userMessageId: event.user_message_id ?? turn.userMessageId,
        model: event.model ?? turn.model,
        rejoined: true,
      };
    case "citations":
      return { ...turn, retrieval: event.retrieval, citations: event.citations };
    case "notice":
      if (event.code !== "failover") return turn;
      return {
        ...turn,
        failover: {
          from: event.from ?? "",
          to: event.to ?? "",
          reason: event.reason ?? "",
          extra_cost_percent: event.extra_cost_percent ?? null,
        },
      };
    case "chunk":
      return { ...turn, content: turn.rejoined ? event.content : turn.content + event.content, rejoined: false };
    case "title":
      return { ...turn, title: event.title };
    case "usage":
      return charged(turn, event.usage);
    case "done":
      return {
        ...charged(turn, event.usage),
        status: event.finish_reason === "stopped" ? "stopped" : "complete",
        finishReason: event.finish_reason,
      };
    case "error":
      return { ...turn, status: event.status, error: { code: event.error, message: event.message } };
    default:
      return turn;
  }
}

/** Both the event about the use and the last one tell it: whoever joined late hears only the last one. */
function charged(turn: Turn, usage: Used | undefined): Turn {
  if (usage === undefined) return turn;
  const { cost_usd, ...used } = usage;
  return { ...turn, used, cost: cost_usd ?? turn.cost };
}
