// Why a passage was found, as pairs of a name and a value in plain words.
import type { T } from "@/i18n";

export interface Why {
  /** Places among all passages, from 1; null where that search did not find it. */
  readonly vector_rank?: number | null | undefined;
  readonly keyword_rank?: number | null | undefined;
  readonly fused_rank?: number | null | undefined;
  readonly cosine: number | null;
  /** Calibrated relevance, 0–1. */
  readonly score: number;
  readonly matched_words?: readonly string[] | null | undefined;
}

export interface Fact {
  readonly label: string;
  readonly value: string;
}

/** Two digits, as thresholds are set. */
export function ratio(value: number): string {
  return value.toFixed(2);
}

export function whyFacts(why: Why, t: T): Fact[] {
  const place = (rank: number | null | undefined) => (rank == null ? t("why.notFound") : t("why.place", { n: rank }));
  const facts: Fact[] = [];
  if (why.fused_rank != null) {
    facts.push(
      { label: t("why.byMeaning"), value: place(why.vector_rank) },
      { label: t("why.byWords"), value: place(why.keyword_rank) },
      { label: t("why.together"), value: place(why.fused_rank) },
    );
  }
  facts.push({ label: t("why.match"), value: ratio(why.score) });
  if (why.cosine !== null) facts.push({ label: t("why.cosine"), value: ratio(why.cosine) });
  return facts;
}
