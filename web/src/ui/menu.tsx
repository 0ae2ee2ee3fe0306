// Dropdown menus.
import { Check } from "lucide-react";
import { DropdownMenu as Base } from "radix-ui";
import type { ComponentProps, ReactNode } from "react";
import { cn } from "@/lib/cn";

const item =
  "relative flex min-h-8 cursor-default select-none items-center gap-2 rounded-[6px] px-2 py-1 text-base outline-none data-highlighted:bg-muted data-disabled:opacity-55 coarse:min-h-11 [&_svg]:size-4 [&_svg]:shrink-0 [&_svg]:stroke-[1.75]";

/** Not modal: the page behind stays in reach of screen readers, and one click elsewhere both closes and acts. */
export function Menu(props: ComponentProps<typeof Base.Root>) {
  return <Base.Root modal={false} {...props} />;
}

export function MenuTrigger(props: ComponentProps<typeof Base.Trigger>) {
  return <Base.Trigger asChild data-slot="menu-trigger" {...props} />;
}

export function MenuContent({ className, ...props }: ComponentProps<typeof Base.Content>) {
  return (
    <Base.Portal>
      <Base.Content
        data-slot="menu"
        sideOffset={6}
        collisionPadding={8}
        className={cn(
          "z-50 min-w-44 rounded-card border bg-surface p-1 text-foreground shadow-float animate-rise-in",
          className,
        )}
        {...props}
      />
    </Base.Portal>
  );
}

export function MenuItem({
  danger = false,
  className,
  ...props
}: ComponentProps<typeof Base.Item> & { danger?: boolean }) {
  return (
    <Base.Item
      data-slot="menu-item"
      className={cn(item, danger && "text-destructive data-highlighted:bg-destructive-surface", className)}
      {...props}
    />
  );
}

export function MenuLabel({ children }: { children: ReactNode }) {
  return <Base.Label className="px-2 pt-1.5 pb-1 text-xs font-semibold text-muted-foreground">{children}</Base.Label>;
}

export function MenuSeparator() {
  return <Base.Separator className="-mx-1 my-1 h-px bg-border" />;
}

interface MenuChoiceProps<V extends string> {
  label: string;
  value: V;
  options: readonly { value: V; label: ReactNode }[];
  onChange: (value: V) => void;
}

/** One of several values; the menu stays open so that the effect can be seen. */
export function MenuChoice<V extends string>({ label, value, options, onChange }: MenuChoiceProps<V>) {
  return (
    <Base.RadioGroup value={value} onValueChange={(next) => onChange(next as V)} aria-label={label}>
      {options.map((option) => (
        <Base.RadioItem
          key={option.value}
          value={option.value}
          className={cn(item, "pe-8")}
          onSelect={(event) => event.preventDefault()}
        >
          {option.label}
          <Base.ItemIndicator className="absolute end-2">
            <Check className="text-primary-text" aria-hidden />
          </Base.ItemIndicator>
        </Base.RadioItem>
      ))}
    </Base.RadioGroup>
  );
}
