// The conversation as a tree: changing a question, trying an answer again, going on with it, and moving between versions.
import { api } from "./client";
import type { Conversation, Message, MessageList } from "./types";

/** Why a provider was passed over for another. */
export const FAILOVER_REASONS = [
  "auth",
  "no_credit",
  "rate_limited",
  "overloaded",
  "failed",
  "timeout",
  "unreachable",
  "model_gone",
  "paused",
] as const;

/** The server's largest page of messages. */
const LARGEST_PAGE = 200;

const at = (conversationId: string) => `/conversations/${conversationId}`;

/** Makes the newest end below this message the end of the conversation. */
export const setHead = (conversationId: string, messageId: string, signal?: AbortSignal) =>
  api.put<Conversation>(`${at(conversationId)}/head`, { message_id: messageId }, { signal });

/** Copies the way to this message, itself included, into a new conversation. */
export const forkAt = (conversationId: string, messageId: string, idempotencyKey: string) =>
  api.post<Conversation>(
    `${at(conversationId)}/fork`,
    { message_id: messageId },
    { headers: { "Idempotency-Key": idempotencyKey } },
  );

/** Has a title written for the conversation. */
export const suggestTitle = (conversationId: string) => api.post<Conversation>(`${at(conversationId)}/title`, {});

/** Changes the words of a message in place: nothing is asked again. */
export const correctMessage = (conversationId: string, messageId: string, content: string) =>
  api.patch<Message>(`${at(conversationId)}/messages/${messageId}`, { content });

/** A part of the present path, newest first. */
export const readPath = (conversationId: string, offset: number, limit: number, signal?: AbortSignal) =>
  api.get<MessageList>(`${at(conversationId)}/messages`, { query: { limit, offset, order: "desc" }, signal });

/**
 * The ids of all versions of a message, oldest first. A message's `seq` is its number among all of the conversation's,
 * so the search begins right behind `parentSeq`, that of the message they all follow (0 for the first ones).
 */
export async function readVersions(conversationId: string, message: Message, parentSeq: number): Promise<string[]> {
  const found: string[] = [];
  for (let offset = parentSeq; found.length < message.sibling_count; offset += LARGEST_PAGE) {
    const query = { limit: LARGEST_PAGE, offset, order: "asc", all_branches: true };
    const { messages } = await api.get<MessageList>(`${at(conversationId)}/messages`, { query });
    for (const { id, parent_id } of messages) if (parent_id === message.parent_id) found.push(id);
    if (messages.length < LARGEST_PAGE) break;
  }
  return found;
}
