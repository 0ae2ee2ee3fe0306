// Things as the server would send them; a test names only what matters to it.
import type {
  Account,
  ApiKey,
  Assistant,
  AuditEntry,
  Conversation,
  KnowledgeFile,
  Message,
  Model,
  TokenPair,
  User,
} from "@/api/types";

const MOMENT = "2025-10-01T12:00:00.000Z";
let count = 0;

/** A fresh UUID, readable in failures. */
export function uuid(): string {
  count += 1;
  return `00000000-0000-4000-8000-${String(count).padStart(12, "0")}`;
}

export function aUser(fields: Partial<User> = {}): User {
  return {
    id: uuid(),
    email: "dana@example.com",
    name: "Dana Levi",
    role: "user",
    is_active: true,
    must_change_password: false,
    last_login_at: MOMENT,
    created_at: MOMENT,
    updated_at: MOMENT,
    ...fields,
  };
}

export function aTokenPair(user: User, token = "access-token"): TokenPair {
  return { access_token: token, token_type: "bearer", expires_in: 900, refresh_expires_in: 604_800, user };
}

export function anAssistant(fields: Partial<Assistant> = {}): Assistant {
  return {
    id: uuid(),
    name: "Press Writer",
    description: "Releases and pitches in house style.",
    instructions: "Write plainly.",
    model: null,
    temperature: 0.7,
    max_tokens: 2048,
    avatar_url: null,
    is_deleted: false,
    file_count: 0,
    reading_count: 0,
    version: 1,
    created_at: MOMENT,
    updated_at: MOMENT,
    ...fields,
  };
}

export function aFile(fields: Partial<KnowledgeFile> = {}): KnowledgeFile {
  return {
    id: uuid(),
    assistant_id: uuid(),
    filename: "brief v3.pdf",
    file_type: "pdf",
    size_bytes: 1_258_291,
    sha256: "0".repeat(64),
    chunk_count: 48,
    status: "ready",
    progress: 100,
    error_message: null,
    uploaded_by: null,
    created_at: MOMENT,
    updated_at: MOMENT,
    ...fields,
  };
}

export function aModel(fields: Partial<Model> = {}): Model {
  return {
    id: "anthropic/claude-sonnet",
    name: "Claude Sonnet",
    provider: "anthropic",
    context_length: 200_000,
    max_output_tokens: 8192,
    is_default: true,
    prompt_price: 3,
    completion_price: 15,
    is_price_known: true,
    ...fields,
  };
}

export function aConversation(fields: Partial<Conversation> = {}): Conversation {
  return {
    id: uuid(),
    assistant_id: uuid(),
    assistant_name: "Press Writer",
    assistant_deleted: false,
    title: "Q3 launch pitch",
    message_count: 2,
    last_message_at: MOMENT,
    is_generating: false,
    cost_usd: null,
    head_message_id: null,
    created_at: MOMENT,
    updated_at: MOMENT,
    ...fields,
  };
}

export function aMessage(fields: Partial<Message> = {}): Message {
  return {
    id: uuid(),
    conversation_id: uuid(),
    parent_id: null,
    sibling_index: 0,
    sibling_count: 1,
    seq: 1,
    role: "user",
    content: "Draft a pitch.",
    model: null,
    provider: null,
    status: "complete",
    error: null,
    finish_reason: null,
    tokens_used: null,
    cost_usd: null,
    citations: [],
    retrieval: null,
    failover: null,
    edited_at: null,
    created_at: MOMENT,
    ...fields,
  };
}

export function anAccount(fields: Partial<Account> = {}): Account {
  return {
    ...aUser(),
    email: "noa@example.com",
    name: "Noa Bar",
    version: 3,
    usage_month: { requests: 12, tokens: 34_000, cost_usd: 18.4 },
    ...fields,
  };
}

export function anApiKey(fields: Partial<ApiKey> = {}): ApiKey {
  return {
    id: uuid(),
    provider: "anthropic",
    name: "Main",
    key_hint: "…9f2c",
    is_default: true,
    is_active: true,
    base_url: null,
    prompt_price: null,
    completion_price: null,
    context_length: null,
    max_tokens_param: null,
    embedding_model: null,
    embedding_dimensions: null,
    last_used_at: null,
    last_error: null,
    version: 1,
    created_at: MOMENT,
    updated_at: MOMENT,
    ...fields,
  };
}

export function anAuditEntry(fields: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id: uuid(),
    actor_id: uuid(),
    actor_email: "dana@example.com",
    action: "user.update",
    resource_type: "user",
    resource_id: uuid(),
    old_values: { role: "user" },
    new_values: { role: "manager" },
    ip_address: "10.0.4.7",
    user_agent: "Firefox",
    created_at: MOMENT,
    ...fields,
  };
}
