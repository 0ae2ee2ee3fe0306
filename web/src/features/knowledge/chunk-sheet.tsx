// All passages of a file in their order, as they were cut: what is found, one by one.
import { useInfiniteQuery } from "@tanstack/react-query";
import { X } from "lucide-react";
import { errorParts } from "@/api/error";
import type { Chunk, KnowledgeFile, PassagePlace } from "@/api/types";
import { useT } from "@/i18n";
import { formatNumber } from "@/lib/format";
import { shownName } from "@/lib/shown-name";
import { Button } from "@/ui/button";
import { Sheet } from "@/ui/dialog";
import { Empty, ErrorState, Loading, SkeletonRows } from "@/ui/states";
import { chunksQuery } from "./api";

interface ChunkSheetProps {
  readonly file: KnowledgeFile;
  readonly onOpenPassage: (place: PassagePlace) => void;
  readonly onClose: () => void;
}

/** Open as long as it is drawn. */
export function ChunkSheet({ file, onOpenPassage, onClose }: ChunkSheetProps) {
  const t = useT();
  const name = shownName(file.filename);
  return (
    <Sheet
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      side="end"
      title={t("chunks.title", { name })}
      className="w-full sm:w-[min(92vw,38rem)]"
    >
      <div className="flex min-h-[52px] shrink-0 items-center justify-between gap-3 border-b py-2 ps-4.5 pe-2">
        <div className="min-w-0">
          <h2 dir="ltr" className="isolate-ltr truncate text-start font-display text-lg font-semibold" title={name}>
            {name}
          </h2>
          <p className="tabular text-md text-muted-foreground">{t("chunks.count", { count: file.chunk_count })}</p>
        </div>
        <Button variant="ghost" size="icon-sm" aria-label={t("action.close")} onClick={onClose}>
          <X aria-hidden />
        </Button>
      </div>
      <section
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a long list scrolls, also by keyboard.
        tabIndex={0}
        aria-label={t("chunks.title", { name })}
        className="min-h-0 flex-1 overflow-y-auto overscroll-contain focus-visible:-outline-offset-2"
      >
        <Chunks file={file} onOpenPassage={onOpenPassage} />
      </section>
    </Sheet>
  );
}

function Chunks({ file, onOpenPassage }: Omit<ChunkSheetProps, "onClose">) {
  const t = useT();
  const list = useInfiniteQuery(chunksQuery(file.id));
  if (list.isPending) {
    return (
      <Loading label={t("chunks.loading")}>
        <SkeletonRows rows={10} className="p-4.5" />
      </Loading>
    );
  }
  if (list.data === undefined) {
    return (
      <ErrorState
        title={t("error.couldNotLoad", { things: t("chunks.things") })}
        {...errorParts(list.error, t)}
        onRetry={() => void list.refetch()}
      />
    );
  }
  const chunks = list.data.pages.flatMap((page) => page.chunks);
  const total = list.data.pages[0]?.total ?? 0;
  if (chunks.length === 0) return <Empty title={t("chunks.empty")} body={t("chunks.emptyBody")} />;
  return (
    <>
      <ol>
        {chunks.map((chunk) => (
          <Row key={chunk.index} chunk={chunk} file={file} onOpenPassage={onOpenPassage} />
        ))}
      </ol>
      <div className="flex flex-wrap items-center justify-center gap-3 p-4.5">
        <span role="status" className="tabular text-md text-muted-foreground">
          {t("chunks.shown", { n: formatNumber(chunks.length), total: formatNumber(total) })}
        </span>
        {list.hasNextPage && (
          <Button size="sm" pending={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {t("chunks.more")}
          </Button>
        )}
      </div>
    </>
  );
}

interface RowProps {
  readonly chunk: Chunk;
  readonly file: KnowledgeFile;
  readonly onOpenPassage: (place: PassagePlace) => void;
}

function Row({ chunk, file, onOpenPassage }: RowProps) {
  const t = useT();
  const { index, page, start, end, text, token_count, heading } = chunk;
  const number = index + 1;
  return (
    <li className="border-b px-4.5 py-3.5">
      <p className="flex flex-wrap items-baseline gap-x-2.5">
        <span className="font-semibold">{t("sources.passage", { n: number })}</span>
        <span className="tabular text-md text-muted-foreground">
          {page !== null && `${t("sources.page", { page })} · `}
          {t("chunks.tokens", { count: token_count })}
        </span>
      </p>
      {heading && (
        <p dir="auto" className="text-md text-muted-foreground [overflow-wrap:anywhere]">
          {heading}
        </p>
      )}
      <p dir="auto" className="mt-1.5 whitespace-pre-line [overflow-wrap:anywhere] [unicode-bidi:plaintext]">
        {text}
      </p>
      <Button
        variant="link"
        size="inline"
        className="mt-1.5 min-h-6 text-md"
        aria-label={t("passage.inPlaceOf", { n: number, file: shownName(file.filename) })}
        onClick={() =>
          onOpenPassage({
            file_id: file.id,
            filename: file.filename,
            chunk_index: index,
            page,
            start,
            end,
            snippet: text,
          })
        }
      >
        {t("passage.inPlace")}
      </Button>
    </li>
  );
}
