// One of a few: the browser's own radio buttons, side by side, with the question above them.
import { type ReactNode, useId } from "react";
import { cn } from "@/lib/cn";

interface RadioGroupProps<V extends string> {
  label: ReactNode;
  hint?: ReactNode;
  value: V;
  options: readonly { readonly value: V; readonly label: ReactNode; readonly hint?: ReactNode }[];
  onChange: (value: V) => void;
  className?: string;
}

export function RadioGroup<V extends string>({ label, hint, value, options, onChange, className }: RadioGroupProps<V>) {
  const id = useId();
  return (
    <fieldset data-slot="radio-group" aria-describedby={hint ? `${id}-hint` : undefined} className={className}>
      <legend className="mb-1.5 text-base font-semibold">{label}</legend>
      <div className="flex flex-wrap gap-2">
        {options.map((option) => (
          <label
            key={option.value}
            className={cn(
              "flex min-h-9 cursor-pointer items-center gap-2 rounded-control border border-input bg-surface px-3 py-1.5 transition-colors duration-120 has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-ring hoverable:hover:bg-muted coarse:min-h-11",
              option.value === value && "border-primary bg-accent",
            )}
          >
            <input
              type="radio"
              name={id}
              value={option.value}
              checked={option.value === value}
              onChange={() => onChange(option.value)}
              className="size-4 shrink-0 accent-primary"
            />
            <span>
              {option.label}
              {option.hint && <span className="block text-md text-muted-foreground">{option.hint}</span>}
            </span>
          </label>
        ))}
      </div>
      {hint && (
        <p id={`${id}-hint`} className="mt-1.5 text-md text-muted-foreground">
          {hint}
        </p>
      )}
    </fieldset>
  );
}
