// Decides whether the transcript follows its end (ui rules R1–R3). Pure; times in milliseconds, lengths in pixels.

/** So near to the end counts as being there. */
export const END_DISTANCE = 80;
/** A reader's act has ended when this long nothing more of it came. */
export const ACT_PAUSE = 250;

export interface Follow {
  /** Whether growth keeps the end in view. */
  readonly following: boolean;
  /** Whether the reader is moving the page at this moment. */
  readonly acting: boolean;
  readonly box: ScrollBox;
}

export interface ScrollBox {
  readonly top: number;
  readonly height: number;
  readonly viewport: number;
}

export type FollowEvent =
  /** Wheel up, drag down, PageUp, ArrowUp, Home, the scrollbar. */
  | { type: "act" }
  /** The page has scrolled, by whomever. */
  | { type: "scroll"; box: ScrollBox }
  /** `ACT_PAUSE` after the last act, with the box as it is now. */
  | { type: "rest"; box: ScrollBox }
  /** The reader selects text or works with something inside; until it ends the view holds. */
  | { type: "hold" }
  /** The reader went to the end, or sent a message. */
  | { type: "end" };

export const START: Follow = { following: true, acting: false, box: { top: 0, height: 0, viewport: 0 } };

export function distance({ top, height, viewport }: ScrollBox): number {
  return Math.max(0, height - viewport - top);
}

export function isAtEnd(box: ScrollBox): boolean {
  return distance(box) <= END_DISTANCE;
}

export function reduceFollow(state: Follow, event: FollowEvent): Follow {
  switch (event.type) {
    case "act":
      return { ...state, following: false, acting: true };
    case "hold":
      return { ...state, following: false };
    case "end":
      return { ...state, following: true, acting: false };
    case "scroll": {
      const { box } = event;
      // A change of size moves the view by itself; only a scroll without one is the reader's.
      const own = box.height === state.box.height && box.viewport === state.box.viewport;
      const up = box.top < state.box.top - 1;
      if (own && up) return { following: false, acting: true, box };
      // Reaching the end again is how a reader asks to follow; while acting, the rest decides.
      if (own && !state.acting && box.top > state.box.top && isAtEnd(box)) return { ...state, following: true, box };
      return { ...state, box };
    }
    case "rest":
      return { following: state.following || isAtEnd(event.box), acting: false, box: event.box };
  }
}
