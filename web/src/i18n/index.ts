// The typed translator: `t("key", {name})`, in the language the person chose. Hebrew loads only when it is used.
import { create } from "zustand";
import { chatEn } from "./chat.en";
import { en as baseEn } from "./en";
import type { Catalogue, Translate } from "./types";

const en = { ...baseEn, ...chatEn } as const;

export type Messages = typeof en;
export type MessageKey = keyof Messages;
export type T = Translate<Messages>;
export type Language = "en" | "he";

export const LANGUAGES: readonly Language[] = ["en", "he"];

export function directionOf(language: Language): "ltr" | "rtl" {
  return language === "he" ? "rtl" : "ltr";
}

function translator(catalogue: Catalogue, language: Language): T {
  const plural = new Intl.PluralRules(language);
  const number = new Intl.NumberFormat(language);
  return (key, ...rest) => {
    const values = (rest[0] ?? {}) as Record<string, string | number>;
    const message = catalogue[key] ?? "";
    const count = values.count;
    const text =
      typeof message === "string"
        ? message
        : ((typeof count === "number" ? message[plural.select(count)] : undefined) ?? message.other);
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name];
      return value === undefined ? whole : typeof value === "number" ? number.format(value) : value;
    });
  };
}

interface I18n {
  readonly language: Language;
  readonly dir: "ltr" | "rtl";
  readonly t: T;
}

export const useI18n = create<I18n>(() => ({ language: "en", dir: "ltr", t: translator(en, "en") }));

/** The translator for components; they render again when the language changes. */
export function useT(): T {
  return useI18n((state) => state.t);
}

/** The translator outside components (stores, handlers). */
export const t = ((...args: Parameters<T>) => useI18n.getState().t(...args)) as T;

/** Loads the catalogue, then switches texts, `lang` and `dir` at once. */
export async function applyLanguage(language: Language): Promise<void> {
  let catalogue: Catalogue = en;
  if (language === "he") {
    const [base, chat] = await Promise.all([import("./he"), import("./chat.he")]);
    catalogue = { ...base.he, ...chat.chatHe };
  }
  const dir = directionOf(language);
  document.documentElement.lang = language;
  document.documentElement.dir = dir;
  useI18n.setState({ language, dir, t: translator(catalogue, language) });
}
