// Names with their amounts, longest bar first: the bar helps the eye, the amount stands beside it in figures.
import type { ReactNode } from "react";

export interface Bar {
  readonly key: string;
  readonly name: ReactNode;
  readonly value: number;
  /** The value as it is read: “$18.40”. */
  readonly text: string;
}

export function BarList({ label, bars }: { label: string; bars: readonly Bar[] }) {
  const most = Math.max(...bars.map((bar) => bar.value), 0);
  return (
    <ol data-slot="bar-list" aria-label={label} className="flex flex-col gap-2.5">
      {bars.map((bar) => (
        <li key={bar.key}>
          <div className="flex items-baseline justify-between gap-4">
            <bdi className="min-w-0 truncate">{bar.name}</bdi>
            <span className="tabular shrink-0 text-md text-muted-foreground">{bar.text}</span>
          </div>
          <div aria-hidden className="mt-1 h-1.5 overflow-hidden rounded-full bg-muted">
            <div
              className="h-full origin-left rounded-full bg-chart-1 rtl:origin-right"
              style={{ transform: `scaleX(${most > 0 ? bar.value / most : 0})` }}
            />
          </div>
        </li>
      ))}
    </ol>
  );
}
