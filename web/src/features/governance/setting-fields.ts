// Every setting of the system: in which group it stands, what it accepts, and how it is compared. Pure.
import type { SettingValue } from "@/api/types";
import type { T } from "@/i18n";

export type FieldKind =
  | { readonly kind: "line"; readonly max: number }
  | { readonly kind: "text"; readonly needs: readonly string[] }
  | { readonly kind: "number"; readonly min: number; readonly max: number; readonly whole: boolean }
  | { readonly kind: "switch" }
  | { readonly kind: "choice"; readonly options: readonly string[] }
  | { readonly kind: "several"; readonly options: readonly string[] }
  /** A model or none; `none` says what happens without one. */
  | { readonly kind: "model"; readonly none: "system.noModel" | "system.noTitleModel" }
  | { readonly kind: "models" };

const whole = (min: number, max: number): FieldKind => ({ kind: "number", min, max, whole: true });
const decimal = (min: number, max: number): FieldKind => ({ kind: "number", min, max, whole: false });

const fields = {
  app_name: { kind: "line", max: 50 },
  auto_title: { kind: "switch" },
  expose_instructions: { kind: "switch" },
  message_max_chars: whole(1_000, 200_000),
  max_upload_mb: whole(1, 200),
  allowed_file_types: {
    kind: "several",
    options: ["pdf", "docx", "txt", "md", "pptx", "xlsx", "csv", "html", "epub"],
  },
  default_model: { kind: "model", none: "system.noModel" },
  title_model: { kind: "model", none: "system.noTitleModel" },
  allowed_models: { kind: "models" },
  default_temperature: decimal(0, 2),
  default_max_tokens: whole(1, 32_768),
  prompt_template: { kind: "text", needs: ["{assistant_instructions}", "{retrieved_chunks}"] },
  rag_top_k: whole(1, 20),
  rag_similarity_threshold: decimal(0, 1),
  embedding_model: { kind: "line", max: 200 },
  chunk_size: whole(64, 2_048),
  chunk_overlap: whole(0, 1_024),
  rag_on_failure: { kind: "choice", options: ["degrade", "fail"] },
  conversation_retention_days: whole(0, 3_650),
  audit_retention_days: whole(30, 3_650),
} as const satisfies Record<string, FieldKind>;

export type SettingKey = keyof typeof fields;
export const FIELDS: Readonly<Record<SettingKey, FieldKind>> = fields;

export const GROUPS = {
  general: [
    "app_name",
    "auto_title",
    "expose_instructions",
    "message_max_chars",
    "max_upload_mb",
    "allowed_file_types",
  ],
  models: [
    "default_model",
    "title_model",
    "allowed_models",
    "default_temperature",
    "default_max_tokens",
    "prompt_template",
  ],
  retrieval: [
    "rag_top_k",
    "rag_similarity_threshold",
    "embedding_model",
    "chunk_size",
    "chunk_overlap",
    "rag_on_failure",
  ],
  retention: ["conversation_retention_days", "audit_retention_days"],
} as const satisfies Record<string, readonly SettingKey[]>;

export type GroupName = keyof typeof GROUPS;

/** What is in the form: the setting's value, or for numbers the text as it was typed. */
export type Draft = Readonly<Record<string, SettingValue>>;

export interface Read {
  readonly value: SettingValue;
  readonly problem: string | null;
}

/** What the form's content means, and what is wrong with it. */
export function readField(field: FieldKind, input: SettingValue, t: T): Read {
  const good = (value: SettingValue): Read => ({ value, problem: null });
  const bad = (problem: string): Read => ({ value: input, problem });
  switch (field.kind) {
    case "number": {
      if (typeof input === "number") return good(input);
      const text = String(input ?? "")
        .trim()
        .replace(",", ".");
      const value = text === "" ? Number.NaN : Number(text);
      const { min, max } = field;
      const isRight = value >= min && value <= max && (!field.whole || Number.isInteger(value));
      return isRight ? good(value) : bad(t(field.whole ? "invalid.whole" : "invalid.number", { min, max }));
    }
    case "line": {
      const text = String(input ?? "").trim();
      if (text === "") return bad(t("invalid.required"));
      return Array.from(text).length > field.max ? bad(t("invalid.long", { max: field.max })) : good(text);
    }
    case "text": {
      const text = String(input ?? "");
      const missing = field.needs.filter((part) => !text.includes(part));
      return missing.length > 0 ? bad(t("system.templateNeeds", { parts: missing.join(", ") })) : good(text);
    }
    case "several":
      return Array.isArray(input) && input.length === 0 ? bad(t("system.chooseOne")) : good(input);
    default:
      return good(input);
  }
}

/** Whether two values are the same; lists in any order. */
export function isSame(one: SettingValue | undefined, other: SettingValue | undefined): boolean {
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && [...one].sort().join("\n") === [...other].sort().join("\n");
  }
  return (one ?? null) === (other ?? null);
}
