// Cuts a passage with its page or its neighbours out of a file's text. Pure; offsets count characters as the server does.
import type { ExtractedText, PassagePlace } from "@/api/types";

/** How much of a text without pages is shown before and after the passage, in characters. */
const NEIGHBOURS = 1_500;
/** The same on a page: most are shorter and shown whole, a spreadsheet's can be endless. */
const PAGE_NEIGHBOURS = 20_000;

export interface PassagePart {
  readonly text: string;
  readonly cited: boolean;
}

/** One paragraph of what is shown. */
export type PassageBlock = readonly PassagePart[];

/** A passage found in its file's text. */
export interface Passage {
  /** Unicode characters, as the server counts; JavaScript counts UTF-16 units. */
  readonly letters: readonly string[];
  readonly start: number;
  readonly end: number;
  readonly pages: ExtractedText["pages"];
  /** Which of the pages it begins on; -1 in a file without pages. */
  readonly at: number;
}

export interface PassageView {
  readonly blocks: readonly PassageBlock[];
  /** Whether text was left out at either side. */
  readonly cutBefore: boolean;
  readonly cutAfter: boolean;
}

/** Null when the file's text is no longer the one the passage was taken from: its offsets then point anywhere. */
export function locatePassage(source: ExtractedText, place: PassagePlace): Passage | null {
  const letters = Array.from(source.text);
  const { start, end } = place;
  const cited = letters.slice(start, end).join("");
  if (cited.trim() === "" || !holds(cited, place.snippet)) return null;
  const at = source.pages.findIndex((one) => one.start <= start && start < one.end);
  return { letters, start, end, pages: source.pages, at };
}

/** The passage with what stands around it, in a file without pages. */
export function viewAround({ letters, start, end }: Passage): PassageView {
  return view(letters, { from: 0, to: letters.length }, { start, end }, NEIGHBOURS);
}

/** One of the file's pages, the part of the passage that stands on it marked. */
export function viewPage({ letters, start, end, pages }: Passage, index: number): PassageView {
  const page = pages[index];
  if (page === undefined) return { blocks: [], cutBefore: false, cutAfter: false };
  const bounds = { from: page.start, to: page.end };
  const cited = { start: Math.max(start, page.start), end: Math.min(end, page.end) };
  const elsewhere = cited.start >= cited.end;
  return view(letters, bounds, elsewhere ? { start: page.start, end: page.start } : cited, PAGE_NEIGHBOURS);
}

function view(
  letters: readonly string[],
  bounds: { readonly from: number; readonly to: number },
  { start, end }: { readonly start: number; readonly end: number },
  neighbours: number,
): PassageView {
  const from = Math.max(bounds.from, start - neighbours);
  const to = Math.min(bounds.to, end + neighbours);
  const cutBefore = from > bounds.from;
  const cutAfter = to < bounds.to;
  return {
    blocks: paragraphs([
      { text: wholeStart(letters.slice(from, start).join(""), cutBefore), cited: false },
      { text: letters.slice(start, end).join(""), cited: true },
      { text: wholeEnd(letters.slice(end, to).join(""), cutAfter), cited: false },
    ]),
    cutBefore,
    cutAfter,
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
