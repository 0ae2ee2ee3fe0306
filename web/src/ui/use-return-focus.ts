// Gives focus back to what opened a dialog, when the dialog was opened by state and not by a trigger of its own.
import { useRef } from "react";

/** The control that has focus now; for an item of a menu, which is about to vanish, the menu's button. */
function currentOpener(): HTMLElement | null {
  const active = document.activeElement;
  const button = active?.closest("[role=menu]")?.getAttribute("aria-labelledby");
  const opener = button ? document.getElementById(button) : active;
  return opener instanceof HTMLElement ? opener : null;
}

/** The handler for a Radix `onCloseAutoFocus`. */
export function useReturnFocus(open: boolean): (event: Event) => void {
  const opener = useRef<HTMLElement | null>(null);
  const wasOpen = useRef(false);
  // Looked at while rendering: once the dialog is in the page, focus has already moved.
  if (open !== wasOpen.current) {
    wasOpen.current = open;
    if (open) opener.current = currentOpener();
  }
  return (event) => {
    event.preventDefault();
    // What opened it may have gone with what the dialog did; the page's heading is then the nearest known place.
    const target = opener.current?.isConnected ? opener.current : document.querySelector<HTMLElement>("h1");
    target?.focus({ preventScroll: true });
  };
}
