// Finds the words of a question in a text, for the eye: the server's own list of matched words is what counts.

export interface MarkedPart {
  readonly text: string;
  readonly hit: boolean;
}

/** Letters that are written to the front of a Hebrew word: and, the, in, as, to, from, that. */
const HEBREW_PREFIX = /^[והבכלמש](?=[\u05d0-\u05ea]{2})/u;
/** Words that differ only in their endings share at least so many letters. */
const STEM = 4;

/** The text in pieces, those that look like one of the words marked; the pieces together are the text. */
export function markWords(text: string, words: readonly string[]): MarkedPart[] {
  const wanted = words.map(plain);
  const parts: MarkedPart[] = [];
  for (const piece of text.match(/[\p{L}\p{N}\p{M}]+|[^\p{L}\p{N}\p{M}]+/gu) ?? []) {
    const word = plain(piece);
    const hit = word !== "" && wanted.some((one) => isAlike(word, one));
    const last = parts.at(-1);
    if (last !== undefined && !last.hit && !hit) parts[parts.length - 1] = { text: last.text + piece, hit };
    else parts.push({ text: piece, hit });
  }
  return parts;
}

/** In lower case and without marks. */
function plain(word: string): string {
  return word
    .normalize("NFKD")
    .replace(/[^\p{L}\p{N}]/gu, "")
    .toLowerCase();
}

function isAlike(one: string, other: string): boolean {
  if (one === other || bare(one) === bare(other)) return true;
  let shared = 0;
  while (shared < one.length && one[shared] === other[shared]) shared += 1;
  return shared >= Math.max(STEM, Math.min(one.length, other.length) - 1) && Math.abs(one.length - other.length) <= 3;
}

function bare(word: string): string {
  return word.replace(HEBREW_PREFIX, "");
}
