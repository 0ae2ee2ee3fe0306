// Conversations and their messages: keys, queries and mutations.
import {
  type InfiniteData,
  infiniteQueryOptions,
  type QueryClient,
  queryOptions,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";
import { api } from "@/api/client";
import { suggestTitle } from "@/api/tree";
import type {
  Assistant,
  AssistantList,
  Conversation,
  ConversationList,
  ExtractedText,
  Message,
  MessageList,
  ModelList,
} from "@/api/types";
import { before } from "./rows";

/** As many messages, and conversations, come at a time. */
export const PAGE = 50;

export const keys = {
  all: ["conversations"] as const,
  list: ["conversations", "list"] as const,
  recent: ["conversations", "recent"] as const,
  one: (id: string) => ["conversations", "one", id] as const,
  messages: (id: string) => ["conversations", "messages", id] as const,
};

/** All conversations, newest activity first, fifty at a time. */
export const conversationsQuery = infiniteQueryOptions({
  queryKey: keys.list,
  queryFn: ({ pageParam, signal }) =>
    api.get<ConversationList>("/conversations", { query: { limit: PAGE, offset: pageParam }, signal }),
  initialPageParam: 0,
  getNextPageParam: (last, pages) => {
    const loaded = pages.reduce((sum, page) => sum + page.conversations.length, 0);
    return last.conversations.length > 0 && loaded < last.total ? loaded : undefined;
  },
});

export const recentQuery = (limit: number) =>
  queryOptions({
    queryKey: [...keys.recent, limit],
    queryFn: ({ signal }) => api.get<ConversationList>("/conversations", { query: { limit }, signal }),
  });

export const conversationQuery = (id: string) =>
  queryOptions({
    queryKey: keys.one(id),
    queryFn: ({ signal }) => api.get<Conversation>(`/conversations/${id}`, { signal }),
  });

/** The messages of the active path; page 0 holds the newest, every page newest first. */
export const messagesQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: keys.messages(id),
    queryFn: ({ pageParam, signal }) =>
      api.get<MessageList>(`/conversations/${id}/messages`, {
        query: { limit: PAGE, offset: pageParam, order: "desc" },
        signal,
      }),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const loaded = pages.reduce((sum, page) => sum + page.messages.length, 0);
      return last.messages.length > 0 && loaded < last.total ? loaded : undefined;
    },
  });

export const assistantsQuery = queryOptions({
  queryKey: ["assistants", "some"],
  queryFn: ({ signal }) => api.get<AssistantList>("/assistants", { query: { limit: 100 }, signal }),
});

export const assistantQuery = (id: string) =>
  queryOptions({
    queryKey: ["assistants", "one", id],
    queryFn: ({ signal }) => api.get<Assistant>(`/assistants/${encodeURIComponent(id)}`, { signal }),
  });

export const modelsQuery = queryOptions({
  queryKey: ["models", "list"],
  queryFn: ({ signal }) => api.get<ModelList>("/models", { signal }),
  staleTime: 5 * 60_000,
});

/** The extracted text of a file, to show a passage with its neighbours. */
export const fileTextQuery = (fileId: string) =>
  queryOptions({
    queryKey: ["files", fileId, "text"],
    queryFn: ({ signal }) => api.get<ExtractedText>(`/files/${fileId}/text`, { signal }),
    staleTime: 5 * 60_000,
  });

export const readMessage = (conversationId: string, messageId: string, signal?: AbortSignal) =>
  api.get<Message>(`/conversations/${conversationId}/messages/${messageId}`, { signal });

/** What the cache holds of a conversation's messages. */
export function loadedMessages(client: QueryClient, conversationId: string): Message[] {
  return flattenMessages(client.getQueryData(messagesQuery(conversationId).queryKey));
}

export const createConversation = (assistantId: string, idempotencyKey: string, signal: AbortSignal) =>
  api.post<Conversation>(
    "/conversations",
    { assistant_id: assistantId },
    { headers: { "Idempotency-Key": idempotencyKey }, signal },
  );

export const stopAnswer = (conversationId: string, messageId: string | null) =>
  api.post<{ stopped: boolean }>(
    `/conversations/${conversationId}/stop`,
    messageId === null ? {} : { message_id: messageId },
  );

/** Every message that is loaded, oldest first, none twice. */
export function flattenMessages(data: InfiniteData<MessageList> | undefined): Message[] {
  const seen = new Set<string>();
  const messages: Message[] = [];
  for (const page of data?.pages ?? []) {
    for (const message of page.messages) {
      if (!seen.has(message.id)) messages.push(message);
      seen.add(message.id);
    }
  }
  return messages.reverse();
}

/**
 * Puts finished messages (oldest first) at the end of the loaded ones; one that is there already is replaced. Where the
 * turn gave another version of `replaces`, that one and all below it make room.
 */
export function putMessages(
  client: QueryClient,
  conversationId: string,
  messages: readonly Message[],
  replaces: string | null = null,
): void {
  client.setQueryData(messagesQuery(conversationId).queryKey, (data) => {
    // What nobody has looked at is not half-filled here: it is read whole when it is opened.
    if (data === undefined) return data;
    const loaded = flattenMessages(data);
    const kept = before(loaded, replaces);
    const given = new Map(messages.map((message) => [message.id, message]));
    const swapped = kept.map((message) => given.get(message.id) ?? message);
    const there = new Set(kept.map((message) => message.id));
    const all = [...swapped, ...messages.filter((message) => !there.has(message.id))];
    const total = data.pages[0]?.total ?? loaded.length;
    return pagesOf(all, total - loaded.length + all.length);
  });
}

/** Changes messages that are loaded and leaves the rest alone. */
export function swapMessages(client: QueryClient, conversationId: string, messages: readonly Message[]): void {
  const given = new Map(messages.map((message) => [message.id, message]));
  const swap = (message: Message) => given.get(message.id) ?? message;
  client.setQueryData(messagesQuery(conversationId).queryKey, (data) =>
    data === undefined
      ? data
      : { ...data, pages: data.pages.map((page) => ({ ...page, messages: page.messages.map(swap) })) },
  );
}

/** Loaded messages (oldest first) as the pages they would have come in. */
export function pagesOf(messages: readonly Message[], total: number): InfiniteData<MessageList, number> {
  const newest = [...messages].reverse();
  const starts = Array.from({ length: Math.max(1, Math.ceil(newest.length / PAGE)) }, (_, page) => page * PAGE);
  return {
    pages: starts.map((start) => ({ messages: newest.slice(start, start + PAGE), total })),
    pageParams: starts,
  };
}

/** Makes a conversation that was created this moment show its page without asking the server. */
export function seedConversation(client: QueryClient, conversation: Conversation): void {
  client.setQueryData(conversationQuery(conversation.id).queryKey, conversation);
  const pages: MessageList[] = [{ messages: [], total: 0 }];
  client.setQueryData(messagesQuery(conversation.id).queryKey, { pages, pageParams: [0] });
}

/** Changes a conversation wherever it is shown, without asking the server. */
export function patchConversation(client: QueryClient, id: string, change: Partial<Conversation>): void {
  const patch = (one: Conversation) => (one.id === id ? { ...one, ...change } : one);
  client.setQueryData(conversationQuery(id).queryKey, (one) => (one === undefined ? one : patch(one)));
  client.setQueryData(conversationsQuery.queryKey, (data) =>
    data === undefined
      ? data
      : { ...data, pages: data.pages.map((page) => ({ ...page, conversations: page.conversations.map(patch) })) },
  );
}

/** Shows the new title at once and takes it back if the server refuses. */
export function useRename() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id, title }: { id: string; title: string }) =>
      api.patch<Conversation>(`/conversations/${id}`, { title }),
    onMutate: ({ id, title }) => {
      const before = findTitle(client, id);
      patchConversation(client, id, { title });
      return { before };
    },
    onError: (_error, { id }, context) => {
      if (context?.before !== undefined) patchConversation(client, id, { title: context.before });
    },
    onSuccess: (saved) => patchConversation(client, saved.id, saved),
    onSettled: () => client.invalidateQueries({ queryKey: keys.recent }),
  });
}

/** Has the server name the chat; the new title shows everywhere at once. */
export function useSuggestTitle() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: suggestTitle,
    onSuccess: (named) => {
      patchConversation(client, named.id, { title: named.title });
      return client.invalidateQueries({ queryKey: keys.recent });
    },
  });
}

function findTitle(client: QueryClient, id: string): string | undefined {
  const open = client.getQueryData(conversationQuery(id).queryKey);
  if (open !== undefined) return open.title;
  const listed = client.getQueryData(conversationsQuery.queryKey)?.pages.flatMap((page) => page.conversations) ?? [];
  return listed.find((one) => one.id === id)?.title;
}

export function useDelete() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.delete(`/conversations/${id}`),
    onSuccess: (_nothing, id) => {
      client.removeQueries({ queryKey: keys.messages(id) });
      return Promise.all([
        client.invalidateQueries({ queryKey: keys.list }),
        client.invalidateQueries({ queryKey: keys.recent }),
      ]);
    },
  });
}
