// Who and what used how much in a span of days: a chart, a table of groups, and all single entries as CSV.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { download } from "@/api/download";
import { errorParts, errorSentence } from "@/api/error";
import type { UsageGroup, UsageGrouping } from "@/api/types";
import { type T, useT } from "@/i18n";
import { formatDay, formatMoney, formatNumber } from "@/lib/format";
import { Button } from "@/ui/button";
import { DateRange, type Days } from "@/ui/date-range";
import { InlineNotice } from "@/ui/notice";
import { ErrorState, Loading } from "@/ui/states";
import { DataTable, TableSkeleton } from "@/ui/table";
import { summaryQuery, usageParameters } from "./api";
import { CostChart } from "./cost-chart";

export const GROUPINGS = ["day", "user", "assistant", "model"] as const;
/** The server looks back over at most so many days at once. */
const LONGEST = 366;

export interface UsageView extends Days {
  readonly groupBy: UsageGrouping;
}

interface UsageReportProps extends UsageView {
  onChange: (view: Partial<UsageView>) => void;
  /** Looks at the last 30 days instead. */
  onReset: () => void;
}

/** Why these days cannot be asked for; null when they can. */
export function spanProblem(from: string, to: string, t: T): string | null {
  if (from > to) return t("usagePage.backwards");
  const days = (Date.parse(to) - Date.parse(from)) / 86_400_000 + 1;
  return days > LONGEST ? t("usagePage.tooLong", { days: LONGEST }) : null;
}

export function UsageReport({ from, to, groupBy, onChange, onReset }: UsageReportProps) {
  const t = useT();
  const problem = spanProblem(from, to, t);
  return (
    <div className="flex flex-col gap-6">
      <div className="flex flex-wrap items-end gap-x-4 gap-y-3">
        <DateRange
          from={from}
          to={to}
          // A day that was cleared leaves the span as it is: there is always one.
          onChange={(days) => onChange({ from: days.from || from, to: days.to || to })}
        />
        <fieldset className="flex flex-wrap gap-1">
          <legend className="mb-1.5 text-base font-semibold">{t("usagePage.by")}</legend>
          {GROUPINGS.map((each) => (
            <Button key={each} aria-pressed={each === groupBy} onClick={() => onChange({ groupBy: each })}>
              {t(`usagePage.by.${each}`)}
            </Button>
          ))}
        </fieldset>
        {problem === null && <ExportButton from={from} to={to} groupBy={groupBy} />}
      </div>
      {problem === null ? (
        <>
          <CostChart from={from} to={to}>
            <Button onClick={onReset}>{t("usage.last30")}</Button>
          </CostChart>
          <Groups from={from} to={to} groupBy={groupBy} />
        </>
      ) : (
        <InlineNotice tone="warning" role="status">
          {problem}
        </InlineNotice>
      )}
    </div>
  );
}

function ExportButton({ from, to, groupBy }: UsageView) {
  const t = useT();
  const [pending, setPending] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const save = async () => {
    setPending(true);
    setFailure(null);
    try {
      const { group_by: _, split_by: __, ...span } = usageParameters({ from, to, groupBy });
      await download("/usage", { ...span, format: "csv" }, `usage-${from}-${to}.csv`);
    } catch (error) {
      setFailure(error);
    } finally {
      setPending(false);
    }
  };
  return (
    <div className="flex flex-wrap items-center gap-3 sm:ms-auto">
      {failure !== null && (
        <span role="alert" className="text-md text-destructive">
          {t("usagePage.exportFailed", { reason: errorSentence(failure, t) })}
        </span>
      )}
      <Button pending={pending} onClick={() => void save()}>
        {t("usagePage.export")}
      </Button>
    </div>
  );
}

/** How a group is called in the table. */
function nameOf({ key, label }: UsageGroup, groupBy: UsageGrouping, t: T): string {
  if (groupBy === "day" && key !== null) return formatDay(key, "long");
  return label ?? key ?? t("usagePage.nobody");
}

function Groups({ from, to, groupBy }: UsageView) {
  const t = useT();
  const summary = useQuery(summaryQuery({ from, to, groupBy }));
  if (summary.isPending) {
    return (
      <Loading label={t("usage.loading")}>
        <TableSkeleton />
      </Loading>
    );
  }
  if (summary.data === undefined) {
    return (
      <ErrorState
        title={t("error.couldNotLoad", { things: t("usage.things") })}
        {...errorParts(summary.error, t)}
        onRetry={() => void summary.refetch()}
      />
    );
  }
  // Said by the chart's place already.
  if (summary.data.groups.length === 0) return null;
  const sum = (value: (group: UsageGroup) => number) => summary.data.groups.reduce((all, each) => all + value(each), 0);
  const rows = [...summary.data.groups].sort((a, b) =>
    groupBy === "day" ? String(b.key).localeCompare(String(a.key)) : b.cost_usd - a.cost_usd,
  );
  const number = (name: string, key: "requests" | "prompt_tokens" | "completion_tokens") => ({
    key,
    header: name,
    numeric: true,
    cell: (row: UsageGroup) => formatNumber(row[key]),
  });
  return (
    <div>
      <DataTable
        label={t("usagePage.table", { by: t(`usagePage.by.${groupBy}`) })}
        columns={[
          {
            key: "name",
            header: t(`usagePage.by.${groupBy}`),
            cell: (row) => <bdi>{nameOf(row, groupBy, t)}</bdi>,
          },
          number(t("usage.requests"), "requests"),
          number(t("usage.tokensIn"), "prompt_tokens"),
          number(t("usage.tokensOut"), "completion_tokens"),
          { key: "cost", header: t("usage.cost"), numeric: true, cell: (row) => formatMoney(row.cost_usd) },
        ]}
        rows={rows}
        rowKey={(row) => row.key ?? "none"}
        stale={summary.isPlaceholderData}
      />
      <p className="tabular mt-3 text-end text-md text-muted-foreground">
        {t("usagePage.total", {
          requests: formatNumber(sum((each) => each.requests)),
          tokens: formatNumber(sum((each) => each.total_tokens)),
          cost: formatMoney(sum((each) => each.cost_usd)),
        })}
      </p>
    </div>
  );
}
