// A person's message in the transcript.
import { memo, useId, useRef } from "react";
import type { Message } from "@/api/types";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { formatDateTime, formatWhen } from "@/lib/format";
import { QUESTION_LINE, QuestionActions } from "./question-actions";
import type { Phase } from "./streams";

interface QuestionProps {
  readonly content: string;
  readonly createdAt: string;
  /** Null until it is among the stored messages. */
  readonly message: Message | null;
  /** Set until the server has stored the message: it is then shown in grey. */
  readonly phase?: Phase | undefined;
  readonly isLast: boolean;
  /** Its number among all messages, and how many there are. */
  readonly place: number;
  readonly count: number;
}

export const Question = memo(function Question(props: QuestionProps) {
  const { content, createdAt, message, phase, isLast, place, count } = props;
  const t = useT();
  const id = useId();
  const text = useRef<HTMLDivElement>(null);
  return (
    <article aria-labelledby={id} aria-posinset={place} aria-setsize={count} className="group flex flex-col items-end">
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
        <div
          ref={text}
          className="text-chat text-start whitespace-pre-wrap [overflow-wrap:anywhere] [unicode-bidi:plaintext]"
        >
          {content}
        </div>
      </div>
      {phase === "queued" && <p className="mt-1 text-md text-muted-foreground">{t("chat.queued")}</p>}
      {phase === "sending" && <p className="sr-only">{t("chat.sending")}</p>}
      {message === null ? (
        <div className={QUESTION_LINE} />
      ) : (
        <QuestionActions message={message} isLast={isLast} text={text} />
      )}
    </article>
  );
});
