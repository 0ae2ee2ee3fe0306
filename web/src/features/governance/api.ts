// Use, quotas, system settings and the figures of the dashboard: keys, queries and mutations.
import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, request } from "@/api/client";
import type {
  AdminStats,
  AssistantList,
  EmbeddingChange,
  EmbeddingEstimate,
  EmbeddingOverview,
  FileList,
  JobList,
  ModelList,
  ProviderStatusList,
  Quota,
  QuotaLimits,
  QuotaList,
  QuotaScope,
  SettingsAnswer,
  SettingValues,
  UsageGrouping,
  UsageSummary,
} from "@/api/types";
import { keyPerBody } from "@/lib/idempotency";

export interface UsageFilter {
  /** Calendar days in UTC, both included: `2025-10-01`. */
  readonly from: string;
  readonly to: string;
  readonly groupBy: UsageGrouping;
  readonly splitBy?: "model";
}

/** The whole of the last day belongs to the span. */
export function usageParameters({ from, to, groupBy, splitBy }: UsageFilter) {
  return { from: `${from}T00:00:00.000Z`, to: `${to}T23:59:59.999Z`, group_by: groupBy, split_by: splitBy };
}

export const summaryQuery = (filter: UsageFilter) =>
  queryOptions({
    queryKey: ["usage", "summary", filter],
    queryFn: ({ signal }) => api.get<UsageSummary>("/usage/summary", { query: usageParameters(filter), signal }),
    // The figures of the last filter stay until those of the next are here.
    placeholderData: keepPreviousData,
  });

export const statsQuery = queryOptions({
  queryKey: ["usage", "stats"],
  queryFn: ({ signal }) => api.get<AdminStats>("/admin/stats", { signal }),
});

/** How every way to a provider fares; read again when a key changes. */
export const providersQuery = queryOptions({
  queryKey: ["api-keys", "providers"],
  queryFn: ({ signal }) => api.get<ProviderStatusList>("/admin/providers", { signal }),
});

/** Rows of the queue on one page. */
export const QUEUE_PAGE = 50;

/** The queue of background work, oldest first. */
export const queueQuery = (offset: number) =>
  queryOptions({
    queryKey: ["queue", "jobs", offset],
    queryFn: ({ signal }) => api.get<JobList>("/admin/jobs", { query: { limit: QUEUE_PAGE, offset }, signal }),
    placeholderData: keepPreviousData,
  });

/** Files of any assistant that could not be read. */
export const failedFilesQuery = queryOptions({
  queryKey: ["queue", "failed"],
  queryFn: ({ signal }) => api.get<FileList>("/files", { query: { status: "error", limit: 100 }, signal }),
});

/** A change to a file of the queue: what the queue, the dashboard and the assistants show of it is read again. */
export function useFileChange(change: (id: string) => Promise<unknown>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSettled: () =>
      Promise.all(
        ["queue", "files", "assistants", "usage"].map((key) => client.invalidateQueries({ queryKey: [key] })),
      ),
  });
}

export const readAgain = (id: string) => api.post(`/files/${id}/reprocess`);
export const removeFile = (id: string) => api.delete(`/files/${id}`);

export const quotasQuery = queryOptions({
  queryKey: ["usage", "quotas"],
  queryFn: ({ signal }) => api.get<QuotaList>("/quotas", { query: { limit: 100 }, signal }),
});

export const quotaQuery = (id: string) =>
  queryOptions({
    queryKey: ["usage", "quotas", id],
    queryFn: ({ signal }) => api.get<Quota>(`/quotas/${id}`, { signal }),
    staleTime: 0,
  });

export interface QuotaCreate extends QuotaLimits {
  readonly scope: QuotaScope;
  readonly scope_id: string | null;
}

const quotaKey = keyPerBody();

/** Money waits for the server: every list of quotas is read again after a change. */
export function useQuotaChange<V, R>(change: (input: V) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () => client.invalidateQueries({ queryKey: ["usage"] }),
  });
}

export const createQuota = (body: QuotaCreate) =>
  api.post<Quota>("/quotas", body, { headers: { "Idempotency-Key": quotaKey(body) } });

/** Refused with 412 when the quota is no longer at `version`. */
export const updateQuota = ({ id, version, body }: { id: string; version: number; body: QuotaLimits }) =>
  api.patch<Quota>(`/quotas/${id}`, body, { headers: { "If-Match": `"${version}"` } });

export const deleteQuota = (id: string) => api.delete(`/quotas/${id}`);

/** Whom a quota can be for; asked only while the dialog needs it. */
export function useSubjects(scope: QuotaScope) {
  const people = useQuery({
    queryKey: ["accounts", "subjects"],
    queryFn: ({ signal }) =>
      api.get<{ users: { id: string; name: string; email: string }[] }>("/admin/users", {
        query: { limit: 100 },
        signal,
      }),
    enabled: scope === "user",
  });
  const assistants = useQuery({
    queryKey: ["assistants", "subjects"],
    queryFn: ({ signal }) => api.get<AssistantList>("/assistants", { query: { limit: 100 }, signal }),
    enabled: scope === "assistant",
  });
  if (scope === "user") {
    return (people.data?.users ?? []).map((user) => ({ id: user.id, name: `${user.name} · ${user.email}` }));
  }
  return scope === "assistant" ? (assistants.data?.assistants ?? []) : [];
}

export const modelsQuery = queryOptions({
  queryKey: ["models", "list"],
  queryFn: ({ signal }) => api.get<ModelList>("/models", { signal }),
  staleTime: 5 * 60_000,
});

export interface SystemSettings {
  readonly values: SettingValues;
  readonly defaults: SettingValues;
  /** The settings' ETag, to be sent back when saving. */
  readonly version: string | null;
}

async function settingsOf(response: Response): Promise<SystemSettings> {
  const body = (await response.json()) as SettingsAnswer;
  return { values: body.settings, defaults: body.defaults ?? {}, version: response.headers.get("ETag") };
}

export const settingsQuery = queryOptions({
  queryKey: ["settings"],
  queryFn: async ({ signal }) => settingsOf(await request("GET", "/settings", { signal })),
});

/** Refused with 412 when somebody saved meanwhile; null puts a setting back to its default. */
export function useSaveSettings() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ changes, version }: { changes: SettingValues; version: string | null }) => {
      const headers: Record<string, string> = version === null ? {} : { "If-Match": version };
      return settingsOf(await request("PATCH", "/settings", { body: { settings: changes }, headers }));
    },
    onSuccess: (saved) => {
      client.setQueryData(settingsQuery.queryKey, (before) =>
        before === undefined
          ? before
          : { ...before, values: { ...before.values, ...saved.values }, version: saved.version },
      );
      // The rest of the app reads some of them: limits of uploads and messages, the default model.
      void client.invalidateQueries({ queryKey: settingsQuery.queryKey });
      void client.invalidateQueries({ queryKey: modelsQuery.queryKey });
    },
  });
}

export function useReprocessAll() {
  return useMutation({ mutationFn: () => api.post<void>("/files/reprocess-all", {}) });
}

/** With what the files are embedded, and how far a change is; looked at again while one is running. */
export const embeddingQuery = queryOptions({
  queryKey: ["settings", "embedding"],
  queryFn: ({ signal }) => api.get<EmbeddingOverview>("/admin/embedding", { signal }),
  refetchInterval: ({ state }) => (state.data?.change?.phase === "running" ? 2_000 : false),
});

/** What a change would take. The model is tried with a few passages, so it is asked for once for each model. */
export const embeddingEstimateQuery = (model: string) =>
  queryOptions({
    queryKey: ["embedding-estimate", model],
    queryFn: ({ signal }) => api.post<EmbeddingEstimate>("/admin/embedding/estimate", { model }, { signal }),
    retry: false,
    staleTime: 60_000,
  });

/** Begins a change, or calls the running one off. */
export function useEmbeddingChange() {
  const client = useQueryClient();
  const after = () => client.invalidateQueries({ queryKey: ["settings"] });
  const begin = useMutation({
    mutationFn: (model: string) => api.post<EmbeddingChange>("/admin/embedding/change", { model }),
    onSuccess: after,
  });
  const cancel = useMutation({ mutationFn: () => api.delete("/admin/embedding/change"), onSettled: after });
  return { begin, cancel };
}
