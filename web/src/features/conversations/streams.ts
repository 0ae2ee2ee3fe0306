// The answers being written right now, one per conversation: they live here, not in a page, so leaving a page loses
// nothing.
import { create } from "zustand";
import { useShallow } from "zustand/react/shallow";
import { ApiError } from "@/api/error";
import type { Message } from "@/api/types";
import type { Turn } from "./turn";

/**
 * `sending`: not yet stored by the server; `queued`: the same while offline; `writing`: being answered;
 * `reconnecting`: the line is lost, the answer goes on; `stopping`: asked to stop, nothing more is shown.
 */
export type Phase = "sending" | "queued" | "writing" | "reconnecting" | "stopping";

/**
 * `send`: a question at the end; `edit`: another version of a question; `regenerate`: another version of an answer;
 * `continue`: an answer that goes on in place; `join`: an answer that was begun elsewhere.
 */
export type TurnKind = "send" | "edit" | "regenerate" | "continue" | "join";

/** Which of its versions a message is, counted from 0. */
export interface Version {
  readonly index: number;
  readonly count: number;
}

export interface LiveTurn {
  /** Names this turn; also the idempotency key of its message. */
  readonly key: string;
  readonly conversationId: string;
  readonly kind: TurnKind;
  /** What is asked; null where there is no new question. */
  readonly question: string | null;
  /** The first of the messages that give way to this turn; null where it only adds. */
  readonly replaces: string | null;
  /** What the new version will be: of the question when it was edited, of the answer when it is tried again. */
  readonly version: Version | null;
  /** The message that comes before the turn's first new one. */
  readonly parent: string | null;
  /** Whether the server has taken it. */
  readonly stored: boolean;
  readonly startedAt: number;
  readonly phase: Phase;
  readonly turn: Turn;
}

/** A message the server did not take: it goes back to where it was written, with the reason. */
export interface Refusal {
  /** Empty where nothing was written. */
  readonly content: string;
  /** The question that was to be changed; absent for what came from the composer. */
  readonly editing?: string;
  readonly error: ApiError;
  readonly at: number;
}

/** Says that a message came back because the person took it back: there is no reason to show. */
export const TAKEN_BACK = new ApiError(0, { error: "TakenBack", message: "" });

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
export interface TurnOutline
  extends Pick<LiveTurn, "key" | "kind" | "question" | "replaces" | "startedAt" | "phase" | "stored"> {
  readonly messageId: string | null;
  readonly userMessageId: string | null;
}

/** The outline of the conversation's turn; components that use it do not draw for every word. */
export function useTurnOutline(conversationId: string): TurnOutline | undefined {
  const outline = useStreams(
    useShallow((state): TurnOutline | Record<string, never> => {
      const live = state.turns[conversationId];
      if (live === undefined) return {};
      const { key, kind, question, replaces, startedAt, phase, stored, turn } = live;
      const { messageId, userMessageId } = turn;
      return { key, kind, question, replaces, startedAt, phase, stored, messageId, userMessageId };
    }),
  );
  return "key" in outline ? (outline as TurnOutline) : undefined;
}

/** Rows keep their place on the page when a message gets its id from the server: id → the row's name. */
const rowNames = new Map<string, string>();

export function nameRows(live: LiveTurn): void {
  const { messageId, userMessageId } = live.turn;
  if (live.kind === "join" || live.kind === "continue") return;
  if (live.question !== null && userMessageId !== null) rowNames.set(userMessageId, questionRow(live));
  if (messageId !== null) rowNames.set(messageId, answerRow(live));
}

/** Another version takes the row of this one: the page keeps its place, and the keyboard its button. */
export function shareRow(versionId: string, shownId: string): void {
  rowNames.set(versionId, messageRow(shownId));
}

export const questionRow = (live: Pick<LiveTurn, "key">) => `${live.key}:question`;
export const answerRow = (live: Pick<LiveTurn, "key">) => `${live.key}:answer`;
export const messageRow = (id: string) => rowNames.get(id) ?? id;

/**
 * The messages a finished turn leaves behind, as far as they are known before the server is asked for them; an answer
 * that is among `loaded` keeps what is known of it.
 */
export function messagesOf(live: LiveTurn, loaded: readonly Message[] = []): Message[] {
  const { turn, question, version } = live;
  const created_at = new Date(live.startedAt).toISOString();
  const common = {
    conversation_id: live.conversationId,
    seq: 0,
    edited_at: null,
    created_at,
    provider: null,
  };
  const only = { sibling_index: 0, sibling_count: 1 };
  const versioned = version === null ? only : { sibling_index: version.index, sibling_count: version.count };
  const messages: Message[] = [];
  if (question !== null && turn.userMessageId !== null) {
    messages.push({
      ...common,
      ...versioned,
      id: turn.userMessageId,
      parent_id: live.parent,
      role: "user",
      content: question,
      model: null,
      status: "complete",
      error: null,
      finish_reason: null,
      tokens_used: null,
      cost_usd: null,
      citations: [],
      retrieval: null,
      failover: null,
    });
  }
  if (turn.messageId !== null) {
    messages.push({
      ...common,
      ...(question === null ? versioned : only),
      parent_id: turn.userMessageId ?? live.parent,
      role: "assistant",
      ...loaded.find(({ id }) => id === turn.messageId),
      id: turn.messageId,
      content: turn.content,
      model: turn.model,
      status: turn.status,
      error: turn.error === null ? null : { error: turn.error.code, message: turn.error.message },
      finish_reason: turn.finishReason,
      tokens_used: turn.used,
      cost_usd: turn.cost,
      citations: [...turn.citations],
      retrieval: turn.retrieval,
      failover: turn.failover,
    });
  }
  return messages;
}
