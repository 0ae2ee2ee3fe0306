// A fenced code block: its language, a copy button, and colours once it is complete and in view.
import { useEffect, useRef, useState } from "react";
import { useT } from "@/i18n";
import { copyText } from "@/lib/clipboard";
import { CopyButton } from "@/ui/copy-button";
import { selectContents } from "../copy";
import type { CodeRole, CodeRun } from "./highlight";

interface CodeBlockProps {
  readonly code: string;
  readonly language: string;
  /** Whether its last line has been written: only then it is coloured, so that no colour ever goes back. */
  readonly closed: boolean;
}

export function CodeBlock({ code, language, closed }: CodeBlockProps) {
  const t = useT();
  const frame = useRef<HTMLElement>(null);
  const body = useRef<HTMLElement>(null);
  const name = language.trim().split(/\s+/)[0] ?? "";
  const runs = useHighlight(frame, code, name, closed);
  const copy = async () => {
    const done = await copyText(code);
    if (!done && body.current !== null) selectContents(body.current);
    return done;
  };
  return (
    <figure
      ref={frame}
      dir="ltr"
      className="isolate-ltr my-3 overflow-hidden rounded-card border border-border bg-code-bg"
      aria-label={name === "" ? t("chat.codePlain") : t("chat.code", { language: name })}
    >
      <figcaption
        data-copy-skip
        className="flex items-center justify-between border-b border-border py-0.5 ps-3 pe-1 text-sm font-semibold text-muted-foreground"
      >
        <span>{name}</span>
        <CopyButton label={t("chat.copyCode")} copy={copy} className="h-7 text-sm" />
      </figcaption>
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: long code scrolls inside, also by keyboard.
        tabIndex={0}
        className="max-h-[400px] overflow-auto p-3 font-mono text-sm/[1.55] focus-visible:-outline-offset-2"
      >
        <code ref={body}>{runs === null ? code : runs.map(paint)}</code>
      </pre>
    </figure>
  );
}

const COLOURS: Readonly<Record<CodeRole, string>> = {
  comment: "text-(--syn-comment) italic",
  keyword: "text-(--syn-keyword)",
  string: "text-(--syn-string)",
  number: "text-(--syn-number)",
  title: "text-(--syn-title)",
  attr: "text-(--syn-attr)",
};

function paint(run: CodeRun, place: number) {
  if (run.role === null) return run.text;
  return (
    <span key={place} className={COLOURS[run.role]}>
      {run.text}
    </span>
  );
}

/** The coloured runs, or null as long as the code is plain. */
function useHighlight(
  frame: React.RefObject<HTMLElement | null>,
  code: string,
  language: string,
  closed: boolean,
): readonly CodeRun[] | null {
  const [painted, setPainted] = useState<{ code: string; runs: readonly CodeRun[] } | null>(null);
  useEffect(() => {
    const element = frame.current;
    if (!closed || language === "" || element === null) return;
    let wanted = true;
    const colour = async () => {
      const { highlight } = await import("./highlight");
      const runs = highlight(code, language);
      if (wanted && runs !== null) setPainted({ code, runs });
    };
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        observer.disconnect();
        // Without its colours the code is as readable as before.
        colour().catch(() => {});
      },
      { rootMargin: "200px" },
    );
    observer.observe(element);
    return () => {
      wanted = false;
      observer.disconnect();
    };
  }, [frame, code, language, closed]);
  return painted?.code === code ? painted.runs : null;
}
