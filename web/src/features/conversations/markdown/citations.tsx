// Which `[n]` of an answer are citations, and what happens when a reader opens one.
import { createContext, useContext } from "react";
import type { Citation } from "@/api/types";

export interface CitationScope {
  readonly citations: readonly Citation[];
  /** Shows the source with this number. */
  readonly open: (index: number) => void;
}

const NONE: CitationScope = { citations: [], open: () => {} };

export const CitationScopeContext = createContext<CitationScope>(NONE);

export function useCitationScope(): CitationScope {
  return useContext(CitationScopeContext);
}

const MARK = /\[(\d{1,3})\]/g;

/** A piece of text, or the number of a citation that stood between two pieces. */
export type TextPart = string | number;

/** Cuts a text at its citation marks; a number that is no citation stays in the text. */
export function splitMarks(text: string, known: ReadonlySet<number>): readonly TextPart[] {
  const parts: TextPart[] = [];
  let from = 0;
  for (const match of text.matchAll(MARK)) {
    const index = Number(match[1]);
    if (!known.has(index)) continue;
    if (match.index > from) parts.push(text.slice(from, match.index));
    parts.push(index);
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

/** The numbers that the text cites, in order of first appearance. */
export function citedIndexes(text: string, citations: readonly Citation[]): readonly number[] {
  const known = new Set(citations.map((citation) => citation.index));
  const found = splitMarks(text, known).filter((part) => typeof part === "number");
  return [...new Set(found)];
}
