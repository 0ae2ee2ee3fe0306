// How much of a limit is used: a quota's pool may be shared, so one's own figures do not tell it.
import type { OwnUsage, QuotaScope } from "@/api/types";

export type WindowLimit = keyof OwnUsage["remaining"];

export interface LimitUse {
  readonly used: number;
  readonly limit: number;
  /** Whose quota it is; those that use it together share what is left. */
  readonly scope: QuotaScope | null;
}

/** Null where nothing is limited. */
export function limitUse({ limits, remaining, scopes }: OwnUsage, name: WindowLimit): LimitUse | null {
  const limit = limits[name];
  if (limit === null) return null;
  // Money is counted in millionths; a subtraction of fractions leaves more digits than that.
  const used = Math.round((limit - (remaining[name] ?? limit)) * 1e6) / 1e6;
  return { used, limit, scope: scopes[name] };
}
