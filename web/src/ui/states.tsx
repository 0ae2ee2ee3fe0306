// The three faces of every list: still loading, nothing there, failed.
import { type ReactNode, useEffect, useState } from "react";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { Button } from "./button";

/** One grey bar in the shape of what will come. */
export function Skeleton({ className }: { className?: string }) {
  return <div data-slot="skeleton" className={cn("animate-breathe rounded-mark bg-muted", className)} />;
}

const widths = ["w-[44%]", "w-[32%]", "w-[28%]", "w-[64%]", "w-[52%]"];

/** Text lines of uneven length, as text is. */
export function SkeletonRows({ rows = 5, className }: { rows?: number; className?: string }) {
  return (
    <div className={cn("flex flex-col gap-4", className)}>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows are all alike and never move.
        <Skeleton key={row} className={cn("h-4", widths[row % widths.length])} />
      ))}
    </div>
  );
}

/** Shows its children only after 150 ms: what loads faster than that needs no placeholder. */
export function Loading({ label, children }: { label: string; children: ReactNode }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 150);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div role="status" aria-busy="true">
      <span className="sr-only">{label}</span>
      {late && <div aria-hidden>{children}</div>}
    </div>
  );
}

interface StateProps {
  title: ReactNode;
  body?: ReactNode;
  /** The way on. */
  children?: ReactNode;
  icon?: ReactNode;
  className?: string;
}

export function Empty({ title, body, children, icon, className }: StateProps) {
  return (
    <div
      data-slot="empty"
      className={cn("flex flex-col items-center gap-1 px-6 py-14 text-center [&>svg]:mb-2", className)}
    >
      {icon}
      <p className="font-display text-h3 font-semibold text-balance">{title}</p>
      {body && <p className="max-w-[46ch] text-muted-foreground">{body}</p>}
      {children && <div className="mt-4 flex flex-wrap justify-center gap-2">{children}</div>}
    </div>
  );
}

interface ErrorStateProps {
  title: ReactNode;
  message: string;
  /** The server's name for this request; an administrator finds it in the log. */
  requestId?: string | undefined;
  onRetry?: (() => void) | undefined;
  className?: string;
}

export function ErrorState({ title, message, requestId, onRetry, className }: ErrorStateProps) {
  const t = useT();
  return (
    <div
      data-slot="error-state"
      role="alert"
      className={cn("flex flex-col items-center gap-1 px-6 py-14 text-center", className)}
    >
      <p className="font-display text-h3 font-semibold text-balance">{title}</p>
      <p className="max-w-[52ch] text-muted-foreground" dir="auto">
        {message}
      </p>
      <div className="mt-4 flex flex-wrap items-center justify-center gap-x-3 gap-y-2">
        {onRetry && <Button onClick={onRetry}>{t("action.tryAgain")}</Button>}
        {requestId && (
          <span className="text-sm text-muted-foreground">
            {t("error.code", { code: "" })}
            <bdi className="select-all font-mono text-xs">{requestId}</bdi>
          </span>
        )}
      </div>
    </div>
  );
}
