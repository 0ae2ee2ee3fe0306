// Gathers stream events so that the page draws at most every 40 ms, and every half second while nobody looks.
import type { StreamEvent } from "@/api/sse";

export const VISIBLE_INTERVAL = 40;
export const HIDDEN_INTERVAL = 500;

export interface Batch {
  readonly add: (event: StreamEvent) => void;
  /** Hands over what has gathered, at once. */
  readonly flush: () => void;
}

/** Calls `apply` with the gathered events in their order. */
export function createBatch(apply: (events: readonly StreamEvent[]) => void): Batch {
  let gathered: StreamEvent[] = [];
  let timer: ReturnType<typeof setTimeout> | null = null;
  const flush = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (gathered.length === 0) return;
    const events = gathered;
    gathered = [];
    apply(events);
  };
  const onTime = () => {
    timer = null;
    // Drawing belongs to a frame; a hidden tab has none.
    if (document.hidden) flush();
    else requestAnimationFrame(flush);
  };
  return {
    add: (event) => {
      gathered.push(event);
      timer ??= setTimeout(onTime, document.hidden ? HIDDEN_INTERVAL : VISIBLE_INTERVAL);
    },
    flush,
  };
}
