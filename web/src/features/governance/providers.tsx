// The state of every way to a model, for administrators: who answers, who is passed over, and why.
import { useQuery } from "@tanstack/react-query";
import { Activity, RefreshCw } from "lucide-react";
import { Link } from "react-router";
import { errorParts } from "@/api/error";
import type { ProviderStatus } from "@/api/types";
import { useT } from "@/i18n";
import { formatNumber, formatTime } from "@/lib/format";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { PageHeading } from "@/ui/page";
import { RelativeTime } from "@/ui/relative-time";
import { Empty, ErrorState, Loading } from "@/ui/states";
import { type Column, DataTable, TableSkeleton } from "@/ui/table";
import { providersQuery } from "./api";
import {
  errorWords,
  isFailing,
  providerDetail,
  providerKey,
  providerState,
  providerTitle,
  stateWords,
} from "./provider-state";

/** Milliseconds between two readings while the page is in view. */
const EVERY = 30_000;

export function Providers() {
  const t = useT();
  const providers = useQuery({ ...providersQuery, refetchInterval: EVERY });
  const updated = providers.dataUpdatedAt;
  return (
    <>
      <div className="mb-5 flex flex-wrap items-center gap-x-4 gap-y-3">
        <div className="me-auto">
          <PageHeading>{t("providers.title")}</PageHeading>
          <p className="mt-1 text-muted-foreground">{t("providers.intro")}</p>
        </div>
        {updated !== 0 && (
          <span className="flex items-center gap-1 text-md text-muted-foreground">
            {t("overview.updated", { time: formatTime(new Date(updated).toISOString()) })}
            <Button
              variant="ghost"
              size="icon-sm"
              aria-label={t("providers.refresh")}
              pending={providers.isFetching}
              onClick={() => void providers.refetch()}
            >
              <RefreshCw aria-hidden />
            </Button>
          </span>
        )}
        <Button asChild>
          <Link to="/admin/api-keys">{t("overview.openKeys")}</Link>
        </Button>
      </div>
      <States query={providers} />
    </>
  );
}

function States({ query }: { query: ReturnType<typeof useProviders> }) {
  const t = useT();
  if (query.isPending) {
    return (
      <Loading label={t("providers.loading")}>
        <TableSkeleton rows={4} />
      </Loading>
    );
  }
  if (query.data === undefined) {
    return (
      <ErrorState
        title={t("error.couldNotLoad", { things: t("providers.things") })}
        {...errorParts(query.error, t)}
        onRetry={() => void query.refetch()}
      />
    );
  }
  if (query.data.providers.length === 0) {
    return (
      <Empty
        icon={<Activity className="size-6 stroke-[1.5] text-muted-foreground" aria-hidden />}
        title={t("providers.empty")}
        body={t("providers.emptyBody")}
      >
        <Button asChild>
          <Link to="/admin/api-keys">{t("overview.openKeys")}</Link>
        </Button>
      </Empty>
    );
  }
  return <Table providers={query.data.providers} />;
}

const useProviders = () => useQuery(providersQuery);

function Table({ providers }: { providers: readonly ProviderStatus[] }) {
  const t = useT();
  const columns: readonly Column<ProviderStatus>[] = [
    {
      key: "provider",
      header: t("providers.provider"),
      cell: (status) => (
        <>
          {providerTitle(status, t)}
          <span className="block text-md font-normal text-muted-foreground">
            <bdi>{providerDetail(status, t)}</bdi>
          </span>
        </>
      ),
    },
    { key: "state", header: t("providers.state"), cell: (status) => <State status={status} /> },
    {
      key: "models",
      header: t("providers.models"),
      numeric: true,
      cell: (status) => formatNumber(status.models),
    },
    {
      key: "latency",
      header: t("providers.latency"),
      numeric: true,
      cell: ({ latency_ms }) =>
        latency_ms === null ? (
          <Faint>{t("providers.unknown")}</Faint>
        ) : (
          t("providers.latencyOf", { ms: Math.round(latency_ms) })
        ),
    },
    {
      key: "success",
      header: t("providers.lastSuccess"),
      className: "sm:whitespace-nowrap",
      cell: ({ last_success_at }) =>
        last_success_at === null ? <Faint>{t("providers.never")}</Faint> : <RelativeTime iso={last_success_at} />,
    },
    {
      key: "error",
      header: t("providers.lastError"),
      cell: (status) => <LastError status={status} />,
    },
  ];
  return <DataTable label={t("providers.title")} columns={columns} rows={providers} rowKey={providerKey} />;
}

function State({ status }: { status: ProviderStatus }) {
  const t = useT();
  const state = providerState(status, Date.now());
  const hint = state.name === "open" ? "providers.openHint" : state.name === "paused" ? "providers.pausedHint" : null;
  return (
    <>
      <Badge tone={state.tone}>{stateWords(status, state, t)}</Badge>
      {hint !== null && <span className="mt-1 block text-md text-muted-foreground">{t(hint)}</span>}
    </>
  );
}

function LastError({ status }: { status: ProviderStatus }) {
  const t = useT();
  const { last_error, last_error_at } = status;
  if (last_error === null) return <Faint>{t("providers.never")}</Faint>;
  return (
    <>
      <span className={isFailing(status) ? "text-destructive" : undefined}>{errorWords(status, t)}</span>
      {last_error_at !== null && (
        <span className="block text-md text-muted-foreground">
          <RelativeTime iso={last_error_at} />
        </span>
      )}
    </>
  );
}

function Faint({ children }: { children: string }) {
  return <span className="text-muted-foreground">{children}</span>;
}
