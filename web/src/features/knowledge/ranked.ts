// The passages a question found, in the order they are shown: what the model gets, then what was cut off and for which.
import type { FoundPassage } from "@/api/types";

export interface RankedPassage {
  /** Its number on the page, from 1. */
  readonly number: number;
  readonly passage: FoundPassage;
  /** The number of the shown passage that it repeats or was joined to. */
  readonly because: number | null;
}

export function ranked(passages: readonly FoundPassage[]): {
  readonly kept: readonly RankedPassage[];
  readonly cut: readonly RankedPassage[];
} {
  const shown = passages.filter((passage) => passage.kept);
  const hidden = passages.filter((passage) => !passage.kept);
  return {
    kept: shown.map((passage, place) => ({ number: place + 1, passage, because: null })),
    cut: hidden.map((passage, place) => ({
      number: shown.length + place + 1,
      passage,
      because: because(passage, shown),
    })),
  };
}

/** The server tells that a passage was joined or is a duplicate, not to or of which. */
function because(passage: FoundPassage, shown: readonly FoundPassage[]): number | null {
  const place = placeOf(passage, shown);
  return place < 0 ? null : place + 1;
}

function placeOf(passage: FoundPassage, shown: readonly FoundPassage[]): number {
  if (passage.reason === "joined") {
    return shown.findIndex(
      (one) =>
        one.file_id === passage.file_id &&
        one.chunk_index <= passage.chunk_index &&
        passage.chunk_index <= (one.last_chunk_index ?? one.chunk_index),
    );
  }
  if (passage.reason !== "duplicate") return -1;
  const words = wordsOf(passage.text);
  const likeness = shown.map((one) => alike(words, wordsOf(one.text)));
  return likeness.indexOf(Math.max(...likeness));
}

function wordsOf(text: string): ReadonlySet<string> {
  return new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
}

/** The share of their words that both have, 0–1. */
function alike(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  const common = [...one].filter((word) => other.has(word)).length;
  return common / Math.max(1, one.size + other.size - common);
}
