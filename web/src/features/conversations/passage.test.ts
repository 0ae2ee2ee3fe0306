// R28: the passage in its place.
import { describe, expect, it } from "vitest";
import type { Citation, ExtractedText } from "@/api/types";
import { locatePassage, type PassageView, viewAround, viewPage } from "./passage";

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

/** What is shown, paragraph by paragraph. */
const shown = (view: PassageView) => view.blocks.map((block) => block.map((part) => part.text).join(""));
const marked = (view: PassageView) =>
  view.blocks
    .flat()
    .filter((part) => part.cited)
    .map((part) => part.text);

function found(text: ExtractedText, place: Citation) {
  const passage = locatePassage(text, place);
  if (passage === null) throw new Error("The passage was not found.");
  return passage;
}

describe("R28 a passage in its file", () => {
  it("counts characters as the server does and marks the cited ones", () => {
    const view = viewAround(found({ text, pages: [] }, citation));
    expect(marked(view)).toEqual([CITED]);
    expect(shown(view)).toEqual(["🙂 First page.", `Lead-in. ${CITED} What follows.\nהפסקה הבאה.`]);
    expect(view).toMatchObject({ cutBefore: false, cutAfter: false });
  });

  it("shows only the neighbourhood of a long text, cut between words", () => {
    const filler = "word ".repeat(2000);
    const shifted = { ...citation, start: start + filler.length, end: end + filler.length };
    const view = viewAround(found({ text: filler + text + filler, pages: [] }, shifted));
    expect(view).toMatchObject({ cutBefore: true, cutAfter: true });
    expect(shown(view)[0]).toMatch(/^word /);
    expect(shown(view).join("").length).toBeLessThan(3500);
  });

  it("begins at its page and shows the others without a mark", () => {
    const passage = found(source, citation);
    expect(passage.at).toBe(1);
    expect(marked(viewPage(passage, 1))).toEqual([CITED]);
    expect(shown(viewPage(passage, 0))).toEqual([[...text].slice(0, 10).join("")]);
    expect(marked(viewPage(passage, 0))).toEqual([]);
  });

  it("marks on each page what stands there of a passage that goes on", () => {
    const pages = [
      { page: 1, start: 0, end: start + 5 },
      { page: 2, start: start + 5, end: [...text].length },
    ];
    const passage = found({ text, pages }, citation);
    expect([...marked(viewPage(passage, 0)), ...marked(viewPage(passage, 1))]).toEqual([
      CITED.slice(0, 5),
      CITED.slice(5),
    ]);
  });

  it("cuts a page without end, around the passage or at its beginning", () => {
    const sheet = "cell ".repeat(20_000);
    const whole = sheet + text + sheet;
    const pages = [
      { page: 1, start: 0, end: [...whole].length },
      { page: 2, start: [...whole].length, end: [...whole].length + sheet.length },
    ];
    const shifted = { ...citation, start: start + sheet.length, end: end + sheet.length };
    const passage = found({ text: whole + sheet, pages }, shifted);
    expect(viewPage(passage, 0)).toMatchObject({ cutBefore: true, cutAfter: true });
    expect(viewPage(passage, 1)).toMatchObject({ cutBefore: false, cutAfter: true });
    expect(shown(viewPage(passage, 0)).join("").length).toBeLessThan(41_000);
  });

  it("does not point into a text that is no longer the cited one", () => {
    expect(locatePassage({ ...source, text: `${"new words ".repeat(10)}${text}` }, citation)).toBeNull();
    expect(locatePassage({ text: "short", pages: [] }, citation)).toBeNull();
  });
});
