// The things the server speaks of, named as the contract names them; their shapes are generated from its document.
import type { components, operations } from "./schema.gen";

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
/** Where a passage stands, and how it begins: enough to open it in its file's text. */
export type PassagePlace = Pick<
  Citation,
  "file_id" | "filename" | "chunk_index" | "page" | "start" | "end" | "snippet"
>;
export type TokensUsed = Schemas["TokensUsed"];
export type MessageStatus = Schemas["MessageStatus"];
export type FinishReason = Schemas["FinishReason"];
export type Retrieval = Schemas["Retrieval"];
export type Message = Schemas["Message"];
export type MessageList = Schemas["MessageList"];
export type Exchange = Schemas["Exchange"];
/** Who should have answered, who did, why, and what that costs more. */
export type Failover = Schemas["FailoverJson"];

export type Model = Schemas["Model"];
export type ModelList = Schemas["ModelList"];

export type ErrorDetail = Schemas["ErrorDetail"];
export type ErrorBody = Schemas["ErrorBody"];

export type DeviceSession = Schemas["Session"];
export type DeviceSessionList = Schemas["SessionList"];

export type UsageFigures = Schemas["UsageFigures"];
export type OwnUsage = Schemas["OwnUsage"];
export type UsageGrouping = operations["summarize_usage"]["parameters"]["query"]["group_by"];
export type UsageGroup = Schemas["UsageGroup"];
export type UsageSummary = Schemas["UsageSummary"];

export type QuotaScope = Schemas["QuotaScope"];
export type Quota = Schemas["Quota"];
export type QuotaList = Schemas["QuotaList"];
/** Limits: null means none, 0 means nothing is allowed. */
export type QuotaLimits = Required<Schemas["QuotaUpdate"]>;

export type EmbeddingOverview = Schemas["EmbeddingOverview"];
export type EmbeddingEstimate = Schemas["EmbeddingEstimate"];
export type EmbeddingChange = Schemas["EmbeddingChange"];

export type Notice = Schemas["Notice"];
export type NoticeList = Schemas["NoticeList"];

/** The document leaves the values open, since each setting has a type of its own; these are all there are. */
export type SettingValue = string | number | boolean | readonly string[] | null;
export type SettingValues = Readonly<Record<string, SettingValue>>;
export type SettingsAnswer = Omit<Schemas["Settings"], "settings" | "defaults"> & {
  readonly settings: SettingValues;
  /** Only administrators see what each setting is when nobody has changed it. */
  readonly defaults?: SettingValues;
};

export type AdminStats = Schemas["AdminStats"];

/** A person as an administrator sees them. */
export type Account = Schemas["ManagedUser"];
export type AccountList = Schemas["UserList"];
export type AccountCreate = Schemas["UserCreate"];
export type AccountUpdate = Schemas["UserUpdate"];
/** Shown once: the server keeps only its hash. */
export type TemporaryPassword = Schemas["PasswordMade"];

/** Providers that keys are kept for. */
export type KeyProvider = Schemas["KeyProvider"];
/** A key for a provider of models; the key itself never leaves the server. Built-in providers have none. */
export type ApiKey = Omit<Schemas["ApiKey"], "provider"> & { readonly provider: KeyProvider };
export type ApiKeyList = Omit<Schemas["KeyList"], "api_keys"> & { readonly api_keys: readonly ApiKey[] };
export type ApiKeyCreate = Schemas["KeyCreate"];
export type ApiKeyUpdate = Schemas["KeyUpdate"];
export type ApiKeyTest = Schemas["KeyTest"];
/** How one way to a provider fares. */
export type ProviderStatus = Schemas["ProviderHealth"];
export type ProviderStatusList = Schemas["ProviderHealthList"];

export type AuditEntry = Schemas["AuditEntry"];
/** Fields of an audited object; secrets are “[redacted]”. */
export type AuditValues = NonNullable<AuditEntry["new_values"]>;
export type AuditLog = Schemas["AuditList"];

/** Why a passage was found; an answer from before this was kept has nothing of it. */
export type WhyFields = Pick<
  Citation,
  "vector_rank" | "keyword_rank" | "fused_rank" | "matched_words" | "threshold" | "heading" | "last_chunk_index"
>;
export type FoundReason = Schemas["FoundReason"];
export type FoundPassage = Schemas["FoundPassage"];
/** What a question finds, and by which settings. */
export type FoundPassages = Schemas["FoundPassages"];
export type Chunk = Schemas["Chunk"];
export type ChunkList = Schemas["ChunkList"];
export type Job = Schemas["Job"];
export type JobList = Schemas["JobList"];
/** An assistant's knowledge in figures. */
export type KnowledgeStats = Schemas["KnowledgeStats"];
