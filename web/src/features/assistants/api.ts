// Assistants and the models they may use: keys, queries and mutations.
import {
  infiniteQueryOptions,
  keepPreviousData,
  queryOptions,
  useMutation,
  useQueryClient,
} from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Assistant, AssistantCreate, AssistantList, AssistantUpdate, ModelList } from "@/api/types";
import { keyPerBody } from "@/lib/idempotency";

const PAGE = 48;

export const keys = {
  all: ["assistants"] as const,
  one: (id: string) => ["assistants", "one", id] as const,
};

export interface AssistantFilter {
  search: string;
  includeDeleted: boolean;
}

export const assistantsQuery = ({ search, includeDeleted }: AssistantFilter) =>
  infiniteQueryOptions({
    queryKey: ["assistants", "list", search, includeDeleted],
    queryFn: ({ pageParam, signal }) =>
      api.get<AssistantList>("/assistants", {
        query: { search, include_deleted: includeDeleted || undefined, limit: PAGE, offset: pageParam },
        signal,
      }),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const loaded = pages.reduce((sum, page) => sum + page.assistants.length, 0);
      return last.assistants.length > 0 && loaded < last.total ? loaded : undefined;
    },
    // The cards of the last search stay until those of the next are here.
    placeholderData: keepPreviousData,
  });

/** The first few, for the dashboard and its picker. */
export const someAssistantsQuery = queryOptions({
  queryKey: ["assistants", "some"],
  queryFn: ({ signal }) => api.get<AssistantList>("/assistants", { query: { limit: 100 }, signal }),
});

export const assistantQuery = (id: string) =>
  queryOptions({
    queryKey: keys.one(id),
    queryFn: ({ signal }) => api.get<Assistant>(`/assistants/${encodeURIComponent(id)}`, { signal }),
  });

export const modelListQuery = queryOptions({
  queryKey: ["models", "list"],
  queryFn: ({ signal }) => api.get<ModelList>("/models", { signal }),
  staleTime: 5 * 60_000,
});

/** Puts the server's answer in place and has every list fetched again. */
function useKeep() {
  const client = useQueryClient();
  return (assistant: Assistant) => {
    client.setQueryData(keys.one(assistant.id), assistant);
    void client.invalidateQueries({ queryKey: keys.all });
  };
}

const createKey = keyPerBody();

export function useCreateAssistant() {
  return useMutation({
    mutationFn: (body: AssistantCreate) =>
      api.post<Assistant>("/assistants", body, { headers: { "Idempotency-Key": createKey(body) } }),
    onSuccess: useKeep(),
  });
}

/** Refused with 412 when the assistant is no longer at `version`. */
export function useUpdateAssistant(id: string) {
  return useMutation({
    mutationFn: ({ version, body }: { version: number; body: AssistantUpdate }) =>
      api.patch<Assistant>(`/assistants/${id}`, body, { headers: { "If-Match": `"${version}"` } }),
    onSuccess: useKeep(),
  });
}

export function useDeleteAssistant(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => api.delete(`/assistants/${id}`),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.all }),
  });
}

export function useRestoreAssistant(id: string) {
  return useMutation({
    mutationFn: () => api.post<Assistant>(`/assistants/${id}/restore`),
    onSuccess: useKeep(),
  });
}
