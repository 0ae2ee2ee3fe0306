// What the server tells of passages, jobs and knowledge beyond its generated document. Delete this file once
// schema.gen.ts has these fields, and name the schemas in types.ts instead.
import type { components } from "./schema.gen";

type Schemas = components["schemas"];

/** Why a passage was found; an answer from before this was kept has nothing of it. */
export interface WhyFields {
  readonly vector_rank?: number | null;
  readonly keyword_rank?: number | null;
  readonly fused_rank?: number | null;
  readonly matched_words?: readonly string[] | null;
  /** The relevance that the best passage had to have. */
  readonly threshold?: number | null;
  /** The headings it stands under, the outermost first. */
  readonly heading?: string | null;
  /** Differs from `chunk_index` where neighbours were joined. */
  readonly last_chunk_index?: number | null;
}

export type CitationWithWhy = Schemas["Citation"] & WhyFields;

export type FoundReason = Schemas["FoundReason"] | "duplicate" | "joined";
export type FoundPassage = Omit<Schemas["FoundPassage"], "reason"> & {
  readonly reason: FoundReason;
  readonly last_chunk_index?: number;
  readonly matched_words?: readonly string[];
  /** Which share of the question's words stands in it, 0–1. */
  readonly word_share?: number;
  readonly heading?: string | null;
};
/** What a question finds, and by which settings. */
export type FoundPassages = Omit<Schemas["FoundPassages"], "passages"> & {
  readonly passages: readonly FoundPassage[];
  readonly outcome?: "ok" | "none" | "unavailable";
  readonly threshold?: number;
  readonly top_k?: number;
  readonly embedding_model?: string;
  /** The code of the question's language. */
  readonly language?: string;
};

export type Chunk = Schemas["Chunk"] & { readonly heading?: string | null };
export type ChunkList = Omit<Schemas["ChunkList"], "chunks"> & { readonly chunks: readonly Chunk[] };

export type Job = Schemas["Job"] & {
  readonly filename?: string | null;
  readonly assistant_id?: string | null;
  readonly assistant_name?: string | null;
  readonly status?: Schemas["FileStatus"] | null;
  readonly progress?: number | null;
  /** What it waits for since its last try. */
  readonly waits_for?: "retry" | "outage" | "quota" | null;
};
export type JobList = Omit<Schemas["JobList"], "jobs"> & { readonly jobs: readonly Job[] };

/** An assistant's knowledge in figures. */
export interface KnowledgeStats {
  readonly files: {
    readonly total: number;
    /** States and formats without files are absent. */
    readonly by_status: Readonly<Record<string, number>>;
    readonly by_type: Readonly<Record<string, number>>;
  };
  readonly bytes: number;
  readonly chunks: number;
  readonly tokens: number;
  readonly pages: number;
  readonly last_indexed_at: string | null;
}
