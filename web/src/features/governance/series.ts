// Turns the server's groups into what charts and lists draw. Pure.
import type { UsageGroup } from "@/api/types";
import type { Series } from "@/ui/day-chart";

/** As many models have a colour of their own; the rest are one series. */
const NAMED = 5;

/** Every calendar day from `from` to `to`, both included, in UTC. */
export function daysBetween(from: string, to: string): string[] {
  const days: string[] = [];
  const last = Date.parse(`${to}T00:00:00Z`);
  for (let at = Date.parse(`${from}T00:00:00Z`); at <= last && days.length < 400; at += 86_400_000) {
    days.push(new Date(at).toISOString().slice(0, 10));
  }
  return days;
}

/** The day so many days before `now`, in UTC; 0 is today. */
export function dayBefore(days: number, now: Date): string {
  return new Date(now.getTime() - days * 86_400_000).toISOString().slice(0, 10);
}

/** Cost per day, stacked by model: the dearest five by name, the others together. */
export function costByModel(groups: readonly UsageGroup[], days: readonly string[], other: string): Series[] {
  const totals = new Map<string, number>();
  for (const group of groups) {
    const model = group.split ?? "";
    totals.set(model, (totals.get(model) ?? 0) + group.cost_usd);
  }
  const ranked = [...totals].filter(([, cost]) => cost > 0).sort(([, a], [, b]) => b - a);
  const named = ranked.slice(0, ranked.length <= NAMED + 1 ? NAMED + 1 : NAMED).map(([model]) => model);
  const place = new Map(days.map((day, index) => [day, index]));
  const rows = new Map<string, number[]>();
  for (const group of groups) {
    const day = place.get((group.key ?? "").slice(0, 10));
    if (day === undefined || group.cost_usd === 0) continue;
    const model = group.split ?? "";
    const key = named.includes(model) ? model : other;
    const values = rows.get(key) ?? days.map(() => 0);
    values[day] = (values[day] ?? 0) + group.cost_usd;
    rows.set(key, values);
  }
  const order = rows.has(other) ? [...named, other] : named;
  return order.flatMap((key) => {
    const values = rows.get(key);
    return values === undefined ? [] : [{ key, name: key === "" ? "–" : key, values }];
  });
}

/** The sum of all series per day. */
export function totalsOf(series: readonly Series[], days: readonly string[]): number[] {
  return days.map((_, day) => series.reduce((sum, each) => sum + (each.values[day] ?? 0), 0));
}
