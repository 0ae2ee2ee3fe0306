// The composer's text, kept in this browser until the server has the message (ui rule R16).
import { useCallback, useEffect, useRef, useState } from "react";
import { DRAFT_DELAY, readDraft, writeDraft } from "./drafts";

export interface DraftText {
  readonly text: string;
  readonly setText: (text: string) => void;
  /** Empties the composer and leaves the stored draft alone: the message is on its way, not yet there. */
  readonly clear: () => void;
}

/** `userId` and `place` must not change while the component lives; give it a `key`. */
export function useDraft(userId: string, place: string): DraftText {
  const [text, show] = useState(() => readDraft(userId, place));
  const unsaved = useRef<string | null>(null);

  const save = useCallback(() => {
    if (unsaved.current === null) return;
    writeDraft(userId, place, unsaved.current);
    unsaved.current = null;
  }, [userId, place]);

  const setText = useCallback((next: string) => {
    unsaved.current = next;
    show(next);
  }, []);

  const clear = useCallback(() => {
    save();
    show("");
  }, [save]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: every new text starts the wait again.
  useEffect(() => {
    const timer = setTimeout(save, DRAFT_DELAY);
    return () => clearTimeout(timer);
  }, [text, save]);

  useEffect(() => {
    const onHidden = () => {
      if (document.hidden) save();
    };
    window.addEventListener("pagehide", save);
    document.addEventListener("visibilitychange", onHidden);
    return () => {
      window.removeEventListener("pagehide", save);
      document.removeEventListener("visibilitychange", onHidden);
      save();
    };
  }, [save]);

  return { text, setText, clear };
}

/** The message has arrived: its draft goes, unless something new was typed meanwhile. */
export function forgetDraft(userId: string, place: string, sent: string): void {
  if (readDraft(userId, place) === sent) writeDraft(userId, place, "");
}
