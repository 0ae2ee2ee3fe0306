//! Every table as it must be: what the catalogues of both databases are compared with.

/// An entity. Indexes are written with `+` between their columns; `!` before one that allows each value once.
pub(super) struct Entity {
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    pub(super) columns: &'static str,
    pub(super) references: &'static [(&'static str, &'static str, &'static str)],
    pub(super) indexes: &'static [&'static str],
}

/// All of them.
pub(super) const ENTITIES: &[Entity] = &[
    Entity {
        table: "users",
        key: "id",
        columns: "id email password_hash name role is_active must_change_password last_login_at version search_folded \
                  created_at updated_at",
        references: &[],
        indexes: &["!email", "created_at+id"],
    },
    Entity {
        table: "sessions",
        key: "id",
        columns: "id user_id ip_address user_agent created_at last_used_at ends_at",
        references: &[("user_id", "users", "cascade")],
        indexes: &["user_id+created_at", "ends_at"],
    },
    Entity {
        table: "refresh_tokens",
        key: "hash",
        columns: "hash session_id parent used_at created_at expires_at",
        references: &[("session_id", "sessions", "cascade")],
        indexes: &["session_id+expires_at", "parent"],
    },
    Entity {
        table: "known_addresses",
        key: "user_id+ip_address",
        columns: "user_id ip_address last_used_at",
        references: &[("user_id", "users", "cascade")],
        indexes: &[],
    },
    Entity {
        table: "throttle_counters",
        key: "bucket",
        columns: "bucket failures window_start locked_until locks updated_at",
        references: &[],
        indexes: &["updated_at"],
    },
    Entity {
        table: "request_keys",
        key: "user_id+method+path+key",
        columns: "user_id method path key fingerprint status headers body message_id lease_until created_at",
        references: &[("user_id", "users", "cascade")],
        indexes: &["user_id+created_at", "created_at"],
    },
    Entity {
        table: "settings",
        key: "key",
        columns: "key value version updated_at",
        references: &[],
        indexes: &[],
    },
    Entity {
        table: "audit_logs",
        key: "id",
        columns: "id actor_id actor_email action resource_type resource_id old_values new_values ip_address user_agent \
                  created_at",
        references: &[("actor_id", "users", "set null")],
        indexes: &["created_at+id", "actor_id", "action", "resource_type+resource_id"],
    },
    Entity {
        table: "assistants",
        key: "id",
        columns: "id name description search_folded instructions model temperature max_tokens avatar_url is_deleted \
                  version index_generation created_at updated_at",
        references: &[],
        indexes: &["created_at+id"],
    },
    Entity {
        table: "knowledge_files",
        key: "id",
        columns: "id assistant_id filename filename_folded file_type file_path size_bytes sha256 chunk_count status \
                  progress error_message generation latest_generation uploaded_by deleted_at created_at updated_at",
        references: &[
            ("assistant_id", "assistants", "cascade"),
            ("uploaded_by", "users", "set null"),
        ],
        indexes: &[
            "assistant_id+sha256",
            "uploaded_by",
            "created_at+id",
            "status",
            "deleted_at",
        ],
    },
    Entity {
        table: "file_texts",
        key: "file_id+generation",
        columns: "file_id generation text pages",
        references: &[("file_id", "knowledge_files", "cascade")],
        indexes: &[],
    },
    Entity {
        table: "chunks",
        key: "number",
        columns: "number id file_id generation chunk_index page start_char end_char heading text words token_count",
        references: &[("file_id", "knowledge_files", "cascade")],
        indexes: &["!id", "!file_id+generation+chunk_index"],
    },
    Entity {
        table: "chunk_vectors",
        key: "number",
        columns: "number chunk_number space dim codes vectors checksum",
        references: &[("chunk_number", "chunks", "cascade")],
        indexes: &["!chunk_number+space"],
    },
    Entity {
        table: "embedding_changes",
        key: "id",
        columns: "id from_space to_model to_dim phase chunks_total chunks_done position started_by problem started_at \
                  finished_at",
        references: &[("started_by", "users", "set null")],
        indexes: &["started_at", "started_by"],
    },
    Entity {
        table: "folders",
        key: "id",
        columns: "id user_id name name_folded position created_at updated_at",
        references: &[("user_id", "users", "cascade")],
        indexes: &["user_id+position"],
    },
    Entity {
        table: "conversations",
        key: "id",
        columns: "id assistant_id user_id title title_folded head_id last_seq last_message_at active_at is_pinned \
                  is_archived is_unseen folder_id created_at updated_at",
        references: &[
            ("assistant_id", "assistants", "cascade"),
            ("user_id", "users", "cascade"),
            ("folder_id", "folders", "set null"),
        ],
        indexes: &[
            "assistant_id",
            "user_id+active_at+id",
            "created_at",
            "folder_id",
            "active_at",
        ],
    },
    Entity {
        table: "messages",
        key: "id",
        columns: "id conversation_id parent_id seq role content model provider status error_code error_message \
                  finish_reason tokens_used citations retrieval stop_requested lease_until edited_at created_at \
                  failover paid_bytes writer",
        references: &[("conversation_id", "conversations", "cascade")],
        indexes: &["!conversation_id+seq", "parent_id", "created_at"],
    },
    Entity {
        table: "jobs",
        key: "id",
        columns: "id kind file_id payload due_at is_claimed attempt outages waits_for moved_at fence last_error created_at",
        references: &[],
        indexes: &["due_at+id", "file_id"],
    },
    Entity {
        table: "api_keys",
        key: "id",
        columns: "id provider name name_folded encrypted_key key_hint is_default is_active base_url prompt_price \
                  completion_price context_length max_tokens_param embedding_model embedding_dimensions last_used_at last_error version created_at updated_at",
        references: &[],
        indexes: &["!provider+name_folded", "created_at+id"],
    },
    Entity {
        table: "usage_logs",
        key: "id",
        columns: "id user_id assistant_id conversation_id message_id purpose provider model prompt_tokens \
                  completion_tokens total_tokens cost_usd estimated is_request day created_at cached_tokens reasoning_tokens \
                  price_source upstream_id answered_model failover_from failover_reason raw_usage",
        references: &[
            ("assistant_id", "assistants", "set null"),
            ("conversation_id", "conversations", "set null"),
        ],
        indexes: &[
            "created_at+id",
            "user_id+created_at",
            "assistant_id+created_at",
            "conversation_id",
            "message_id",
            "model+created_at",
        ],
    },
    Entity {
        table: "usage_quotas",
        key: "id",
        columns: "id scope scope_id daily_cost_limit monthly_cost_limit daily_token_limit monthly_token_limit \
                  requests_per_min requests_per_hour alert_threshold version created_at updated_at",
        references: &[],
        indexes: &["!scope+scope_id", "created_at+id"],
    },
    Entity {
        table: "quota_counters",
        key: "quota_id+window+starts_at",
        columns: "quota_id window starts_at cost tokens requests held_cost held_tokens is_alerted",
        references: &[("quota_id", "usage_quotas", "cascade")],
        indexes: &["starts_at"],
    },
    Entity {
        table: "quota_holds",
        key: "id",
        columns: "id user_id role assistant_id purpose provider api_key_id model conversation_id message_id \
                  prompt_tokens completion_tokens prompt_price completion_price cost quotas reserved_at expires_at",
        references: &[],
        indexes: &["expires_at", "message_id"],
    },
    Entity {
        table: "notices",
        key: "id",
        columns: "id kind level message details user_id created_at",
        references: &[("user_id", "users", "cascade")],
        indexes: &["created_at+id", "user_id"],
    },
    Entity {
        table: "notice_dismissals",
        key: "notice_id+user_id",
        columns: "notice_id user_id dismissed_at",
        references: &[("notice_id", "notices", "cascade"), ("user_id", "users", "cascade")],
        indexes: &["user_id"],
    },
    Entity {
        table: "kept_values",
        key: "name",
        columns: "name value",
        references: &[],
        indexes: &[],
    },
    Entity {
        table: "audit_retention",
        key: "cutoff",
        columns: "cutoff",
        references: &[],
        indexes: &[],
    },
];
