// Watches a scrolling box and says whether it should follow its end: the reader's acts decide, layout never does.
import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import { ACT_PAUSE, type Follow, type FollowEvent, isAtEnd, reduceFollow, type ScrollBox, START } from "./scroll";

export interface Following {
  readonly following: boolean;
  /** Whether the end is out of sight while the view does not follow. */
  readonly away: boolean;
  /** Follow again: the reader went to the end, or sent a message. */
  readonly followEnd: () => void;
  /** Keep the view where it is. */
  readonly hold: () => void;
  /** To be called after the content or the box has changed its size. */
  readonly settle: () => void;
}

const UP_KEYS = new Set(["PageUp", "ArrowUp", "Home"]);

export function useFollow(ref: RefObject<HTMLElement | null>): Following {
  const state = useRef<Follow>(START);
  const [following, setFollowing] = useState(true);
  const [away, setAway] = useState(false);

  const tell = useCallback(
    (event: FollowEvent) => {
      state.current = reduceFollow(state.current, event);
      setFollowing(state.current.following);
      const box = read(ref.current);
      setAway(!state.current.following && box !== null && !isAtEnd(box));
    },
    [ref],
  );

  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let touchY = 0;
    const rest = () => {
      const box = read(element);
      if (box === null) return;
      if (isHeld(element)) tell({ type: "scroll", box });
      else tell({ type: "rest", box });
    };
    const restSoon = () => {
      clearTimeout(timer);
      timer = setTimeout(rest, ACT_PAUSE);
    };
    const act = () => {
      tell({ type: "act" });
      restSoon();
    };
    const onWheel = (event: WheelEvent) => {
      if (event.deltaY < 0) act();
    };
    const onTouchStart = (event: TouchEvent) => {
      touchY = event.touches[0]?.clientY ?? 0;
    };
    const onTouchMove = (event: TouchEvent) => {
      const y = event.touches[0]?.clientY ?? 0;
      if (y > touchY) act();
      touchY = y;
    };
    const onKeyDown = (event: KeyboardEvent) => {
      if (UP_KEYS.has(event.key) || (event.key === " " && event.shiftKey)) act();
    };
    const onScroll = () => {
      const box = read(element);
      if (box === null) return;
      tell({ type: "scroll", box });
      if (state.current.acting) restSoon();
    };
    const onHold = (event: Event) => {
      if (event.target !== element) tell({ type: "hold" });
    };
    const onSelection = () => {
      if (isHeld(element)) tell({ type: "hold" });
      else if (!state.current.following) restSoon();
    };
    element.addEventListener("wheel", onWheel, { passive: true });
    element.addEventListener("touchstart", onTouchStart, { passive: true });
    element.addEventListener("touchmove", onTouchMove, { passive: true });
    element.addEventListener("keydown", onKeyDown);
    element.addEventListener("scroll", onScroll, { passive: true });
    element.addEventListener("pointerdown", onHold);
    element.addEventListener("pointerup", restSoon);
    element.addEventListener("focusin", onHold);
    element.addEventListener("focusout", restSoon);
    document.addEventListener("selectionchange", onSelection);
    return () => {
      clearTimeout(timer);
      element.removeEventListener("wheel", onWheel);
      element.removeEventListener("touchstart", onTouchStart);
      element.removeEventListener("touchmove", onTouchMove);
      element.removeEventListener("keydown", onKeyDown);
      element.removeEventListener("scroll", onScroll);
      element.removeEventListener("pointerdown", onHold);
      element.removeEventListener("pointerup", restSoon);
      element.removeEventListener("focusin", onHold);
      element.removeEventListener("focusout", restSoon);
      document.removeEventListener("selectionchange", onSelection);
    };
  }, [ref, tell]);

  const followEnd = useCallback(() => tell({ type: "end" }), [tell]);
  const hold = useCallback(() => tell({ type: "hold" }), [tell]);
  const settle = useCallback(() => {
    const box = read(ref.current);
    if (box !== null) setAway(!state.current.following && !isAtEnd(box));
  }, [ref]);
  return { following, away, followEnd, hold, settle };
}

function read(element: HTMLElement | null): ScrollBox | null {
  if (element === null) return null;
  return { top: element.scrollTop, height: element.scrollHeight, viewport: element.clientHeight };
}

/** While text inside is selected, or something inside has the focus, the view holds still. */
function isHeld(element: HTMLElement): boolean {
  const selection = getSelection();
  const selecting = selection !== null && !selection.isCollapsed && element.contains(selection.anchorNode);
  const focused = document.activeElement;
  return selecting || (focused !== element && element.contains(focused));
}
