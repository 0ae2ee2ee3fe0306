// What this browser remembers about the look and the habits of its person: theme, language, text size, keys.
import { create } from "zustand";
import { persist } from "zustand/middleware";
import type { Language } from "@/i18n";

export type Theme = "system" | "light" | "dark";
export type Density = "comfortable" | "compact";
/** What Enter does in a message; with Ctrl it always sends. */
export type EnterKey = "sends" | "newline";
/** Whether the page keeps to the end of a growing answer, or stops when its first line has reached the top. */
export type FollowMode = "end" | "top";

/** Text sizes on offer, in percent of the browser's own. */
export const TEXT_SIZES = [90, 100, 110, 125, 150] as const;

interface Ui {
  readonly theme: Theme;
  readonly language: Language;
  readonly sidebarOpen: boolean;
  readonly textSize: number;
  readonly density: Density;
  readonly enterKey: EnterKey;
  readonly followMode: FollowMode;
  readonly showCost: boolean;
  /** Whether a copied answer carries the list of its sources. */
  readonly copySources: boolean;
  /** Whether single letters are shortcuts outside of text fields. */
  readonly singleKeys: boolean;
  /** The assistant a new chat begins with, by the id of the person who chose it. */
  readonly defaultAssistants: Readonly<Record<string, string>>;
}

function browserLanguage(): Language {
  return navigator.language.toLowerCase().startsWith("he") ? "he" : "en";
}

/** Stored under the name `public/theme.js` reads before the first paint. */
export const useUi = create<Ui>()(
  persist(
    (): Ui => ({
      theme: "system",
      language: browserLanguage(),
      sidebarOpen: true,
      textSize: 100,
      density: "comfortable",
      enterKey: "sends",
      followMode: "end",
      showCost: true,
      copySources: false,
      singleKeys: true,
      defaultAssistants: {},
    }),
    { name: "ai-across:ui" },
  ),
);

/** The chosen one if it is on offer, else the first; undefined when there is none. */
export function preferredAssistant<A extends { readonly id: string }>(
  assistants: readonly A[],
  userId: string | undefined,
): A | undefined {
  const chosen = userId === undefined ? undefined : useUi.getState().defaultAssistants[userId];
  return assistants.find((one) => one.id === chosen) ?? assistants[0];
}
