// The answers being written right now, one per conversation: they live here, not in a page, so leaving a page loses
// nothing.
import { create } from "zustand";
import { useShallow } from "zustand/react/shallow";
import type { ApiError } from "@/api/error";
import type { Message } from "@/api/types";
import type { Turn } from "./turn";

/**
 * `sending`: not yet stored by the server; `queued`: the same while offline; `writing`: being answered;
 * `reconnecting`: the line is lost, the answer goes on; `stopping`: asked to stop, nothing more is shown.
 */
export type Phase = "sending" | "queued" | "writing" | "reconnecting" | "stopping";

export interface LiveTurn {
  /** Names this turn; also the idempotency key of its message. */
  readonly key: string;
  readonly conversationId: string;
  /** What was asked; null when an answer begun elsewhere is followed. */
  readonly question: string | null;
  readonly startedAt: number;
  readonly phase: Phase;
  readonly turn: Turn;
}

/** A message the server did not take: it goes back to the composer with the reason above it. */
export interface Refusal {
  readonly content: string;
  readonly error: ApiError;
  readonly at: number;
}

interface Streams {
  readonly turns: Readonly<Record<string, LiveTurn>>;
  readonly refusals: Readonly<Record<string, Refusal>>;
}

export const useStreams = create<Streams>(() => ({ turns: {}, refusals: {} }));

export function liveTurn(conversationId: string): LiveTurn | undefined {
  return useStreams.getState().turns[conversationId];
}

export function putTurn(live: LiveTurn): void {
  useStreams.setState((state) => ({ turns: { ...state.turns, [live.conversationId]: live } }));
}

/** Changes a turn if it is still the one named by `key`. */
export function changeTurn(conversationId: string, key: string, change: (live: LiveTurn) => LiveTurn): void {
  const live = liveTurn(conversationId);
  if (live?.key === key) putTurn(change(live));
}

export function dropTurn(conversationId: string, key: string): void {
  useStreams.setState((state) => {
    if (state.turns[conversationId]?.key !== key) return state;
    const { [conversationId]: _, ...turns } = state.turns;
    return { turns };
  });
}

export function putRefusal(conversationId: string, refusal: Refusal): void {
  useStreams.setState((state) => ({ refusals: { ...state.refusals, [conversationId]: refusal } }));
}

export function dropRefusal(conversationId: string): void {
  useStreams.setState((state) => {
    const { [conversationId]: _, ...refusals } = state.refusals;
    return { refusals };
  });
}

/** What the page shows of a turn besides its growing text: it changes only a few times. */
export interface TurnOutline {
  readonly key: string;
  readonly question: string | null;
  readonly startedAt: number;
  readonly phase: Phase;
  readonly messageId: string | null;
  readonly userMessageId: string | null;
}

/** The outline of the conversation's turn; components that use it do not draw for every word. */
export function useTurnOutline(conversationId: string): TurnOutline | undefined {
  const outline = useStreams(
    useShallow((state): TurnOutline | Record<string, never> => {
      const live = state.turns[conversationId];
      if (live === undefined) return {};
      const { key, question, startedAt, phase, turn } = live;
      return { key, question, startedAt, phase, messageId: turn.messageId, userMessageId: turn.userMessageId };
    }),
  );
  return "key" in outline ? (outline as TurnOutline) : undefined;
}

/** Rows keep their place on the page when a message gets its id from the server: id → the row's name. */
const rowNames = new Map<string, string>();

export function nameRows(live: LiveTurn): void {
  const { messageId, userMessageId } = live.turn;
  if (live.question === null) return;
  if (userMessageId !== null) rowNames.set(userMessageId, questionRow(live));
  if (messageId !== null) rowNames.set(messageId, answerRow(live));
}

export const questionRow = (live: Pick<LiveTurn, "key">) => `${live.key}:question`;
export const answerRow = (live: Pick<LiveTurn, "key">) => `${live.key}:answer`;
export const messageRow = (id: string) => rowNames.get(id) ?? id;

/** The messages a finished turn leaves behind, as the server would list them. */
export function messagesOf(live: LiveTurn): Message[] {
  const { turn } = live;
  const created_at = new Date(live.startedAt).toISOString();
  const common = {
    conversation_id: live.conversationId,
    sibling_index: 0,
    sibling_count: 1,
    seq: 0,
    edited_at: null,
    created_at,
    tokens_used: null,
    provider: null,
    cost_usd: null,
  };
  const messages: Message[] = [];
  if (live.question !== null && turn.userMessageId !== null) {
    messages.push({
      ...common,
      id: turn.userMessageId,
      parent_id: null,
      role: "user",
      content: live.question,
      model: null,
      status: "complete",
      error: null,
      finish_reason: null,
      citations: [],
      retrieval: null,
    });
  }
  if (turn.messageId !== null) {
    messages.push({
      ...common,
      id: turn.messageId,
      parent_id: turn.userMessageId,
      role: "assistant",
      content: turn.content,
      model: turn.model,
      status: turn.status,
      error: turn.error === null ? null : { error: turn.error.code, message: turn.error.message },
      finish_reason: turn.finishReason,
      cost_usd: turn.cost,
      citations: [...turn.citations],
      retrieval: turn.retrieval,
    });
  }
  return messages;
}
