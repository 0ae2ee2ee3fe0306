// How far something has come.
import { cn } from "@/lib/cn";

interface ProgressProps {
  /** 0 to 100. */
  value: number;
  label: string;
  className?: string;
}

export function Progress({ value, label, className }: ProgressProps) {
  const percent = Math.min(100, Math.max(0, Math.round(value)));
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
      className={cn("h-1 w-full overflow-hidden rounded-full bg-border", className)}
    >
      {/* Scaled, not widened: the compositor does it without laying the page out again. */}
      <div
        className="h-full w-full origin-left bg-primary transition-transform duration-240 rtl:origin-right"
        style={{ transform: `scaleX(${percent / 100})` }}
      />
    </div>
  );
}
