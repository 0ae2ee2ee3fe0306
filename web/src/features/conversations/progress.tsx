// What is going on before and while an answer is written, and a way out when it takes too long.
import { useEffect, useState } from "react";
import { useT } from "@/i18n";
import { Button } from "@/ui/button";
import { useChatActions } from "./chat-actions";
import type { Phase } from "./streams";
import { TryAnother } from "./try-another";

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

/** After 45 s without a word: stop, or have another model write. */
export function SlowHint({ phase, startedAt }: Pick<ProgressWordProps, "phase" | "startedAt">) {
  const t = useT();
  const { stop, switchModel } = useChatActions();
  const waited = useWaited(startedAt, true);
  if (waited < VERY_LONG || phase !== "writing") return null;
  return (
    <div className="mt-2 flex flex-wrap gap-2">
      <Button size="sm" onClick={stop}>
        {t("chat.stop")}
      </Button>
      <TryAnother chosen={undefined} onChoose={switchModel} />
    </div>
  );
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
