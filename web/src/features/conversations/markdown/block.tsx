// Draws one block of Markdown: paragraph, heading, list, table, quotation, code.
import { SquareCheckIcon, SquareIcon } from "lucide-react";
import type { Token, Tokens } from "marked";
import { createElement, Fragment, type ReactNode } from "react";
import { useT } from "@/i18n";
import { isFenceClosed } from "./blocks";
import { CodeBlock } from "./code-block";
import { type Direction, directionProps, directionText } from "./direction";
import { type InlineScope, inline } from "./inline";

interface BlockViewProps {
  readonly token: Token;
  /** Whether this is the block being written. */
  readonly open: boolean;
  readonly scope: InlineScope;
}

/** A block of the top level: it decides its own direction; what is inside it follows. */
export function BlockView({ token, open, scope }: BlockViewProps): ReactNode {
  const direction = directionProps(directionText(token), !open);
  // `auto` says the same as `ltr` here and lets the browser go on deciding by the first letter.
  const dir: Direction = direction.dir === "ltr" ? "auto" : direction.dir;
  switch (token.type) {
    case "paragraph":
      return (
        <p {...direction} dir={dir} className="my-3">
          {inline(token.tokens, scope)}
        </p>
      );
    case "heading":
      return heading(token as Tokens.Heading, { ...direction, dir }, scope);
    case "html":
      return (
        <p {...direction} dir={dir} className="my-3 whitespace-pre-wrap">
          {token.raw.trimEnd()}
        </p>
      );
    case "list":
    case "blockquote":
      return createElement("div", { ...direction, className: "my-3" }, nested(token, scope));
    case "table":
      return <TableView table={token as Tokens.Table} direction={direction} scope={scope} />;
    default:
      return nested(token, scope);
  }
}

function heading(token: Tokens.Heading, direction: { dir: Direction; lang?: "he" }, scope: InlineScope): ReactNode {
  // The page owns h1 and the message h2, so a text starts at h3.
  const level = Math.min(6, token.depth + 2);
  const size = token.depth === 1 ? "text-h3" : token.depth === 2 ? "text-[1.125rem]/7" : "text-chat";
  const className = `font-display font-semibold mt-5 mb-2 ${size}`;
  return createElement(`h${level}`, { ...direction, className }, inline(token.tokens, scope));
}

/** A block inside another one: it runs in the direction of the whole. */
function nested(token: Token, scope: InlineScope): ReactNode {
  switch (token.type) {
    case "paragraph":
      return <p className="my-2 first:mt-0 last:mb-0">{inline(token.tokens, scope)}</p>;
    case "text":
      return inline([token], scope);
    case "heading":
      return heading(token as Tokens.Heading, { dir: "auto" }, scope);
    case "list":
      return list(token as Tokens.List, scope);
    case "blockquote":
      return (
        <blockquote className="border-s-2 border-border ps-4 text-muted-foreground">
          {createElement(Fragment, null, ...(token.tokens ?? []).map((inner) => nested(inner, scope)))}
        </blockquote>
      );
    case "code": {
      const code = token as Tokens.Code;
      return <CodeBlock code={code.text} language={code.lang ?? ""} closed={isFenceClosed(code.raw)} />;
    }
    case "table":
      return <TableView table={token as Tokens.Table} direction={{}} scope={scope} />;
    case "hr":
      return <hr className="my-5 border-border" />;
    case "html":
      return <span className="whitespace-pre-wrap">{token.raw.trimEnd()}</span>;
    case "checkbox":
      return <TaskBox done={(token as Tokens.Checkbox).checked} />;
    case "space":
    case "def":
      return null;
    default:
      return inline([token], scope);
  }
}

function list(token: Tokens.List, scope: InlineScope): ReactNode {
  const items = token.items.map((item) =>
    createElement(
      "li",
      { className: item.task ? "list-none -ms-6 my-1" : "my-1 ps-1" },
      ...item.tokens.map((inner) => (item.task ? task(inner, scope) : nested(inner, scope))),
    ),
  );
  const shape = "ps-6 my-1 marker:text-muted-foreground";
  if (!token.ordered) return createElement("ul", { className: `list-disc ${shape}` }, ...items);
  const start = typeof token.start === "number" ? token.start : 1;
  return createElement("ol", { start, className: `list-decimal ${shape} marker:tabular` }, ...items);
}

/** Loose task items hold their box inside the paragraph, tight ones beside it. */
function task(token: Token, scope: InlineScope): ReactNode {
  const inner = "tokens" in token ? token.tokens : undefined;
  const box = inner?.[0];
  if (box?.type !== "checkbox") return nested(token, scope);
  const rest = { ...token, tokens: inner?.slice(1) } as Token;
  return createElement(Fragment, null, nested(box, scope), nested({ ...rest, type: "text" } as Token, scope));
}

function TaskBox({ done }: { readonly done: boolean }) {
  const t = useT();
  const Icon = done ? SquareCheckIcon : SquareIcon;
  return (
    <span
      role="img"
      aria-label={t(done ? "chat.taskDone" : "chat.taskOpen")}
      className="me-2 inline-block align-[-3px]"
    >
      <Icon className="size-4 text-muted-foreground" strokeWidth={1.75} aria-hidden />
    </span>
  );
}

const ALIGN = { left: "text-start", center: "text-center", right: "text-end" } as const;

interface TableViewProps {
  readonly table: Tokens.Table;
  readonly direction: { dir?: Direction; lang?: "he" };
  readonly scope: InlineScope;
}

function TableView({ table, direction, scope }: TableViewProps) {
  const t = useT();
  const cell = (kind: "th" | "td", { tokens, align }: Tokens.TableCell) =>
    createElement(
      kind,
      {
        className: `border-b border-border px-3 py-2 align-top ${ALIGN[align ?? "left"] ?? ""} ${kind === "th" ? "bg-muted font-semibold" : ""}`,
        ...(kind === "th" ? { scope: "col" } : {}),
      },
      inline(tokens, { ...scope, inCell: true }),
    );
  const row = (kind: "th" | "td", cells: readonly Tokens.TableCell[]) =>
    createElement("tr", null, ...cells.map((one) => cell(kind, one)));
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for controls; this is a frame that scrolls.
    <div
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table scrolls sideways, also by keyboard.
      tabIndex={0}
      aria-label={t("chat.table")}
      className="my-3 overflow-x-auto rounded-card border border-border"
    >
      <table
        {...direction}
        className="w-full border-collapse text-base [overflow-wrap:normal] [&_tbody_tr:last-child_td]:border-b-0"
      >
        <thead>{row("th", table.header)}</thead>
        {createElement("tbody", null, ...table.rows.map((cells) => row("td", cells)))}
      </table>
    </div>
  );
}
