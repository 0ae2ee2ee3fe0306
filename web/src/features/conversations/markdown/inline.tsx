// Draws the inline tokens of Markdown as React elements; raw HTML stays text and pictures are never loaded.
import type { Token, Tokens } from "marked";
import { createElement, Fragment, type ReactNode } from "react";
import { CitationMark } from "./citation-mark";
import { splitMarks, type TextPart } from "./citations";
import { ImageChip } from "./image-chip";
import { decodeEntities, safeLink } from "./links";

export interface InlineScope {
  readonly citations: ReadonlySet<number>;
  /** In a table cell a typed `<br>` breaks the line; it is the only tag with a meaning. */
  readonly inCell?: boolean;
  readonly inLink?: boolean;
}

/** The tokens, one after the other. */
export function inline(tokens: readonly Token[] | undefined, scope: InlineScope): ReactNode {
  return createElement(Fragment, null, ...(tokens ?? []).map((token) => inlineToken(token, scope)));
}

function inlineToken(token: Token, scope: InlineScope): ReactNode {
  switch (token.type) {
    case "text":
    case "escape":
      return "tokens" in token && token.tokens !== undefined
        ? inline(token.tokens, scope)
        : plain(`${token.text}`, token.type === "escape" ? NO_MARKS : scope);
    case "strong":
      return <strong className="font-bold">{inline(token.tokens, scope)}</strong>;
    case "em":
      return <em>{inline(token.tokens, scope)}</em>;
    case "del":
      return <del>{inline(token.tokens, scope)}</del>;
    case "codespan":
      return (
        <code dir="ltr" className="isolate-ltr rounded-mark bg-code-bg px-1 py-0.5 font-mono text-[0.86em]">
          {token.text}
        </code>
      );
    case "br":
      return <br />;
    case "link":
      return link(token as Tokens.Link, scope);
    case "image":
      return scope.inLink === true ? token.text : <ImageChip address={token.href} alternative={token.text} />;
    case "html":
      return scope.inCell === true && /^<br\s*\/?>$/i.test(token.raw.trim()) ? <br /> : token.raw;
    default:
      return token.raw;
  }
}

/** Thin and unbreakable: what a reader selects by hand still has a space there. */
const NARROW_SPACE = "\u202f";

const NO_MARKS: InlineScope = { citations: new Set() };

function plain(text: string, scope: InlineScope): ReactNode {
  const decoded = decodeEntities(text);
  if (scope.inLink === true || scope.citations.size === 0) return decoded;
  const parts = splitMarks(decoded, scope.citations);
  // A mark stands close to its word, and never alone at the start of a line.
  const draw = (part: TextPart, place: number) => {
    if (typeof part === "number") return createElement(CitationMark, { index: part });
    return typeof parts[place + 1] === "number" ? part.replace(/\s+$/, NARROW_SPACE) : part;
  };
  return createElement(Fragment, null, ...parts.map(draw));
}

function link(token: Tokens.Link, scope: InlineScope): ReactNode {
  // A definition list under the text must not turn a citation into a link out of the house.
  const mark = /^\[(\d{1,3})\]$/.exec(token.raw)?.[1];
  if (mark !== undefined && scope.citations.has(Number(mark))) return <CitationMark index={Number(mark)} />;
  const safe = safeLink(token.href);
  if (safe === null) {
    // Nothing is hidden: a link that we refuse shows its address as the text it is.
    const label = inline(token.tokens, { ...scope, inLink: true });
    return token.text === token.href ? label : createElement(Fragment, null, label, ` (${token.href})`);
  }
  const isAddress = (token as Tokens.Link & { autolink?: boolean }).autolink === true;
  return (
    <a
      href={safe.href}
      title={safe.place}
      target="_blank"
      rel="noopener noreferrer"
      dir={isAddress ? "ltr" : undefined}
      className={`text-primary-text underline decoration-1 underline-offset-3 hover:decoration-2 [overflow-wrap:anywhere] ${isAddress ? "isolate-ltr" : ""}`}
    >
      {inline(token.tokens, { ...scope, inLink: true })}
    </a>
  );
}
