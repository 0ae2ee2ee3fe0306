// Sign in, set up, sign out.

import { useMutation, useQuery } from "@tanstack/react-query";
import { flushSync } from "react-dom";
import { api } from "@/api/client";
import { queryClient } from "@/api/query";
import { endSession, startSession, useSession } from "@/api/session";
import type { SetupStatus, TokenPair } from "@/api/types";
import { clearUserStorage } from "@/lib/user-storage";

export interface Credentials {
  email: string;
  password: string;
}

export interface SetupInput extends Credentials {
  token: string;
  name: string;
}

export function useLogin() {
  return useMutation({
    mutationFn: (input: Credentials) =>
      api.post<TokenPair>("/users/login", { ...input, session_mode: "cookie" }, { anonymous: true }),
    onSuccess: startSession,
  });
}

export function useSetup() {
  return useMutation({
    mutationFn: (input: SetupInput) =>
      api.post<TokenPair>("/setup", { ...input, session_mode: "cookie" }, { anonymous: true }),
    onSuccess: startSession,
  });
}

/** Whether the first account is still to be made. */
export function useSetupStatus() {
  return useQuery({
    queryKey: ["setup"],
    queryFn: ({ signal }) => api.get<SetupStatus>("/setup", { signal, anonymous: true }),
    staleTime: 0,
  });
}

/** Forgets on this device everything that belongs to the person: drafts, cached answers, stored places. */
export function forget(): void {
  const user = useSession.getState().user;
  // The pages must be gone before the storage is cleared: on leaving they save their drafts once more.
  flushSync(endSession);
  queryClient.clear();
  if (user !== null) clearUserStorage(user.id);
}

export function useSignOut() {
  return useMutation({
    mutationFn: () => api.post<void>("/users/logout", {}),
    onSuccess: forget,
  });
}
