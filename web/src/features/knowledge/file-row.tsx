// One file: its name, size, passages and state, and what can be done about it.
import { Download, Ellipsis, FileText, List, RotateCw, Trash2, X } from "lucide-react";
import { useState } from "react";
import { errorSentence } from "@/api/error";
import type { KnowledgeFile } from "@/api/types";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { formatNumber, formatSize } from "@/lib/format";
import { shownName } from "@/lib/shown-name";
import { Button } from "@/ui/button";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/ui/menu";
import { RemoveFileDialog } from "@/ui/remove-file-dialog";
import { toast } from "@/ui/toast";
import { downloadFile, isMoving, useRemoveFile, useReprocess } from "./api";
import { FileStatus, failureOf, Moving } from "./file-status";
import { dropUpload, duplicateOf, retryUpload, type Upload } from "./upload";

/** Columns from 640 px up; on a phone a row becomes a small card. */
export const rowGrid =
  "grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-4 gap-y-1.5 py-3 sm:grid-cols-[minmax(0,1fr)_4.5rem_4.5rem_minmax(11rem,16rem)_2.25rem]";

interface FileRowProps {
  file: KnowledgeFile;
  canManage: boolean;
  onShowPassages: () => void;
}

function Name({ name }: { name: string }) {
  return (
    <span className="flex min-w-0 items-center gap-2">
      <FileText className="size-4 shrink-0 stroke-[1.75] text-muted-foreground" aria-hidden />
      {/* A name with an extension reads from left to right even when its words are Hebrew. */}
      <span dir="ltr" className="isolate-ltr truncate font-semibold" title={shownName(name)}>
        {shownName(name)}
      </span>
    </span>
  );
}

export function FileRow({ file, canManage, onShowPassages }: FileRowProps) {
  const t = useT();
  const [asking, setAsking] = useState(false);
  const reprocess = useReprocess(file.assistant_id);
  const remove = useRemoveFile(file.assistant_id);
  const name = shownName(file.filename);
  const failed = failureOf(file, t) !== null;
  const fail = (error: unknown) => toast({ text: errorSentence(error, t) });
  const again = () => reprocess.mutate(file.id, { onError: fail });
  return (
    <li id={`file-${file.id}`} tabIndex={-1} className={cn(rowGrid, "border-b outline-offset-4")}>
      <Name name={file.filename} />
      <span className="tabular text-muted-foreground max-sm:hidden">
        <span className="sr-only">{t("files.size")}: </span>
        {formatSize(file.size_bytes)}
      </span>
      <span className="tabular text-muted-foreground max-sm:hidden">
        <span className="sr-only">{t("files.passages")}: </span>
        {file.chunk_count > 0 ? formatNumber(file.chunk_count) : "–"}
      </span>
      <div className="min-w-0 max-sm:col-span-2 max-sm:row-start-2">
        <FileStatus file={file} t={t} />
        {failed && canManage && (
          <div className="mt-2 flex flex-wrap gap-2">
            <Button size="sm" pending={reprocess.isPending} onClick={again}>
              {t("action.tryAgain")}
              <span className="sr-only">: {name}</span>
            </Button>
            <Button size="sm" variant="ghost" onClick={() => setAsking(true)}>
              {t("action.remove")}
              <span className="sr-only">: {name}</span>
            </Button>
          </div>
        )}
        <span className="tabular mt-1 block text-md text-muted-foreground sm:hidden">
          {formatSize(file.size_bytes)}
          {file.chunk_count > 0 && ` · ${t("files.passageCount", { count: file.chunk_count })}`}
        </span>
      </div>
      <div className="max-sm:row-start-1 max-sm:col-start-2">
        <Menu>
          <MenuTrigger>
            <Button variant="ghost" size="icon-sm" aria-label={t("files.menu", { name })}>
              <Ellipsis aria-hidden />
            </Button>
          </MenuTrigger>
          <MenuContent align="end">
            <MenuItem disabled={file.chunk_count === 0} onSelect={onShowPassages}>
              <List aria-hidden />
              {t("sources.showAll")}
            </MenuItem>
            <MenuItem onSelect={() => void downloadFile(file).catch(fail)}>
              <Download aria-hidden />
              {t("files.download")}
            </MenuItem>
            {canManage && (
              <>
                <MenuItem disabled={isMoving(file)} onSelect={again}>
                  <RotateCw aria-hidden />
                  {t("files.reprocess")}
                </MenuItem>
                <MenuSeparator />
                <MenuItem danger onSelect={() => setAsking(true)}>
                  <Trash2 aria-hidden />
                  {t("files.remove")}
                </MenuItem>
              </>
            )}
          </MenuContent>
        </Menu>
      </div>
      <RemoveFileDialog
        open={asking}
        onOpenChange={setAsking}
        id={file.id}
        name={name}
        remove={remove}
        problem={remove.isError ? errorSentence(remove.error, t) : null}
      />
    </li>
  );
}

/** Brings the row of a file into view and to the reader's attention. */
function showFile(id: string): void {
  const row = document.getElementById(`file-${id}`);
  row?.scrollIntoView({ block: "center" });
  row?.focus({ preventScroll: true });
}

/** A file on its way to the server, or refused by it. */
export function UploadRow({ upload }: { upload: Upload }) {
  const t = useT();
  const name = shownName(upload.file.name);
  const duplicate = duplicateOf(upload.error);
  const failed = upload.state === "failed";
  return (
    <li className={cn(rowGrid, "border-b")}>
      <Name name={upload.file.name} />
      <span className="tabular text-muted-foreground max-sm:hidden">{formatSize(upload.file.size)}</span>
      <span className="text-muted-foreground max-sm:hidden">–</span>
      <div className="min-w-0 max-sm:col-span-2 max-sm:row-start-2">
        {failed ? (
          <div role="alert">
            <p className="text-destructive" dir="auto">
              {duplicate === null ? errorSentence(upload.error, t) : t("files.duplicate", { name })}
            </p>
            <div className="mt-2 flex flex-wrap gap-2">
              {duplicate === null ? (
                <Button size="sm" onClick={() => retryUpload(upload.id)}>
                  {t("action.tryAgain")}
                  <span className="sr-only">: {name}</span>
                </Button>
              ) : (
                <Button
                  size="sm"
                  onClick={() => {
                    dropUpload(upload.id);
                    showFile(duplicate);
                  }}
                >
                  {t("action.show")}
                </Button>
              )}
              <Button size="sm" variant="ghost" onClick={() => dropUpload(upload.id)}>
                {t("action.remove")}
                <span className="sr-only">: {name}</span>
              </Button>
            </div>
          </div>
        ) : (
          <Moving
            word={upload.state === "waiting" ? t("files.waiting") : t("files.uploading", { n: upload.percent })}
            percent={upload.state === "waiting" ? null : upload.percent}
            label={t("files.announce", { name, state: t("files.uploadingPlain") })}
          />
        )}
      </div>
      <div className="max-sm:row-start-1 max-sm:col-start-2">
        {!failed && (
          <Button
            variant="ghost"
            size="icon-sm"
            aria-label={t("files.cancel", { name })}
            onClick={() => dropUpload(upload.id)}
          >
            <X aria-hidden />
          </Button>
        )}
      </div>
    </li>
  );
}
