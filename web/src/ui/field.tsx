// How every form row looks: label, control, hint, counter, and the error that the control points to.
import { CircleAlert } from "lucide-react";
import { type ReactNode, useId } from "react";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";

/** What the control must carry so that it belongs to its label, hint and error. */
export interface ControlProps {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": true | undefined;
}

interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | undefined;
  /** Characters written and allowed; shown beside the label. */
  count?: { n: number; max: number };
  className?: string | undefined;
  children: (control: ControlProps) => ReactNode;
}

export function Field({ label, hint, error, count, className, children }: FieldProps) {
  const t = useT();
  const id = useId();
  const hintId = `${id}-hint`;
  const errorId = `${id}-error`;
  const describedBy = [error ? errorId : "", hint ? hintId : ""].filter(Boolean).join(" ");
  return (
    <div data-slot="field" className={cn("flex flex-col gap-1.5", className)}>
      <div className="flex items-baseline justify-between gap-3">
        <label htmlFor={id} className="text-base font-semibold">
          {label}
        </label>
        {count && (
          <span
            className={cn(
              "tabular text-sm text-muted-foreground",
              count.n > count.max && "font-semibold text-destructive",
            )}
          >
            {t("field.count", count)}
          </span>
        )}
      </div>
      {children({ id, "aria-describedby": describedBy || undefined, "aria-invalid": error ? true : undefined })}
      {error && (
        <p id={errorId} className="flex items-start gap-1.5 text-md text-destructive">
          <CircleAlert className="mt-0.5 size-4 shrink-0 stroke-[1.75]" aria-hidden />
          <span>{error}</span>
        </p>
      )}
      {hint && (
        <p id={hintId} className="text-md text-muted-foreground">
          {hint}
        </p>
      )}
    </div>
  );
}
