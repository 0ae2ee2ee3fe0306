// What can be said about a chosen file before it is sent: each bad one is named with its reason, the good ones go on.
import type { T } from "@/i18n";
import { useI18n } from "@/i18n";
import { formatSize } from "@/lib/format";
import { shownName } from "@/lib/shown-name";
import type { UploadLimits } from "./api";

/** “PDF, DOCX, TXT and MD” (or “or”), in the person's language. */
export function typeNames(types: readonly string[], type: "conjunction" | "disjunction"): string {
  const { language } = useI18n.getState();
  // American English would put a comma before the last word.
  const list = new Intl.ListFormat(language === "en" ? "en-GB" : language, { type });
  return list.format(types.map((type) => type.toUpperCase()));
}

/** Endings that mean the same type as another. */
const ALIASES: Readonly<Record<string, string>> = { htm: "html", xhtml: "html", markdown: "md" };

/** The endings of the files that may be chosen. */
export function endings(types: readonly string[]): string {
  const aliases = Object.keys(ALIASES).filter((alias) => types.includes(ALIASES[alias] ?? ""));
  return [...types, ...aliases].map((type) => `.${type}`).join(",");
}

/** Null when the file may be sent, else the reason. */
export function refusal(file: File, limits: UploadLimits, t: T): string | null {
  const name = shownName(file.name);
  const ending = /\.([^.]+)$/u.exec(file.name)?.[1]?.toLowerCase() ?? "";
  const type = ALIASES[ending] ?? ending;
  if (!limits.types.includes(type)) return t("files.badType", { name, types: typeNames(limits.types, "conjunction") });
  if (file.size === 0) return t("files.isEmpty", { name });
  if (file.size > limits.maxBytes) {
    return t("files.tooBig", { name, size: formatSize(file.size), limit: formatSize(limits.maxBytes) });
  }
  return null;
}
