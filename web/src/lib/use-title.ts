// Names the tab.
import { useEffect } from "react";

/** Sets “<title> · AI-Across” as the document's title. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === "" ? "AI-Across" : `${title} · AI-Across`;
  }, [title]);
}
