// Things as the server would send them; a test names only what matters to it.
import type { Assistant, Conversation, KnowledgeFile, Message, Model, TokenPair, User } from "@/api/types";

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
    citations: [],
    retrieval: null,
    edited_at: null,
    created_at: MOMENT,
    ...fields,
  };
}
