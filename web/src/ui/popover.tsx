// Something small that opens over a button and closes when one looks elsewhere.
import { Popover as Base } from "radix-ui";
import type { ReactNode, RefObject } from "react";
import { cn } from "@/lib/cn";

interface PopoverProps {
  /** What it opens over; the focus goes back there. */
  anchor: RefObject<HTMLElement | null>;
  label: string;
  className?: string;
  onClose: () => void;
  children: ReactNode;
}

/** Open as long as it is drawn. */
export function Popover({ anchor, label, className, onClose, children }: PopoverProps) {
  return (
    <Base.Root
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
    >
      <Base.Anchor virtualRef={anchor as RefObject<HTMLElement>} />
      <Base.Portal>
        <Base.Content
          data-slot="popover"
          aria-label={label}
          align="start"
          sideOffset={6}
          collisionPadding={8}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            anchor.current?.focus({ preventScroll: true });
          }}
          onInteractOutside={(event) => {
            // The button closes by itself; closing here first would make it open again.
            if (event.target instanceof Node && anchor.current?.contains(event.target)) event.preventDefault();
          }}
          className={cn(
            "z-50 flex max-h-[min(26rem,var(--radix-popover-content-available-height))] max-w-[calc(100vw-1rem)] flex-col overflow-hidden rounded-card border bg-surface text-foreground shadow-float outline-none animate-rise-in",
            className,
          )}
        >
          {children}
        </Base.Content>
      </Base.Portal>
    </Base.Root>
  );
}
