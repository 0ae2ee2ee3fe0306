// Amounts per day as stacked bars, drawn by ourselves: read by eye, by arrow keys, by a finger, or as a table.
import { useId, useState } from "react";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { formatDay } from "@/lib/format";
import { Button } from "./button";
import { DataTable } from "./table";

export interface Series {
  readonly key: string;
  readonly name: string;
  /** One value per day, in the order of the days. */
  readonly values: readonly number[];
}

interface DayChartProps {
  /** One sentence that says what the picture shows. */
  summary: string;
  /** Calendar days without gaps, oldest first: `2025-10-01`. */
  days: readonly string[];
  /** At most six; the first lies at the bottom. */
  series: readonly Series[];
  format: (value: number) => string;
  className?: string;
}

const HEIGHT = 100;
const fills = ["fill-chart-1", "fill-chart-2", "fill-chart-3", "fill-chart-4", "fill-chart-5", "fill-chart-6"];
const dots = ["bg-chart-1", "bg-chart-2", "bg-chart-3", "bg-chart-4", "bg-chart-5", "bg-chart-6"];
/** Lines over the colours, so that the series can be told apart without them. */
const textures = ["", "M0 6 6 0", "M0 3h6", "M3 0v6", "M0 0 6 6", "M0 3h6M3 0v6"];

export function DayChart({ summary, days, series, format, className }: DayChartProps) {
  const t = useT();
  const [table, setTable] = useState(false);
  const totals = days.map((_, day) => series.reduce((sum, each) => sum + (each.values[day] ?? 0), 0));
  return (
    <div data-slot="day-chart" className={cn("flex flex-col gap-2", className)}>
      {table ? (
        <div className="max-h-80 overflow-y-auto">
          <DataTable
            label={summary}
            columns={[
              { key: "day", header: t("chart.day"), cell: (row) => formatDay(row.day, "long") },
              ...(series.length > 1
                ? series.map((each) => ({
                    key: each.key,
                    header: each.name,
                    numeric: true,
                    cell: (row: { place: number }) => format(each.values[row.place] ?? 0),
                  }))
                : []),
              { key: "total", header: t("chart.total"), numeric: true, cell: (row) => format(totals[row.place] ?? 0) },
            ]}
            rows={days.map((day, place) => ({ day, place })).reverse()}
            rowKey={(row) => row.day}
          />
        </div>
      ) : (
        <Picture summary={summary} days={days} series={series} totals={totals} format={format} />
      )}
      <Button variant="link" size="inline" className="min-h-6 self-start text-md" onClick={() => setTable(!table)}>
        {table ? t("chart.asPicture") : t("chart.asTable")}
      </Button>
    </div>
  );
}

interface PictureProps extends Omit<DayChartProps, "className"> {
  totals: readonly number[];
}

function Picture({ summary, days, series, totals, format }: PictureProps) {
  const t = useT();
  const id = useId();
  const [chosen, setChosen] = useState<number | null>(null);
  const place = Math.min(chosen ?? days.length - 1, days.length - 1);
  const most = Math.max(...totals, 0);
  const day = days[place];
  if (day === undefined) return null;
  const parts = series.filter((each) => (each.values[place] ?? 0) > 0);
  const reading = [
    `${formatDay(day, "long")}: ${format(totals[place] ?? 0)}`,
    ...(series.length > 1 ? parts.map((each) => `${each.name} ${format(each.values[place] ?? 0)}`) : []),
  ].join(", ");
  return (
    <div>
      <p aria-hidden className="tabular min-h-5 text-md text-muted-foreground">
        {formatDay(day, "long")}: <span className="font-semibold text-foreground">{format(totals[place] ?? 0)}</span>
      </p>
      {/* Time runs one way in every language, as on the axis of any printed chart. */}
      <div dir="ltr" className="mt-1">
        <div className="relative rounded-mark border-b has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-ring">
          <span aria-hidden className="absolute end-0 top-0 text-xs text-muted-foreground">
            <bdi>{format(most)}</bdi>
          </span>
          <svg
            role="img"
            aria-label={summary}
            viewBox={`0 0 ${days.length * 10} ${HEIGHT}`}
            preserveAspectRatio="none"
            className="block h-40 w-full pt-4"
          >
            <defs>
              {textures.map((path, index) => (
                <pattern
                  // biome-ignore lint/suspicious/noArrayIndexKey: the list never changes.
                  key={index}
                  id={`${id}-${index}`}
                  width="6"
                  height="6"
                  patternUnits="userSpaceOnUse"
                >
                  <path d={path} className="stroke-surface" strokeWidth="1" fill="none" />
                </pattern>
              ))}
            </defs>
            {days.map((each, index) => (
              <g key={each} className={cn(index === place ? "opacity-100" : "opacity-75")}>
                <Bar index={index} series={series} most={most} textures={id} />
              </g>
            ))}
          </svg>
          {/* The browser's own slider, unseen over the picture: arrow keys and fingers choose the day. */}
          <input
            type="range"
            min={0}
            max={Math.max(days.length - 1, 0)}
            value={place}
            aria-label={t("chart.chooseDay")}
            aria-valuetext={reading}
            className="absolute inset-0 m-0 h-full w-full cursor-pointer opacity-0"
            onChange={(event) => setChosen(event.target.valueAsNumber)}
          />
        </div>
        <div aria-hidden className="mt-1 flex justify-between text-xs text-muted-foreground">
          <bdi>{formatDay(days[0] ?? day)}</bdi>
          <bdi>{formatDay(days.at(-1) ?? day)}</bdi>
        </div>
      </div>
      {series.length > 1 && (
        <ul className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-md">
          {series.map((each, index) => (
            <li key={each.key} className="flex min-w-0 items-center gap-1.5">
              <span aria-hidden className={cn("size-2.5 shrink-0 rounded-[2px]", dots[index % dots.length])} />
              <bdi className="truncate">{each.name}</bdi>
              <span className="tabular text-muted-foreground">{format(each.values[place] ?? 0)}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

interface BarProps {
  index: number;
  series: readonly Series[];
  most: number;
  /** The start of the textures' ids. */
  textures: string;
}

/** One day: the series on top of each other. */
function Bar({ index, series, most, textures: id }: BarProps) {
  let below = 0;
  return series.map((each, place) => {
    const value = each.values[index] ?? 0;
    const height = most > 0 ? (value / most) * HEIGHT : 0;
    below += height;
    if (height === 0) return null;
    const box = { x: index * 10 + 1, y: HEIGHT - below, width: 8, height };
    return (
      <g key={each.key}>
        <rect {...box} className={fills[place % fills.length]} />
        {place > 0 && <rect {...box} fill={`url(#${id}-${place % textures.length})`} />}
      </g>
    );
  });
}
