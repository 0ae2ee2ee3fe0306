// What the figures of a provider mean, in a word. Pure.
import { FAILOVER_REASONS } from "@/api/tree";
import type { ProviderStatus } from "@/api/types";
import type { T } from "@/i18n";
import { formatTime } from "@/lib/format";
import { keyProblem } from "@/lib/key-problem";
import { providerName } from "@/lib/provider-name";

export type StateName = "ok" | "failing" | "unused" | "spare" | "open" | "half_open" | "paused";

export interface ProviderState {
  readonly name: StateName;
  readonly tone: "success" | "warning" | "danger" | "neutral";
}

const TONES = {
  ok: "success",
  failing: "danger",
  unused: "neutral",
  spare: "neutral",
  open: "danger",
  half_open: "warning",
  paused: "warning",
} as const;

export function providerState(status: ProviderStatus, now: number): ProviderState {
  const name = stateName(status, now);
  return { name, tone: TONES[name] };
}

function stateName(status: ProviderStatus, now: number): StateName {
  if (status.paused_until !== null && Date.parse(status.paused_until) > now) return "paused";
  if (status.breaker === "open" || status.breaker === "half_open") return status.breaker;
  if (isFailing(status)) return "failing";
  if (!status.is_used) return "spare";
  return status.last_success_at === null ? "unused" : "ok";
}

/** Its last call failed: nothing has gone through since. */
export function isFailing({ last_error, last_error_at, last_success_at }: ProviderStatus): boolean {
  if (last_error === null) return false;
  if (last_success_at === null || last_error_at === null) return true;
  return Date.parse(last_error_at) > Date.parse(last_success_at);
}

export function stateWords(status: ProviderStatus, { name }: ProviderState, t: T): string {
  if (name === "paused") return t("providers.paused", { time: formatTime(status.paused_until ?? "") });
  if (name === "open" && status.retry_at !== null) {
    return t("providers.openUntil", { time: formatTime(status.retry_at) });
  }
  return t(`providers.${name}`);
}

/** Why it failed, as a sentence. */
export function errorWords(status: ProviderStatus, t: T): string {
  const known = FAILOVER_REASONS.find((each) => each === status.last_error);
  if (known === undefined) return t(keyProblem(status.last_error ?? ""));
  return t(`chat.reason.${known}`, { provider: providerTitle(status, t) });
}

/** Whom we speak of. */
export function providerTitle({ provider }: Pick<ProviderStatus, "provider">, t: T): string {
  if (provider === "offline" || provider === "local" || provider === "custom") return t(`providers.${provider}`);
  return providerName(provider);
}

/** Which of several ways to one provider: the name of its key, or where it was set up. */
export function providerDetail({ source, key_name, provider }: ProviderStatus, t: T): string {
  if (source === "key") return key_name ?? "";
  return source === "built_in" || provider === "offline" || provider === "local"
    ? t("providers.source.built_in")
    : t("providers.source.configuration");
}

/** Names a row: a provider may have several keys, but only one way from the configuration. */
export function providerKey({ provider, key_id }: ProviderStatus): string {
  return `${provider} ${key_id ?? ""}`;
}
