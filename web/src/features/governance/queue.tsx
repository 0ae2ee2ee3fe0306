// The queue of background work for administrators: what waits, is worked on or is tried again, and the files that failed.
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, RefreshCw } from "lucide-react";
import { Link } from "react-router";
import { errorParts } from "@/api/error";
import type { Job } from "@/api/types";
import { type T, useT } from "@/i18n";
import { formatNumber, formatTime } from "@/lib/format";
import { shownName } from "@/lib/shown-name";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { PageHeading } from "@/ui/page";
import { Pagination } from "@/ui/pagination";
import { RelativeTime } from "@/ui/relative-time";
import { Empty, ErrorState, Loading } from "@/ui/states";
import { type Column, DataTable, TableSkeleton } from "@/ui/table";
import { failedFilesQuery, QUEUE_PAGE, queueQuery } from "./api";
import { FileActions } from "./file-actions";

/** Milliseconds between two readings while the page is in view. */
const EVERY = 3_000;

interface QueueProps {
  readonly offset: number;
  readonly onOffset: (offset: number) => void;
}

export function Queue({ offset, onOffset }: QueueProps) {
  const t = useT();
  const queue = useQuery({ ...queueQuery(offset), refetchInterval: EVERY });
  const updated = queue.dataUpdatedAt;
  return (
    <>
      <div className="mb-5 flex flex-wrap items-center gap-x-4 gap-y-3">
        <div className="me-auto">
          <PageHeading>{t("queue.title")}</PageHeading>
          <p className="mt-1 text-muted-foreground">{t("queue.intro")}</p>
        </div>
        {updated !== 0 && (
          <span className="tabular flex items-center gap-1 text-md text-muted-foreground">
            {t("overview.updated", { time: formatTime(new Date(updated).toISOString()) })}
            <Button variant="ghost" size="icon-sm" aria-label={t("queue.refresh")} onClick={() => void queue.refetch()}>
              <RefreshCw aria-hidden />
            </Button>
          </span>
        )}
      </div>
      {queue.isPending && (
        <Loading label={t("queue.loading")}>
          <TableSkeleton rows={4} />
        </Loading>
      )}
      {queue.data === undefined && queue.isError && (
        <ErrorState
          title={t("error.couldNotLoad", { things: t("queue.things") })}
          {...errorParts(queue.error, t)}
          onRetry={() => void queue.refetch()}
        />
      )}
      {queue.data !== undefined &&
        (queue.data.jobs.length === 0 && offset === 0 ? (
          <Empty
            icon={<CircleCheck className="size-6 stroke-[1.5] text-muted-foreground" aria-hidden />}
            title={t("queue.empty")}
            body={t("queue.emptyBody")}
            className="py-10"
          />
        ) : (
          <>
            <Jobs jobs={queue.data.jobs} stale={queue.isPlaceholderData} />
            {(queue.data.total > QUEUE_PAGE || offset > 0) && (
              <Pagination
                total={queue.data.total}
                limit={QUEUE_PAGE}
                offset={offset}
                shown={queue.data.jobs.length}
                onOffset={onOffset}
              />
            )}
          </>
        ))}
      <section aria-labelledby="queue-failed" className="mt-10">
        <h2 id="queue-failed" className="mb-1 font-display text-h3 font-semibold">
          {t("queue.failed")}
        </h2>
        <Failed />
      </section>
    </>
  );
}

function Jobs({ jobs, stale }: { readonly jobs: readonly Job[]; readonly stale: boolean }) {
  const t = useT();
  const columns: readonly Column<Job>[] = [
    { key: "work", header: t("queue.work"), cell: (job) => <Work job={job} /> },
    {
      key: "state",
      header: t("queue.state"),
      className: "sm:whitespace-nowrap",
      cell: (job) => <State job={job} />,
    },
    {
      key: "why",
      header: t("queue.why"),
      className: "sm:max-w-md [overflow-wrap:anywhere]",
      cell: (job) => <Reason job={job} />,
    },
    { key: "tries", header: t("queue.tries"), numeric: true, cell: ({ attempts }) => formatNumber(attempts) },
    {
      key: "next",
      header: t("queue.next"),
      className: "sm:whitespace-nowrap",
      cell: ({ state, due_at }) =>
        state === "running" ? "–" : Date.parse(due_at) > Date.now() ? formatTime(due_at) : t("queue.nextSoon"),
    },
    {
      key: "age",
      header: t("queue.age"),
      className: "sm:whitespace-nowrap",
      cell: ({ created_at }) => <RelativeTime iso={created_at} />,
    },
  ];
  return (
    <DataTable
      label={t("queue.title")}
      columns={columns}
      rows={jobs}
      rowKey={(job) => job.id}
      stale={stale}
      actions={{
        label: t("queue.actions"),
        render: ({ file_id, filename, kind, status }) =>
          file_id !== null && filename != null && kind === "ingest" ? (
            <FileActions id={file_id} name={shownName(filename)} canRetry={status === "error"} />
          ) : null,
      }}
    />
  );
}

/** The file, or what is done where there is none. */
function Work({ job }: { readonly job: Job }) {
  const t = useT();
  const { filename, assistant_id, assistant_name, kind } = job;
  const work = kindWords(kind, t);
  if (filename == null) return work;
  return (
    <>
      <FileLink name={filename} assistantId={assistant_id ?? null} />
      <span className="block text-md font-normal text-muted-foreground">
        {assistant_name && (
          <>
            <bdi>{assistant_name}</bdi> ·{" "}
          </>
        )}
        {work}
      </span>
    </>
  );
}

function FileLink({ name, assistantId }: { readonly name: string; readonly assistantId: string | null }) {
  const shown = (
    <span dir="ltr" className="isolate-ltr [overflow-wrap:anywhere]">
      {shownName(name)}
    </span>
  );
  if (assistantId === null) return shown;
  return (
    <Link
      to={`/assistants/${assistantId}?tab=files`}
      className="rounded-mark text-primary-text underline decoration-primary-text/40 underline-offset-3 hoverable:hover:decoration-current"
    >
      {shown}
    </Link>
  );
}

const KINDS = ["ingest", "purge_file", "change_embedding", "drop_vectors"] as const;

function kindWords(kind: string, t: T): string {
  const known = KINDS.find((one) => one === kind);
  return known === undefined ? kind : t(`queue.kind.${known}`);
}

function State({ job: { state, attempts, progress } }: { readonly job: Job }) {
  const t = useT();
  if (state === "running") {
    return (
      <>
        <Badge tone="success">{t("queue.running")}</Badge>
        {progress != null && (
          <span className="tabular ms-2 text-md text-muted-foreground">{t("queue.progress", { n: progress })}</span>
        )}
      </>
    );
  }
  return attempts > 0 ? <Badge tone="warning">{t("queue.again")}</Badge> : <Badge>{t("queue.waiting")}</Badge>;
}

function Reason({ job: { state, attempts, last_error, waits_for } }: { readonly job: Job }) {
  const t = useT();
  if (state === "running") return last_error === null ? "–" : <bdi className="text-md">{last_error}</bdi>;
  return (
    <>
      {t(`queue.waits.${waits_for ?? (attempts > 0 ? "retry" : "turn")}`)}
      {last_error !== null && <bdi className="block text-md text-muted-foreground">{last_error}</bdi>}
    </>
  );
}

function Failed() {
  const t = useT();
  const failed = useQuery({ ...failedFilesQuery, refetchInterval: EVERY });
  if (failed.isPending) {
    return (
      <Loading label={t("queue.loading")}>
        <TableSkeleton rows={2} />
      </Loading>
    );
  }
  if (failed.data === undefined) {
    return (
      <ErrorState
        className="py-6"
        title={t("error.couldNotLoad", { things: t("files.things") })}
        {...errorParts(failed.error, t)}
        onRetry={() => void failed.refetch()}
      />
    );
  }
  if (failed.data.files.length === 0) return <p className="text-muted-foreground">{t("queue.noneFailed")}</p>;
  return (
    <>
      <p className="mb-2 text-muted-foreground">{t("queue.failedIntro")}</p>
      <DataTable
        label={t("queue.failed")}
        columns={[
          {
            key: "file",
            header: t("queue.file"),
            cell: (file) => <FileLink name={file.filename} assistantId={file.assistant_id} />,
          },
          {
            key: "reason",
            header: t("queue.reason"),
            className: "sm:max-w-md [overflow-wrap:anywhere]",
            cell: (file) => <bdi className="text-destructive">{file.error_message || t("files.unknownFailure")}</bdi>,
          },
          {
            key: "since",
            header: t("queue.since"),
            className: "sm:whitespace-nowrap",
            cell: (file) => <RelativeTime iso={file.updated_at} />,
          },
        ]}
        rows={failed.data.files}
        rowKey={(file) => file.id}
        actions={{
          label: t("queue.actions"),
          render: (file) => <FileActions id={file.id} name={shownName(file.filename)} canRetry />,
        }}
      />
    </>
  );
}
