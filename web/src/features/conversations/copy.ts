// What goes on the clipboard when an answer is copied: clean rich text beside its Markdown (ui rule R24).
import type { Citation } from "@/api/types";
import { type T, t as translate } from "@/i18n";
import { copyText } from "@/lib/clipboard";
import { useUi } from "@/lib/ui-store";
import { citedIndexes } from "./markdown/citations";

export interface Copied {
  readonly content: string;
  readonly citations: readonly Citation[];
  /** The drawn answer; null where it is not on the page. */
  readonly element: HTMLElement | null;
}

interface CopyForm {
  /** Formatted text goes along for editors that take it. */
  readonly rich: boolean;
  /** Makes other words of the drawn answer than its Markdown. */
  readonly words?: (element: Element) => string;
}

/** True when the text is on the clipboard; else it has been selected, so that Ctrl C takes it. */
export async function copyAnswer({ content, citations, element }: Copied, form: CopyForm): Promise<boolean> {
  const cited = citedIndexes(content, citations);
  const sources = useUi.getState().copySources ? sourceLines(cited, citations, translate) : [];
  const title = translate("chat.copySourcesTitle");
  const list = sources.length === 0 ? "" : `\n\n${title}\n${sources.join("\n")}`;
  const markdown = withoutMarks(content, new Set(cited));
  const words = element === null ? markdown : (form.words?.(element) ?? markdown);
  const html = form.rich && element !== null ? cleanHtml(element, title, sources) : undefined;
  const done = await copyText(words + list, html);
  if (!done && element !== null) selectContents(element);
  return done;
}

/** The cited sources as numbered lines. */
function sourceLines(cited: readonly number[], citations: readonly Citation[], t: T): string[] {
  const known = citations.filter(({ index }) => cited.includes(index)).sort((a, b) => a.index - b.index);
  return known.map(
    ({ index, filename, page }) =>
      `${index}. ${filename}${page === null ? "" : `, ${t("sources.page", { page }).toLowerCase()}`}`,
  );
}

/** Selects what could not be copied, so that Ctrl C takes it. */
export function selectContents(element: Element): void {
  const selection = getSelection();
  selection?.removeAllRanges();
  const range = document.createRange();
  range.selectNodeContents(element);
  selection?.addRange(range);
}

const KEPT_ATTRIBUTES = new Set(["dir", "lang", "href", "start", "scope"]);

/** The drawn answer as clean HTML: marks, buttons and our classes left out, directions kept, sources at the end. */
export function cleanHtml(element: Element, title = "", sources: readonly string[] = []): string {
  const copy = cleanCopy(element);
  if (sources.length > 0) {
    for (const line of [title, ...sources]) {
      const paragraph = copy.ownerDocument.createElement("p");
      paragraph.textContent = line;
      copy.append(paragraph);
    }
  }
  return copy.innerHTML;
}

/** The drawn answer without marks, buttons and our classes. */
export function cleanCopy(element: Element): Element {
  const copy = element.cloneNode(true) as Element;
  for (const part of copy.querySelectorAll("button, svg, [data-copy-skip]")) {
    const before = part.previousSibling;
    if (before instanceof Text) before.data = before.data.replace(/\u202f$/, "");
    part.remove();
  }
  for (const part of copy.querySelectorAll("*")) {
    for (const { name } of [...part.attributes]) {
      if (!KEPT_ATTRIBUTES.has(name)) part.removeAttribute(name);
    }
  }
  return copy;
}

/** The Markdown without the marks that point into our sources. */
export function withoutMarks(markdown: string, cited: ReadonlySet<number>): string {
  return markdown.replace(/ ?\[(\d{1,3})\]/g, (mark, index) => (cited.has(Number(index)) ? "" : mark));
}

/** What to quote of a message: the words selected in it, else all of them. */
export function quotable(element: HTMLElement | null, content: string): string {
  const selection = getSelection();
  const inside = selection !== null && !selection.isCollapsed && element?.contains(selection.anchorNode) === true;
  return inside ? selection.toString() : content;
}

/** The text as a quotation in Markdown. */
export function asQuote(text: string): string {
  return text
    .trim()
    .split("\n")
    .map((line) => `> ${line}`.trimEnd())
    .join("\n");
}
