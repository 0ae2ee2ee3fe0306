// The typed translator: `t("key", {name})`, in the language the person chose. Hebrew loads only when it is used, and
// the words of some pages only with those pages.
import { create } from "zustand";
import type { adminEn } from "./admin.en";
import type { chatEn } from "./chat.en";
import { en } from "./en";
import type { governanceEn } from "./governance.en";
import type { knowledgeEn } from "./knowledge.en";
import type { settingsEn } from "./settings.en";
import type { Catalogue, Translate } from "./types";
import type { usageEn } from "./usage.en";

/** Words that come with the pages that use them: `withWords("settings", import("./pages/settings"))`. */
const parts = {
  admin: {
    en: () => import("./admin.en").then((words) => words.adminEn),
    he: () => import("./admin.he").then((words) => words.adminHe),
  },
  chat: {
    en: () => import("./chat.en").then((words) => words.chatEn),
    he: () => import("./chat.he").then((words) => words.chatHe),
  },
  governance: {
    en: () => import("./governance.en").then((words) => words.governanceEn),
    he: () => import("./governance.he").then((words) => words.governanceHe),
  },
  knowledge: {
    en: () => import("./knowledge.en").then((words) => words.knowledgeEn),
    he: () => import("./knowledge.he").then((words) => words.knowledgeHe),
  },
  settings: {
    en: () => import("./settings.en").then((words) => words.settingsEn),
    he: () => import("./settings.he").then((words) => words.settingsHe),
  },
  usage: {
    en: () => import("./usage.en").then((words) => words.usageEn),
    he: () => import("./usage.he").then((words) => words.usageHe),
  },
} as const satisfies Record<string, Record<Language, () => Promise<Catalogue>>>;

export type Part = keyof typeof parts;
export type Messages = typeof en &
  typeof chatEn &
  typeof adminEn &
  typeof governanceEn &
  typeof knowledgeEn &
  typeof settingsEn &
  typeof usageEn;
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

const loaded: Record<Language, Map<Part | "base", Catalogue>> = {
  en: new Map([["base", en]]),
  he: new Map(),
};
/** Every part a page has asked for; a change of language brings them all. */
const wanted = new Set<Part>();
/** The parts the present translator knows. */
let known = new Set<Part | "base">();

async function load(language: Language, part: Part | "base"): Promise<void> {
  if (part !== "base") loaded[language].set(part, await parts[part][language]());
  else loaded.he.set("base", (await import("./he")).he);
}

/** Returns when everything wanted is there, also what was wanted while something else was loading. */
async function complete(language: Language): Promise<void> {
  const missing = () => (["base", ...wanted] as const).filter((part) => !loaded[language].has(part));
  for (let next = missing(); next.length > 0; next = missing()) {
    await Promise.all(next.map((part) => load(language, part)));
  }
}

function translatorOf(language: Language): T {
  known = new Set(loaded[language].keys());
  return translator(Object.assign({}, ...loaded[language].values()), language);
}

/** Loads the catalogue, then switches texts, `lang` and `dir` at once. */
export async function applyLanguage(language: Language): Promise<void> {
  await complete(language);
  const dir = directionOf(language);
  document.documentElement.lang = language;
  document.documentElement.dir = dir;
  useI18n.setState({ language, dir, t: translatorOf(language) });
}

/** The module, once the words it uses are there too; both load at the same time. */
export async function withWords<M>(part: Part, module: Promise<M>): Promise<M> {
  wanted.add(part);
  const [ready] = await Promise.all([module, complete(useI18n.getState().language)]);
  const { language } = useI18n.getState();
  // The language may have changed meanwhile; whoever changed it has loaded this part too.
  if (!known.has(part)) useI18n.setState({ t: translatorOf(language) });
  return ready;
}
