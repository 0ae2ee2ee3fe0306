// Where reading begins when a conversation is opened, and remembering where it was left (ui rule R6).
import type { useVirtualizer, VirtualItem } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { Row } from "./rows";
import { END_DISTANCE } from "./scroll";

export type Virtual = ReturnType<typeof useVirtualizer<HTMLElement, Element>>;

const PLACE_AGE = 30 * 60_000;

interface Place {
  readonly at: number;
  readonly firstRow: string;
  readonly offset: number;
  readonly snapshot: VirtualItem[];
}

/** Where a reader left each conversation, unless at its end. */
const places = new Map<string, Place>();

export function keptPlace(conversationId: string, rows: readonly Row[]): Place | null {
  const place = places.get(conversationId);
  if (place === undefined || Date.now() - place.at > PLACE_AGE) return null;
  return place.firstRow === rows[0]?.key ? place : null;
}

/** Remembers the place when the conversation is left. */
export function useLeaving(conversationId: string, virtualizer: Virtual, rows: readonly Row[], following: boolean) {
  const leave = useRef(() => {});
  leave.current = () => {
    const firstRow = rows[0]?.key;
    if (firstRow === undefined || following || virtualizer.isAtEnd(END_DISTANCE)) {
      places.delete(conversationId);
      return;
    }
    const offset = virtualizer.scrollOffset ?? 0;
    places.set(conversationId, { at: Date.now(), firstRow, offset, snapshot: virtualizer.takeSnapshot() });
  };
  useEffect(() => () => leave.current(), []);
}

/**
 * Opens a conversation where reading begins: at the place left before, else at the last question when its answer is
 * longer than the screen, else at the end. Returns whether that has been done.
 */
export function usePlacing(virtualizer: Virtual, rows: readonly Row[], restored: boolean, hold: () => void): boolean {
  const [placed, setPlaced] = useState(restored || rows.length === 0);
  useLayoutEffect(() => {
    if (restored) hold();
  }, [restored, hold]);
  useLayoutEffect(() => {
    if (placed) return;
    virtualizer.scrollToEnd();
    // Two frames later the rows at the end have been measured.
    let frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(() => {
        const last = rows.length - 1;
        const row = rows[last];
        const settled =
          row?.kind === "message" && row.message.role === "assistant" && row.message.status !== "streaming";
        const size = virtualizer.measurementsCache[last]?.size ?? 0;
        if (settled && last > 0 && size > (virtualizer.scrollRect?.height ?? 0)) {
          hold();
          virtualizer.scrollToIndex(last - 1, { align: "start" });
        }
        setPlaced(true);
      });
    });
    return () => cancelAnimationFrame(frame);
  }, [placed, rows, virtualizer, hold]);
  return placed;
}
