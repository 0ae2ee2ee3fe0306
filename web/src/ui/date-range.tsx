// A span of days: two of the browser's own date fields, neither beyond the other.
import { useT } from "@/i18n";
import { Field } from "./field";
import { Input } from "./input";

/** Days as `2025-10-01`; an empty string leaves that end open. */
export interface Days {
  readonly from: string;
  readonly to: string;
}

interface DateRangeProps extends Days {
  onChange: (days: Days) => void;
}

export function DateRange({ from, to, onChange }: DateRangeProps) {
  const t = useT();
  const style = "w-full min-w-0 sm:w-40";
  return (
    <div data-slot="date-range" className="grid grid-cols-2 gap-3 sm:flex">
      <Field label={t("days.from")}>
        {(control) => (
          <Input
            {...control}
            type="date"
            className={style}
            value={from}
            max={to || undefined}
            onChange={(event) => onChange({ from: event.target.value, to })}
          />
        )}
      </Field>
      <Field label={t("days.to")}>
        {(control) => (
          <Input
            {...control}
            type="date"
            className={style}
            value={to}
            min={from || undefined}
            onChange={(event) => onChange({ from, to: event.target.value })}
          />
        )}
      </Field>
    </div>
  );
}
