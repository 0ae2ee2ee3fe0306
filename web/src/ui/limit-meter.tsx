// How much of a limit is used, as a bar that warns near its end; the figures stand beside it in words.
import { cn } from "@/lib/cn";

interface LimitMeterProps {
  used: number;
  limit: number;
  /** From this percentage on the bar warns. */
  warnAt?: number;
  className?: string;
}

/** The share of the limit in percent, rounded down so that 100 means used up; a limit of 0 is always used up. */
export function percentOf(used: number, limit: number): number {
  return limit <= 0 ? 100 : Math.floor((used / limit) * 100);
}

export function LimitMeter({ used, limit, warnAt = 80, className }: LimitMeterProps) {
  const percent = percentOf(used, limit);
  return (
    <div
      aria-hidden
      data-slot="limit-meter"
      className={cn("h-1.5 w-full overflow-hidden rounded-full bg-border", className)}
    >
      <div
        className={cn(
          "h-full w-full origin-left rounded-full rtl:origin-right",
          percent >= 100 ? "bg-destructive" : percent >= warnAt ? "bg-warning" : "bg-primary",
        )}
        style={{ transform: `scaleX(${Math.min(percent, 100) / 100})` }}
      />
    </div>
  );
}
