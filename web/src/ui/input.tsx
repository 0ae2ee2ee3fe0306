// Text controls: one line, several lines, a password that can be shown, and the browser's own select.
import { ChevronDown } from "lucide-react";
import { type ComponentProps, useState } from "react";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";

/** The frame shared by every text control. */
export const controlStyle =
  "w-full rounded-control border border-input bg-surface px-3 text-lg text-foreground transition-colors duration-120 focus-visible:outline-offset-1 disabled:opacity-55 aria-invalid:border-destructive";

export function Input({ className, ...props }: ComponentProps<"input">) {
  return <input data-slot="input" className={cn(controlStyle, "h-9 coarse:h-11", className)} {...props} />;
}

/** Grows with its text up to `max-h`, then scrolls. */
export function Textarea({ className, ...props }: ComponentProps<"textarea">) {
  return (
    <textarea
      data-slot="textarea"
      dir="auto"
      className={cn(controlStyle, "field-sizing-content min-h-20 resize-none py-2", className)}
      {...props}
    />
  );
}

export function PasswordInput({ className, ...props }: Omit<ComponentProps<"input">, "type">) {
  const t = useT();
  const [shown, setShown] = useState(false);
  return (
    <div className="relative" dir="ltr">
      <Input type={shown ? "text" : "password"} className={cn("pe-16", className)} {...props} />
      <button
        type="button"
        className="absolute inset-y-1 end-1 rounded-[6px] px-2.5 text-md font-semibold text-muted-foreground hoverable:hover:bg-muted hoverable:hover:text-foreground"
        aria-label={shown ? t("field.hidePassword") : t("field.showPassword")}
        aria-pressed={shown}
        onClick={() => setShown(!shown)}
      >
        {shown ? t("field.hide") : t("field.show")}
      </button>
    </div>
  );
}

/** The browser's own select: it needs no script, works on every phone and injects no style. */
export function NativeSelect({ className, children, ...props }: ComponentProps<"select">) {
  return (
    <div className="relative">
      <select
        data-slot="select"
        className={cn(controlStyle, "h-9 appearance-none truncate pe-9 coarse:h-11", className)}
        {...props}
      >
        {children}
      </select>
      <ChevronDown
        className="pointer-events-none absolute inset-y-0 end-3 my-auto size-4 stroke-[1.75] text-muted-foreground"
        aria-hidden
      />
    </div>
  );
}
