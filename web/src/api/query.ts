// The cache of server data and its defaults.
import { QueryClient } from "@tanstack/react-query";
import { ApiError } from "./error";

/** Only what may pass by itself is tried again: a refusal would be the same the second time. */
function retry(failures: number, error: unknown): boolean {
  return failures < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 502);
}

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { retry, staleTime: 30_000, gcTime: 10 * 60_000, networkMode: "always" },
      mutations: { networkMode: "always" },
    },
  });
}

export const queryClient = createQueryClient();
