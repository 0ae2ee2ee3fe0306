// Asks before work that exists only on this page is lost: by a link inside the app, or by closing the tab.
import { useEffect } from "react";
import { useBlocker } from "react-router";
import { useT } from "@/i18n";
import { ConfirmDialog } from "./dialog";

interface LeaveGuardProps {
  /** Read at the moment of leaving, so that a page which has just saved may go. */
  when: () => boolean;
  title: string;
  body: string;
  /** Runs when the person leaves all the same. */
  onLeave?: () => void;
}

export function LeaveGuard({ when, title, body, onLeave }: LeaveGuardProps) {
  const t = useT();
  const blocker = useBlocker(
    ({ currentLocation, nextLocation }) => currentLocation.pathname !== nextLocation.pathname && when(),
  );
  useEffect(() => {
    const hold = (event: BeforeUnloadEvent) => {
      if (when()) event.preventDefault();
    };
    window.addEventListener("beforeunload", hold);
    return () => window.removeEventListener("beforeunload", hold);
  }, [when]);
  return (
    <ConfirmDialog
      open={blocker.state === "blocked"}
      onOpenChange={(open) => {
        if (!open && blocker.state === "blocked") blocker.reset();
      }}
      title={title}
      description={body}
      cancelLabel={t("action.stay")}
      confirmLabel={t("form.leave")}
      onConfirm={() => {
        onLeave?.();
        if (blocker.state === "blocked") blocker.proceed();
      }}
    />
  );
}
