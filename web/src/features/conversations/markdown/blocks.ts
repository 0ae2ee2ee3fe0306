// Splits Markdown into top-level blocks with marked's lexer; settled blocks keep their tokens while a text grows.
import { Lexer, type Token, type TokensList } from "marked";

/** One top-level piece of the text: a paragraph, a list, a table, a fence … `raw` is its source. */
export interface Block {
  readonly raw: string;
  readonly token: Token;
}

/** What one lexing has found, to be handed to the next one of the same, longer text. */
export interface Parsed {
  readonly blocks: readonly Block[];
  /** How many characters at the start will not be lexed again, and how many blocks they made. */
  readonly settledLength: number;
  readonly settledBlocks: number;
  readonly text: string;
  readonly links: TokensList["links"];
}

/** The blocks that still may change when text is added: the last one and, for safety, the one before it. */
const OPEN_BLOCKS = 2;
/** Line breaks are kept as written, as people expect of a chat. */
const OPTIONS = { gfm: true, breaks: true } as const;

/**
 * Lexes `text`. When `before` is the result for a prefix of it, only the part after its settled blocks is read again;
 * the result is the same as reading everything.
 */
export function parseBlocks(text: string, before: Parsed | null = null): Parsed {
  const source = text.replace(/\r\n?/g, "\n");
  if (before !== null && canContinue(source, before)) {
    const kept = before.blocks.slice(0, before.settledBlocks);
    const tail = lex(source.slice(before.settledLength));
    // A link definition may change any earlier paragraph, so it is the one thing that makes us read all again.
    if (Object.keys(tail.links).length === 0) return settle(source, kept, before.settledLength, tail);
  }
  return settle(source, [], 0, lex(source));
}

type Healer = typeof import("remend").default;
let heal: Healer | null = null;

/** Fetches what `healBlock` needs; to be called when an answer begins, since only then it is of use. */
export async function loadHealer(): Promise<void> {
  heal ??= (await import("remend")).default;
}

/** The block as it should look while the text after it has not arrived: half-written marks are closed. */
export function healBlock(block: Block, links: TokensList["links"]): Block {
  if (block.token.type === "code" || block.token.type === "html") return block;
  const started = block.raw.replace(/\[\d{0,3}$/, "");
  const healed = heal?.(started, { linkMode: "text-only", htmlTags: false, katex: false }) ?? started;
  if (healed === block.raw) return block;
  const token = lex(healed, links).find(isVisible);
  return token === undefined ? block : { raw: healed, token };
}

/** Whether the closing line of a fence has arrived. */
export function isFenceClosed(raw: string): boolean {
  const open = /^ {0,3}(`{3,}|~{3,})/.exec(raw)?.[1];
  if (open === undefined) return true;
  const lines = raw.trimEnd().split("\n");
  const last = lines.length > 1 ? (lines.at(-1)?.trim() ?? "") : "";
  return last.length >= open.length && last === open.charAt(0).repeat(last.length);
}

function canContinue(source: string, before: Parsed): boolean {
  return (
    before.settledBlocks > 0 &&
    Object.keys(before.links).length === 0 &&
    source.startsWith(before.text.slice(0, before.settledLength))
  );
}

function lex(source: string, links: TokensList["links"] = {}): TokensList {
  const lexer = new Lexer(OPTIONS);
  Object.assign(lexer.tokens.links, links);
  return lexer.lex(source);
}

function isVisible(token: Token): boolean {
  return token.type !== "space" && token.type !== "def";
}

function settle(text: string, kept: readonly Block[], keptLength: number, tail: TokensList): Parsed {
  const blocks = [...kept];
  const starts: number[] = [];
  let offset = keptLength;
  for (const token of tail) {
    if (isVisible(token)) {
      blocks.push({ raw: token.raw, token });
      starts.push(offset);
    }
    offset += token.raw.length;
  }
  // The lexer's pieces add up to the text; if they ever did not, offsets would lie and nothing may be settled.
  const exact = offset === text.length;
  const settledHere = exact ? Math.max(0, starts.length - OPEN_BLOCKS) : 0;
  return {
    blocks,
    text,
    links: tail.links,
    settledBlocks: kept.length + settledHere,
    settledLength: starts[settledHere] !== undefined && settledHere > 0 ? starts[settledHere] : keptLength,
  };
}
