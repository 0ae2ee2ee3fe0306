// What concerns the person alone: their use and the notices for them.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { NoticeList, OwnUsage } from "@/api/types";

/** Refreshed after every answer by whoever finishes one, as the key begins with `usage`. */
export const ownUsageQuery = queryOptions({
  queryKey: ["usage", "own"],
  queryFn: ({ signal }) => api.get<OwnUsage>("/users/usage", { query: { days: 30 }, signal }),
});

export const noticesQuery = queryOptions({
  queryKey: ["notices"],
  queryFn: ({ signal }) => api.get<NoticeList>("/notices", { query: { limit: 20 }, signal }),
  refetchInterval: 5 * 60_000,
});

/** Dismissing waits for nobody: the notice goes at once and comes back when the server did not hear of it. */
export function useDismissNotice() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => api.delete(`/notices/${id}`),
    onMutate: async (id) => {
      await client.cancelQueries(noticesQuery);
      const before = client.getQueryData(noticesQuery.queryKey);
      client.setQueryData(noticesQuery.queryKey, (list) =>
        list === undefined ? list : { ...list, notices: list.notices.filter((notice) => notice.id !== id) },
      );
      return before;
    },
    onError: (_error, _id, before) => client.setQueryData(noticesQuery.queryKey, before),
  });
}
