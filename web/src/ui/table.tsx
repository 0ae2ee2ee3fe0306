// Tables of data: columns from 640 px up, one card of labels and values per row below.
import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

export interface Column<Row> {
  readonly key: string;
  readonly header: string;
  readonly cell: (row: Row) => ReactNode;
  /** Numbers stand at the end of their column, so that their digits meet. */
  readonly numeric?: boolean;
  readonly className?: string;
}

interface DataTableProps<Row> {
  /** What the table holds, for screen readers. */
  label: string;
  /** The first column names the row: on a phone it is the heading of the card. */
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  /** What can be done with the row; at the end of the line, or in the corner of the card. */
  actions?: { readonly label: string; readonly render: (row: Row) => ReactNode };
  /** These are still the rows of the page before, while the next one loads. */
  stale?: boolean;
}

const line =
  "max-sm:flex max-sm:items-baseline max-sm:justify-between max-sm:gap-4 max-sm:p-0 max-sm:text-end max-sm:before:shrink-0 max-sm:before:text-start max-sm:before:text-md max-sm:before:text-muted-foreground max-sm:before:content-[attr(data-label)]";

export function DataTable<Row>({ label, columns, rows, rowKey, actions, stale = false }: DataTableProps<Row>) {
  const [name, ...rest] = columns;
  if (name === undefined) return null;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls sideways must be reachable by the keyboard.
    <section data-slot="table" aria-label={label} tabIndex={0} className="relative sm:overflow-x-auto">
      <table
        aria-label={label}
        aria-busy={stale || undefined}
        className={cn(
          "w-full border-collapse text-base transition-opacity duration-120 max-sm:block",
          stale && "opacity-60",
        )}
      >
        <thead className="max-sm:sr-only">
          <tr className="border-b text-sm text-muted-foreground">
            {columns.map(({ key, header, numeric }) => (
              <th
                key={key}
                scope="col"
                className={cn("px-2.5 py-2 text-start font-semibold whitespace-nowrap", numeric && "text-end")}
              >
                {header}
              </th>
            ))}
            {actions && (
              <th scope="col" className="px-2.5 py-2">
                <span className="sr-only">{actions.label}</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody className="max-sm:flex max-sm:flex-col max-sm:gap-3">
          {rows.map((row) => (
            <tr
              key={rowKey(row)}
              className="border-b last:border-b-0 hoverable:hover:bg-muted/60 max-sm:relative max-sm:flex max-sm:flex-col max-sm:gap-1.5 max-sm:rounded-card max-sm:border max-sm:bg-surface max-sm:p-3.5 max-sm:last:border-b"
            >
              <th
                scope="row"
                className={cn(
                  "min-w-32 px-2.5 py-2 text-start align-middle font-semibold [overflow-wrap:anywhere] max-sm:p-0 max-sm:pb-1",
                  actions && "max-sm:pe-10",
                  name.className,
                )}
              >
                {name.cell(row)}
              </th>
              {rest.map(({ key, header, cell, numeric, className }) => (
                <td
                  key={key}
                  data-label={header}
                  className={cn(
                    "px-2.5 py-2 align-middle",
                    line,
                    numeric && "tabular text-end sm:whitespace-nowrap",
                    className,
                  )}
                >
                  <div className="min-w-0 max-sm:[overflow-wrap:anywhere]">{cell(row)}</div>
                </td>
              ))}
              {actions && (
                <td className="px-2.5 py-1 text-end align-middle whitespace-nowrap sm:sticky sm:end-0 sm:bg-background max-sm:absolute max-sm:end-1.5 max-sm:top-1.5 max-sm:p-0">
                  {actions.render(row)}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const widths = ["w-[44%]", "w-[32%]", "w-[28%]", "w-[64%]", "w-[52%]"];

/** The shape of a table that is still loading. */
export function TableSkeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div className="flex flex-col">
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the rows are all alike and never move.
        <div key={row} className="flex h-10 items-center border-b last:border-b-0">
          <div className={cn("h-4 animate-breathe rounded-mark bg-muted", widths[row % widths.length])} />
        </div>
      ))}
    </div>
  );
}
