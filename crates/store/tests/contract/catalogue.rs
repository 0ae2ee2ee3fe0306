//! The tables as both databases describe them: every entity with its columns, keys, references and indexes, and what is
//! true of all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::entities::ENTITIES;
use crate::bench::Bench;

crate::contracts!(
    every_entity_has_its_columns_keys_references_and_indexes,
    every_reference_is_the_beginning_of_an_index,
    every_time_that_is_asked_for_is_in_an_index,
    columns_have_the_types_that_both_databases_share,
);

/// Times that queries compare or order by; each is the first column of an index or the second behind the one that is
/// asked for with it.
const ASKED_FOR: &[(&str, &str)] = &[
    ("users", "created_at"),
    ("sessions", "ends_at"),
    ("sessions", "created_at"),
    ("refresh_tokens", "expires_at"),
    ("throttle_counters", "updated_at"),
    ("request_keys", "created_at"),
    ("audit_logs", "created_at"),
    ("assistants", "created_at"),
    ("knowledge_files", "created_at"),
    ("knowledge_files", "deleted_at"),
    ("conversations", "active_at"),
    ("conversations", "created_at"),
    ("messages", "created_at"),
    ("jobs", "due_at"),
    ("api_keys", "created_at"),
    ("usage_logs", "created_at"),
    ("usage_quotas", "created_at"),
    ("quota_counters", "starts_at"),
    ("quota_holds", "expires_at"),
    ("notices", "created_at"),
];

/// How the names of columns end that hold money, tokens, versions or sizes: sums of them need the wide type.
const COUNTS: &[&str] = &[
    "cost",
    "cost_usd",
    "_cost_limit",
    "_token_limit",
    "tokens",
    "_price",
    "version",
    "generation",
    "size_bytes",
];

/// A table as the database describes it.
#[derive(Debug, Default)]
struct Found {
    /// Name and type.
    columns: BTreeMap<String, String>,
    key: Vec<String>,
    /// Column, table, what happens when the row there is deleted.
    references: BTreeSet<(String, String, String)>,
    /// By name: whether each value is allowed once, whether it covers some rows only, and the columns.
    indexes: BTreeMap<String, (bool, bool, Vec<String>)>,
}

impl Found {
    /// The columns of the indexes over all rows, and of the key.
    fn searchable(&self) -> Vec<Vec<String>> {
        let whole = self.indexes.values().filter(|(_, partial, _)| !partial);
        whole
            .map(|(_, _, columns)| columns.clone())
            .chain([self.key.clone()])
            .collect()
    }
}

const SQLITE: [&str; 3] = [
    "SELECT t.name, c.name, lower(c.type), c.pk FROM sqlite_master t, pragma_table_info(t.name) c \
     WHERE t.type = 'table' ORDER BY t.name, c.pk",
    "SELECT t.name, r.\"from\", r.\"table\", lower(r.on_delete) FROM sqlite_master t, \
     pragma_foreign_key_list(t.name) r WHERE t.type = 'table'",
    "SELECT t.name, x.name, x.\"unique\", x.partial, c.name FROM sqlite_master t, pragma_index_list(t.name) x, \
     pragma_index_info(x.name) c WHERE t.type = 'table' AND x.origin <> 'pk' ORDER BY t.name, x.name, c.seqno",
];
const POSTGRES: [&str; 3] = [
    "SELECT t.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), \
     coalesce(array_position(k.conkey, a.attnum), 0)::bigint \
     FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped \
     LEFT JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p' \
     WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace ORDER BY 1, 4",
    "SELECT t.relname::text, a.attname::text, f.relname::text, \
     CASE k.confdeltype WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' ELSE k.confdeltype::text END \
     FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class f ON f.oid = k.confrelid \
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.conkey[1] \
     WHERE k.contype = 'f' AND t.relnamespace = current_schema()::regnamespace",
    "SELECT t.relname::text, i.relname::text, x.indisunique::int::bigint, (x.indpred IS NOT NULL)::int::bigint, \
     a.attname::text FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid \
     CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k(attnum, place) \
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum \
     WHERE NOT x.indisprimary AND t.relnamespace = current_schema()::regnamespace ORDER BY 1, 2, k.place",
];

fn is_sqlite(bench: &Bench) -> bool {
    bench.url.starts_with("sqlite")
}

async fn catalogue(bench: &Bench) -> BTreeMap<String, Found> {
    let [columns, references, indexes] = if is_sqlite(bench) { SQLITE } else { POSTGRES };
    let mut tables: BTreeMap<String, Found> = BTreeMap::new();
    for row in bench.query(columns).await {
        let (table, column, kind): (String, String, String) = (
            row.try_get_by_index(0).unwrap(),
            row.try_get_by_index(1).unwrap(),
            row.try_get_by_index(2).unwrap(),
        );
        let table = tables.entry(table).or_default();
        if row.try_get_by_index::<i64>(3).unwrap() > 0 {
            table.key.push(column.clone());
        }
        table.columns.insert(column, kind);
    }
    for row in bench.query(references).await {
        let table: String = row.try_get_by_index(0).unwrap();
        let reference = (
            row.try_get_by_index(1).unwrap(),
            row.try_get_by_index(2).unwrap(),
            row.try_get_by_index(3).unwrap(),
        );
        tables.get_mut(&table).unwrap().references.insert(reference);
    }
    for row in bench.query(indexes).await {
        let (table, name): (String, String) = (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
        let flag = |at| row.try_get_by_index::<i64>(at).unwrap() == 1;
        let index = tables
            .get_mut(&table)
            .unwrap()
            .indexes
            .entry(name)
            .or_insert_with(|| (flag(2), flag(3), Vec::new()));
        index.2.push(row.try_get_by_index(4).unwrap());
    }
    // What belongs to the databases' own machinery.
    tables.retain(|name, _| {
        !["seaql_", "sqlite_", "chunk_words"]
            .iter()
            .any(|own| name.starts_with(own))
    });
    if let Some(chunks) = tables.get_mut("chunks") {
        chunks.columns.remove("word_index");
        chunks.indexes.remove("ix_chunks_word_index");
    }
    tables
}

fn set(words: impl IntoIterator<Item = impl ToString>) -> BTreeSet<String> {
    words.into_iter().map(|word| word.to_string()).collect()
}

async fn every_entity_has_its_columns_keys_references_and_indexes(bench: &Bench) {
    let tables = catalogue(bench).await;
    assert_eq!(set(tables.keys()), set(ENTITIES.iter().map(|entity| entity.table)));
    for entity in ENTITIES {
        let (name, found) = (entity.table, &tables[entity.table]);
        assert_eq!(
            set(found.columns.keys()),
            set(entity.columns.split_whitespace()),
            "{name}"
        );
        assert_eq!(found.key.join("+"), entity.key, "{name}");
        let references: BTreeSet<_> = entity
            .references
            .iter()
            .map(|(column, table, rule)| ((*column).to_owned(), (*table).to_owned(), (*rule).to_owned()))
            .collect();
        assert_eq!(found.references, references, "{name}");
        let whole = found.indexes.values().filter(|(_, partial, _)| !partial);
        let indexes =
            whole.map(|(unique, _, columns)| format!("{}{}", if *unique { "!" } else { "" }, columns.join("+")));
        assert_eq!(set(indexes), set(entity.indexes), "{name}");
    }
    // Two rules that hold for some rows only.
    for (table, index, column) in [
        ("messages", "ux_messages_streaming", "conversation_id"),
        ("api_keys", "ux_api_keys_default", "provider"),
    ] {
        let expected = (true, true, vec![column.to_owned()]);
        assert_eq!(tables[table].indexes[index], expected);
    }
}

async fn every_reference_is_the_beginning_of_an_index(bench: &Bench) {
    for (name, table) in catalogue(bench).await {
        for (column, ..) in &table.references {
            assert!(
                table.searchable().iter().any(|columns| columns.first() == Some(column)),
                "{name}.{column}: deleting what it refers to would read the whole table"
            );
        }
    }
}

async fn every_time_that_is_asked_for_is_in_an_index(bench: &Bench) {
    let tables = catalogue(bench).await;
    for (name, column) in ASKED_FOR {
        let is_early = |columns: &Vec<String>| columns.iter().take(2).any(|early| early == column);
        assert!(tables[*name].searchable().iter().any(is_early), "{name}.{column}");
    }
}

async fn columns_have_the_types_that_both_databases_share(bench: &Bench) {
    // Every whole number is wide enough in a file.
    let (time, json, wide) = if is_sqlite(bench) {
        ("timestamp_with_timezone_text", "jsonb_text", &["bigint", "integer"][..])
    } else {
        ("timestamp with time zone", "jsonb", &["bigint"][..])
    };
    let tables = catalogue(bench).await;
    for (name, table) in &tables {
        for (column, kind) in &table.columns {
            if column.ends_with("_at") || column.ends_with("_until") || column == "cutoff" {
                assert_eq!(kind, time, "{name}.{column}");
            }
            if column != "max_tokens" && COUNTS.iter().any(|end| column.ends_with(end)) {
                assert!(wide.contains(&kind.as_str()), "{name}.{column} is {kind}");
            }
        }
    }
    for (table, column) in [
        ("messages", "tokens_used"),
        ("messages", "citations"),
        ("audit_logs", "old_values"),
        ("audit_logs", "new_values"),
        ("settings", "value"),
        ("request_keys", "headers"),
    ] {
        assert_eq!(tables[table].columns[column], json, "{table}.{column}");
    }
    let key = &tables["settings"].columns["key"];
    assert!(
        ["varchar(100)", "character varying(100)"].contains(&key.as_str()),
        "{key}"
    );
}
