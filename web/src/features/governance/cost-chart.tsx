// Cost per day, stacked by model, over some span of days.
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { errorParts } from "@/api/error";
import { useT } from "@/i18n";
import { chartSummary } from "@/lib/chart-summary";
import { formatMoney } from "@/lib/format";
import { DayChart } from "@/ui/day-chart";
import { Empty, ErrorState, Loading, Skeleton } from "@/ui/states";
import { summaryQuery } from "./api";
import { costByModel, daysBetween, totalsOf } from "./series";

interface CostChartProps {
  from: string;
  to: string;
  /** Milliseconds between two readings while the page is in view; once without it. */
  every?: number;
  /** Offered where nothing was used. */
  children?: ReactNode;
}

export function CostChart({ from, to, every, children }: CostChartProps) {
  const t = useT();
  const summary = useQuery({
    ...summaryQuery({ from, to, groupBy: "day", splitBy: "model" }),
    refetchInterval: every ?? false,
  });
  if (summary.isPending) {
    return (
      <Loading label={t("usage.loading")}>
        <Skeleton className="h-56 rounded-card" />
      </Loading>
    );
  }
  if (summary.data === undefined) {
    return (
      <ErrorState
        className="py-8"
        title={t("error.couldNotLoad", { things: t("usage.things") })}
        {...errorParts(summary.error, t)}
        onRetry={() => void summary.refetch()}
      />
    );
  }
  const days = daysBetween(from, to);
  const series = costByModel(summary.data.groups, days, t("chart.other"));
  if (series.length === 0) {
    return (
      <Empty className="py-8" title={t("usage.empty")}>
        {children}
      </Empty>
    );
  }
  const what = t("usage.costPerDayByModel");
  return (
    <DayChart
      summary={chartSummary(what, days, totalsOf(series, days), formatMoney, t)}
      days={days}
      series={series}
      format={formatMoney}
      {...(summary.isPlaceholderData ? { className: "opacity-60" } : {})}
    />
  );
}
