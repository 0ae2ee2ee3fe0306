// What this browser remembers about the look: theme, language, whether the sidebar is folded.
import { create } from "zustand";
import { persist } from "zustand/middleware";
import type { Language } from "@/i18n";

export type Theme = "system" | "light" | "dark";

interface Ui {
  readonly theme: Theme;
  readonly language: Language;
  readonly sidebarOpen: boolean;
}

function browserLanguage(): Language {
  return navigator.language.toLowerCase().startsWith("he") ? "he" : "en";
}

/** Stored under the name `public/theme.js` reads before the first paint. */
export const useUi = create<Ui>()(
  persist((): Ui => ({ theme: "system", language: browserLanguage(), sidebarOpen: true }), { name: "ai-across:ui" }),
);
