// R28: the passage in its place.
import { describe, expect, it } from "vitest";
import type { Citation, ExtractedText } from "@/api/types";
import { locatePassage } from "./passage";

const BEFORE = "🙂 First page.\n\nLead-in. ";
const CITED = "38 validators have signed, among them three banks.";
const AFTER = " What follows.\nהפסקה הבאה.";
const text = BEFORE + CITED + AFTER;
const start = [...BEFORE].length;
const end = start + CITED.length;
const source: ExtractedText = {
  text,
  pages: [
    { page: 1, start: 0, end: 10 },
    { page: 2, start: 10, end: [...text].length },
  ],
};
const citation: Citation = {
  index: 1,
  file_id: "f",
  filename: "a.pdf",
  chunk_index: 0,
  last_chunk_index: 0,
  page: 9,
  score: 0.8,
  cosine: null,
  heading: null,
  start,
  end,
  snippet: "38 validators\nhave signed…",
  vector_rank: 1,
  keyword_rank: null,
  fused_rank: 1,
  matched_words: ["validators"],
  threshold: 0.7,
};

describe("R28 a passage with its neighbours", () => {
  it("counts characters as the server does and marks the cited ones", () => {
    const passage = locatePassage(source, citation);
    const parts = passage?.blocks.flat() ?? [];
    expect(parts.filter((part) => part.cited).map((part) => part.text)).toEqual([CITED]);
    expect(passage?.blocks.map((block) => block.map((part) => part.text).join(""))).toEqual([
      "🙂 First page.",
      `Lead-in. ${CITED} What follows.\nהפסקה הבאה.`,
    ]);
    expect(passage).toMatchObject({ page: 2, cutBefore: false, cutAfter: false });
  });

  it("shows only the neighbourhood of a long text, cut between words", () => {
    const filler = "word ".repeat(2000);
    const shifted = { ...citation, start: start + filler.length, end: end + filler.length };
    const passage = locatePassage({ text: filler + text + filler, pages: [] }, shifted);
    expect(passage).toMatchObject({ page: 9, cutBefore: true, cutAfter: true });
    const shown = passage?.blocks.flat().map((part) => part.text) ?? [];
    expect(shown[0]).toMatch(/^word /);
    expect(shown.join("").length).toBeLessThan(3500);
  });

  it("does not point into a text that is no longer the cited one", () => {
    expect(locatePassage({ ...source, text: `${"new words ".repeat(10)}${text}` }, citation)).toBeNull();
    expect(locatePassage({ text: "short", pages: [] }, citation)).toBeNull();
  });
});
