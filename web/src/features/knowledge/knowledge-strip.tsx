// What an assistant's files hold together, in a line of figures, and what can be done with all of them at once.
import { useQuery } from "@tanstack/react-query";
import { RotateCw } from "lucide-react";
import { type ReactNode, useState } from "react";
import { ApiError, errorSentence } from "@/api/error";
import { useSession } from "@/api/session";
import type { KnowledgeFile } from "@/api/types";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { formatNumber, formatSize } from "@/lib/format";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { InlineNotice } from "@/ui/notice";
import { RelativeTime } from "@/ui/relative-time";
import { Skeleton } from "@/ui/states";
import { toast } from "@/ui/toast";
import { useReprocessAll, useRetryFailed } from "./api";
import { type Statistics, statisticsQuery } from "./statistics";

interface KnowledgeStripProps {
  readonly assistantId: string;
  /** The files that are listed: when one of them changes, the figures are counted anew. */
  readonly files: readonly KnowledgeFile[];
}

export function KnowledgeStrip({ assistantId, files }: KnowledgeStripProps) {
  const t = useT();
  const administrator = useSession((state) => state.user?.role === "admin");
  const revision = files.map((file) => file.status[0]).join("");
  const statistics = useQuery(statisticsQuery(assistantId, revision));
  const failed = statistics.data?.failed ?? files.filter((file) => file.status === "error").length;
  return (
    <section aria-label={t("knowledge.title")} className="flex flex-col gap-3">
      {statistics.isPending && <Skeleton className="h-[4.5rem] rounded-card" />}
      {statistics.data && <Figures statistics={statistics.data} />}
      {statistics.isError && !isUnknown(statistics.error) && (
        <InlineNotice
          tone="error"
          action={
            <Button variant="link" size="inline" onClick={() => void statistics.refetch()}>
              {t("action.tryAgain")}
            </Button>
          }
        >
          {t("error.couldNotLoad", { things: t("knowledge.things") })}. {errorSentence(statistics.error, t)}
        </InlineNotice>
      )}
      <div className="flex flex-wrap gap-2 empty:hidden">
        {failed > 0 && <RetryFailed assistantId={assistantId} count={failed} />}
        {administrator && <ReadAll assistantId={assistantId} />}
      </div>
    </section>
  );
}

/** A server of before counts no knowledge. */
function isUnknown(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

function Figures({ statistics }: { readonly statistics: Statistics }) {
  const t = useT();
  const { ready, moving, failed, passages, tokens, pages, bytes, indexedAt } = statistics;
  return (
    <dl className="tabular grid grid-cols-3 gap-x-6 gap-y-2.5 rounded-card border bg-surface px-4 py-3 sm:flex sm:flex-wrap">
      <Figure label={t("knowledge.ready")}>{formatNumber(ready)}</Figure>
      {moving > 0 && <Figure label={t("knowledge.moving")}>{formatNumber(moving)}</Figure>}
      {failed > 0 && (
        <Figure label={t("knowledge.failed")} danger>
          {formatNumber(failed)}
        </Figure>
      )}
      <Figure label={t("knowledge.passages")}>{formatNumber(passages)}</Figure>
      <Figure label={t("knowledge.tokens")}>{formatNumber(tokens)}</Figure>
      {pages > 0 && <Figure label={t("knowledge.pages")}>{formatNumber(pages)}</Figure>}
      <Figure label={t("knowledge.size")}>{formatSize(bytes)}</Figure>
      <Figure label={t("knowledge.indexed")}>
        {indexedAt === null ? t("knowledge.never") : <RelativeTime iso={indexedAt} />}
      </Figure>
    </dl>
  );
}

interface FigureProps {
  readonly label: string;
  readonly danger?: boolean;
  readonly children: ReactNode;
}

function Figure({ label, danger = false, children }: FigureProps) {
  return (
    <div className="min-w-0">
      <dt className="text-sm text-muted-foreground">{label}</dt>
      <dd className={cn("text-lg font-semibold", danger && "text-destructive")}>{children}</dd>
    </div>
  );
}

function RetryFailed({ assistantId, count }: { readonly assistantId: string; readonly count: number }) {
  const t = useT();
  const retry = useRetryFailed(assistantId);
  return (
    <Button
      size="sm"
      pending={retry.isPending}
      onClick={() =>
        retry.mutate(undefined, {
          onSuccess: ({ begun, refused, reason }) => {
            if (begun > 0) toast({ text: t("knowledge.retried", { count: begun }) });
            if (refused > 0) {
              toast({ text: t("knowledge.notRetried", { count: refused, reason: errorSentence(reason, t) }) });
            }
          },
          onError: (error) => toast({ text: errorSentence(error, t) }),
        })
      }
    >
      <RotateCw aria-hidden />
      {t("knowledge.retry", { count })}
    </Button>
  );
}

function ReadAll({ assistantId }: { readonly assistantId: string }) {
  const t = useT();
  const [asking, setAsking] = useState(false);
  const readAll = useReprocessAll(assistantId);
  return (
    <>
      <Button size="sm" onClick={() => setAsking(true)}>
        {t("knowledge.readAll")}
      </Button>
      <ConfirmDialog
        open={asking}
        onOpenChange={(open) => {
          setAsking(open);
          readAll.reset();
        }}
        title={t("knowledge.readAllTitle")}
        description={t("knowledge.readAllBody")}
        confirmLabel={t("knowledge.readAllConfirm")}
        pending={readAll.isPending}
        onConfirm={() =>
          readAll.mutate(undefined, {
            onSuccess: () => {
              setAsking(false);
              toast({ text: t("knowledge.readingAll") });
            },
          })
        }
      >
        {readAll.isError && (
          <InlineNotice tone="error" role="alert">
            {errorSentence(readAll.error, t)}
          </InlineNotice>
        )}
      </ConfirmDialog>
    </>
  );
}
