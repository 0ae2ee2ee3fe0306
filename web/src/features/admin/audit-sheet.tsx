// One entry of the audit log: who, when, from where, and every field as it was and as it is now.
import { useQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { errorParts } from "@/api/error";
import type { AuditEntry } from "@/api/types";
import { useT } from "@/i18n";
import { formatDateTime, formatUtc } from "@/lib/format";
import { Button } from "@/ui/button";
import { Sheet } from "@/ui/dialog";
import { ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { auditEntryQuery } from "./audit-api";
import { actorName, fieldChanges } from "./audit-changes";

export function AuditSheet({ id, onClose }: { id: string; onClose: () => void }) {
  const t = useT();
  const query = useQuery({ ...auditEntryQuery(id), enabled: id !== "" });
  const entry = query.data;
  return (
    <Sheet
      open={id !== ""}
      onOpenChange={(open) => !open && onClose()}
      title={t("audit.details")}
      side="end"
      className="w-[min(100vw,32rem)]"
    >
      <div className="flex items-center justify-between gap-3 border-b py-2 ps-5 pe-2.5">
        <h2 className="min-w-0 font-display text-h3 font-semibold">
          {entry ? <span className="isolate-ltr [overflow-wrap:anywhere]">{entry.action}</span> : t("audit.details")}
        </h2>
        <Button variant="ghost" size="icon-sm" aria-label={t("action.close")} onClick={onClose}>
          <X aria-hidden />
        </Button>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: long entries must scroll by the keyboard. */}
      <section aria-label={t("audit.details")} tabIndex={0} className="min-h-0 flex-1 overflow-y-auto p-5">
        {query.isError && (
          <ErrorState
            title={t("error.couldNotLoad", { things: t("audit.oneThing") })}
            {...errorParts(query.error, t)}
            onRetry={() => void query.refetch()}
          />
        )}
        {query.isPending && (
          <Loading label={t("audit.loading")}>
            <SkeletonRows />
          </Loading>
        )}
        {entry && <Entry entry={entry} />}
      </section>
    </Sheet>
  );
}

function Entry({ entry }: { entry: AuditEntry }) {
  const t = useT();
  const changes = fieldChanges(entry);
  return (
    <>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1.5">
        <Fact name={t("audit.time")}>
          {formatDateTime(entry.created_at)}
          <span className="isolate-ltr block text-sm text-muted-foreground">{formatUtc(entry.created_at)}</span>
        </Fact>
        <Fact name={t("audit.who")}>
          <bdi>{actorName(entry, t)}</bdi>
        </Fact>
        <Fact name={t("audit.object")}>
          <span className="isolate-ltr">{entry.resource_type}</span>
        </Fact>
        {entry.resource_id && (
          <Fact name={t("audit.id")}>
            <span className="isolate-ltr font-mono text-sm">{entry.resource_id}</span>
          </Fact>
        )}
        {entry.ip_address && (
          <Fact name={t("audit.address")}>
            <span className="isolate-ltr">{entry.ip_address}</span>
          </Fact>
        )}
        {entry.user_agent && (
          <Fact name={t("audit.browser")}>
            <span className="isolate-ltr">{entry.user_agent}</span>
          </Fact>
        )}
      </dl>
      <h3 className="mt-6 mb-2 font-semibold">{t("audit.changes")}</h3>
      {changes.length === 0 && <p className="text-muted-foreground">{t("audit.noChanges")}</p>}
      <dl className="flex flex-col gap-4">
        {changes.map(({ field, was, now }) => (
          <div key={field}>
            <dt className="isolate-ltr w-fit font-mono text-md">{field}</dt>
            {was !== null && (
              <Side word={t("audit.was")} className="bg-destructive-surface">
                <del className="decoration-destructive">{was}</del>
              </Side>
            )}
            {(now !== null || entry.new_values !== null) && (
              <Side word={t("audit.now")} className="bg-success-surface">
                {now === null ? <em>{t("audit.nothing")}</em> : <ins className="no-underline">{now}</ins>}
              </Side>
            )}
          </div>
        ))}
      </dl>
    </>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="text-muted-foreground">{name}</dt>
      <dd className="min-w-0 [overflow-wrap:anywhere]">{children}</dd>
    </>
  );
}

/** Colour never says it alone: the word stands before the value. */
function Side({ word, className, children }: { word: string; className: string; children: ReactNode }) {
  return (
    <dd className={`mt-1 flex gap-2.5 rounded-control px-3 py-2 ${className}`}>
      <span className="shrink-0 text-sm leading-6 font-semibold">{word}</span>
      <div className="min-w-0 whitespace-pre-wrap [overflow-wrap:anywhere]" dir="auto">
        {children}
      </div>
    </dd>
  );
}
