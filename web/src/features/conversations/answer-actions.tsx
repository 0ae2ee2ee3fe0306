// The line under an answer: what can be done with it, its versions, its price (ui rules R21–R24).
import { BookOpenText, ChevronDown, Quote, RefreshCw } from "lucide-react";
import { type RefObject, Suspense, useRef, useState } from "react";
import type { Message } from "@/api/types";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { formatMoney } from "@/lib/format";
import { useUi } from "@/lib/ui-store";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { useChatActions } from "./chat-actions";
import { copyAnswer, quotable } from "./copy";
import { ModelPopover, useHasModels } from "./model-picker";
import { MoreButton } from "./more-button";
import type { Turn } from "./turn";
import { VersionPicker } from "./version-picker";

interface AnswerActionsProps {
  /** Null for the moment between an answer's end and its place in the list. */
  readonly message: Message | null;
  readonly turn: Turn;
  /** How many sources it cites, or was given. */
  readonly sources: number;
  readonly isLast: boolean;
  /** The drawn text. */
  readonly text: RefObject<HTMLElement | null>;
  readonly onSources: () => void;
}

/** Beside a pointer that can hover they show when it comes near; fingers and small screens find them behind “⋯”. */
const hidden = "max-sm:hidden coarse:hidden";
const quiet = "text-muted-foreground";

export function AnswerActions({ message, turn, sources, isLast, text, onSources }: AnswerActionsProps) {
  const t = useT();
  const { readOnly, quote } = useChatActions();
  const [choosing, setChoosing] = useState(false);
  const anchor = useRef<HTMLDivElement>(null);
  const hasModels = useHasModels();
  const begun = turn.content !== "";
  // The note above says how it ended, and offers another try already.
  const offered = isLast && turn.status !== "complete";
  const copied = () => ({ content: turn.content, citations: turn.citations, element: text.current });
  return (
    <footer
      ref={anchor}
      tabIndex={-1}
      className="-ms-2 mt-1.5 flex min-h-8 flex-wrap items-center gap-x-0.5 outline-none"
    >
      <div
        className={cn(
          "flex items-center gap-x-0.5 transition-opacity duration-120 has-aria-expanded:opacity-100",
          !isLast && "hoverable:opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 coarse:opacity-100",
        )}
      >
        {begun && (
          <CopyButton label={t("chat.copy")} copy={() => copyAnswer(copied(), { rich: true })} className={hidden} />
        )}
        {message !== null && !readOnly && !offered && (
          <TryAgain message={message} choosing={choosing} onChoosing={setChoosing} />
        )}
        {message !== null && !readOnly && begun && (
          <Button
            variant="ghost"
            size="sm"
            className={cn(quiet, hidden, "font-normal")}
            onClick={() => quote(quotable(text.current, message.content))}
          >
            <Quote aria-hidden />
            {t("chat.quote")}
          </Button>
        )}
        {turn.citations.length > 0 && (
          <Button variant="ghost" size="sm" className={cn(quiet, "font-normal")} onClick={onSources}>
            <BookOpenText aria-hidden />
            {t("chat.sources", { count: sources })}
          </Button>
        )}
        {message !== null && (
          <MoreButton message={message} text={text} onTryWith={hasModels ? () => setChoosing(true) : undefined} />
        )}
      </div>
      {message !== null && <VersionPicker message={message} />}
      <Cost turn={turn} />
      <TryWith message={message} open={choosing} anchor={anchor} onClose={() => setChoosing(false)} />
    </footer>
  );
}

interface TryAgainProps {
  readonly message: Message;
  readonly choosing: boolean;
  readonly onChoosing: (choosing: boolean) => void;
}

/** Again by the same model; the arrow beside it asks by which. */
function TryAgain({ message, choosing, onChoosing }: TryAgainProps) {
  const t = useT();
  const { busy, tryAgain } = useChatActions();
  const hasModels = useHasModels();
  return (
    <span className={cn("inline-flex items-center", hidden)}>
      <Button
        variant="ghost"
        size="sm"
        aria-disabled={busy || undefined}
        className={cn(quiet, "font-normal", hasModels && "pe-1")}
        onClick={() => {
          if (!busy) tryAgain(message);
        }}
      >
        <RefreshCw aria-hidden />
        {t("chat.tryAgain")}
      </Button>
      {hasModels && (
        <Button
          variant="ghost"
          size="sm"
          aria-disabled={busy || undefined}
          aria-haspopup="dialog"
          aria-expanded={choosing}
          aria-label={t("chat.tryAgainWith")}
          className={cn(quiet, "w-6 px-0")}
          onClick={() => {
            if (!busy) onChoosing(!choosing);
          }}
        >
          <ChevronDown aria-hidden />
        </Button>
      )}
    </span>
  );
}

interface TryWithProps {
  readonly message: Message | null;
  readonly open: boolean;
  readonly anchor: RefObject<HTMLElement | null>;
  readonly onClose: () => void;
}

function TryWith({ message, open, anchor, onClose }: TryWithProps) {
  const t = useT();
  const { defaultModel, tryAgain } = useChatActions();
  if (!open || message === null) return null;
  return (
    <Suspense>
      <ModelPopover
        anchor={anchor}
        label={t("chat.tryAgainWith")}
        recommended={defaultModel}
        chosen={message.model ?? undefined}
        withDefault={false}
        onChoose={(model) => tryAgain(message, model)}
        onClose={onClose}
      />
    </Suspense>
  );
}

/** What the answer cost; nothing for those who do not want to see it. */
function Cost({ turn }: { readonly turn: Turn }) {
  const t = useT();
  const shown = useUi((state) => state.showCost);
  if (!shown || turn.cost === null) return null;
  const cost = formatMoney(turn.cost);
  return (
    <span className="tabular ms-auto inline-flex h-8 items-center px-2 text-md text-muted-foreground coarse:h-11">
      <span className="sr-only">{t("chat.cost")} </span>
      {turn.used?.estimated === true ? t("chat.costAbout", { cost }) : cost}
    </span>
  );
}
