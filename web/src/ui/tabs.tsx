// Tabs: sections of one page, one shown at a time.
import { Tabs as Base } from "radix-ui";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export const Tabs = Base.Root;

export function TabsList({ className, ...props }: ComponentProps<typeof Base.List>) {
  return <Base.List data-slot="tabs" className={cn("flex gap-5 border-b", className)} {...props} />;
}

export function TabsTrigger({ className, ...props }: ComponentProps<typeof Base.Trigger>) {
  return (
    <Base.Trigger
      className={cn(
        "-mb-px flex h-10 items-center gap-1.5 border-b-2 border-transparent text-base font-semibold text-muted-foreground transition-colors duration-120 hoverable:hover:text-foreground data-[state=active]:border-primary data-[state=active]:text-foreground coarse:h-11",
        className,
      )}
      {...props}
    />
  );
}

export function TabsContent({ className, ...props }: ComponentProps<typeof Base.Content>) {
  return <Base.Content className={cn("pt-6", className)} {...props} />;
}
