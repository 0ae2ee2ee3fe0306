// One sentence that says what a chart of days shows, for those who do not see it.
import type { T } from "@/i18n";
import { formatDay } from "./format";

/** `what` names the figure; `values` has one amount per day. Its words come with the pages that show charts. */
export function chartSummary(
  what: string,
  days: readonly string[],
  values: readonly number[],
  format: (value: number) => string,
  t: T,
): string {
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return what;
  const from = formatDay(first, "long");
  const to = formatDay(last, "long");
  const most = Math.max(...values, 0);
  if (most === 0) return t("chart.summaryEmpty", { what, from, to });
  const total = format(values.reduce((sum, value) => sum + value, 0));
  const day = formatDay(days[values.indexOf(most)] ?? first, "long");
  return t("chart.summary", { what, from, to, total, day, most: format(most) });
}
