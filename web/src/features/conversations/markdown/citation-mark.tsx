// The number of a source inside an answer: a button that names its file, shows the passage and opens the source.

import { useT } from "@/i18n";
import { Tooltip } from "@/ui/tooltip";
import { sourceName } from "../source-name";
import { useCitationScope } from "./citations";

export function CitationMark({ index }: { readonly index: number }) {
  const t = useT();
  const { citations, open } = useCitationScope();
  const citation = citations.find((one) => one.index === index);
  if (citation === undefined) return `[${index}]`;
  return (
    <bdi data-copy-skip className="whitespace-nowrap">
      <Tooltip
        label={
          <span className="block py-0.5">
            <span className="isolate-ltr block truncate font-semibold">{citation.filename}</span>
            {citation.page !== null && <span className="block">{t("sources.page", { page: citation.page })}</span>}
            <span dir="auto" className="mt-1 line-clamp-5 block">
              {citation.snippet}
            </span>
          </span>
        }
      >
        <button
          type="button"
          aria-label={sourceName(citation, t)}
          onClick={() => open(index)}
          className="relative me-0.5 inline-flex h-[1.125rem] min-w-4 items-center justify-center rounded-mark bg-mark px-1.25 align-[2px] font-sans text-xs/none font-semibold text-mark-foreground after:absolute after:-inset-1 hoverable:hover:bg-mark-foreground hoverable:hover:text-mark"
        >
          {index}
        </button>
      </Tooltip>
    </bdi>
  );
}
