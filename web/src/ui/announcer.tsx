// Says a sentence to screen readers without showing it: `announce("…")` from anywhere, one `Announcer` in the page.
import { create } from "zustand";

interface Said {
  readonly polite: string;
  readonly urgent: string;
}

const useSaid = create<Said>(() => ({ polite: "", urgent: "" }));

/** Errors are `urgent`, everything else waits for a pause. */
export function announce(text: string, urgency: "polite" | "urgent" = "polite"): void {
  // A no-break space makes the same sentence count as new, so that it is read again.
  useSaid.setState((state) => ({ [urgency]: state[urgency] === text ? `${text}\u00a0` : text }));
}

export function Announcer() {
  const said = useSaid();
  return (
    <div className="sr-only">
      <div aria-live="polite">{said.polite}</div>
      <div aria-live="assertive">{said.urgent}</div>
    </div>
  );
}
