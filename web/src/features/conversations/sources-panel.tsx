// The passages an answer rests on: beside the transcript on a wide screen, over it elsewhere (ui rules R27, R28).
import { X } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import type { Citation } from "@/api/types";
import { useT, withWords } from "@/i18n";
import { cn } from "@/lib/cn";
import { Button } from "@/ui/button";
import { Dialog, Sheet } from "@/ui/dialog";
import { citedIndexes } from "./markdown/citations";
import { sourceName } from "./source-name";
import { PHONE, useMedia, WIDE } from "./use-media";

const PassageDialog = lazy(async () => {
  const { PassageDialog } = await withWords("knowledge", import("./passage-dialog"));
  return { default: PassageDialog };
});
const WhyPassage = lazy(async () => {
  const { WhyPassage } = await withWords("knowledge", import("./why-passage"));
  return { default: WhyPassage };
});

/** Which source was asked for; `at` makes asking twice count twice. */
export interface SourceFocus {
  readonly index: number | null;
  readonly at: number;
}

interface SourcesPanelProps {
  readonly answer: { readonly content: string; readonly citations: readonly Citation[] };
  readonly focus: SourceFocus;
  readonly onClose: () => void;
}

export function SourcesPanel({ answer, focus, onClose }: SourcesPanelProps) {
  const t = useT();
  const wide = useMedia(WIDE);
  const phone = useMedia(PHONE);
  const list = <SourceList answer={answer} focus={focus} />;
  if (wide) {
    return (
      <aside
        aria-label={t("sources.title")}
        className="flex w-[328px] shrink-0 flex-col overflow-hidden border-s border-border bg-surface"
      >
        <Head onClose={onClose} />
        <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain">{list}</div>
      </aside>
    );
  }
  const onOpenChange = (open: boolean) => {
    if (!open) onClose();
  };
  if (phone) {
    return (
      <Dialog open onOpenChange={onOpenChange} title={t("sources.title")} className="max-sm:gap-1">
        <div className="-mx-5">{list}</div>
      </Dialog>
    );
  }
  return (
    <Sheet open onOpenChange={onOpenChange} side="end" title={t("sources.title")} className="w-[328px]">
      <Head onClose={onClose} />
      <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain">{list}</div>
    </Sheet>
  );
}

function Head({ onClose }: { readonly onClose: () => void }) {
  const t = useT();
  return (
    <div className="flex h-[52px] shrink-0 items-center justify-between border-b border-border ps-4.5 pe-2">
      <h2 className="font-display text-lg font-semibold">{t("sources.title")}</h2>
      <Button variant="ghost" size="icon-sm" aria-label={t("sources.close")} onClick={onClose}>
        <X aria-hidden />
      </Button>
    </div>
  );
}

function SourceList({ answer, focus }: Pick<SourcesPanelProps, "answer" | "focus">) {
  const t = useT();
  const [opened, setOpened] = useState<Citation | null>(null);
  const order = citedIndexes(answer.content, answer.citations);
  const cited = order.flatMap((index) => answer.citations.find((one) => one.index === index) ?? []);
  const others = answer.citations.filter((one) => !order.includes(one.index));
  const items = (citations: readonly Citation[]) => (
    <ol>
      {citations.map((citation) => (
        <Source key={citation.index} citation={citation} focus={focus} onOpen={() => setOpened(citation)} />
      ))}
    </ol>
  );
  return (
    <>
      {cited.length === 0 && <p className="px-4.5 py-3.5 text-muted-foreground">{t("sources.none")}</p>}
      {items(cited)}
      {others.length > 0 && (
        <details open={cited.length === 0 || others.some((one) => one.index === focus.index)}>
          <summary className="px-4.5 py-3 text-md font-semibold text-muted-foreground hoverable:hover:text-foreground">
            {t("sources.alsoRetrieved", { count: others.length })}
          </summary>
          {items(others)}
        </details>
      )}
      <Suspense>{opened !== null && <PassageDialog place={opened} onClose={() => setOpened(null)} />}</Suspense>
    </>
  );
}

interface SourceProps {
  readonly citation: Citation;
  readonly focus: SourceFocus;
  readonly onOpen: () => void;
}

const FLASH = 1_200;

function Source({ citation, focus, onOpen }: SourceProps) {
  const t = useT();
  const item = useRef<HTMLLIElement>(null);
  const [flashed, setFlashed] = useState(0);
  const wanted = focus.index === citation.index ? focus.at : 0;
  useEffect(() => {
    if (wanted === 0) return;
    item.current?.focus({ preventScroll: true });
    item.current?.scrollIntoView({ block: "nearest" });
    setFlashed(wanted);
    const timer = setTimeout(() => setFlashed(0), FLASH);
    return () => clearTimeout(timer);
  }, [wanted]);
  const { index, filename, page, chunk_index, score, snippet } = citation;
  return (
    <li
      ref={item}
      tabIndex={-1}
      aria-label={sourceName(citation, t)}
      className={cn(
        "border-b border-border px-4.5 py-3.5 outline-none transition-colors duration-240",
        flashed !== 0 && "bg-mark/50",
      )}
    >
      <p className="mb-1 flex items-baseline gap-2.5 font-semibold">
        <span
          aria-hidden
          className="inline-flex h-[1.125rem] min-w-4 shrink-0 items-center justify-center rounded-mark bg-mark px-1.25 text-xs/none text-mark-foreground"
        >
          {index}
        </span>
        <bdi dir="ltr" className="min-w-0 [overflow-wrap:anywhere]">
          {filename}
        </bdi>
      </p>
      <blockquote dir="auto" className="text-md [overflow-wrap:anywhere]">
        “{snippet.trim()}”
      </blockquote>
      <p className="mt-1 flex flex-wrap items-center justify-between gap-x-3 text-sm text-muted-foreground">
        <span className="tabular">
          {page === null ? t("sources.passage", { n: chunk_index + 1 }) : t("sources.page", { page })}
          {" · "}
          {t("sources.match", { score: score.toFixed(2) })}
        </span>
        <Button variant="link" size="inline" className="min-h-6 text-sm" onClick={onOpen}>
          {t("sources.openPassage")}
        </Button>
      </p>
      <Why citation={citation} />
    </li>
  );
}

/** What decided for the passage; its parts come when somebody asks. */
function Why({ citation }: { readonly citation: Citation }) {
  const t = useT();
  const [asked, setAsked] = useState(false);
  return (
    <details
      className="mt-1 text-sm"
      onToggle={(event) => {
        if (event.currentTarget.open) setAsked(true);
      }}
    >
      <summary className="w-fit rounded-mark py-0.5 text-muted-foreground hoverable:hover:text-foreground">
        {t("sources.why")}
        <span className="sr-only">: {sourceName(citation, t)}</span>
      </summary>
      <Suspense>{asked && <WhyPassage citation={citation} />}</Suspense>
    </details>
  );
}
