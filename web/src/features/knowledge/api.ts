// The files of an assistant: keys, queries and mutations. The list is asked again and again while a file is in motion.
import { infiniteQueryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { api, request } from "@/api/client";
import { ApiError } from "@/api/error";
import { usePublicSettings } from "@/api/settings";
import type { ChunkList, FileList, FileStatus, KnowledgeFile } from "@/api/types";

const PAGE = 100;

export const keys = {
  of: (assistantId: string) => ["files", "of", assistantId] as const,
};

const moving: ReadonlySet<FileStatus> = new Set(["uploading", "processing", "indexing"]);

export function isMoving(file: KnowledgeFile): boolean {
  return moving.has(file.status);
}

/** Milliseconds until the next look at a file that has been in motion for `elapsed`: short at first, then patient. */
export function pollDelay(elapsed: number): number {
  if (elapsed < 30_000) return 1_000;
  return elapsed < 120_000 ? 2_000 : 5_000;
}

/** When this tab first saw something move, per assistant; forgotten when all is still. */
const movingSince = new Map<string, number>();

/** One request per step whatever the number of files; none while the tab is hidden or nothing moves. */
export const filesQuery = (assistantId: string) =>
  infiniteQueryOptions({
    queryKey: keys.of(assistantId),
    queryFn: ({ pageParam, signal }) =>
      api.get<FileList>("/files", { query: { assistant_id: assistantId, limit: PAGE, offset: pageParam }, signal }),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const loaded = pages.reduce((sum, page) => sum + page.files.length, 0);
      return last.files.length > 0 && loaded < last.total ? loaded : undefined;
    },
    refetchInterval: (query) => {
      const files = query.state.data?.pages.flatMap((page) => page.files) ?? [];
      if (!files.some(isMoving)) {
        movingSince.delete(assistantId);
        return false;
      }
      const since = movingSince.get(assistantId) ?? Date.now();
      movingSince.set(assistantId, since);
      return pollDelay(Date.now() - since);
    },
  });

export interface UploadLimits {
  readonly maxBytes: number;
  /** Without the dot, lower case. */
  readonly types: readonly string[];
}

const MEGABYTE = 1024 * 1024;

/** What the server takes. */
export function useUploadLimits(): UploadLimits {
  const { max_upload_mb: megabytes, allowed_file_types: types } = usePublicSettings();
  return useMemo(() => ({ maxBytes: megabytes * MEGABYTE, types }), [megabytes, types]);
}

/** The list, and the counts on the assistant's card and tab. */
function useRefresh(assistantId: string) {
  const client = useQueryClient();
  return () =>
    Promise.all([
      client.invalidateQueries({ queryKey: keys.of(assistantId) }),
      client.invalidateQueries({ queryKey: ["assistants"] }),
    ]);
}

export function useReprocess(assistantId: string) {
  return useMutation({
    mutationFn: (id: string) => api.post<KnowledgeFile>(`/files/${id}/reprocess`),
    onSettled: useRefresh(assistantId),
  });
}

export function useRemoveFile(assistantId: string) {
  return useMutation({
    mutationFn: (id: string) => api.delete(`/files/${id}`),
    onSettled: useRefresh(assistantId),
  });
}

/** What became of trying the failed files again. */
interface Retried {
  readonly begun: number;
  readonly refused: number;
  /** Why the last of the refused ones was. */
  readonly reason: unknown;
}

/** Has every failed file read again, one request after the other; one that is refused does not keep the others back. */
async function retryFailed(assistantId: string): Promise<Retried> {
  const query = { assistant_id: assistantId, status: "error", limit: PAGE };
  const failed: KnowledgeFile[] = [];
  for (let total = 1; failed.length < total; ) {
    const page = await api.get<FileList>("/files", { query: { ...query, offset: failed.length } });
    if (page.files.length === 0) break;
    failed.push(...page.files);
    total = page.total;
  }
  let refused = 0;
  let reason: unknown;
  for (const { id } of failed) {
    try {
      await api.post(`/files/${id}/reprocess`);
    } catch (error) {
      // Only what the server says of this one file; without a server there is no use in going on.
      if (!(error instanceof ApiError) || error.status === 0) throw error;
      refused += 1;
      reason = error;
    }
  }
  return { begun: failed.length - refused, refused, reason };
}

export function useRetryFailed(assistantId: string) {
  return useMutation({ mutationFn: () => retryFailed(assistantId), onSettled: useRefresh(assistantId) });
}

/** Has all files of the assistant read again; for administrators. */
export function useReprocessAll(assistantId: string) {
  return useMutation({
    mutationFn: () => api.post<void>("/files/reprocess-all", { assistant_id: assistantId }),
    onSettled: useRefresh(assistantId),
  });
}

const CHUNKS = 50;

/** The passages of a file in their order. */
export const chunksQuery = (fileId: string) =>
  infiniteQueryOptions({
    queryKey: ["files", fileId, "chunks"],
    queryFn: ({ pageParam, signal }) =>
      api.get<ChunkList>(`/files/${fileId}/chunks`, { query: { limit: CHUNKS, offset: pageParam }, signal }),
    initialPageParam: 0,
    getNextPageParam: (last, pages) => {
      const loaded = pages.reduce((sum, page) => sum + page.chunks.length, 0);
      return last.chunks.length > 0 && loaded < last.total ? loaded : undefined;
    },
    // The file may have been read again since.
    staleTime: 0,
  });

/** Saves the original file through the browser's own download. */
export async function downloadFile(file: KnowledgeFile): Promise<void> {
  const response = await request("GET", `/files/${file.id}/content`);
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = file.filename;
  link.click();
  // The browser reads the address after this task; a minute is plenty.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
