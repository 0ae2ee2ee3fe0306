// Keys of the open chat that work outside of text fields: E edits, M opens the models; Ctrl . stops from anywhere.
import { useEffect, useRef } from "react";
import { useUi } from "@/lib/ui-store";

interface ChatKeys {
  /** Undefined while nothing is being written. */
  readonly onStop: (() => void) | undefined;
  /** Undefined while nothing can be edited. */
  readonly onEdit: (() => void) | undefined;
  readonly onModels: () => void;
}

export function useChatKeys(keys: ChatKeys): void {
  const now = useRef(keys);
  now.current = keys;
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const { onStop, onEdit, onModels } = now.current;
      const { code, ctrlKey, metaKey, shiftKey, altKey } = event;
      if (code === "Period" && (ctrlKey || metaKey) && !shiftKey && !altKey && onStop !== undefined) {
        event.preventDefault();
        onStop();
      }
      if (ctrlKey || metaKey || shiftKey || altKey || event.repeat || event.isComposing) return;
      if (!useUi.getState().singleKeys || isTaken(event.target)) return;
      const act = code === "KeyE" ? onEdit : code === "KeyM" ? onModels : undefined;
      if (act === undefined) return;
      // The letter must not land in the field that opens.
      event.preventDefault();
      act();
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}

/** Where letters are typed, or lead through a menu. */
function isTaken(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, [role=menu], [role=dialog]") !== null;
}
