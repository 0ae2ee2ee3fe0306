// Which part of a long list is shown, and the way to its neighbours: ‹ 1–20 of 52 ›.
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useT } from "@/i18n";
import { Button } from "./button";

interface PaginationProps {
  total: number;
  /** Rows on one page. */
  limit: number;
  /** Rows before this page. */
  offset: number;
  /** How many rows this page really has. */
  shown: number;
  onOffset: (offset: number) => void;
}

export function Pagination({ total, limit, offset, shown, onOffset }: PaginationProps) {
  const t = useT();
  const first = offset === 0;
  const last = offset + shown >= total;
  return (
    <nav data-slot="pagination" aria-label={t("pages.label")} className="flex items-center justify-end gap-1.5 pt-3">
      <Button
        variant="ghost"
        size="icon-sm"
        aria-label={t("pages.previous")}
        // Not `disabled`: at the last page the keyboard's place would be lost.
        aria-disabled={first || undefined}
        onClick={() => !first && onOffset(Math.max(0, offset - limit))}
      >
        <ChevronLeft className="mirror-rtl" aria-hidden />
      </Button>
      <span role="status" className="tabular text-md text-muted-foreground">
        {t("pages.range", { from: shown === 0 ? 0 : offset + 1, to: offset + shown, total })}
      </span>
      <Button
        variant="ghost"
        size="icon-sm"
        aria-label={t("pages.next")}
        aria-disabled={last || undefined}
        onClick={() => !last && onOffset(offset + limit)}
      >
        <ChevronRight className="mirror-rtl" aria-hidden />
      </Button>
    </nav>
  );
}
