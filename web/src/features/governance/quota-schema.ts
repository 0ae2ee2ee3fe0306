// What a quota's form accepts: the limits of the server, with the sentences shown when they are broken.
import * as z from "zod/mini";
import type { Quota, QuotaLimits, QuotaScope } from "@/api/types";
import type { T } from "@/i18n";

/** The fields that limit something; an empty one limits nothing. */
export const LIMITS = [
  { name: "daily_cost_limit", max: 1_000_000, whole: false },
  { name: "monthly_cost_limit", max: 1_000_000, whole: false },
  { name: "daily_token_limit", max: 1_000_000_000_000, whole: true },
  { name: "monthly_token_limit", max: 1_000_000_000_000, whole: true },
  { name: "requests_per_min", max: 100_000, whole: true },
  { name: "requests_per_hour", max: 100_000, whole: true },
] as const;

export type LimitName = (typeof LIMITS)[number]["name"];
export const SCOPES = ["global", "role", "user", "assistant"] as const satisfies readonly QuotaScope[];

/** Numbers as they are typed. */
export type QuotaValues = Record<LimitName, string> & { scope: QuotaScope; scope_id: string; alert_threshold: string };

function numberText(t: T, max: number, whole: boolean, min = 0) {
  const broken = whole ? t("invalid.whole", { min, max }) : t("invalid.number", { min, max });
  const pattern = whole ? /^\d+$/ : /^\d+([.,]\d{1,6})?$/;
  return z.refine<string>((text) => {
    const value = numberOf(text);
    return text.trim() === "" || (pattern.test(text.trim()) && value !== null && value >= min && value <= max);
  }, broken);
}

/** A comma counts as a point, as many keyboards have it. */
function numberOf(text: string): number | null {
  const value = text.trim() === "" ? Number.NaN : Number(text.trim().replace(",", "."));
  return Number.isNaN(value) ? null : value;
}

export function quotaSchema(t: T) {
  const limit = (name: LimitName) => {
    const rule = LIMITS.find((each) => each.name === name);
    return z.string().check(numberText(t, rule?.max ?? 0, rule?.whole ?? true));
  };
  return z
    .object({
      scope: z.enum(SCOPES),
      scope_id: z.string(),
      daily_cost_limit: limit("daily_cost_limit"),
      monthly_cost_limit: limit("monthly_cost_limit"),
      daily_token_limit: limit("daily_token_limit"),
      monthly_token_limit: limit("monthly_token_limit"),
      requests_per_min: limit("requests_per_min"),
      requests_per_hour: limit("requests_per_hour"),
      alert_threshold: z.string().check(z.minLength(1, t("invalid.required")), numberText(t, 100, true, 1)),
    })
    .check(
      z.refine((value) => value.scope === "global" || value.scope_id !== "", {
        path: ["scope_id"],
        error: t("quotas.chooseSubject"),
      }),
    );
}

const textOf = (value: number | null | undefined) => (value == null ? "" : String(value));

/** Null gives the form of a new quota. */
export function toValues(quota: Quota | null): QuotaValues {
  return {
    scope: quota?.scope ?? "global",
    scope_id: quota?.scope_id ?? "",
    daily_cost_limit: textOf(quota?.daily_cost_limit),
    monthly_cost_limit: textOf(quota?.monthly_cost_limit),
    daily_token_limit: textOf(quota?.daily_token_limit),
    monthly_token_limit: textOf(quota?.monthly_token_limit),
    requests_per_min: textOf(quota?.requests_per_min),
    requests_per_hour: textOf(quota?.requests_per_hour),
    alert_threshold: textOf(quota?.alert_threshold ?? 80),
  };
}

export function toLimits(values: QuotaValues): QuotaLimits {
  return {
    daily_cost_limit: numberOf(values.daily_cost_limit),
    monthly_cost_limit: numberOf(values.monthly_cost_limit),
    daily_token_limit: numberOf(values.daily_token_limit),
    monthly_token_limit: numberOf(values.monthly_token_limit),
    requests_per_min: numberOf(values.requests_per_min),
    requests_per_hour: numberOf(values.requests_per_hour),
    alert_threshold: numberOf(values.alert_threshold) ?? 80,
  };
}
