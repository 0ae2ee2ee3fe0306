// Why a message was not taken, above the composer that holds its text again.
import { useEffect, useState } from "react";
import { Link } from "react-router";
import { type ApiError, errorSentence } from "@/api/error";
import { type T, useT } from "@/i18n";
import { formatDay, formatMoney, formatTime } from "@/lib/format";
import { InlineNotice } from "@/ui/notice";
import { TAKEN_BACK } from "./run-turn";
import type { Refusal } from "./streams";

export function RefusalNotice({ refusal }: { readonly refusal: Refusal }) {
  const t = useT();
  const wait = useSecondsLeft(refusal);
  if (refusal.error === TAKEN_BACK) return null;
  const warns = refusal.error.status === 429 || refusal.error.status === 409;
  return (
    <InlineNotice tone={warns ? "warning" : "error"} role="alert" className="mb-2">
      {refusal.error.code === "QuotaExceededError" ? (
        <QuotaRefusal error={refusal.error} />
      ) : (
        sentence(refusal.error, wait, t)
      )}
    </InlineNotice>
  );
}

/** What the details of a quota refusal say; older servers may say less. */
interface QuotaDetail {
  readonly limit?: string;
  readonly amount?: number;
  readonly resets_at?: string;
}

/** The budget that is used up, when it starts again, and that nothing typed was lost. */
function QuotaRefusal({ error }: { readonly error: ApiError }) {
  const t = useT();
  const { limit = "", amount, resets_at } = (error.details[0] ?? {}) as QuotaDetail;
  const isMonthly = limit.startsWith("monthly");
  // Limits per minute and per hour pass by themselves; only those of days and months are budgets.
  if (!isMonthly && !limit.startsWith("daily")) return error.message;
  const size =
    amount === undefined
      ? ""
      : limit.includes("token")
        ? ` (${t("chat.quota.tokens", { count: amount })})`
        : ` (${formatMoney(amount, isMonthly ? "short" : "full")})`;
  return (
    <>
      <strong className="font-semibold">{t(isMonthly ? "chat.quota.month" : "chat.quota.day")}</strong>
      {size}.{" "}
      {resets_at !== undefined &&
        (isMonthly
          ? t("chat.quota.againOn", { day: formatDay(resets_at, "plain") })
          : t("chat.quota.againAt", { time: formatTime(resets_at) }))}{" "}
      {t("chat.quota.kept")}{" "}
      <Link to="/settings/usage" className="font-semibold underline underline-offset-3">
        {t("chat.quota.see")}
      </Link>
    </>
  );
}

/** Seconds until another try makes sense; the send button waits with it. */
export function useSecondsLeft(refusal: Refusal | undefined): number {
  const seconds = refusal?.error.code === "RateLimitError" ? (refusal.error.retryAfter ?? 0) : 0;
  const [, tick] = useState(0);
  const left = seconds === 0 ? 0 : Math.max(0, Math.ceil(((refusal?.at ?? 0) + seconds * 1000 - Date.now()) / 1000));
  useEffect(() => {
    if (left === 0) return;
    const timer = setTimeout(() => tick((count) => count + 1), 1000);
    return () => clearTimeout(timer);
  });
  return left;
}

function sentence(error: ApiError, wait: number, t: T): string {
  switch (error.code) {
    case "NetworkError":
      return t("chat.refused.network");
    case "RateLimitError":
      return wait > 0 ? t("chat.refused.rate", { count: wait }) : t("chat.refused.rateOver");
    case "ConflictError":
      return error.details.some((detail) => detail.message_id !== undefined)
        ? t("chat.refused.running")
        : error.message;
    case "ServiceUnavailableError":
      return error.message;
    case "ValidationError":
      return error.details[0]?.message ?? error.message;
    default:
      return errorSentence(error, t);
  }
}
