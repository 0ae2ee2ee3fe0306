// Where files are dropped or chosen. A file dragged over the page is always taken, so that the tab never opens it.
import { Upload } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import { useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { formatSize } from "@/lib/format";
import { Button } from "@/ui/button";
import type { UploadLimits } from "./api";
import { endings, typeNames } from "./check";

interface DropZoneProps {
  limits: UploadLimits;
  onFiles: (files: File[]) => void;
}

function carriesFiles(event: DragEvent): boolean {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

export function DropZone({ limits, onFiles }: DropZoneProps) {
  const t = useT();
  const input = useRef<HTMLInputElement>(null);
  const hint = useId();
  const [over, setOver] = useState(false);

  useEffect(() => {
    const drag = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(false);
      onFiles(Array.from(event.dataTransfer?.files ?? []));
    };
    window.addEventListener("dragover", drag);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", drag);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, [onFiles]);

  return (
    <div
      data-slot="drop-zone"
      className={cn(
        "flex flex-wrap items-center gap-x-2.5 gap-y-2 rounded-card border border-dashed border-input px-4 py-3.5 transition-colors duration-120",
        over && "border-primary bg-accent",
      )}
    >
      <Upload className="size-[18px] shrink-0 stroke-[1.75] text-muted-foreground" aria-hidden />
      <span className="max-sm:hidden">
        {over ? t("files.dropNow") : t("files.drop", { types: typeNames(limits.types, "disjunction") })}
      </span>
      <Button size="sm" aria-describedby={hint} onClick={() => input.current?.click()}>
        {t("files.choose")}
      </Button>
      <span id={hint} className="text-md text-muted-foreground">
        <span className="sm:hidden">{typeNames(limits.types, "conjunction")} · </span>
        {t("files.limit", { size: formatSize(limits.maxBytes) })}
      </span>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={t("files.add")}
        accept={endings(limits.types)}
        onChange={(event) => {
          onFiles(Array.from(event.target.files ?? []));
          // The same file may be chosen again after it was removed.
          event.target.value = "";
        }}
      />
    </div>
  );
}
