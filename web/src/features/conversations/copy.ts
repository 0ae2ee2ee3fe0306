// What goes on the clipboard when an answer is copied: clean rich text beside its Markdown (ui rule R24).

/** Selects what could not be copied, so that Ctrl C takes it. */
export function selectContents(element: Element): void {
  const selection = getSelection();
  selection?.removeAllRanges();
  const range = document.createRange();
  range.selectNodeContents(element);
  selection?.addRange(range);
}

const KEPT_ATTRIBUTES = new Set(["dir", "lang", "href", "start", "scope"]);

/** The drawn answer as clean HTML: marks, buttons and our classes left out, directions kept. */
export function cleanHtml(element: Element): string {
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
  return copy.innerHTML;
}

/** The Markdown without the marks that point into our sources. */
export function withoutMarks(markdown: string, cited: ReadonlySet<number>): string {
  return markdown.replace(/ ?\[(\d{1,3})\]/g, (mark, index) => (cited.has(Number(index)) ? "" : mark));
}
