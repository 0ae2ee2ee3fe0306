// The things the server speaks of, named as the contract names them; their shapes are generated from its document.
import type { components } from "./schema.gen";

type Schemas = components["schemas"];

export type Role = Schemas["Role"];
export type User = Schemas["User"];
export type TokenPair = Schemas["TokenPair"];
export type SetupStatus = Schemas["SetupStatus"];

export type Assistant = Schemas["Assistant"];
export type AssistantList = Schemas["AssistantList"];
export type AssistantCreate = Schemas["AssistantCreate"];
export type AssistantUpdate = Schemas["AssistantUpdate"];

export type FileStatus = Schemas["FileStatus"];
export type KnowledgeFile = Schemas["KnowledgeFile"];
export type FileList = Schemas["FileList"];
export type ExtractedText = Schemas["ExtractedText"];

export type Conversation = Schemas["Conversation"];
export type ConversationList = Schemas["ConversationList"];

export type Citation = Schemas["Citation"];
export type TokensUsed = Schemas["TokensUsed"];
export type MessageStatus = Schemas["MessageStatus"];
export type FinishReason = Schemas["FinishReason"];
export type Retrieval = Schemas["Retrieval"];
/** `cost_usd` is what the answer cost, once it is known. */
export type Message = Schemas["Message"] & { readonly cost_usd?: number | null };
export type MessageList = Schemas["MessageList"];
export type Exchange = Schemas["Exchange"];

export type Model = Schemas["Model"];
export type ModelList = Schemas["ModelList"];

export type ErrorDetail = Schemas["ErrorDetail"];
export type ErrorBody = Schemas["ErrorBody"];

/** A place where the person is signed in. */
export interface DeviceSession {
  readonly id: string;
  readonly created_at: string;
  readonly last_used_at: string;
  readonly ip_address: string | null;
  readonly user_agent: string | null;
  readonly is_current: boolean;
}

export interface DeviceSessionList {
  readonly sessions: readonly DeviceSession[];
  readonly total: number;
}

/** What was used in some time. */
export interface UsageFigures {
  readonly requests: number;
  readonly tokens: number;
  readonly cost_usd: number;
}

/** The tightest limits that bind the person; null means no limit. */
export interface UsageLimits {
  readonly daily_cost_limit: number | null;
  readonly monthly_cost_limit: number | null;
  readonly daily_token_limit: number | null;
  readonly monthly_token_limit: number | null;
}

export interface OwnUsage {
  readonly today: UsageFigures;
  readonly month: UsageFigures;
  readonly limits: UsageLimits;
  readonly remaining: UsageLimits;
  readonly by_day: readonly ({ readonly date: string } & UsageFigures)[];
  /** When the present day and month of the limits end. */
  readonly resets: { readonly day: string; readonly month: string };
}

export type UsageGrouping = "day" | "user" | "assistant" | "model";

export interface UsageGroup {
  readonly key: string | null;
  readonly label?: string | null;
  /** The model, where days are split by it. */
  readonly split?: string | null;
  readonly requests: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly cost_usd: number;
}

export interface UsageSummary {
  readonly groups: readonly UsageGroup[];
  readonly total: number;
}

export type QuotaScope = "global" | "role" | "user" | "assistant";

/** Limits: null means none, 0 means nothing is allowed. */
export interface QuotaLimits {
  readonly daily_cost_limit: number | null;
  readonly monthly_cost_limit: number | null;
  readonly daily_token_limit: number | null;
  readonly monthly_token_limit: number | null;
  readonly requests_per_min: number | null;
  readonly requests_per_hour: number | null;
  readonly alert_threshold: number;
}

export interface Quota extends QuotaLimits {
  readonly id: string;
  readonly scope: QuotaScope;
  readonly scope_id: string | null;
  readonly scope_name?: string | null;
  readonly current: {
    readonly daily_cost: number;
    readonly monthly_cost: number;
    readonly daily_tokens: number;
    readonly monthly_tokens: number;
    readonly reserved_cost: number;
    readonly reserved_tokens: number;
  };
  readonly version: number;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface QuotaList {
  readonly quotas: readonly Quota[];
  readonly total: number;
}

/** Something the person should know, until they dismiss it. */
export interface Notice {
  readonly id: string;
  readonly kind: string;
  readonly level: "info" | "warning" | "error";
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>> | null;
  readonly created_at: string;
}

export interface NoticeList {
  readonly notices: readonly Notice[];
  readonly total: number;
}

export type SettingValue = string | number | boolean | readonly string[] | null;
export type SettingValues = Readonly<Record<string, SettingValue>>;

export interface SettingsAnswer {
  readonly settings: SettingValues;
  /** Only administrators see what each setting is when nobody has changed it. */
  readonly defaults?: SettingValues;
  readonly total: number;
}

export interface AdminStats {
  readonly users: { readonly total: number; readonly active: number };
  readonly assistants: { readonly total: number; readonly deleted: number };
  readonly conversations: number;
  readonly messages_today: number;
  readonly files: { readonly by_status: Readonly<Record<string, number>> };
  readonly tokens_today: number;
  readonly cost_today: number;
  readonly cost_month: number;
  readonly provider_keys: { readonly active: number; readonly failing: number };
  readonly generated_at: string;
}

/** A person as an administrator sees them. */
export interface Account extends User {
  readonly version: number;
  readonly usage_month: UsageFigures;
}

export interface AccountList {
  readonly users: readonly Account[];
  readonly total: number;
}

export interface AccountCreate {
  readonly email: string;
  readonly name: string;
  readonly role: Role;
  readonly password?: string;
  readonly must_change_password?: boolean;
}

export type AccountUpdate = Partial<Pick<User, "email" | "name" | "role" | "is_active" | "must_change_password">>;

/** Shown once: the server keeps only its hash. */
export interface TemporaryPassword {
  readonly temporary_password?: string | null;
}

export type ProviderName = "openrouter" | "openai" | "anthropic" | "google" | "custom";

/** A key for a provider of models; the key itself never leaves the server. */
export interface ApiKey {
  readonly id: string;
  readonly provider: ProviderName;
  readonly name: string;
  /** The last characters, as “…9f2c”. */
  readonly key_hint: string;
  readonly is_default: boolean;
  readonly is_active: boolean;
  readonly base_url: string | null;
  /** US dollars for a million tokens; only a custom provider has prices of its own. */
  readonly prompt_price?: number | null;
  readonly completion_price?: number | null;
  readonly context_length?: number | null;
  readonly last_used_at: string | null;
  readonly last_error: string | null;
  readonly version: number;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface ApiKeyList {
  readonly api_keys: readonly ApiKey[];
  readonly total: number;
}

export interface ApiKeyCreate {
  readonly provider: ProviderName;
  readonly name: string;
  readonly key: string;
  readonly is_default?: boolean;
  readonly base_url?: string;
  readonly prompt_price?: number;
  readonly completion_price?: number;
  readonly context_length?: number;
}

export interface ApiKeyUpdate {
  readonly name?: string;
  readonly key?: string;
  readonly is_default?: boolean;
  readonly is_active?: boolean;
  readonly base_url?: string;
}

export interface ApiKeyTest {
  readonly ok: boolean;
  readonly status: "ok" | "unauthorized" | "unreachable" | "error";
  readonly latency_ms: number | null;
}

/** Fields of an audited object; secrets are “[redacted]”. */
export type AuditValues = Readonly<Record<string, unknown>>;

export interface AuditEntry {
  readonly id: string;
  readonly actor_id: string | null;
  readonly actor_email: string | null;
  /** A dotted word: `user.update`. */
  readonly action: string;
  readonly resource_type: string;
  readonly resource_id: string | null;
  readonly old_values: AuditValues | null;
  readonly new_values: AuditValues | null;
  readonly ip_address: string | null;
  readonly user_agent: string | null;
  readonly created_at: string;
}

export interface AuditLog {
  readonly audit_logs: readonly AuditEntry[];
  readonly total: number;
}
