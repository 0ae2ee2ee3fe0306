// What surrounds every page: server data, reading direction, theme, sizes.
import { QueryClientProvider } from "@tanstack/react-query";
import { Direction } from "radix-ui";
import { type ReactNode, useEffect } from "react";
import { queryClient } from "@/api/query";
import { useI18n } from "@/i18n";
import { useUi } from "@/lib/ui-store";

/** Follows the person's choice, or the system's while they have made none. */
function useTheme(): void {
  const theme = useUi((state) => state.theme);
  useEffect(() => {
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    const apply = () => {
      document.documentElement.classList.toggle("dark", theme === "dark" || (theme === "system" && system.matches));
      const paper = getComputedStyle(document.documentElement).getPropertyValue("--background").trim();
      document.querySelector('meta[name="theme-color"]')?.setAttribute("content", paper);
    };
    apply();
    system.addEventListener("change", apply);
    return () => system.removeEventListener("change", apply);
  }, [theme]);
}

/** Text size and density reach everything, as sizes are in rem and distances in one step. */
function useSizes(): void {
  const textSize = useUi((state) => state.textSize);
  const density = useUi((state) => state.density);
  useEffect(() => {
    document.documentElement.style.fontSize = textSize === 100 ? "" : `${textSize}%`;
    document.documentElement.toggleAttribute("data-compact", density === "compact");
  }, [textSize, density]);
}

export function Providers({ children }: { children: ReactNode }) {
  const dir = useI18n((state) => state.dir);
  useTheme();
  useSizes();
  return (
    <QueryClientProvider client={queryClient}>
      <Direction.Provider dir={dir}>{children}</Direction.Provider>
    </QueryClientProvider>
  );
}
