// A name that appears beside an icon; touch screens, which cannot hover, never see it.
import { Tooltip as Base } from "radix-ui";
import type { ReactElement, ReactNode } from "react";

export const TooltipProvider = Base.Provider;

export function Tooltip({ label, children }: { label: ReactNode; children: ReactElement }) {
  return (
    <Base.Root>
      <Base.Trigger asChild>{children}</Base.Trigger>
      <Base.Portal>
        <Base.Content
          sideOffset={6}
          collisionPadding={8}
          className="z-50 max-w-72 rounded-control bg-foreground px-2.5 py-1.5 text-sm text-background shadow-float animate-fade-in [@media(hover:none)]:hidden"
        >
          {label}
        </Base.Content>
      </Base.Portal>
    </Base.Root>
  );
}
