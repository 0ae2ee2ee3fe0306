// Sign in, set up, sign out.

import { useMutation, useQuery } from "@tanstack/react-query";
import { flushSync } from "react-dom";
import { api, request } from "@/api/client";
import { ApiError } from "@/api/error";
import { queryClient } from "@/api/query";
import { endSession, startSession, useSession } from "@/api/session";
import type { SetupStatus, TokenPair, User } from "@/api/types";
import { clearUserStorage } from "@/lib/user-storage";

export interface Credentials {
  email: string;
  password: string;
}

export interface SetupInput extends Credentials {
  token: string;
  name: string;
}

/**
 * Given `only`, the page of this person is still open: somebody else's sign-in is undone and refused with
 * `OtherPersonError`.
 */
export function useLogin(only?: User) {
  return useMutation({
    mutationFn: async (input: Credentials) => {
      const body = { ...input, session_mode: "cookie" };
      const pair = await api.post<TokenPair>("/users/login", body, { anonymous: true });
      if (only === undefined || pair.user.id === only.id) return pair;
      const headers = { Authorization: `Bearer ${pair.access_token}` };
      await request("POST", "/users/logout", { body: {}, headers, anonymous: true }).catch(() => undefined);
      throw new ApiError(403, { error: "OtherPersonError", message: "Another person's account." });
    },
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

/** `everywhere` ends every session of the person, this one included. */
export function useSignOut() {
  return useMutation({
    mutationFn: (from: "here" | "everywhere") => api.post<void>("/users/logout", from === "here" ? {} : { all: true }),
    onSuccess: forget,
  });
}
