// The knowledge files of an assistant: add, watch, mend, remove.
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from "react";
import { useSearchParams } from "react-router";
import { errorParts } from "@/api/error";
import { canManage, useSession } from "@/api/session";
import type { KnowledgeFile, PassagePlace } from "@/api/types";
import { useT, withWords } from "@/i18n";
import { cn } from "@/lib/cn";
import { announce } from "@/ui/announcer";
import { Button } from "@/ui/button";
import { InlineNotice } from "@/ui/notice";
import { Empty, ErrorState, Loading, Skeleton, SkeletonRows } from "@/ui/states";
import { filesQuery, keys, useUploadLimits } from "./api";
import { refusal } from "./check";
import { DropZone } from "./drop-zone";
import { FileRow, rowGrid, UploadRow } from "./file-row";
import { stateWord } from "./file-status";
import { addUploads, useUploads } from "./upload";

const KnowledgeStrip = lazy(async () => ({
  default: (await withWords("knowledge", import("./knowledge-strip"))).KnowledgeStrip,
}));
const ChunkSheet = lazy(async () => ({
  default: (await withWords("knowledge", import("./chunk-sheet"))).ChunkSheet,
}));

/** Says each change of state once; percents are for the eye. */
function useStateAnnouncements(files: readonly KnowledgeFile[]): void {
  const t = useT();
  const known = useRef(new Map<string, string>());
  useEffect(() => {
    for (const file of files) {
      const state = stateWord(file, t, false);
      const before = known.current.get(file.id);
      known.current.set(file.id, state);
      if (before !== undefined && before !== state) announce(t("files.announce", { name: file.filename, state }));
    }
  }, [files, t]);
}

interface FilePanelProps {
  assistantId: string;
  /** A deleted assistant takes no files. */
  frozen: boolean;
  onOpenPassage: (place: PassagePlace) => void;
}

/** Whose passages are shown beside the list stands in the address. */
function useOpenFile() {
  const [params, setParams] = useSearchParams();
  const show = (id: string | null) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        if (id === null) next.delete("passages");
        else next.set("passages", id);
        return next;
      },
      { replace: true },
    );
  return [params.get("passages"), show] as const;
}

export function FilePanel({ assistantId, frozen, onOpenPassage }: FilePanelProps) {
  const t = useT();
  const [openId, show] = useOpenFile();
  const client = useQueryClient();
  const manager = useSession((state) => canManage(state.user?.role)) && !frozen;
  const limits = useUploadLimits();
  const list = useInfiniteQuery(filesQuery(assistantId));
  const everything = useUploads((state) => state.uploads);
  const uploads = everything.filter((upload) => upload.assistantId === assistantId);
  const [refused, setRefused] = useState<readonly string[]>([]);
  const files = list.data?.pages.flatMap((page) => page.files) ?? [];
  useStateAnnouncements(files);
  const opened = files.find((file) => file.id === openId);

  const add = useCallback(
    (chosen: File[]) => {
      const reasons = chosen.map((file) => refusal(file, limits, t));
      setRefused(reasons.filter((reason) => reason !== null));
      addUploads(
        assistantId,
        chosen.filter((_, place) => reasons[place] === null),
        () => {
          void client.invalidateQueries({ queryKey: keys.of(assistantId) });
          void client.invalidateQueries({ queryKey: ["assistants"] });
        },
      );
    },
    [assistantId, client, limits, t],
  );

  return (
    <div className="flex flex-col gap-4">
      {manager && <DropZone limits={limits} onFiles={add} />}
      {refused.length > 0 && (
        <InlineNotice
          tone="error"
          role="alert"
          action={
            <Button variant="link" size="inline" className="text-destructive" onClick={() => setRefused([])}>
              {t("files.dismiss")}
            </Button>
          }
        >
          <ul>
            {refused.map((reason) => (
              <li key={reason} dir="auto">
                {reason}
              </li>
            ))}
          </ul>
        </InlineNotice>
      )}
      {list.isPending && (
        <Loading label={t("files.loading")}>
          <SkeletonRows className="py-4" />
        </Loading>
      )}
      {list.isError && (
        <ErrorState
          title={t("error.couldNotLoad", { things: t("files.things") })}
          {...errorParts(list.error, t)}
          onRetry={() => void list.refetch()}
        />
      )}
      {list.isSuccess && files.length === 0 && uploads.length === 0 && (
        <Empty title={t("files.empty.title")} body={t("files.empty.body")} />
      )}
      {manager && files.length > 0 && (
        <Suspense fallback={<Skeleton className="h-[4.5rem] rounded-card" />}>
          <KnowledgeStrip assistantId={assistantId} files={files} />
        </Suspense>
      )}
      {files.length + uploads.length > 0 && (
        <div>
          <div
            aria-hidden
            className={cn(rowGrid, "border-b py-2 text-md font-semibold text-muted-foreground max-sm:hidden")}
          >
            <span>{t("files.name")}</span>
            <span>{t("files.size")}</span>
            <span>{t("files.passages")}</span>
            <span>{t("files.state")}</span>
          </div>
          <ul aria-label={t("files.table")}>
            {uploads.map((upload) => (
              <UploadRow key={upload.id} upload={upload} />
            ))}
            {files.map((file) => (
              <FileRow key={file.id} file={file} canManage={manager} onShowPassages={() => show(file.id)} />
            ))}
          </ul>
        </div>
      )}
      {list.hasNextPage && (
        <Button className="self-center" pending={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          {t("assistants.more")}
        </Button>
      )}
      <Suspense>
        {opened && <ChunkSheet file={opened} onOpenPassage={onOpenPassage} onClose={() => show(null)} />}
      </Suspense>
    </div>
  );
}
