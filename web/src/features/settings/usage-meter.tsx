// What of today's or this month's limit is used, at the foot of the sidebar; nothing where there is no limit.
import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link } from "react-router";
import { useSession } from "@/api/session";
import type { OwnUsage } from "@/api/types";
import { useT } from "@/i18n";
import { formatMoney, formatNumber } from "@/lib/format";
import { userKey } from "@/lib/user-storage";
import { LimitMeter, percentOf } from "@/ui/limit-meter";
import { toast } from "@/ui/toast";
import { ownUsageQuery } from "./api";
import { type LimitUse, limitUse } from "./limit-use";

/** From this share of a limit on, in percent, it is said in words. */
const WARN_AT = 80;

interface Used extends LimitUse {
  readonly window: "day" | "month";
  readonly unit: "cost" | "tokens";
}

/** The limit that is nearest to its end; null when nothing is limited. */
export function tightest(usage: OwnUsage): Used | null {
  const all = [
    { window: "day", unit: "cost", name: "daily_cost_limit" },
    { window: "month", unit: "cost", name: "monthly_cost_limit" },
    { window: "day", unit: "tokens", name: "daily_token_limit" },
    { window: "month", unit: "tokens", name: "monthly_token_limit" },
  ] as const;
  const limited = all.flatMap(({ window, unit, name }): Used[] => {
    const use = limitUse(usage, name);
    return use === null ? [] : [{ window, unit, ...use }];
  });
  // Of equals the first: today's money is what one watches.
  return limited.reduce<Used | null>(
    (best, each) =>
      best === null || percentOf(each.used, each.limit) > percentOf(best.used, best.limit) ? each : best,
    null,
  );
}

/** True once per person and day, so that the same warning does not come with every page. */
function isFirstToday(userId: string, now: Date): boolean {
  const name = userKey(userId, "usage-warned");
  const day = now.toISOString().slice(0, 10);
  try {
    if (localStorage.getItem(name) === day) return false;
    localStorage.setItem(name, day);
  } catch {
    // Storage is shut: the warning may come again, which is better than never.
  }
  return true;
}

export default function UsageMeter() {
  const t = useT();
  const userId = useSession((state) => state.user?.id);
  const usage = useQuery(ownUsageQuery).data;
  const used = usage === undefined ? null : tightest(usage);
  const percent = used === null ? 0 : percentOf(used.used, used.limit);
  const warning =
    used === null || percent < WARN_AT
      ? null
      : t(used.window === "day" ? "meter.warnDay" : "meter.warnMonth", { percent: Math.min(percent, 100) });
  useEffect(() => {
    if (warning !== null && userId !== undefined && isFirstToday(userId, new Date())) toast({ text: warning });
  }, [warning, userId]);
  if (used === null) return null;
  const format = used.unit === "cost" ? formatMoney : formatNumber;
  const limit = used.unit === "cost" ? formatMoney(used.limit, "short") : formatNumber(used.limit);
  const words = {
    day: { cost: "meter.day", tokens: "meter.dayTokens" },
    month: { cost: "meter.month", tokens: "meter.monthTokens" },
  } as const;
  const text = t(words[used.window][used.unit], { used: format(used.used), limit });
  return (
    <Link
      to="/settings/usage"
      className="mb-1 block rounded-control px-1.5 py-1.5 text-md text-muted-foreground hoverable:hover:bg-accent/60 hoverable:hover:text-foreground"
    >
      <span className="tabular">{text}</span>
      {warning !== null && <span className="block font-semibold text-warning">{warning}</span>}
      <LimitMeter className="mt-1" used={used.used} limit={used.limit} warnAt={WARN_AT} />
    </Link>
  );
}
