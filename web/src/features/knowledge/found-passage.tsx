// One passage that a question found: where it stands, what decided about it, and its text with the question's words marked.
import { useId, useState } from "react";
import type { FoundPassage, PassagePlace } from "@/api/types";
import { type T, useT } from "@/i18n";
import { cn } from "@/lib/cn";
import { markWords } from "@/lib/mark-words";
import { shownName } from "@/lib/shown-name";
import { whyFacts } from "@/lib/why-passage";
import { Badge } from "@/ui/badge";
import { Button } from "@/ui/button";
import { Facts } from "@/ui/facts";
import type { RankedPassage } from "./ranked";

/** Longer texts are folded, so that the ranking is seen as a whole. */
const FOLDED = 360;

interface FoundPassageCardProps {
  readonly entry: RankedPassage;
  readonly onOpenPassage: (place: PassagePlace) => void;
}

export function FoundPassageCard({ entry, onOpenPassage }: FoundPassageCardProps) {
  const t = useT();
  const { number, passage } = entry;
  const { filename, page, heading, chunk_index, kept, matched_words: words } = passage;
  const name = shownName(filename);
  return (
    <li className={cn("rounded-card border px-4 py-3.5", kept ? "bg-surface" : "border-dashed")}>
      <div className="flex flex-wrap items-baseline gap-x-2.5 gap-y-1">
        <span className="tabular text-md font-semibold text-muted-foreground">{number}</span>
        <span dir="ltr" className="isolate-ltr min-w-0 font-semibold [overflow-wrap:anywhere]">
          {name}
        </span>
        <span className="tabular me-auto text-md text-muted-foreground">
          {page !== null && `${t("sources.page", { page })} · `}
          {t("sources.passage", { n: chunk_index + 1 })}
        </span>
        <Badge tone={kept ? "success" : "neutral"}>{reasonWords(entry, t)}</Badge>
      </div>
      {heading && (
        <p dir="auto" className="mt-0.5 text-md text-muted-foreground [overflow-wrap:anywhere]">
          {heading}
        </p>
      )}
      <Text passage={passage} />
      <div className="mt-2.5 flex flex-wrap items-end justify-between gap-x-4 gap-y-1.5">
        <div className="flex min-w-0 flex-col gap-1">
          <Facts facts={whyFacts(passage, t)} />
          {words !== undefined && words.length > 0 && (
            <p className="text-sm text-muted-foreground">
              {t("why.words")} <bdi className="font-semibold text-foreground">{words.join(", ")}</bdi>
            </p>
          )}
        </div>
        <Button
          variant="link"
          size="inline"
          className="min-h-6 text-md"
          aria-label={t("passage.inPlaceOf", { n: chunk_index + 1, file: name })}
          onClick={() => onOpenPassage({ ...passage, snippet: passage.text })}
        >
          {t("passage.inPlace")}
        </Button>
      </div>
    </li>
  );
}

function Text({ passage: { text, matched_words } }: { readonly passage: FoundPassage }) {
  const t = useT();
  const id = useId();
  const [whole, setWhole] = useState(false);
  const long = text.length > FOLDED;
  return (
    <>
      <p
        id={id}
        dir="auto"
        className={cn(
          "mt-2 whitespace-pre-line [overflow-wrap:anywhere] [unicode-bidi:plaintext]",
          long && !whole && "line-clamp-4",
        )}
      >
        {markWords(text.replace(/\n{2,}/g, "\n"), matched_words ?? []).map((part, place) =>
          part.hit ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a text never move.
            <mark key={place} className="rounded-mark bg-mark text-mark-foreground">
              {part.text}
            </mark>
          ) : (
            part.text
          ),
        )}
      </p>
      {long && (
        <Button
          variant="link"
          size="inline"
          className="mt-1 min-h-6 text-sm"
          aria-expanded={whole}
          aria-controls={id}
          onClick={() => setWhole(!whole)}
        >
          {t(whole ? "passage.showLess" : "passage.showAll")}
        </Button>
      )}
    </>
  );
}

function reasonWords({ passage: { reason }, because }: RankedPassage, t: T): string {
  if (reason === "duplicate" && because !== null) return t("test.reason.duplicateOf", { n: because });
  if (reason === "joined" && because !== null) return t("test.reason.joinedTo", { n: because });
  return t(`test.reason.${reason}`);
}
