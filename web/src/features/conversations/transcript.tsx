// The messages of a conversation, drawn only where they are seen; never moves its reader (ui rules R1–R7, A5).
import { defaultRangeExtractor, type Range, useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { type RefObject, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Message } from "@/api/types";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { useUi } from "@/lib/ui-store";
import { Button } from "@/ui/button";
import { Answer, type AnswerProps } from "./answer";
import { Question } from "./question";
import { buildRows, estimateRow, type Row } from "./rows";
import { END_DISTANCE } from "./scroll";
import type { TurnOutline } from "./streams";
import { useFollow } from "./use-follow";
import { keptPlace, useLeaving, usePlacing, type Virtual } from "./use-placing";
import { useFloor, useMarked } from "./use-view";

interface TranscriptProps {
  readonly conversationId: string;
  readonly author: string;
  readonly files: number;
  readonly messages: readonly Message[];
  /** How many messages there are in all; older ones load as the reader nears them. */
  readonly total: number;
  readonly live: TurnOutline | undefined;
  readonly older: OlderMessages;
  /** Goes up when the page wants its end to be seen. */
  readonly toEnd: number;
  /** The message the address points to, to be brought into view and marked; null for none. */
  readonly marked: string | null;
  readonly onSource: AnswerProps["onSource"];
}

export interface OlderMessages {
  readonly more: boolean;
  readonly loading: boolean;
  readonly failed: boolean;
  readonly load: () => void;
}

/** Older messages load when the top is nearer than this, in pixels. */
const LOAD_DISTANCE = 600;
/** The room above an answer at which following it may end: the design's gap and one line, which one batch may add. */
const TOP_GAP = 16 + 28;

export function Transcript(props: TranscriptProps) {
  const { conversationId, messages, total, live, older, toEnd, marked } = props;
  const t = useT();
  const box = useRef<HTMLElement>(null);
  const focusedKey = useRef<string | null>(null);
  const { following, away, followEnd, hold, settle } = useFollow(box);
  const rows = useMemo(() => buildRows(messages, live), [messages, live]);
  const [kept] = useState(() => keptPlace(conversationId, rows));
  const getItemKey = useCallback((index: number) => rows[index]?.key ?? index, [rows]);
  // A row that holds the focus stays, however far the reader scrolls: unmounting it would drop the keyboard's place.
  const rangeExtractor = useCallback(
    (range: Range) => {
      const shown = defaultRangeExtractor(range);
      const focused = rows.findIndex((row) => row.key === focusedKey.current);
      return focused < 0 || shown.includes(focused) ? shown : [...shown, focused].sort((a, b) => a - b);
    },
    [rows],
  );
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: (index) => estimateRow(rows[index]),
    getItemKey,
    rangeExtractor,
    overscan: 4,
    gap: 26,
    paddingStart: 28,
    paddingEnd: 28,
    scrollPaddingStart: 16,
    anchorTo: "end",
    followOnAppend: true,
    // While the reader is elsewhere no distance counts as the end.
    scrollEndThreshold: following ? END_DISTANCE : -1,
    ...(kept === null ? {} : { initialOffset: kept.offset, initialMeasurementsCache: kept.snapshot }),
  });
  const placed = usePlacing(virtualizer, rows, kept !== null, hold);
  const flashed = useMarked(virtualizer, rows, placed, marked, hold);
  const floor = useFloor(box, rows);

  // Own send goes to the end, wherever the reader was.
  const sent = live !== undefined && live.kind !== "join" ? live.key : null;
  useEffect(() => {
    if (sent === null) return;
    followEnd();
    virtualizer.scrollToEnd();
  }, [sent, followEnd, virtualizer]);
  useEffect(() => {
    if (toEnd === 0) return;
    followEnd();
    virtualizer.scrollToEnd();
  }, [toEnd, followEnd, virtualizer]);

  // A resized window or a grown composer is no act of the reader: the end stays in view.
  useEffect(() => {
    const element = box.current;
    if (element === null || !following || typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(() => virtualizer.scrollToEnd());
    if (placed) observer.observe(element);
    return () => observer.disconnect();
  }, [following, placed, virtualizer]);

  const { more, loading, failed, load } = older;
  useEffect(() => {
    const element = box.current;
    if (element === null || !placed || !more || loading || failed) return;
    const onScroll = () => {
      if (element.scrollTop < LOAD_DISTANCE) load();
    };
    onScroll();
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => element.removeEventListener("scroll", onScroll);
  }, [placed, more, loading, failed, load]);

  useLayoutEffect(settle);
  useStopAtTop(box, virtualizer, rows.length - 1, live, following, hold);

  useLeaving(conversationId, virtualizer, rows, following);

  const jump = () => {
    followEnd();
    virtualizer.scrollToEnd();
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === "End" && event.target === box.current) jump();
  };

  return (
    <div className="relative min-h-0 flex-1">
      <section
        ref={box}
        aria-label={t("chat.transcript")}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the transcript scrolls, also by keyboard.
        tabIndex={0}
        onKeyDown={onKeyDown}
        onFocus={(event) => {
          focusedKey.current = event.target.closest("[data-row]")?.getAttribute("data-row") ?? null;
        }}
        onBlur={() => {
          focusedKey.current = null;
        }}
        className={cn(
          "h-full overflow-y-auto overscroll-contain [overflow-anchor:none] focus-visible:-outline-offset-2",
          !placed && "invisible",
        )}
      >
        <div
          role="feed"
          aria-busy={loading}
          aria-label={t("chat.transcript")}
          className="relative mx-auto w-full max-w-[760px]"
          style={{ height: Math.max(virtualizer.getTotalSize(), floor) }}
        >
          {virtualizer.getVirtualItems().map(({ key, index, start }) => {
            const row = rows[index];
            if (row === undefined) return null;
            return (
              <div
                key={key}
                ref={virtualizer.measureElement}
                data-index={index}
                data-row={row.key}
                className={cn(
                  "absolute inset-x-0 top-0 px-4 sm:px-5",
                  row.key === flashed && "rounded-card bg-mark/40",
                )}
                style={{ transform: `translateY(${start}px)` }}
              >
                <RowView
                  {...props}
                  row={row}
                  place={total - messages.length + index + 1}
                  count={total - messages.length + rows.length}
                  isLast={index === rows.length - 1}
                />
              </div>
            );
          })}
        </div>
      </section>
      <OlderStatus older={older} />
      <div className="pointer-events-none absolute inset-x-0 bottom-2 flex justify-center" inert={!away}>
        <Button
          size="sm"
          onClick={jump}
          className={cn(
            "pointer-events-auto rounded-full border-border shadow-float transition-opacity duration-180",
            !away && "opacity-0",
          )}
        >
          <ArrowDown aria-hidden />
          {live === undefined ? t("chat.jump") : t("chat.jumpWriting")}
        </Button>
      </div>
    </div>
  );
}

interface RowViewProps extends TranscriptProps {
  readonly row: Row;
  readonly place: number;
  readonly count: number;
  readonly isLast: boolean;
}

function RowView({ row, place, count, isLast, conversationId, author, files, onSource }: RowViewProps) {
  const position = { place, count, isLast };
  if (row.kind === "question") {
    const phase = row.live.stored ? undefined : row.live.queued ? "queued" : "sending";
    const createdAt = new Date(row.live.startedAt).toISOString();
    return <Question content={row.live.content} createdAt={createdAt} message={null} phase={phase} {...position} />;
  }
  if (row.kind === "message" && row.message.role === "user") {
    const { content, created_at } = row.message;
    return <Question content={content} createdAt={created_at} message={row.message} {...position} />;
  }
  return (
    <Answer
      conversationId={conversationId}
      author={author}
      message={row.kind === "message" ? row.message : null}
      files={files}
      onSource={onSource}
      {...position}
    />
  );
}

function OlderStatus({ older }: { readonly older: OlderMessages }) {
  const t = useT();
  if (!older.failed && !older.loading) return null;
  return (
    <div role="status" className="pointer-events-none absolute inset-x-0 top-2 flex justify-center">
      <span className="pointer-events-auto flex items-center gap-2 rounded-full border border-border bg-surface px-3 py-1 text-md text-muted-foreground shadow-float">
        {older.failed ? t("error.couldNotLoad", { things: t("chat.olderThings") }) : t("chat.olderLoading")}
        {older.failed && (
          <Button variant="link" size="inline" onClick={older.load}>
            {t("action.tryAgain")}
          </Button>
        )}
      </span>
    </div>
  );
}

/** For those who chose to read an answer from its start: following ends, once, when its first line nears the top. */
function useStopAtTop(
  box: RefObject<HTMLElement | null>,
  virtualizer: Virtual,
  row: number,
  live: TurnOutline | undefined,
  following: boolean,
  hold: () => void,
): void {
  const wanted = useUi((state) => state.followMode === "top");
  const stoppedAt = useRef("");
  useLayoutEffect(() => {
    const answer = virtualizer.measurementsCache[row];
    if (!wanted || !following || live === undefined || live.messageId === null || answer === undefined) return;
    if (stoppedAt.current === live.key || box.current === null) return;
    if (box.current.scrollTop < answer.start - TOP_GAP) return;
    stoppedAt.current = live.key;
    hold();
  });
}
