// Why an answer was given this passage: how far up it stood in each search, and which words it shares with the question.
import type { Citation } from "@/api/types";
import { useT } from "@/i18n";
import { ratio, whyFacts } from "@/lib/why-passage";
import { Facts } from "@/ui/facts";

export function WhyPassage({ citation }: { readonly citation: Citation }) {
  const t = useT();
  const { fused_rank, matched_words: words, threshold, heading, score } = citation;
  return (
    <div className="mt-1 flex flex-col gap-1.5 rounded-control bg-muted px-3 py-2">
      {fused_rank == null ? (
        <p>{t("why.notKept")}</p>
      ) : (
        <p>
          {words == null || words.length === 0 ? (
            t("why.noWords")
          ) : (
            <>
              {t("why.words")} <bdi className="font-semibold">{words.join(", ")}</bdi>
            </>
          )}
        </p>
      )}
      <Facts facts={whyFacts(citation, t)} />
      {threshold != null && (
        <p className="text-muted-foreground">
          {t(score >= threshold ? "why.reached" : "why.beside", { threshold: ratio(threshold) })}
        </p>
      )}
      {heading && (
        <p className="text-muted-foreground">
          {t("why.heading")} <bdi>{heading}</bdi>
        </p>
      )}
    </div>
  );
}
