// Decides in which direction one block of text runs (ui rules I3–I5).
import type { Token, Tokens } from "marked";

export type Direction = "ltr" | "rtl" | "auto";

const LETTER = /\p{L}/gu;
const RTL_LETTER = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u;
const HEBREW_LETTER = /\p{Script=Hebrew}/u;
/** So many letters decide while a block is being written; only settling may change it after that. */
const DECIDING_LETTERS = 20;

/**
 * `rtl` when the text starts with a Hebrew or Arabic letter, or when more than half of its letters are;
 * `auto` when it has no letters.
 */
export function textDirection(text: string, settled = true): Direction {
  const found = text.match(LETTER) ?? [];
  const letters = settled ? found : found.slice(0, DECIDING_LETTERS);
  const first = letters[0];
  if (first === undefined) return "auto";
  if (RTL_LETTER.test(first)) return "rtl";
  const rightToLeft = letters.filter((letter) => RTL_LETTER.test(letter)).length;
  return rightToLeft * 2 > letters.length ? "rtl" : "ltr";
}

/** The `dir` and `lang` attributes of a block of plain text. */
export function directionProps(text: string, settled = true): { dir: Direction; lang?: "he" } {
  const dir = textDirection(text, settled);
  return dir === "rtl" && HEBREW_LETTER.test(text) ? { dir, lang: "he" } : { dir };
}

/** The words of a token that count for its direction: not code, not addresses, not raw HTML, not pictures. */
export function directionText(token: Token): string {
  switch (token.type) {
    case "code":
    case "codespan":
    case "html":
    case "image":
    case "def":
    case "checkbox":
      return "";
    case "link":
      return (token as Tokens.Link & { autolink?: boolean }).autolink === true ? "" : joined(token.tokens);
    case "list":
      return (token as Tokens.List).items.map((item) => joined(item.tokens)).join(" ");
    case "table": {
      const table = token as Tokens.Table;
      return [table.header, ...table.rows].flatMap((row) => row.map((cell) => joined(cell.tokens))).join(" ");
    }
    default:
      return "tokens" in token && token.tokens !== undefined
        ? joined(token.tokens)
        : "text" in token
          ? `${token.text}`
          : "";
  }
}

function joined(tokens: readonly Token[] | undefined): string {
  return (tokens ?? []).map(directionText).join(" ");
}
