// The figures of an assistant's knowledge as the page shows them: the one place that knows how the server counts.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { KnowledgeStats } from "@/api/types";

export interface Statistics {
  readonly ready: number;
  readonly moving: number;
  readonly failed: number;
  readonly passages: number;
  readonly tokens: number;
  /** 0 where no file has pages. */
  readonly pages: number;
  readonly bytes: number;
  readonly indexedAt: string | null;
}

/** `revision` changes whenever a file did, so that the figures are counted anew. */
export const statisticsQuery = (assistantId: string, revision: string) =>
  queryOptions({
    queryKey: ["files", "statistics", assistantId, revision],
    queryFn: async ({ signal }) =>
      statisticsOf(await api.get<KnowledgeStats>(`/assistants/${assistantId}/knowledge`, { signal })),
    placeholderData: keepPreviousData,
    // A file that was read again is back in its old state with other passages.
    staleTime: 0,
  });

function statisticsOf({ files, bytes, chunks, tokens, pages, last_indexed_at }: KnowledgeStats): Statistics {
  const count = (...states: string[]) => states.reduce((sum, state) => sum + (files.by_status[state] ?? 0), 0);
  return {
    ready: count("ready"),
    moving: count("uploading", "processing", "indexing"),
    failed: count("error"),
    passages: chunks,
    tokens,
    pages,
    bytes,
    indexedAt: last_indexed_at,
  };
}
