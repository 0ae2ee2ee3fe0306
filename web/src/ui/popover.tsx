// A small panel anchored to the thing it explains.
import { Popover as Base } from "radix-ui";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export const Popover = Base.Root;
export const PopoverAnchor = Base.Anchor;

export function PopoverTrigger(props: ComponentProps<typeof Base.Trigger>) {
  return <Base.Trigger asChild {...props} />;
}

export function PopoverContent({ className, ...props }: ComponentProps<typeof Base.Content>) {
  return (
    <Base.Portal>
      <Base.Content
        data-slot="popover"
        sideOffset={6}
        collisionPadding={8}
        className={cn(
          "z-50 w-80 max-w-[calc(100vw-1rem)] rounded-card border bg-surface p-3 text-foreground shadow-float outline-none animate-rise-in",
          className,
        )}
        {...props}
      />
    </Base.Portal>
  );
}
