// What has to be said about an answer besides its text: how it ended, and on what it rests.
import { useEffect, useState } from "react";
import type { FinishReason, MessageStatus, Retrieval } from "@/api/types";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import type { Phase } from "./streams";
import type { FailoverNotice } from "./turn";

interface AnswerNotesProps {
  readonly status: MessageStatus;
  readonly finishReason: FinishReason | null;
  readonly retrieval: Retrieval | null;
  readonly failover: FailoverNotice | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  /** The provider's name where it is known. */
  readonly provider: string | null;
  readonly empty: boolean;
}

/** Short sentences under an answer; nothing when there is nothing to say. */
export function AnswerNotes(props: AnswerNotesProps) {
  const t = useT();
  const { status, finishReason, retrieval, failover } = props;
  const ending = useEnding(props);
  return (
    <>
      {/* Without a model there is nothing that could have answered alone; the offline provider says so itself. */}
      {retrieval === "none" && props.provider !== "offline" && <Note>{t("chat.retrieval.none")}</Note>}
      {retrieval === "unavailable" && <Note tone="warning">{t("chat.retrieval.unavailable")}</Note>}
      {failover !== null && (
        <Note>{t("chat.failover", { first: failover.from, second: failover.to, reason: failover.reason })}</Note>
      )}
      {status === "complete" && finishReason === "length" && <Note tone="warning">{t("chat.length")}</Note>}
      {status === "complete" && finishReason === "content_filter" && <Note tone="warning">{t("chat.filtered")}</Note>}
      {ending !== null && <Note tone={status === "error" ? "error" : "plain"}>{ending}</Note>}
    </>
  );
}

function useEnding({ status, error, provider, empty }: AnswerNotesProps): string | null {
  const t = useT();
  const who = provider ?? t("chat.theProvider");
  if (status === "stopped") return t("chat.stopped");
  if (status === "interrupted") return t("chat.interrupted");
  if (status === "complete") return empty ? t("chat.emptyAnswer") : null;
  if (status !== "error") return null;
  if (error?.code === "ProviderTimeoutError") return t("chat.providerTimeout", { provider: who });
  if (error?.code === "ProviderError" && empty) return t("chat.providerError", { provider: who });
  const reason = error?.message ?? "";
  return reason === "" ? t("chat.failed") : `${t("chat.failed")} ${reason}`;
}

const tones = { plain: "text-muted-foreground", warning: "text-warning", error: "text-destructive" } as const;

function Note({ tone = "plain", children }: { readonly tone?: keyof typeof tones; readonly children: string }) {
  return (
    <p dir="auto" className={cn("mt-2 text-md", tones[tone])}>
      {children}
    </p>
  );
}

const EARLY = 400;
const LONG = 15_000;
const VERY_LONG = 45_000;

interface ProgressWordProps {
  readonly phase: Phase;
  readonly startedAt: number;
  /** Whether any text has come. */
  readonly begun: boolean;
  /** How many files are searched before the answer begins. */
  readonly files: number;
}

/** What is going on, in a word beside the author's name. */
export function ProgressWord({ phase, startedAt, begun, files }: ProgressWordProps) {
  const t = useT();
  const waited = useWaited(startedAt, !begun);
  if (phase === "stopping") return t("chat.stopping");
  if (phase === "reconnecting") return t("chat.reconnecting");
  if (phase === "queued") return t("chat.queued");
  if (begun) return t("chat.writing");
  if (waited >= VERY_LONG) return t("chat.slow");
  if (waited >= LONG) return t("chat.stillWorking");
  if (waited < EARLY) return "";
  return phase === "sending" && files > 0 ? t("chat.searching", { count: files }) : t("chat.writing");
}

/** Which of the steps the wait has passed, in milliseconds; renders only when it passes one. */
function useWaited(since: number, counting: boolean): number {
  const [now, setNow] = useState(Date.now);
  const waited = now - since;
  useEffect(() => {
    if (!counting) return;
    const next = [EARLY, LONG, VERY_LONG].find((step) => step > waited);
    if (next === undefined) return;
    const timer = setTimeout(() => setNow(Date.now()), next - (Date.now() - since) + 1);
    return () => clearTimeout(timer);
  }, [waited, since, counting]);
  return waited;
}
