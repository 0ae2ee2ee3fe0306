// Numbers, sizes and times in the person's language: one way each.
import { useI18n } from "@/i18n";

function language(): string {
  return useI18n.getState().language;
}

export function formatNumber(value: number): string {
  return new Intl.NumberFormat(language()).format(value);
}

/** Bytes in steps of 1024, as the limits are counted: 310 kB, 1.2 MB. */
export function formatSize(bytes: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
  let value = bytes;
  let step = 0;
  while (value >= 1024 && step < units.length - 1) {
    value /= 1024;
    step += 1;
  }
  const text = new Intl.NumberFormat(language(), {
    style: "unit",
    unit: units[step] ?? "byte",
    unitDisplay: step === 0 ? "long" : "short",
    maximumFractionDigits: value < 10 && step > 0 ? 1 : 0,
  }).format(value);
  // Number and Latin unit stay in this order inside Hebrew.
  return step > 0 ? `\u2066${text}\u2069` : text;
}

/** 14:02 */
export function formatTime(iso: string): string {
  return new Intl.DateTimeFormat(language(), {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).format(new Date(iso));
}

/** The full moment, for tooltips and `title`. */
export function formatDateTime(iso: string): string {
  return new Intl.DateTimeFormat(language(), {
    dateStyle: "medium",
    timeStyle: "short",
    hourCycle: "h23",
  }).format(new Date(iso));
}

function startOfDay(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** How many midnights lie between the moment and now, in the local zone. */
export function daysAgo(iso: string, now: Date = new Date()): number {
  return Math.round((startOfDay(now) - startOfDay(new Date(iso))) / 86_400_000);
}

/** Today the time, then “yesterday”, within the week the weekday, then the date. */
export function formatWhen(iso: string, now: Date = new Date()): string {
  const days = daysAgo(iso, now);
  if (days <= 0) return formatTime(iso);
  if (days === 1) return new Intl.RelativeTimeFormat(language(), { numeric: "auto" }).format(-1, "day");
  const date = new Date(iso);
  if (days < 7) return new Intl.DateTimeFormat(language(), { weekday: "long" }).format(date);
  const sameYear = date.getFullYear() === now.getFullYear();
  return new Intl.DateTimeFormat(language(), {
    day: "numeric",
    month: "short",
    ...(sameYear ? {} : { year: "numeric" }),
  }).format(date);
}

/** “now”, “5 min ago”, “3 hr ago”, then as `formatWhen`. */
export function formatAgo(iso: string, now: Date = new Date()): string {
  const minutes = Math.round((now.getTime() - new Date(iso).getTime()) / 60_000);
  const words = new Intl.RelativeTimeFormat(language(), { numeric: "auto", style: "short" });
  if (minutes < 1) return words.format(0, "second");
  if (minutes < 60) return words.format(-minutes, "minute");
  if (daysAgo(iso, now) === 0) return words.format(-Math.round(minutes / 60), "hour");
  return formatWhen(iso, now);
}

/** Date and time to the second, in figures: one below the other they can be compared. */
export function formatMoment(iso: string): string {
  return new Intl.DateTimeFormat(language(), {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  }).format(new Date(iso));
}

/** The moment in UTC to the second, as the server's own records name it. */
export function formatUtc(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** US dollars; less than a cent keeps the digits that matter. `short` leaves out empty cents, as limits are read. */
export function formatMoney(usd: number, style: "full" | "short" = "full"): string {
  const small = usd !== 0 && Math.abs(usd) < 0.01;
  return new Intl.NumberFormat(language(), {
    style: "currency",
    currency: "USD",
    currencyDisplay: "narrowSymbol",
    ...(small ? { maximumSignificantDigits: 2 } : {}),
    ...(style === "short" ? { trailingZeroDisplay: "stripIfInteger" } : {}),
  }).format(usd);
}

/**
 * A day of the calendar in UTC, the same in every zone, from a date or a moment: 1 Oct; `plain` 1 October; `long` with
 * the weekday.
 */
export function formatDay(day: string, style: "short" | "plain" | "long" = "short"): string {
  return new Intl.DateTimeFormat(language(), {
    day: "numeric",
    month: style === "short" ? "short" : "long",
    timeZone: "UTC",
    ...(style === "long" ? { weekday: "long" } : {}),
  }).format(new Date(`${day.slice(0, 10)}T00:00:00Z`));
}
