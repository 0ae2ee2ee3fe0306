// What has to be said about an answer besides its text: how it ended, on what it rests, and how to go on (ui rule R12).
import { FAILOVER_REASONS } from "@/api/tree";
import type { Failover, Message } from "@/api/types";
import { type T, useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { providerName } from "@/lib/provider-name";
import { Button } from "@/ui/button";
import { useChatActions } from "./chat-actions";
import { TryAnother } from "./try-another";
import type { Turn } from "./turn";

interface AnswerNotesProps {
  readonly turn: Turn;
  /** Null for the moment between an answer's end and its place in the list. */
  readonly message: Message | null;
  readonly isLast: boolean;
}

/** Short sentences under an answer, with the ways on under the last one; nothing when there is nothing to say. */
export function AnswerNotes({ turn, message, isLast }: AnswerNotesProps) {
  const t = useT();
  const { busy, readOnly } = useChatActions();
  const { retrieval, failover } = turn;
  const provider = message?.provider ?? null;
  const ending = endingOf(turn, provider === null ? t("chat.theProvider") : providerName(provider), t);
  const ways = message !== null && isLast && !busy && !readOnly;
  return (
    <>
      {/* Without a model there is nothing that could have answered alone; the offline provider says so itself. */}
      {retrieval === "none" && provider !== "offline" && <Note>{t("chat.retrieval.none")}</Note>}
      {retrieval === "unavailable" && <Note tone="warning">{t("chat.retrieval.unavailable")}</Note>}
      {failover !== null && <Note>{failoverWords(failover, t)}</Note>}
      {ending !== null && (
        <div className="mt-2 flex flex-wrap items-center gap-x-3 gap-y-1.5">
          <Note tone={ending.tone} className="mt-0">
            {ending.words}
          </Note>
          {ways && <Ways message={message} ways={ending.ways} />}
        </div>
      )}
    </>
  );
}

type Way = "continue" | "again" | "another";

interface Ending {
  readonly words: string;
  readonly tone: keyof typeof tones;
  readonly ways: readonly Way[];
}

function endingOf({ status, finishReason, error, content }: Turn, who: string, t: T): Ending | null {
  const empty = content === "";
  const onwards: readonly Way[] = empty ? ["again"] : ["continue", "again"];
  switch (status) {
    case "stopped":
      return { words: t("chat.stopped"), tone: "plain", ways: onwards };
    case "interrupted":
      return { words: t("chat.interrupted"), tone: "plain", ways: onwards };
    case "complete":
      if (finishReason === "length") return { words: t("chat.length"), tone: "warning", ways: ["continue"] };
      if (finishReason === "content_filter") return { words: t("chat.filtered"), tone: "warning", ways: ["again"] };
      return empty ? { words: t("chat.emptyAnswer"), tone: "plain", ways: ["again"] } : null;
    case "error":
      return { words: errorWords(error, empty, who, t), tone: "error", ways: ["again", "another"] };
    default:
      return null;
  }
}

function errorWords(error: Turn["error"], empty: boolean, provider: string, t: T): string {
  if (error?.code === "ProviderTimeoutError") return t("chat.providerTimeout", { provider });
  if (error?.code === "ProviderError" && empty) return t("chat.providerError", { provider });
  const reason = error?.message ?? "";
  return reason === "" ? t("chat.failed") : `${t("chat.failed")} ${reason}`;
}

/** Who did not answer, who did, why, and what that costs more. */
function failoverWords({ from, to, reason, extra_cost_percent }: Failover, t: T): string {
  const known = FAILOVER_REASONS.find((each) => each === reason);
  const first = providerName(from);
  const why = known === undefined ? "" : t(`chat.reason.${known}`, { provider: first });
  const words = t("chat.failover", { first, second: providerName(to), reason: why }).trim();
  const extra = extra_cost_percent ?? 0;
  return extra > 0 ? `${words} ${t("chat.failoverCost", { percent: extra })}` : words;
}

function Ways({ message, ways }: { readonly message: Message; readonly ways: readonly Way[] }) {
  const t = useT();
  const { goOn, tryAgain } = useChatActions();
  return (
    <span className="flex flex-wrap gap-2">
      {ways.includes("continue") && (
        <Button size="sm" onClick={() => goOn(message)}>
          {t("chat.continue")}
        </Button>
      )}
      {ways.includes("again") && (
        <Button size="sm" onClick={() => tryAgain(message)}>
          {t("chat.tryAgain")}
        </Button>
      )}
      {ways.includes("another") && (
        <TryAnother chosen={message.model ?? undefined} onChoose={(model) => tryAgain(message, model)} />
      )}
    </span>
  );
}

const tones = { plain: "text-muted-foreground", warning: "text-warning", error: "text-destructive" } as const;

interface NoteProps {
  readonly tone?: keyof typeof tones;
  readonly className?: string;
  readonly children: string;
}

function Note({ tone = "plain", className, children }: NoteProps) {
  return (
    <p dir="auto" className={cn("mt-2 text-md", tones[tone], className)}>
      {children}
    </p>
  );
}
