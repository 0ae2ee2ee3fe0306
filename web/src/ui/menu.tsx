// Dropdown menus.
import { DropdownMenu as Base } from "radix-ui";
import type { ComponentProps } from "react";
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

export function MenuSeparator() {
  return <Base.Separator className="-mx-1 my-1 h-px bg-border" />;
}
