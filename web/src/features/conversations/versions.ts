// Moves between the versions of a message: the other version's own continuation takes the place of what stood below.
import type { QueryClient } from "@tanstack/react-query";
import { readPath, readVersions, setHead } from "@/api/tree";
import type { Message } from "@/api/types";
import { keys, loadedMessages, messagesQuery, PAGE, pagesOf, patchConversation } from "./api";
import { before } from "./rows";
import { shareRow } from "./streams";

/** The ids of a message's versions, by what they all follow; asked for again when there are more of them. */
const known = new Map<string, readonly string[]>();
const moving = new Set<string>();

/**
 * Makes the version `step` away from the shown one the active one, with what follows it. Does nothing while another
 * move in this conversation is under way. Throws `ApiError`.
 */
export async function moveToVersion(client: QueryClient, message: Message, step: -1 | 1): Promise<void> {
  const conversationId = message.conversation_id;
  if (moving.has(conversationId)) return;
  moving.add(conversationId);
  try {
    const next = (await versionsOf(client, message))[message.sibling_index + step];
    if (next === undefined) {
      await client.invalidateQueries({ queryKey: keys.messages(conversationId) });
      return;
    }
    patchConversation(client, conversationId, await setHead(conversationId, next));
    const { tail, total } = await readDown(conversationId, next);
    const loaded = loadedMessages(client, conversationId);
    if (!loaded.some(({ id }) => id === message.id)) return;
    shareRow(next, message.id);
    const all = [...before(loaded, message.id), ...tail];
    client.setQueryData(messagesQuery(conversationId).queryKey, pagesOf(all, total));
  } finally {
    moving.delete(conversationId);
  }
}

async function versionsOf(client: QueryClient, message: Message): Promise<readonly string[]> {
  const key = `${message.conversation_id} ${message.parent_id}`;
  const kept = known.get(key);
  if (kept?.length === message.sibling_count) return kept;
  const parent = loadedMessages(client, message.conversation_id).find(({ id }) => id === message.parent_id);
  // Behind its parent; from the start where the parent is not loaded.
  const found = await readVersions(message.conversation_id, message, parent?.seq ?? 0);
  known.set(key, found);
  return found;
}

/** The active path from this message to its end, oldest first, and the length of the whole path. */
async function readDown(conversationId: string, from: string): Promise<{ tail: Message[]; total: number }> {
  const newest: Message[] = [];
  for (;;) {
    const { messages, total } = await readPath(conversationId, newest.length, PAGE);
    const end = messages.findIndex(({ id }) => id === from);
    newest.push(...(end < 0 ? messages : messages.slice(0, end + 1)));
    if (end >= 0 || messages.length === 0 || newest.length >= total) return { tail: newest.reverse(), total };
  }
}
