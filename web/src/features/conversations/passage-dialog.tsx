// A passage with the text around it, marked and scrolled to, page by page where its file has pages; what was kept with the
// answer when the file is gone (ui rule R28).
import { useQuery } from "@tanstack/react-query";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { ApiError, errorSentence } from "@/api/error";
import type { PassagePlace } from "@/api/types";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { InlineNotice } from "@/ui/notice";
import { ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { fileTextQuery } from "./api";
import { directionProps } from "./markdown/direction";
import { locatePassage, type Passage, type PassageBlock, type PassageView, viewAround, viewPage } from "./passage";

interface PassageDialogProps {
  readonly place: PassagePlace;
  readonly onClose: () => void;
}

/** Open as long as it is drawn. */
export function PassageDialog({ place, onClose }: PassageDialogProps) {
  const t = useT();
  return (
    <Dialog
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={
        <bdi dir="ltr" className="[overflow-wrap:anywhere]">
          {place.filename}
        </bdi>
      }
      description={t("sources.passage", { n: place.chunk_index + 1 })}
      className="overflow-hidden sm:max-w-2xl"
    >
      <PassageText place={place} />
    </Dialog>
  );
}

function PassageText({ place }: { readonly place: PassagePlace }) {
  const t = useT();
  const { data, error, isPending, refetch } = useQuery(fileTextQuery(place.file_id));
  const passage = useMemo(() => (data === undefined ? null : locatePassage(data, place)), [data, place]);
  if (isPending) {
    return (
      <Loading label={t("sources.loading")}>
        <SkeletonRows rows={8} />
      </Loading>
    );
  }
  if (error instanceof ApiError && error.status === 404) return <Kept place={place} reason={t("sources.removed")} />;
  if (data === undefined) {
    return (
      <ErrorState
        title={t("error.couldNotLoad", { things: t("sources.things") })}
        message={errorSentence(error, t)}
        requestId={error instanceof ApiError ? error.requestId : undefined}
        onRetry={() => void refetch()}
      />
    );
  }
  if (passage === null) return <Kept place={place} reason={t("sources.textChanged")} />;
  return passage.at < 0 ? <Around passage={passage} /> : <Pages key={place.file_id} passage={passage} />;
}

/** What was stored with the answer, when the file can no longer show it. */
function Kept({ place, reason }: { readonly place: PassagePlace; readonly reason: string }) {
  return (
    <>
      <InlineNotice>{reason}</InlineNotice>
      <Scroll>
        <p {...directionProps(place.snippet)}>
          <mark className="rounded-mark bg-mark px-0.5 text-mark-foreground">{place.snippet}</mark>
        </p>
      </Scroll>
    </>
  );
}

function Around({ passage }: { readonly passage: Passage }) {
  const view = useMemo(() => viewAround(passage), [passage]);
  return (
    <Scroll shown={passage}>
      <Text view={view} />
    </Scroll>
  );
}

/** The pages of a file one by one, beginning with the passage's. */
function Pages({ passage }: { readonly passage: Passage }) {
  const t = useT();
  const { pages, at } = passage;
  const [index, setIndex] = useState(at);
  const view = useMemo(() => viewPage(passage, index), [passage, index]);
  const first = index <= 0;
  const last = index >= pages.length - 1;
  return (
    <>
      <nav aria-label={t("passage.pages")} className="-my-1 flex min-h-8 items-center gap-1.5">
        <Button
          variant="ghost"
          size="icon-sm"
          className="-ms-2"
          aria-label={t("passage.previous")}
          // Not `disabled`: at the first page the keyboard's place would be lost.
          aria-disabled={first || undefined}
          onClick={() => !first && setIndex(index - 1)}
        >
          <ChevronLeft className="mirror-rtl" aria-hidden />
        </Button>
        <span role="status" className="tabular text-md font-semibold">
          {t("passage.pageOf", { page: pages[index]?.page ?? 0, total: pages.at(-1)?.page ?? 0 })}
        </span>
        <Button
          variant="ghost"
          size="icon-sm"
          aria-label={t("passage.next")}
          aria-disabled={last || undefined}
          onClick={() => !last && setIndex(index + 1)}
        >
          <ChevronRight className="mirror-rtl" aria-hidden />
        </Button>
        {index !== at && (
          <Button variant="link" size="inline" className="ms-auto text-md" onClick={() => setIndex(at)}>
            {t("passage.back")}
          </Button>
        )}
      </nav>
      <Scroll shown={view} className={pages.length > 1 ? "h-[60dvh]" : undefined}>
        {view.blocks.length === 0 && <p className="text-muted-foreground">{t("passage.emptyPage")}</p>}
        <Text view={view} />
      </Scroll>
    </>
  );
}

function Text({ view: { blocks, cutBefore, cutAfter } }: { readonly view: PassageView }) {
  return (
    <div className="flex flex-col gap-2.5">
      {cutBefore && <p aria-hidden>…</p>}
      {blocks.map(drawBlock)}
      {cutAfter && <p aria-hidden>…</p>}
    </div>
  );
}

interface ScrollProps {
  /** When this changes, reading begins anew: at the mark, or at the top of a page without one. */
  readonly shown?: unknown;
  readonly className?: string | undefined;
  readonly children: ReactNode;
}

function Scroll({ shown, className, children }: ScrollProps) {
  const t = useT();
  const frame = useRef<HTMLElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another text is scrolled anew.
  useEffect(() => {
    const mark = frame.current?.querySelector("mark");
    if (mark) mark.scrollIntoView({ block: "center" });
    else frame.current?.scrollTo(0, 0);
  }, [shown]);
  return (
    <section
      ref={frame}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a long passage scrolls, also by keyboard.
      tabIndex={0}
      aria-label={t("sources.openPassage")}
      className={cn(
        "-mx-5 min-h-0 overflow-y-auto overscroll-contain border-t border-border px-5 pt-4 text-lg/7 [overflow-wrap:anywhere] focus-visible:-outline-offset-2",
        className,
      )}
    >
      {children}
    </section>
  );
}

function drawBlock(block: PassageBlock, place: number): ReactNode {
  return (
    <p
      key={place}
      className="whitespace-pre-line [unicode-bidi:plaintext]"
      {...directionProps(block.map((part) => part.text).join(""))}
    >
      {block.map((part, order) =>
        part.cited ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: as above.
          <mark key={order} className="box-decoration-clone rounded-mark bg-mark px-0.5 text-mark-foreground">
            {part.text}
          </mark>
        ) : (
          part.text
        ),
      )}
    </p>
  );
}
