// The keys for providers of models: queries and changes. A key travels to the server and never back.
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { ApiKey, ApiKeyCreate, ApiKeyList, ApiKeyTest, ApiKeyUpdate } from "@/api/types";

const KEYS = ["admin", "api-keys"] as const;

export const apiKeysQuery = (limit: number, offset: number) =>
  queryOptions({
    queryKey: [...KEYS, "list", limit, offset],
    queryFn: ({ signal }) => api.get<ApiKeyList>("/api-keys", { query: { limit, offset }, signal }),
    placeholderData: keepPreviousData,
  });

/** Asked for when someone else saved first. */
export const apiKeyQuery = (id: string) =>
  queryOptions({
    queryKey: [...KEYS, "one", id],
    queryFn: ({ signal }) => api.get<ApiKey>(`/api-keys/${encodeURIComponent(id)}`, { signal }),
    staleTime: 0,
    gcTime: 0,
  });

/** Keys decide which models there are. */
function useRenew() {
  const client = useQueryClient();
  return () =>
    Promise.all([client.invalidateQueries({ queryKey: KEYS }), client.invalidateQueries({ queryKey: ["models"] })]);
}

export function useAddKey() {
  return useMutation({
    mutationFn: ({ body, idempotency }: { body: ApiKeyCreate; idempotency: string }) =>
      api.post<ApiKey>("/api-keys", body, { headers: { "Idempotency-Key": idempotency } }),
    onSuccess: useRenew(),
    // What was sent holds the key: it is not kept.
    gcTime: 0,
  });
}

interface KeyChange {
  readonly id: string;
  readonly body: ApiKeyUpdate;
  /** Given: refused with 412 when the entry is no longer at it. */
  readonly version?: number;
}

export function useChangeKey() {
  return useMutation({
    mutationFn: ({ id, body, version }: KeyChange) =>
      api.patch<ApiKey>(`/api-keys/${id}`, body, {
        headers: version === undefined ? {} : { "If-Match": `"${version}"` },
      }),
    onSuccess: useRenew(),
    gcTime: 0,
  });
}

export function useDeleteKey() {
  return useMutation({ mutationFn: (id: string) => api.delete(`/api-keys/${id}`), onSuccess: useRenew() });
}

/** Makes one small call to the provider; the list afterwards knows when the key was last used. */
export function useTestKey(id: string) {
  return useMutation({
    mutationFn: () => api.post<ApiKeyTest>(`/api-keys/${id}/test`),
    onSuccess: useRenew(),
  });
}
