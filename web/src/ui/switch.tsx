// On or off: a checkbox for a choice that is sent with its form, a switch for one that acts at once.
import { type ComponentProps, type ReactNode, useId } from "react";
import { cn } from "@/lib/cn";

interface ChoiceProps extends Omit<ComponentProps<"input">, "type" | "role" | "id"> {
  label: ReactNode;
  hint?: ReactNode;
}

/** The browser's own control under our look; `forced-colors` gets the browser's look as well. */
function Choice({
  label,
  hint,
  className,
  look,
  role,
  ...props
}: ChoiceProps & { look: string; role?: "switch" | undefined }) {
  const id = useId();
  return (
    <div className={cn("flex min-h-9 items-start gap-2.5 py-1.5 coarse:min-h-11 coarse:py-2.5", className)}>
      <input
        id={id}
        type="checkbox"
        role={role}
        aria-describedby={hint ? `${id}-hint` : undefined}
        className={cn("shrink-0 disabled:opacity-55", look)}
        {...props}
      />
      <div className="min-w-0">
        <label htmlFor={id} className="block text-base">
          {label}
        </label>
        {hint && (
          <p id={`${id}-hint`} className="text-md text-muted-foreground">
            {hint}
          </p>
        )}
      </div>
    </div>
  );
}

export function Checkbox(props: ChoiceProps) {
  return <Choice {...props} look="mt-0.5 size-[1.125rem] accent-primary" />;
}

export function Switch(props: ChoiceProps) {
  return (
    <Choice
      {...props}
      role="switch"
      look="mt-px h-5 w-9 appearance-none rounded-full border border-input bg-surface transition-colors duration-120 before:m-[3px] before:block before:size-3 before:rounded-full before:bg-input before:transition-transform before:duration-120 checked:border-primary checked:bg-primary checked:before:translate-x-4 checked:before:bg-primary-foreground rtl:checked:before:-translate-x-4 forced-colors:appearance-auto forced-colors:before:hidden"
    />
  );
}
