// Stands in place of a picture in an answer: its address is never fetched, only offered.
import { ImageIcon } from "lucide-react";
import { useT } from "@/i18n";
import { safeLink } from "./links";

export function ImageChip({ address, alternative }: { readonly address: string; readonly alternative: string }) {
  const t = useT();
  const safe = safeLink(address);
  const shape =
    "inline-flex max-w-full items-center gap-1.5 rounded-control border border-border bg-surface px-2 py-0.5 align-middle text-md";
  const label = (
    <>
      <ImageIcon className="size-4 shrink-0 text-muted-foreground" strokeWidth={1.75} aria-hidden />
      <span className="truncate">
        {safe === null ? t("chat.imageRefused") : t("chat.imageLink", { host: safe.place })}
        {alternative !== "" && <span className="text-muted-foreground"> · {alternative}</span>}
      </span>
    </>
  );
  if (safe === null) return <span className={shape}>{label}</span>;
  return (
    <a
      href={safe.href}
      title={safe.place}
      target="_blank"
      rel="noopener noreferrer"
      className={`${shape} hover:bg-muted`}
    >
      {label}
    </a>
  );
}
