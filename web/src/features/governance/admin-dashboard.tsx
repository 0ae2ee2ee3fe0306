// The administrator's first look: money, people, files and providers, read again every minute while in view.
import { useQuery } from "@tanstack/react-query";
import { RefreshCw } from "lucide-react";
import { Link } from "react-router";
import { errorParts } from "@/api/error";
import { queryClient } from "@/api/query";
import type { AdminStats } from "@/api/types";
import { useT } from "@/i18n";
import { formatMoney, formatNumber, formatTime } from "@/lib/format";
import { BarList } from "@/ui/bar-list";
import { Button } from "@/ui/button";
import { StatTile, StatTiles } from "@/ui/stat-tile";
import { ErrorState, Loading, Skeleton, SkeletonRows } from "@/ui/states";
import { quotasQuery, statsQuery, summaryQuery } from "./api";
import { CostChart } from "./cost-chart";
import { Panel } from "./panel";
import { ProviderHealth } from "./provider-health";
import { dayBefore } from "./series";

/** Milliseconds between two readings; the browser's hidden tabs do not read. */
const EVERY = 60_000;
/** As many names fit beside each other; the rest is on the usage page. */
const TOP = 5;

interface AdminDashboardProps {
  /** How many days the charts look back, today included. */
  days: number;
}

export function AdminDashboard({ days }: AdminDashboardProps) {
  const t = useT();
  const now = new Date();
  const span = { from: dayBefore(days - 1, now), to: dayBefore(0, now) };
  return (
    <div className="flex flex-col gap-6">
      <Figures />
      <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
        <Panel id="cost" title={t("usage.costPerDayByModel")}>
          <CostChart {...span} every={EVERY}>
            <Button asChild>
              <Link to="/assistants">{t("overview.toAssistants")}</Link>
            </Button>
          </CostChart>
        </Panel>
        <Panel id="providers" title={t("overview.providers")}>
          <ProviderHealth every={EVERY} />
        </Panel>
      </div>
      <div className="grid items-start gap-6 md:grid-cols-2">
        <Panel id="top-assistants" title={t("overview.topAssistants")}>
          <Top groupBy="assistant" {...span} />
        </Panel>
        <Panel id="top-people" title={t("overview.topPeople")}>
          <Top groupBy="user" {...span} />
        </Panel>
      </div>
    </div>
  );
}

/** When the figures were read, and a button that reads everything again. */
export function Updated() {
  const t = useT();
  const stats = useQuery(statsQuery);
  if (stats.dataUpdatedAt === 0) return null;
  return (
    <span className="flex items-center gap-1 text-md text-muted-foreground">
      {t("overview.updated", { time: formatTime(new Date(stats.dataUpdatedAt).toISOString()) })}
      <Button
        variant="ghost"
        size="icon-sm"
        aria-label={t("overview.refresh")}
        pending={stats.isFetching}
        onClick={() => {
          void queryClient.invalidateQueries({ queryKey: ["usage"] });
          void queryClient.invalidateQueries({ queryKey: ["api-keys"] });
        }}
      >
        <RefreshCw aria-hidden />
      </Button>
    </span>
  );
}

function Figures() {
  const t = useT();
  const stats = useQuery({ ...statsQuery, refetchInterval: EVERY });
  const everyone = useQuery({ ...quotasQuery, refetchInterval: EVERY }).data?.quotas.find(
    (quota) => quota.scope === "global",
  );
  if (stats.isPending) {
    return (
      <Loading label={t("overview.loading")}>
        <div className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-5">
          {["a", "b", "c", "d", "e"].map((key) => (
            <Skeleton key={key} className="h-20 rounded-card" />
          ))}
        </div>
      </Loading>
    );
  }
  if (stats.data === undefined) {
    return (
      <ErrorState
        className="py-8"
        title={t("error.couldNotLoad", { things: t("overview.things") })}
        {...errorParts(stats.error, t)}
        onRetry={() => void stats.refetch()}
      />
    );
  }
  const { cost_today, cost_month, messages_today, users } = stats.data;
  const failing = filesFailing(stats.data);
  const of = (limit: number | null | undefined) =>
    limit == null ? undefined : t("overview.of", { limit: formatMoney(limit, "short") });
  return (
    <StatTiles>
      <StatTile label={t("overview.costToday")} value={formatMoney(cost_today)} note={of(everyone?.daily_cost_limit)} />
      <StatTile
        label={t("overview.costMonth")}
        value={formatMoney(cost_month)}
        note={of(everyone?.monthly_cost_limit)}
      />
      <StatTile label={t("overview.messagesToday")} value={formatNumber(messages_today)} />
      <StatTile
        label={t("overview.activeUsers")}
        value={formatNumber(users.active)}
        note={t("overview.of", { limit: formatNumber(users.total) })}
      />
      <StatTile
        label={t("overview.filesFailing")}
        value={formatNumber(failing)}
        tone={failing > 0 ? "danger" : "plain"}
        note={
          <Link
            to="/admin/queue"
            className="rounded-mark text-primary-text underline decoration-primary-text/40 underline-offset-3 hoverable:hover:decoration-current"
          >
            {t("overview.openQueue")}
          </Link>
        }
      />
    </StatTiles>
  );
}

function filesFailing({ files }: AdminStats): number {
  return files.by_status.error ?? 0;
}

function Top({ groupBy, from, to }: { groupBy: "assistant" | "user"; from: string; to: string }) {
  const t = useT();
  const summary = useQuery({ ...summaryQuery({ from, to, groupBy }), refetchInterval: EVERY });
  if (summary.isPending) {
    return (
      <Loading label={t("usage.loading")}>
        <SkeletonRows rows={TOP} />
      </Loading>
    );
  }
  if (summary.data === undefined) {
    return (
      <ErrorState
        className="py-6"
        title={t("error.couldNotLoad", { things: t("usage.things") })}
        {...errorParts(summary.error, t)}
        onRetry={() => void summary.refetch()}
      />
    );
  }
  const bars = [...summary.data.groups]
    .sort((a, b) => b.cost_usd - a.cost_usd)
    .slice(0, TOP)
    .map(({ key, label, cost_usd }) => ({
      key: key ?? "none",
      name: label ?? key ?? t("usagePage.nobody"),
      value: cost_usd,
      text: formatMoney(cost_usd),
    }));
  if (bars.length === 0) return <p className="py-4 text-muted-foreground">{t("usage.empty")}</p>;
  return <BarList label={t(groupBy === "user" ? "overview.topPeople" : "overview.topAssistants")} bars={bars} />;
}
