// Keeps the reader's view where it belongs: at the message a link points to, and still when a shorter version shows.
import { type RefObject, useEffect, useRef, useState } from "react";
import type { Row } from "./rows";
import type { Virtual } from "./use-placing";

/** So long a message stays marked, in milliseconds. */
const FLASH = 1_200;

/** Brings the marked message into the middle, once it is loaded; returns the row to be flashed (ui rule R6). */
export function useMarked(
  virtualizer: Virtual,
  rows: readonly Row[],
  placed: boolean,
  marked: string | null,
  hold: () => void,
): string | null {
  const [flashed, setFlashed] = useState<string | null>(null);
  const shown = useRef<string | null>(null);
  useEffect(() => {
    if (!placed || marked === null || shown.current === marked) return;
    const place = rows.findIndex((row) => row.kind === "message" && row.message.id === marked);
    if (place < 0) return;
    shown.current = marked;
    hold();
    virtualizer.scrollToIndex(place, { align: "center" });
    setFlashed(rows[place]?.key ?? null);
  }, [virtualizer, rows, placed, marked, hold]);
  useEffect(() => {
    if (flashed === null) return;
    const timer = setTimeout(() => setFlashed(null), FLASH);
    return () => clearTimeout(timer);
  }, [flashed]);
  return flashed;
}

/**
 * The least height of the list, in pixels: when fewer rows than before follow what the reader looks at, the room below
 * stays, so that nothing moves; it goes as the reader scrolls up.
 */
export function useFloor(box: RefObject<HTMLElement | null>, rows: readonly Row[]): number {
  const kept = useRef({ rows, floor: 0 });
  const [, draw] = useState(0);
  if (kept.current.rows !== rows) {
    const element = box.current;
    // Decided while drawing: once the list is shorter, the browser has already moved what is seen.
    if (element !== null && isCut(kept.current.rows, rows)) {
      kept.current.floor = element.scrollTop + element.clientHeight;
    }
    kept.current.rows = rows;
  }
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const onScroll = () => {
      const needed = element.scrollTop + element.clientHeight;
      if (kept.current.floor <= needed) return;
      kept.current.floor = needed;
      draw(needed);
    };
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => element.removeEventListener("scroll", onScroll);
  }, [box]);
  return kept.current.floor;
}

/** Whether rows went away at the end, whatever came in their place. */
function isCut(old: readonly Row[], rows: readonly Row[]): boolean {
  const last = old.at(-1)?.key;
  return last !== undefined && !rows.some((row) => row.key === last);
}
