// What can be asked of the server for an answer, how each begins, and how to find out whether a lost one has arrived.
import { replay, type TurnOptions } from "@/api/stream";
import { readPath } from "@/api/tree";
import type { Message } from "@/api/types";
import { newId } from "@/lib/idempotency";
import { readMessage } from "./api";
import type { LiveTurn, Version } from "./streams";
import { continued, NEW_TURN } from "./turn";

export type TurnRequest = { readonly conversationId: string } & (
  | {
      readonly kind: "send";
      readonly content: string;
      readonly model?: string | undefined;
      /** Called once the server has stored the message: now the draft may go. */
      readonly onStored: () => void;
    }
  /** Asks a question anew in other words. */
  | { readonly kind: "edit"; readonly target: Message; readonly content: string; readonly model?: string | undefined }
  /** Answers once more: `target` is the answer, or a question without one. */
  | { readonly kind: "regenerate"; readonly target: Message; readonly model?: string | undefined }
  /** Goes on with an answer that was cut short. */
  | { readonly kind: "continue"; readonly target: Message }
);

/** The turn as it is shown before the server has said anything. */
export function beginning(request: TurnRequest, parent: string | null, now: number): LiveTurn {
  const common = {
    key: newId(),
    conversationId: request.conversationId,
    kind: request.kind,
    question: null,
    replaces: null,
    version: null,
    parent,
    stored: false,
    startedAt: now,
    phase: navigator.onLine ? "sending" : "queued",
    turn: NEW_TURN,
  } as const;
  switch (request.kind) {
    case "send":
      return { ...common, question: request.content };
    case "edit":
      return { ...common, question: request.content, ...anotherOf(request.target) };
    case "regenerate":
      return request.target.role === "user"
        ? { ...common, parent: request.target.id }
        : { ...common, ...anotherOf(request.target) };
    case "continue":
      return { ...common, parent: request.target.parent_id, turn: continued(request.target) };
  }
}

function anotherOf(target: Message): { replaces: string; version: Version; parent: string | null } {
  const count = target.sibling_count + 1;
  return { replaces: target.id, version: { index: count - 1, count }, parent: target.parent_id };
}

/** Where and with what the turn begins. */
export function optionsOf(request: TurnRequest, idempotencyKey: string): TurnOptions {
  const { conversationId } = request;
  if (request.kind === "continue") {
    return { conversationId, idempotencyKey, path: `messages/${request.target.id}/continue`, body: {} };
  }
  const model = request.model === undefined ? {} : { model: request.model };
  if (request.kind === "regenerate") {
    return { conversationId, idempotencyKey, path: `messages/${request.target.id}/regenerate`, body: model };
  }
  const path = request.kind === "send" ? "messages" : `messages/${request.target.id}/edit`;
  return { conversationId, idempotencyKey, path, body: { content: request.content, ...model } };
}

/** So many messages at the end are looked through for what was sent. */
const LOOKED_THROUGH = 10;

/**
 * The `start` event of a turn whose sending was lost, if it has arrived after all; `seen` are the messages that were
 * there before.
 */
export async function findArrived(request: TurnRequest, seen: ReadonlySet<string>, signal: AbortSignal) {
  const { conversationId, kind } = request;
  if (kind === "continue") {
    const { target } = request;
    const now = await readMessage(conversationId, target.id, signal);
    const goesOn = now.status === "streaming" || now.content !== target.content || now.status !== target.status;
    return goesOn ? replay(null, now)[0] : undefined;
  }
  const { messages } = await readPath(conversationId, 0, LOOKED_THROUGH, signal);
  const unseen = messages.filter(({ id }) => !seen.has(id));
  if (kind === "regenerate") {
    const { target } = request;
    const question = target.role === "user" ? target.id : target.parent_id;
    const answer = unseen.find(({ role, parent_id }) => role === "assistant" && parent_id === question);
    return answer === undefined ? undefined : replay(null, answer)[0];
  }
  const wanted = request.content.normalize();
  const question = unseen.find(({ role, content }) => role === "user" && content === wanted);
  const answer = messages.find(({ parent_id }) => parent_id !== null && parent_id === question?.id);
  return question === undefined || answer === undefined ? undefined : replay(question, answer)[0];
}
