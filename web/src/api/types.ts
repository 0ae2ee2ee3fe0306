// The things the server speaks of, as its contract names them.

export type Role = "admin" | "manager" | "user";

export interface User {
  id: string;
  email: string;
  name: string;
  role: Role;
  is_active: boolean;
  must_change_password: boolean;
  last_login_at: string | null;
  created_at: string;
  updated_at: string;
}

/** In cookie mode the refresh token is never in the body. */
export interface TokenPair {
  access_token: string;
  token_type: "bearer";
  /** Seconds. */
  expires_in: number;
  refresh_token?: string;
  /** Seconds. */
  refresh_expires_in: number;
  user: User;
}

export interface SetupStatus {
  needed: boolean;
}

export interface Assistant {
  id: string;
  name: string;
  description: string | null;
  /** Left out for plain users where the server keeps instructions to itself. */
  instructions?: string;
  model: string | null;
  temperature: number;
  max_tokens: number;
  avatar_url: string | null;
  is_deleted: boolean;
  file_count: number;
  version: number;
  created_at: string;
  updated_at: string;
}

export interface AssistantList {
  assistants: Assistant[];
  total: number;
}

export interface AssistantCreate {
  name: string;
  description?: string | null;
  instructions?: string;
  model?: string | null;
  temperature?: number;
  max_tokens?: number;
  avatar_url?: string | null;
}

export type AssistantUpdate = Partial<AssistantCreate>;

export type FileStatus = "uploading" | "processing" | "indexing" | "ready" | "error";

export interface KnowledgeFile {
  id: string;
  assistant_id: string;
  filename: string;
  file_type: string;
  size_bytes: number;
  sha256: string;
  chunk_count: number;
  status: FileStatus;
  /** 0 to 100. */
  progress: number;
  error_message: string | null;
  uploaded_by: string | null;
  created_at: string;
  updated_at: string;
}

export interface FileList {
  files: KnowledgeFile[];
  total: number;
}

/** The text taken out of a file; offsets count characters. */
export interface ExtractedText {
  text: string;
  pages: { page: number; start: number; end: number }[];
}

export interface Conversation {
  id: string;
  assistant_id: string;
  assistant_name: string;
  title: string | null;
  message_count: number;
  last_message_at: string | null;
  is_generating: boolean;
  is_unseen: boolean;
  is_pinned: boolean;
  is_archived: boolean;
  folder_id: string | null;
  head_message_id: string | null;
  created_at: string;
  updated_at: string;
}

export interface ConversationList {
  conversations: Conversation[];
  total: number;
}

export interface Citation {
  /** The number written in the answer as `[n]`. */
  index: number;
  file_id: string;
  filename: string;
  chunk_index: number;
  page: number | null;
  /** Character offsets in the extracted text. */
  start?: number;
  end?: number;
  /** Calibrated relevance, 0 to 1. */
  score: number;
  cosine?: number;
  snippet: string;
}

export interface TokensUsed {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  estimated?: boolean;
}

export type MessageStatus = "complete" | "streaming" | "stopped" | "interrupted" | "error";
export type FinishReason = "stop" | "length" | "content_filter" | "stopped";
export type Retrieval = "ok" | "none" | "unavailable";

export interface Message {
  id: string;
  conversation_id: string;
  parent_id: string | null;
  sibling_index: number;
  sibling_count: number;
  seq: number;
  role: "user" | "assistant";
  content: string;
  model: string | null;
  provider: string | null;
  status: MessageStatus;
  error: string | null;
  finish_reason: FinishReason | null;
  tokens_used: TokensUsed | null;
  cost_usd: number | null;
  citations: Citation[];
  retrieval?: Retrieval | null;
  edited_at: string | null;
  created_at: string;
}

export interface MessageList {
  messages: Message[];
  total: number;
}

export interface Model {
  id: string;
  name: string;
  provider: string;
  context_length: number | null;
  max_output_tokens: number | null;
  /** USD per 1 M tokens. */
  prompt_price: number | null;
  completion_price: number | null;
  is_default: boolean;
}

export interface ModelList {
  models: Model[];
  total: number;
  stale: boolean;
  fetched_at: string | null;
}

export interface ErrorDetail {
  field?: string;
  message?: string;
  [key: string]: unknown;
}

export interface ErrorBody {
  error: string;
  message: string;
  request_id?: string;
  details?: ErrorDetail[];
  /** Seconds. */
  retry_after?: number;
}
