// How a source is named in words: its number, file and page.
import type { Citation } from "@/api/types";
import type { T } from "@/i18n";

/** “Source 1: brief v3.pdf, page 4” */
export function sourceName({ index, filename, page }: Citation, t: T): string {
  return page === null
    ? t("sources.mark", { n: index, file: filename })
    : t("sources.markPage", { n: index, file: filename, page });
}
