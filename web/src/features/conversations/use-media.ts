// Whether a media query holds, kept up to date.
import { useSyncExternalStore } from "react";

/** From this width on the sources stand beside the transcript. */
export const WIDE = "(min-width: 1280px)";
export const PHONE = "(max-width: 639.98px)";

export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const list = matchMedia(query);
      list.addEventListener("change", changed);
      return () => list.removeEventListener("change", changed);
    },
    () => matchMedia(query).matches,
  );
}
