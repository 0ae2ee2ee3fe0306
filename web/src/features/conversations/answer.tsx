// An assistant's message in the transcript: author, text, notes, actions; the same element while it is being written.
import { memo, useId, useMemo, useRef } from "react";
import type { Message } from "@/api/types";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { formatDateTime, formatWhen } from "@/lib/format";
import { AnswerActions } from "./answer-actions";
import { AnswerNotes } from "./answer-notes";
import { CitationScopeContext, citedIndexes } from "./markdown/citations";
import { StreamMarkdown } from "./markdown/stream-markdown";
import { useModelName } from "./model-picker";
import { ProgressWord, SlowHint } from "./progress";
import { type LiveTurn, useStreams } from "./streams";
import { turnOf } from "./turn";

export interface AnswerProps {
  readonly conversationId: string;
  readonly author: string;
  /** Null while the server has not named the message yet. */
  readonly message: Message | null;
  /** How many files the assistant searches. */
  readonly files: number;
  readonly isLast: boolean;
  /** Its number among all messages, and how many there are. */
  readonly place: number;
  readonly count: number;
  /** Shows the sources of a message, at the source with this number. */
  readonly onSource: (messageId: string, index: number | null) => void;
}

export const Answer = memo(function Answer(props: AnswerProps) {
  const { conversationId, author, message, files, isLast, place, count, onSource } = props;
  const t = useT();
  const id = useId();
  const text = useRef<HTMLDivElement>(null);
  const modelName = useModelName();
  // Only the answer being written follows the store; settled ones do not draw during a stream.
  const live = useStreams((state) => liveOf(state.turns[conversationId], message));
  const turn = useMemo(() => live?.turn ?? (message === null ? null : turnOf(message)), [live, message]);
  const messageId = turn?.messageId ?? null;
  const scope = useMemo(
    () => ({
      citations: turn?.citations ?? [],
      open: (index: number) => {
        if (messageId !== null) onSource(messageId, index);
      },
    }),
    [turn?.citations, messageId, onSource],
  );
  if (turn === null) return null;
  const createdAt = message?.created_at ?? new Date(live?.startedAt ?? 0).toISOString();
  const writing = live !== undefined && turn.status === "streaming";
  const begun = turn.content !== "";
  const cited = citedIndexes(turn.content, turn.citations);

  return (
    <article
      aria-labelledby={id}
      aria-busy={writing}
      aria-posinset={place}
      aria-setsize={count}
      className={cn(
        "group border-s-2 ps-4 transition-colors duration-180",
        writing ? "border-primary" : turn.status === "error" ? "border-destructive" : "border-border",
        live?.phase === "reconnecting" && "border-dashed",
      )}
    >
      <header className="mb-1.5 flex flex-wrap items-baseline gap-x-2">
        <h2 id={id} className="font-display text-lg font-semibold">
          <bdi>{author}</bdi>
          <span className="sr-only">, {formatWhen(createdAt)}</span>
        </h2>
        <span className="text-md text-muted-foreground">
          {writing ? (
            <ProgressWord phase={live.phase} startedAt={live.startedAt} begun={begun} files={files} />
          ) : (
            <>
              {turn.model !== null && (
                <>
                  <bdi>{modelName(turn.model)}</bdi> ·{" "}
                </>
              )}
              <time dateTime={createdAt} title={formatDateTime(createdAt)}>
                {formatWhen(createdAt)}
              </time>
              {message !== null && message.edited_at !== null && (
                <span title={formatDateTime(message.edited_at)}> · {t("chat.edited")}</span>
              )}
            </>
          )}
        </span>
      </header>
      <div ref={text}>
        <CitationScopeContext value={scope}>
          <StreamMarkdown text={turn.content} writing={writing} />
        </CitationScopeContext>
      </div>
      {writing && !begun && <div aria-hidden className="h-7 w-2 animate-breathe rounded-mark bg-primary/50" />}
      {writing && !begun && <SlowHint phase={live.phase} startedAt={live.startedAt} />}
      {!writing && <AnswerNotes turn={turn} message={message} isLast={isLast} />}
      {!writing && (
        <AnswerActions
          message={message}
          turn={turn}
          sources={cited.length === 0 ? turn.citations.length : cited.length}
          isLast={isLast}
          text={text}
          onSources={() => {
            if (messageId !== null) onSource(messageId, null);
          }}
        />
      )}
    </article>
  );
});

function liveOf(live: LiveTurn | undefined, message: Message | null): LiveTurn | undefined {
  return message === null || live?.turn.messageId === message.id ? live : undefined;
}
