// The words of a question, found in a passage in another form.
import { describe, expect, it } from "vitest";
import { markWords } from "./mark-words";

const marked = (text: string, words: string[]) =>
  markWords(text, words)
    .filter((part) => part.hit)
    .map((part) => part.text);

describe("words of a question in a text", () => {
  it.each([
    ["The deadline: 14 March.", ["deadlines"], ["deadline"]],
    ["Signed, signing, silent.", ["sign"], ["Signed", "signing"]],
    ["Příliš žluťoučký kůň", ["zlutoucky"], ["žluťoučký"]],
    ["בתקציב של הקמפיין", ["תקציב", "קמפיין"], ["בתקציב", "הקמפיין"]],
    ["Car, care, cart", ["car"], ["Car"]],
  ])("%s", (text, words, expected) => {
    expect(marked(text, words)).toEqual(expected);
  });

  it("lose nothing of the text", () => {
    const text = "One  two,\nthree – four.";
    expect(
      markWords(text, ["two", "four"])
        .map((part) => part.text)
        .join(""),
    ).toBe(text);
  });
});
