// Why a message was not taken, above the composer that holds its text again.
import { Link } from "react-router";
import { type ApiError, errorSentence } from "@/api/error";
import { useSession } from "@/api/session";
import { type T, useT } from "@/i18n";
import { formatDay, formatMoney, formatTime } from "@/lib/format";
import { InlineNotice } from "@/ui/notice";
import { type Refusal, TAKEN_BACK } from "./streams";
import { useSecondsLeft } from "./use-seconds-left";

interface RefusalNoticeProps {
  readonly refusal: Refusal;
  /** Shows the answer that is being written elsewhere. */
  readonly onShow?: () => void;
}

export function RefusalNotice({ refusal, onShow }: RefusalNoticeProps) {
  const t = useT();
  const isAdmin = useSession((session) => session.user?.role === "admin");
  const wait = useSecondsLeft(refusal);
  if (refusal.error === TAKEN_BACK) return null;
  const warns = refusal.error.status === 429 || refusal.error.status === 409;
  const noModel = isNoModel(refusal.error);
  return (
    <InlineNotice tone={warns ? "warning" : "error"} role="alert" className="mb-2">
      {noModel ? (
        <>
          {t(isAdmin ? "chat.refused.noKey" : "chat.refused.noModel")}{" "}
          {isAdmin && (
            <Link to="/admin/api-keys" className="font-semibold underline underline-offset-3">
              {t("chat.refused.openKeys")}
            </Link>
          )}
        </>
      ) : isRunning(refusal.error) ? (
        <>
          {t("chat.refused.running")}{" "}
          {onShow !== undefined && (
            <button type="button" onClick={onShow} className="font-semibold underline underline-offset-3">
              {t("chat.refused.show")}
            </button>
          )}
        </>
      ) : refusal.error.code === "QuotaExceededError" ? (
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

/** An answer is being written already; the refusal names it. */
function isRunning({ code, details }: ApiError): boolean {
  return code === "ConflictError" && details.some((detail) => detail.message_id !== undefined);
}

/** Nobody can answer until an administrator acts; what passes by itself says when to come back. */
function isNoModel({ code, retryAfter, message }: ApiError): boolean {
  return code === "ServiceUnavailableError" && retryAfter === undefined && message.startsWith("No model");
}

function sentence(error: ApiError, wait: number, t: T): string {
  switch (error.code) {
    case "NetworkError":
      return t("chat.refused.network");
    case "RateLimitError":
      return wait > 0 ? t("chat.refused.rate", { count: wait }) : t("chat.refused.rateOver");
    case "ConflictError":
    case "ServiceUnavailableError":
      return error.message;
    case "ValidationError":
      return error.details[0]?.message ?? error.message;
    default:
      return errorSentence(error, t);
  }
}
