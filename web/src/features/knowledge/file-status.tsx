// Where a file is on its way into the assistant, in a word, a sign and a meter; or why it stopped.
import { CircleAlert, CircleCheck, CircleDashed, LoaderCircle } from "lucide-react";
import type { KnowledgeFile } from "@/api/types";
import type { T } from "@/i18n";
import { Progress } from "@/ui/meter";

/** A file without a single passage can answer nothing: that is a failure, whatever the pipeline says. */
export function failureOf(file: KnowledgeFile, t: T): string | null {
  if (file.status === "error") return file.error_message || t("files.unknownFailure");
  return file.status === "ready" && file.chunk_count === 0 ? t("files.noText") : null;
}

/** The state in words; with `exact` also the percent, which is too much for the ear. */
export function stateWord(file: KnowledgeFile, t: T, exact: boolean): string {
  if (failureOf(file, t) !== null) return t("files.failed");
  switch (file.status) {
    case "uploading":
      return t("files.waiting");
    case "processing":
      return t("files.reading");
    case "indexing":
      return exact ? t("files.indexing", { n: file.progress }) : t("files.indexingPlain");
    default:
      return t("files.ready");
  }
}

export function Moving({ word, percent, label }: { word: string; percent: number | null; label: string }) {
  return (
    <div className="flex flex-col gap-1.5">
      <span className="tabular flex items-center gap-1.5 whitespace-nowrap">
        {percent === null ? (
          <CircleDashed className="size-4 shrink-0 stroke-[1.75] text-muted-foreground" aria-hidden />
        ) : (
          <LoaderCircle className="size-4 shrink-0 animate-spin stroke-[1.75] text-primary-text" aria-hidden />
        )}
        {word}
      </span>
      {percent !== null && <Progress value={percent} label={label} className="max-w-44" />}
    </div>
  );
}

export function FileStatus({ file, t }: { file: KnowledgeFile; t: T }) {
  const failure = failureOf(file, t);
  if (failure !== null) {
    return (
      <span className="flex items-start gap-1.5 text-destructive">
        <CircleAlert className="mt-[3px] size-4 shrink-0 stroke-[1.75]" aria-hidden />
        <span>
          <span className="sr-only">{t("files.failed")}: </span>
          <bdi>{failure}</bdi>
        </span>
      </span>
    );
  }
  if (file.status === "ready") {
    return (
      <span className="flex items-center gap-1.5 whitespace-nowrap">
        <CircleCheck className="size-4 shrink-0 stroke-[1.75] text-success" aria-hidden />
        {t("files.ready")}
      </span>
    );
  }
  return (
    <Moving
      word={stateWord(file, t, true)}
      percent={file.status === "uploading" ? null : file.progress}
      label={t("files.announce", { name: file.filename, state: stateWord(file, t, false) })}
    />
  );
}
