// One figure with its name, for dashboards; several stand in a `StatTiles`.
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

export function StatTiles({ children }: { children: ReactNode }) {
  return <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-5">{children}</dl>;
}

interface StatTileProps {
  label: ReactNode;
  value: ReactNode;
  /** What the figure is measured against: “of $1,500”. */
  note?: ReactNode;
  tone?: "plain" | "danger";
}

export function StatTile({ label, value, note, tone = "plain" }: StatTileProps) {
  return (
    <div data-slot="stat-tile" className="rounded-card border bg-surface px-4 py-3">
      <dt className="text-md text-muted-foreground">{label}</dt>
      <dd className={cn("tabular mt-0.5 text-h2 font-semibold", tone === "danger" && "text-destructive")}>
        {value}
        {note && (
          <span className="ms-1.5 inline-block text-md font-normal max-sm:ms-0 max-sm:block text-muted-foreground">
            {note}
          </span>
        )}
      </dd>
    </div>
  );
}
