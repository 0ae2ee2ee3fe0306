// A chat takes no files: a dragged one is caught so that the tab does not leave the page, and told where it belongs.
import { type ReactNode, useRef, useState } from "react";
import { useT } from "@/i18n";

export function FileDropGuard({ children }: { readonly children: ReactNode }) {
  const t = useT();
  const [over, setOver] = useState(false);
  const depth = useRef(0);
  const carriesFiles = (event: React.DragEvent) => event.dataTransfer.types.includes("Files");
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only keeps the browser from opening a dropped file.
    <div
      className="relative flex min-h-0 flex-1"
      onDragEnter={(event) => {
        if (!carriesFiles(event)) return;
        depth.current += 1;
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (!carriesFiles(event)) return;
        depth.current = Math.max(0, depth.current - 1);
        if (depth.current === 0) setOver(false);
      }}
      onDragOver={(event) => {
        if (!carriesFiles(event)) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = "none";
      }}
      onDrop={(event) => {
        if (!carriesFiles(event)) return;
        event.preventDefault();
        depth.current = 0;
        setOver(false);
      }}
    >
      {children}
      {over && (
        <div
          role="status"
          className="pointer-events-none absolute inset-2 z-10 grid place-items-center rounded-panel border-2 border-dashed border-input bg-background/90 px-6 text-center text-lg font-semibold"
        >
          {t("chat.noFilesHere")}
        </div>
      )}
    </div>
  );
}
