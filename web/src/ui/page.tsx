// The frame of a page inside the app: its width, its heading, and the button that opens the sidebar on a phone.
import { Menu } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import { useLocation } from "react-router";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { openSidebar } from "@/lib/sidebar-sheet";
import { Button } from "./button";

/** Opens the sidebar over the page; only where it is not beside the page anyway. */
export function SidebarButton({ className }: { className?: string }) {
  const t = useT();
  return (
    <Button
      variant="ghost"
      size="icon"
      data-slot="sidebar-button"
      className={cn("-ms-2 sm:hidden", className)}
      aria-label={t("nav.open")}
      onClick={openSidebar}
    >
      <Menu aria-hidden />
    </Button>
  );
}

/** The page's only `h1`. It takes focus after a move inside the app, so that a screen reader says where one is now. */
export function PageHeading({ className, children }: { className?: string; children: ReactNode }) {
  const ref = useRef<HTMLHeadingElement>(null);
  const moved = useLocation().key !== "default";
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the page opens; a filter in the address may change later.
  useEffect(() => {
    const active = document.activeElement;
    const writing = active instanceof HTMLInputElement || active instanceof HTMLTextAreaElement;
    if (moved && !writing) ref.current?.focus({ preventScroll: true });
  }, []);
  return (
    <h1
      ref={ref}
      tabIndex={-1}
      className={cn("font-display text-h2 font-semibold tracking-[-0.01em] sm:text-h1", className)}
    >
      {children}
    </h1>
  );
}

const widths = { form: "max-w-[640px]", page: "max-w-[1040px]", wide: "max-w-[1280px]" } as const;

/** The centred column of a page; the shell scrolls, nothing stretches on a wide screen. */
export function Page({ width = "page", children }: { width?: keyof typeof widths; children: ReactNode }) {
  return (
    <div className={cn("mx-auto w-full px-4 pt-3 pb-16 sm:px-8 sm:pt-8 lg:pt-10", widths[width])}>
      <SidebarButton className="mb-2" />
      {children}
    </div>
  );
}
