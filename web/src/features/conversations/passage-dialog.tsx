// A cited passage with the text around it, marked and scrolled to; what was kept with the answer when the file is gone.
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { ApiError, errorSentence } from "@/api/error";
import type { Citation } from "@/api/types";
import { useT } from "@/i18n";
import { Dialog } from "@/ui/dialog";
import { InlineNotice } from "@/ui/notice";
import { ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { fileTextQuery } from "./api";
import { directionProps } from "./markdown/direction";
import { locatePassage, type Passage, type PassageBlock } from "./passage";

interface PassageDialogProps {
  /** Null while the dialog is shut. */
  readonly citation: Citation | null;
  readonly onClose: () => void;
}

export function PassageDialog({ citation, onClose }: PassageDialogProps) {
  const t = useT();
  const place =
    citation === null
      ? ""
      : citation.page === null
        ? t("sources.passage", { n: citation.chunk_index + 1 })
        : t("sources.page", { page: citation.page });
  return (
    <Dialog
      open={citation !== null}
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title={
        <bdi dir="ltr" className="[overflow-wrap:anywhere]">
          {citation?.filename}
        </bdi>
      }
      description={place}
      className="overflow-hidden sm:max-w-2xl"
    >
      {citation !== null && <PassageText citation={citation} />}
    </Dialog>
  );
}

function PassageText({ citation }: { readonly citation: Citation }) {
  const t = useT();
  const { data, error, isPending, refetch } = useQuery(fileTextQuery(citation.file_id));
  const passage = useMemo(() => (data === undefined ? null : locatePassage(data, citation)), [data, citation]);
  if (isPending) {
    return (
      <Loading label={t("sources.loading")}>
        <SkeletonRows rows={8} />
      </Loading>
    );
  }
  if (error instanceof ApiError && error.status === 404)
    return <Kept citation={citation} reason={t("sources.removed")} />;
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
  return passage === null ? (
    <Kept citation={citation} reason={t("sources.textChanged")} />
  ) : (
    <InPlace passage={passage} />
  );
}

/** What was stored with the answer, when the file can no longer show it. */
function Kept({ citation, reason }: { readonly citation: Citation; readonly reason: string }) {
  return (
    <>
      <InlineNotice>{reason}</InlineNotice>
      <Scroll>
        <p {...directionProps(citation.snippet)}>
          <mark className="rounded-mark bg-mark px-0.5 text-mark-foreground">{citation.snippet}</mark>
        </p>
      </Scroll>
    </>
  );
}

function InPlace({ passage }: { readonly passage: Passage }) {
  const frame = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another passage is scrolled to again.
  useEffect(() => {
    frame.current?.querySelector("mark")?.scrollIntoView({ block: "center" });
  }, [passage]);
  const blocks: ReactNode[] = passage.blocks.map(drawBlock);
  return (
    <Scroll>
      <div ref={frame} className="flex flex-col gap-2.5">
        {passage.cutBefore && <p aria-hidden>…</p>}
        {blocks}
        {passage.cutAfter && <p aria-hidden>…</p>}
      </div>
    </Scroll>
  );
}

function Scroll({ children }: { readonly children: ReactNode }) {
  const t = useT();
  return (
    <section
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a long passage scrolls, also by keyboard.
      tabIndex={0}
      aria-label={t("sources.openPassage")}
      className="-mx-5 min-h-0 overflow-y-auto overscroll-contain border-t border-border px-5 pt-4 text-lg/7 [overflow-wrap:anywhere] focus-visible:-outline-offset-2"
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
