// Where a message is written, sent and its answer stopped; the text survives everything (ui rules R12, R14–R16, R19).
import { ArrowUp, Square } from "lucide-react";
import { lazy, Suspense, useEffect, useId, useRef, useState } from "react";
import { usePublicSettings } from "@/api/settings";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { useUi } from "@/lib/ui-store";
import { Button } from "@/ui/button";
import { keyMeaning, TOUCH_ONLY } from "./composer-keys";
import { ModelPicker, useChosenModel } from "./model-picker";
import type { Phase, Refusal } from "./streams";
import { useDraft } from "./use-draft";
import { useMedia } from "./use-media";
import { useSecondsLeft } from "./use-seconds-left";

/** Words to be put into the field; `at` makes the same words count twice. */
export interface Quotation {
  readonly text: string;
  readonly at: number;
}

// Refusals are rare.
const RefusalNotice = lazy(async () => ({ default: (await import("./refusal-notice")).RefusalNotice }));

interface ComposerProps {
  readonly userId: string;
  /** Where the draft and the model choice belong; the component must be keyed by it. */
  readonly place: string;
  readonly label: string;
  /** What the current answer is doing; null when none is being written. */
  readonly phase: Phase | null;
  readonly refusal: Refusal | undefined;
  readonly autoFocus?: boolean;
  /** The assistant's own model; null leaves it to the server. */
  readonly assistantModel: string | null;
  /** How many of the assistant's files answers cannot use yet. */
  readonly reading: number;
  readonly quotation?: Quotation | null;
  /** Opens the person's last message to be changed; absent where there is none. */
  readonly onEditLast?: (() => void) | undefined;
  /** Shows the answer that is being written elsewhere. */
  readonly onShow?: () => void;
  readonly onSend: (text: string, model: string | undefined) => void;
  readonly onStop: () => void;
}

export function Composer(props: ComposerProps) {
  const { userId, place, label, phase, refusal, autoFocus = false, assistantModel, reading, onSend, onStop } = props;
  const { quotation = null, onEditLast, onShow } = props;
  const t = useT();
  const { text, setText, clear } = useDraft(userId, place);
  const field = useRef<HTMLTextAreaElement>(null);
  const hintId = useId();
  const [askedToWait, setAskedToWait] = useState(false);
  const touchOnly = useMedia(TOUCH_ONLY);
  const enterMakesLine = useUi((state) => state.enterKey === "newline");
  const secondsLeft = useSecondsLeft(refusal);
  const writing = phase !== null;
  const { message_max_chars: longest } = usePublicSettings();
  const length = text.length > longest / 2 ? [...text].length : text.length;
  const model = useChosenModel(place);
  const sendable = text.trim() !== "" && length <= longest && secondsLeft === 0;

  useEffect(() => {
    if (!writing) setAskedToWait(false);
  }, [writing]);

  // A message that was not taken comes back, in front of what has been typed since.
  const returned = useRef<Refusal | undefined>(undefined);
  useEffect(() => {
    if (refusal === undefined || refusal === returned.current) return;
    returned.current = refusal;
    if (text.includes(refusal.content)) return;
    setText(text.trim() === "" ? refusal.content : `${refusal.content}\n\n${text}`);
  }, [refusal, text, setText]);

  const quoted = useRef<Quotation | null>(null);
  useEffect(() => {
    if (quotation === null || quotation === quoted.current) return;
    quoted.current = quotation;
    setText(`${text.trim() === "" ? "" : `${text.trimEnd()}\n\n`}${quotation.text}\n\n`);
    // The menu it came from still holds the focus, and gives it back first.
    requestAnimationFrame(() => {
      field.current?.focus();
      field.current?.setSelectionRange(field.current.value.length, field.current.value.length);
    });
  }, [quotation, text, setText]);

  useEffect(() => {
    const area = field.current;
    if (area === null) return;
    if (autoFocus && !touchOnly) area.focus({ preventScroll: true });
    // The caret stands at the end of a restored draft.
    area.setSelectionRange(area.value.length, area.value.length);
  }, [autoFocus, touchOnly]);

  const send = () => {
    if (!sendable || writing) return;
    onSend(text, model);
    clear();
  };

  const onKeyDown = (event: React.KeyboardEvent<HTMLTextAreaElement>) => {
    const { key, keyCode, shiftKey, ctrlKey, metaKey, altKey, nativeEvent } = event;
    const press = { key, keyCode, shiftKey, ctrlKey, metaKey, altKey, isComposing: nativeEvent.isComposing };
    const meaning = keyMeaning(press, { touchOnly, writing, enterMakesLine, empty: text === "" });
    if (meaning === "none" || (meaning === "editLast" && onEditLast === undefined)) return;
    event.preventDefault();
    if (meaning === "send") send();
    if (meaning === "stop") onStop();
    if (meaning === "wait") setAskedToWait(true);
    if (meaning === "editLast") onEditLast?.();
  };

  const tooLong = length > longest;
  return (
    <div data-slot="composer">
      <Suspense>
        {refusal !== undefined && <RefusalNotice refusal={refusal} {...(onShow === undefined ? {} : { onShow })} />}
      </Suspense>
      <div className="rounded-panel border border-input bg-surface px-3 pt-2.5 pb-2 shadow-[0_1px_2px_#0000000a] transition-colors duration-120 focus-within:border-ring focus-within:ring-1 focus-within:ring-ring">
        {/* The invisible copy gives the field its height: no measuring, no jump. */}
        <div className="grid max-h-[30dvh] overflow-y-auto overscroll-contain sm:max-h-[40dvh]">
          <div aria-hidden className="invisible col-start-1 row-start-1 px-1 text-lg break-words whitespace-pre-wrap">
            {`${text} `}
          </div>
          <textarea
            ref={field}
            // An empty field has no letters to decide by: its hint runs as the page does.
            dir={text === "" ? undefined : "auto"}
            rows={1}
            value={text}
            aria-label={label}
            aria-describedby={hintId}
            aria-invalid={tooLong || undefined}
            placeholder={label}
            enterKeyHint={touchOnly || enterMakesLine ? "enter" : "send"}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={onKeyDown}
            className="col-start-1 row-start-1 min-h-7 resize-none overflow-hidden bg-transparent px-1 text-lg outline-none focus-visible:outline-none"
          />
        </div>
        <div className="mt-1.5 flex min-h-9 items-center gap-2">
          <ModelPicker place={place} assistantModel={assistantModel} />
          <span className="flex-1" />
          {writing ? (
            <StopButton phase={phase} onStop={onStop} />
          ) : (
            <Button variant="primary" disabled={!sendable} onClick={send}>
              <ArrowUp aria-hidden />
              {t("chat.send")}
            </Button>
          )}
        </div>
      </div>
      <p
        id={hintId}
        role={askedToWait || tooLong ? "status" : undefined}
        className={cn(
          "mt-1.5 text-center text-sm text-muted-foreground",
          tooLong && "font-semibold text-destructive",
          !tooLong && !askedToWait && reading === 0 && "max-sm:hidden",
        )}
      >
        {tooLong
          ? t("chat.tooLong", { n: length, max: longest })
          : askedToWait && writing
            ? t("chat.waitHint")
            : reading > 0
              ? t("chat.reading", { count: reading })
              : t("chat.checkHint")}
      </p>
    </div>
  );
}

function StopButton({ phase, onStop }: { readonly phase: Phase; readonly onStop: () => void }) {
  const t = useT();
  const label = phase === "stopping" ? t("chat.stopping") : phase === "queued" ? t("chat.cancelSend") : t("chat.stop");
  return (
    <Button variant="primary" aria-disabled={phase === "stopping" || undefined} onClick={onStop}>
      <Square className="fill-current" aria-hidden />
      {label}
    </Button>
  );
}
