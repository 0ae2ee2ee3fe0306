// Cuts a passage with its neighbours out of a file's text. Pure; offsets count characters as the server does.
import type { Citation, ExtractedText } from "@/api/types";

/** How much of the text before and after the passage is shown, in characters. */
const NEIGHBOURS = 1_500;

export interface PassagePart {
  readonly text: string;
  readonly cited: boolean;
}

/** One paragraph of the excerpt. */
export type PassageBlock = readonly PassagePart[];

export interface Passage {
  readonly blocks: readonly PassageBlock[];
  /** Whether text was left out at either side. */
  readonly cutBefore: boolean;
  readonly cutAfter: boolean;
  readonly page: number | null;
}

/**
 * The passage in its place, or null when the file's text is no longer the one that was cited: its offsets then point
 * anywhere.
 */
export function locatePassage(source: ExtractedText, citation: Citation): Passage | null {
  // The server counts Unicode characters, JavaScript counts UTF-16 units.
  const letters = Array.from(source.text);
  const cited = letters.slice(citation.start, citation.end).join("");
  if (cited.trim() === "" || !holds(cited, citation.snippet)) return null;
  const from = Math.max(0, citation.start - NEIGHBOURS);
  const to = Math.min(letters.length, citation.end + NEIGHBOURS);
  const before = wholeStart(letters.slice(from, citation.start).join(""), from > 0);
  const after = wholeEnd(letters.slice(citation.end, to).join(""), to < letters.length);
  const page = source.pages.find((one) => one.start <= citation.start && citation.start < one.end)?.page;
  return {
    blocks: paragraphs([
      { text: before, cited: false },
      { text: cited, cited: true },
      { text: after, cited: false },
    ]),
    cutBefore: from > 0,
    cutAfter: to < letters.length,
    page: page ?? citation.page,
  };
}

/** Whether the passage is the one the snippet was taken from; spacing and the snippet's own ellipses do not count. */
function holds(passage: string, snippet: string): boolean {
  const plain = (text: string) => text.replace(/[\s…]+/g, "");
  const wanted = plain(snippet).slice(0, 40);
  return wanted === "" || plain(passage).includes(wanted);
}

/** Leaves out a sentence that was cut at its start. */
function wholeStart(text: string, cut: boolean): string {
  if (!cut) return text;
  const space = text.search(/\s/);
  return space < 0 ? text : text.slice(space + 1);
}

function wholeEnd(text: string, cut: boolean): string {
  if (!cut) return text;
  const space = text.search(/\s\S*$/);
  return space < 0 ? text : text.slice(0, space);
}

/** Splits at empty lines, so that every paragraph can run in its own direction; single line breaks stay inside. */
function paragraphs(parts: readonly PassagePart[]): PassageBlock[] {
  const blocks: PassagePart[][] = [[]];
  for (const { text, cited } of parts) {
    text.split(/\n{2,}/).forEach((line, place) => {
      if (place > 0) blocks.push([]);
      if (line !== "") blocks.at(-1)?.push({ text: line, cited });
    });
  }
  return blocks.filter((block) => block.some((part) => part.text.trim() !== ""));
}
