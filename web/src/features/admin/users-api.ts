// The accounts of people: queries and changes. Nothing here is shown before the server has confirmed it.
import { keepPreviousData, queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Account, AccountCreate, AccountList, AccountUpdate, Role, TemporaryPassword } from "@/api/types";

/** From the least to the most. */
export const ROLES: readonly Role[] = ["user", "manager", "admin"];

export interface AccountFilter {
  readonly search: string;
  readonly role: string;
  /** "true", "false" or empty for both. */
  readonly isActive: string;
  readonly limit: number;
  readonly offset: number;
}

export const accountsQuery = ({ search, role, isActive, limit, offset }: AccountFilter) =>
  queryOptions({
    queryKey: ["admin", "users", "list", search, role, isActive, limit, offset],
    queryFn: ({ signal }) =>
      api.get<AccountList>("/admin/users", { query: { search, role, is_active: isActive, limit, offset }, signal }),
    placeholderData: keepPreviousData,
  });

export const accountQuery = (id: string) =>
  queryOptions({
    queryKey: ["admin", "users", "one", id],
    queryFn: ({ signal }) => api.get<Account>(`/admin/users/${encodeURIComponent(id)}`, { signal }),
    // What is edited starts from what the server has now.
    staleTime: 0,
    gcTime: 0,
  });

/** Every list and every account is asked for again. */
function useRenew() {
  const client = useQueryClient();
  return () => client.invalidateQueries({ queryKey: ["admin", "users"] });
}

export function useAddAccount() {
  return useMutation({
    mutationFn: ({ body, key }: { body: AccountCreate; key: string }) =>
      api.post<Account & TemporaryPassword>("/admin/users", body, { headers: { "Idempotency-Key": key } }),
    onSuccess: useRenew(),
    // The answer carries a password: it is not kept.
    gcTime: 0,
  });
}

interface AccountChange {
  readonly id: string;
  readonly body: AccountUpdate;
  /** Given: refused with 412 when the account is no longer at it. */
  readonly version?: number;
}

export function useChangeAccount() {
  return useMutation({
    mutationFn: ({ id, body, version }: AccountChange) =>
      api.patch<Account>(`/admin/users/${id}`, body, {
        headers: version === undefined ? {} : { "If-Match": `"${version}"` },
      }),
    onSuccess: useRenew(),
  });
}

export function useDeleteAccount() {
  return useMutation({ mutationFn: (id: string) => api.delete(`/admin/users/${id}`), onSuccess: useRenew() });
}

export function useResetPassword() {
  return useMutation({
    mutationFn: (id: string) => api.post<TemporaryPassword>(`/admin/users/${id}/password`, {}),
    onSuccess: useRenew(),
    gcTime: 0,
  });
}

export function useRevokeSessions() {
  return useMutation({
    mutationFn: (id: string) => api.post<void>(`/admin/users/${id}/revoke-sessions`),
    onSuccess: useRenew(),
  });
}
