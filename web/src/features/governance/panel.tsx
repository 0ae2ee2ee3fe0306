// A part of a dashboard with its heading.
import type { ReactNode } from "react";

export function Panel({ id, title, children }: { id: string; title: string; children: ReactNode }) {
  return (
    <section aria-labelledby={`panel-${id}`} className="min-w-0 rounded-card border bg-surface p-4">
      <h2 id={`panel-${id}`} className="mb-3 font-display text-h3 font-semibold">
        {title}
      </h2>
      {children}
    </section>
  );
}
