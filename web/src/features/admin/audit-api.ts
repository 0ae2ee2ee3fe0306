// The audit log: its pages, one entry, and the words its filters offer.
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api } from "@/api/client";
import { download } from "@/api/download";
import type { AuditEntry, AuditLog } from "@/api/types";

export interface AuditFilter {
  readonly actorId: string;
  readonly action: string;
  readonly resourceType: string;
  /** Days of this computer's calendar, as `2025-10-01`; empty leaves the end open. */
  readonly from: string;
  readonly to: string;
}

/** The first or the last millisecond of a day in the local zone, in UTC. */
export function edgeOfDay(day: string, edge: "start" | "end"): string | undefined {
  const [year = Number.NaN, month = Number.NaN, date = Number.NaN] = day.split("-").map(Number);
  const moment = new Date(year, month - 1, edge === "start" ? date : date + 1);
  const time = moment.getTime();
  if (Number.isNaN(time)) return undefined;
  return new Date(edge === "start" ? time : time - 1).toISOString();
}

function asQuery({ actorId, action, resourceType, from, to }: AuditFilter) {
  return {
    actor_id: actorId,
    action,
    resource_type: resourceType,
    from: edgeOfDay(from, "start"),
    to: edgeOfDay(to, "end"),
  };
}

export const auditQuery = (filter: AuditFilter, limit: number, offset: number) =>
  queryOptions({
    queryKey: ["admin", "audit", "list", filter, limit, offset],
    queryFn: ({ signal }) => api.get<AuditLog>("/audit", { query: { ...asQuery(filter), limit, offset }, signal }),
    placeholderData: keepPreviousData,
    // The log grows with everything that is done elsewhere in these pages.
    staleTime: 0,
  });

export const auditEntryQuery = (id: string) =>
  queryOptions({
    queryKey: ["admin", "audit", "one", id],
    queryFn: ({ signal }) => api.get<AuditEntry>(`/audit/${encodeURIComponent(id)}`, { signal }),
    // An entry never changes.
    staleTime: Number.POSITIVE_INFINITY,
  });

/** The newest entries of all kinds: the filters offer the actions and objects that occur in them. */
export const auditWordsQuery = queryOptions({
  queryKey: ["admin", "audit", "words"],
  queryFn: ({ signal }) => api.get<AuditLog>("/audit", { query: { limit: 100 }, signal }),
  select: ({ audit_logs: entries }) => ({
    actions: [...new Set(entries.map((entry) => entry.action))].sort(),
    types: [...new Set(entries.map((entry) => entry.resource_type))].sort(),
  }),
});

export function downloadAudit(filter: AuditFilter): Promise<void> {
  return download("/audit", { ...asQuery(filter), format: "csv" }, "audit-log.csv");
}
