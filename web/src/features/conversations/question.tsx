// A person's message in the transcript.
import { memo, useId } from "react";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { formatDateTime, formatWhen } from "@/lib/format";
import type { Phase } from "./streams";

interface QuestionProps {
  readonly content: string;
  readonly createdAt: string;
  /** Set until the server has stored the message: it is then shown in grey. */
  readonly phase?: Phase | undefined;
  /** Its number among all messages, and how many there are. */
  readonly place: number;
  readonly count: number;
}

export const Question = memo(function Question({ content, createdAt, phase, place, count }: QuestionProps) {
  const t = useT();
  const id = useId();
  return (
    <article aria-labelledby={id} aria-posinset={place} aria-setsize={count} className="flex flex-col items-end">
      <h2 id={id} className="sr-only">
        {t("chat.messageFrom", { author: t("chat.you"), time: formatWhen(createdAt) })}
      </h2>
      <div
        title={formatDateTime(createdAt)}
        className={cn(
          "max-w-[92%] rounded-panel rounded-ee-mark bg-bubble px-4 py-2.5 transition-opacity duration-120 sm:max-w-[82%]",
          phase !== undefined && "opacity-60",
        )}
      >
        {/* Every line runs in its own direction; the bubble and its corner keep the page's. */}
        <div className="text-chat text-start whitespace-pre-wrap [overflow-wrap:anywhere] [unicode-bidi:plaintext]">
          {content}
        </div>
      </div>
      {phase === "queued" && <p className="mt-1 text-md text-muted-foreground">{t("chat.queued")}</p>}
      {phase === "sending" && <p className="sr-only">{t("chat.sending")}</p>}
    </article>
  );
});
