// The mark: an A whose crossbar runs past both legs.
import { cn } from "@/lib/cn";

export function Logo({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 26 26" className={cn("size-[26px] shrink-0", className)} aria-hidden="true">
      <rect x="1" y="1" width="24" height="24" rx="6" fill="var(--primary)" />
      <path
        d="M6.5 19.5 13 5.5l6.5 14M4 14.2h18"
        stroke="var(--primary-foreground)"
        strokeWidth="2.1"
        fill="none"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
