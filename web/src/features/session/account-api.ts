// What people do to their own account: name, password, sessions.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import { useSession } from "@/api/session";
import type { DeviceSessionList, User } from "@/api/types";

export const sessionsQuery = queryOptions({
  queryKey: ["sessions"],
  queryFn: ({ signal }) => api.get<DeviceSessionList>("/users/sessions", { signal }),
});

/** Ends one of the person's other sessions. */
export function useEndOtherSession() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.delete(`/users/sessions/${id}`),
    onSettled: () => client.invalidateQueries(sessionsQuery),
  });
}

export function useSaveName() {
  return useMutation({
    mutationFn: (input: { name: string }) => api.patch<User>("/users/me", input),
    onSuccess: (user) => useSession.setState({ user }),
  });
}

export interface PasswordChange {
  current_password: string;
  new_password: string;
}

/** Ends all other sessions of the person. */
export function useChangePassword() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (input: PasswordChange) => api.post<void>("/users/password", input),
    onSuccess: () => {
      useSession.setState(({ user }) => ({ user: user && { ...user, must_change_password: false } }));
      void client.invalidateQueries(sessionsQuery);
    },
  });
}
