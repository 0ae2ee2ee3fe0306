// A person's own use: against their limits, and day by day.
import { useQuery } from "@tanstack/react-query";
import { errorParts } from "@/api/error";
import type { OwnUsage } from "@/api/types";
import { useT } from "@/i18n";
import { chartSummary } from "@/lib/chart-summary";
import { formatDateTime, formatMoney, formatNumber, formatUtc } from "@/lib/format";
import { DayChart } from "@/ui/day-chart";
import { LimitMeter } from "@/ui/limit-meter";
import { Empty, ErrorState, Loading, Skeleton } from "@/ui/states";
import { ownUsageQuery } from "./api";
import { type LimitUse, limitUse } from "./limit-use";

export function UsageSection() {
  const t = useT();
  const usage = useQuery(ownUsageQuery);
  if (usage.isPending) {
    return (
      <Loading label={t("usage.loading")}>
        <div className="grid gap-4 sm:grid-cols-2">
          <Skeleton className="h-32 rounded-card" />
          <Skeleton className="h-32 rounded-card" />
        </div>
        <Skeleton className="mt-6 h-52 rounded-card" />
      </Loading>
    );
  }
  if (usage.data === undefined) {
    return (
      <ErrorState
        title={t("error.couldNotLoad", { things: t("usage.things") })}
        {...errorParts(usage.error, t)}
        onRetry={() => void usage.refetch()}
      />
    );
  }
  return <Shown usage={usage.data} />;
}

function Shown({ usage }: { usage: OwnUsage }) {
  const t = useT();
  const { today, month, resets, by_day } = usage;
  const days = by_day.map((day) => day.date);
  const values = by_day.map((day) => day.cost_usd);
  const used = by_day.some((day) => day.requests > 0);
  return (
    <div className="flex flex-col gap-8">
      <div className="grid gap-4 sm:grid-cols-2">
        <Window
          title={t("ownUsage.today")}
          figures={today}
          cost={limitUse(usage, "daily_cost_limit")}
          tokens={limitUse(usage, "daily_token_limit")}
          resets={resets.day}
        />
        <Window
          title={t("ownUsage.month")}
          figures={month}
          cost={limitUse(usage, "monthly_cost_limit")}
          tokens={limitUse(usage, "monthly_token_limit")}
          resets={resets.month}
        />
      </div>
      <section aria-labelledby="usage-days">
        <h2 id="usage-days" className="mb-2 font-display text-h3 font-semibold">
          {t("usage.costPerDay")}
        </h2>
        {used ? (
          <DayChart
            summary={chartSummary(t("usage.costPerDay"), days, values, formatMoney, t)}
            days={days}
            series={[{ key: "cost", name: t("usage.cost"), values }]}
            format={formatMoney}
          />
        ) : (
          <Empty className="py-8" title={t("usage.empty")} body={t("ownUsage.emptyBody")} />
        )}
      </section>
    </div>
  );
}

interface WindowProps {
  title: string;
  figures: OwnUsage["today"];
  cost: LimitUse | null;
  tokens: LimitUse | null;
  resets: string;
}

/** One day or month: what the person used, how full the limits are that bind them, and when it starts again. */
function Window({ title, figures, cost, tokens, resets }: WindowProps) {
  const t = useT();
  return (
    <section className="rounded-card border bg-surface p-4">
      <h2 className="text-md font-semibold text-muted-foreground">{title}</h2>
      <p className="tabular mt-1 text-h3 font-semibold">{formatMoney(figures.cost_usd)}</p>
      <p className="tabular mt-0.5 text-md text-muted-foreground">
        {t("ownUsage.tokens", { tokens: formatNumber(figures.tokens) })} ·{" "}
        {t("ownUsage.requests", { count: figures.requests })}
      </p>
      {cost !== null && <Limit use={cost} used={formatMoney(cost.used)} limit={formatMoney(cost.limit, "short")} />}
      {tokens !== null && (
        <Limit
          use={tokens}
          used={formatNumber(tokens.used)}
          limit={t("ownUsage.tokens", { tokens: formatNumber(tokens.limit) })}
        />
      )}
      {(cost !== null || tokens !== null) && (
        <p className="mt-3 text-md text-muted-foreground" title={formatUtc(resets)}>
          {t("ownUsage.resets", { when: formatDateTime(resets) })}
        </p>
      )}
    </section>
  );
}

/** A limit, how full it is, and who fills it. */
function Limit({ use, used, limit }: { use: LimitUse; used: string; limit: string }) {
  const t = useT();
  const shared = use.scope === null || use.scope === "user" ? null : t(`ownUsage.shared.${use.scope}`);
  return (
    <div className="mt-3">
      <p className="tabular text-md">
        {t("ownUsage.of", { used, limit })}
        {shared !== null && <span className="text-muted-foreground"> · {shared}</span>}
      </p>
      <LimitMeter className="mt-1.5" used={use.used} limit={use.limit} />
    </div>
  );
}
