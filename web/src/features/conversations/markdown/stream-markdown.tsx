// Draws a Markdown text, also while it is being written: blocks that are settled are neither read nor drawn again.
import { Component, memo, type ReactNode, useMemo, useRef } from "react";
import { BlockView } from "./block";
import { type Block, healBlock, type Parsed, parseBlocks } from "./blocks";
import { useCitationScope } from "./citations";

export interface StreamMarkdownProps {
  readonly text: string;
  /** Whether more text is expected: the last block is then completed as well as it can be. */
  readonly writing?: boolean;
}

export function StreamMarkdown({ text, writing = false }: StreamMarkdownProps) {
  return (
    <PlainOnCrash text={text}>
      <Blocks text={text} writing={writing} />
    </PlainOnCrash>
  );
}

function Blocks({ text, writing }: { readonly text: string; readonly writing: boolean }) {
  const before = useRef<Parsed | null>(null);
  const parsed = useMemo(() => {
    const now = parseBlocks(text, before.current);
    before.current = now;
    return now;
  }, [text]);
  const { citations } = useCitationScope();
  const known = useMemo(() => new Set(citations.map((citation) => citation.index)), [citations]);
  const last = parsed.blocks.length - 1;
  const drawn = parsed.blocks.map((block, place) => {
    const open = writing && place === last;
    return { key: place, open, block: open ? healBlock(block, parsed.links) : block };
  });
  return (
    <div className="answer-text text-chat [overflow-wrap:anywhere] [&>*:first-child]:mt-0 [&>*:last-child]:mb-0">
      {drawn.map(({ key, block, open }) => (
        <MemoBlock key={key} block={block} open={open} citations={known} links={linkCount(parsed)} />
      ))}
    </div>
  );
}

function linkCount(parsed: Parsed): number {
  return Object.keys(parsed.links).length;
}

interface MemoBlockProps {
  readonly block: Block;
  readonly open: boolean;
  readonly citations: ReadonlySet<number>;
  /** How many link definitions the text has: a new one may change any block. */
  readonly links: number;
}

const MemoBlock = memo(
  function MemoBlock({ block, open, citations }: MemoBlockProps) {
    return <BlockView token={block.token} open={open} scope={{ citations }} />;
  },
  (before, now) =>
    before.block.raw === now.block.raw &&
    before.open === now.open &&
    before.citations === now.citations &&
    before.links === now.links,
);

/** A fault in drawing must not take the answer away: its text is shown as it came. */
class PlainOnCrash extends Component<{ readonly text: string; readonly children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <p dir="auto" className="text-chat whitespace-pre-wrap">
        {this.props.text}
      </p>
    );
  }
}
