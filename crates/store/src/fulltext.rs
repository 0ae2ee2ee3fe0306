//! Keyword search with the database's own full text; with `backend.rs` the only file that names a database.

use across::id::{AssistantId, ChunkId};
use sea_orm::{ConnectionTrait, DbErr, Statement, Value};
use sea_orm_migration::SchemaManager;
use uuid::Uuid;

use crate::{
    backend::Backend,
    convert::{column_i64, storable},
    error::Fault,
};

/// Terms of one search at most; a question has fewer, and more are an attack.
const MAX_TERMS: usize = 64;
/// Characters of one term at most.
const MAX_TERM: usize = 100;

/// Letters whose marks are dropped before words are compared, and what remains of them. SQLite's tokenizer does this by
/// itself.
const MARKED: &str = concat!(
    "àáâãäåāăąçćčďđèéêëēėęěğìíîïīįıłñńňòóôõöøōőŕřśşšťùúûüūůűųýÿźżž",
    "ÀÁÂÃÄÅĀĂĄÇĆČĎĐÈÉÊËĒĖĘĚĞÌÍÎÏĪĮİŁÑŃŇÒÓÔÕÖØŌŐŔŘŚŞŠŤÙÚÛÜŪŮŰŲÝŸŹŻŽ"
);
const PLAIN: &str = concat!(
    "aaaaaaaaacccddeeeeeeeegiiiiiiilnnnoooooooorrssstuuuuuuuuyyzzz",
    "aaaaaaaaacccddeeeeeeeegiiiiiiilnnnoooooooorrssstuuuuuuuuyyzzz"
);

/// Makes the index; part of the migration that makes the chunks.
pub(crate) async fn create(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let statements = match db.get_database_backend() {
        Backend::Postgres => vec![
            format!(
                "ALTER TABLE chunks ADD COLUMN words tsvector \
                 GENERATED ALWAYS AS (to_tsvector('english', translate(text, '{MARKED}', '{PLAIN}'))) STORED"
            ),
            "CREATE INDEX ix_chunks_words ON chunks USING gin (words)".to_owned(),
        ],
        // The index refers to the chunks' own text, so nothing is stored twice; the triggers keep it in step.
        _ => [
            "CREATE VIRTUAL TABLE chunk_words USING fts5(text, content='chunks', content_rowid='number', \
             tokenize='porter unicode61 remove_diacritics 2')",
            "CREATE TRIGGER chunk_words_insert AFTER INSERT ON chunks BEGIN \
             INSERT INTO chunk_words(rowid, text) VALUES (new.number, new.text); END",
            "CREATE TRIGGER chunk_words_delete AFTER DELETE ON chunks BEGIN \
             INSERT INTO chunk_words(chunk_words, rowid, text) VALUES ('delete', old.number, old.text); END",
            "CREATE TRIGGER chunk_words_update AFTER UPDATE OF text ON chunks BEGIN \
             INSERT INTO chunk_words(chunk_words, rowid, text) VALUES ('delete', old.number, old.text); \
             INSERT INTO chunk_words(rowid, text) VALUES (new.number, new.text); END",
        ]
        .map(str::to_owned)
        .to_vec(),
    };
    for statement in statements {
        db.execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// Chunks of the assistant's published files that hold any of `terms`, best first.
pub(crate) async fn search(
    db: &impl ConnectionTrait,
    assistant: AssistantId,
    terms: &[String],
    limit: usize,
) -> Result<Vec<ChunkId>, Fault> {
    let terms: Vec<String> = terms
        .iter()
        .filter(|term| term.chars().any(char::is_alphanumeric))
        .take(MAX_TERMS)
        .map(|term| storable(term.chars().take(MAX_TERM).collect()))
        .collect();
    if terms.is_empty() || limit == 0 {
        return Ok(Vec::new());
    }
    let limit = column_i64(limit);
    let (sql, values): (String, Vec<Value>) = match db.get_database_backend() {
        Backend::Postgres => {
            let mut values = vec![Value::from(assistant.uuid()), Value::from(limit)];
            let mut queries = Vec::with_capacity(terms.len());
            for term in terms {
                values.push(term.into());
                let place = values.len();
                queries.push(format!(
                    "plainto_tsquery('english', translate(${place}, '{MARKED}', '{PLAIN}'))"
                ));
            }
            let sql = format!(
                "SELECT c.id FROM (SELECT {} AS words) q \
                 JOIN chunks c ON c.words @@ q.words \
                 JOIN knowledge_files f ON f.id = c.file_id AND f.generation = c.generation \
                 WHERE f.assistant_id = $1 AND f.deleted_at IS NULL \
                 ORDER BY ts_rank(c.words, q.words, 1) DESC, c.id LIMIT $2",
                queries.join(" || ")
            );
            (sql, values)
        }
        _ => {
            // Inside double quotes nothing is an operator; a double quote is doubled.
            let quoted: Vec<String> = terms
                .iter()
                .map(|term| format!("\"{}\"", term.replace('"', "\"\"")))
                .collect();
            let sql = "SELECT c.id FROM chunk_words \
                       JOIN chunks c ON c.number = chunk_words.rowid \
                       JOIN knowledge_files f ON f.id = c.file_id AND f.generation = c.generation \
                       WHERE chunk_words MATCH $1 AND f.assistant_id = $2 AND f.deleted_at IS NULL \
                       ORDER BY chunk_words.rank, c.id LIMIT $3";
            (
                sql.to_owned(),
                vec![quoted.join(" OR ").into(), assistant.uuid().into(), limit.into()],
            )
        }
    };
    let rows = db
        .query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, values))
        .await?;
    rows.iter()
        .map(|row| Ok(row.try_get_by_index::<Uuid>(0)?.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marked_letter_has_its_plain_one() {
        assert_eq!(MARKED.chars().count(), PLAIN.chars().count());
        let plain: Vec<char> = PLAIN.chars().collect();
        for (at, marked) in MARKED.chars().enumerate() {
            use unicode_normalization::UnicodeNormalization as _;
            let base = marked.nfd().next().unwrap().to_ascii_lowercase();
            // A few letters carry a stroke or lack a dot, which is no mark to Unicode.
            let expected = match marked {
                'đ' | 'Đ' => 'd',
                'ı' => 'i',
                'ł' | 'Ł' => 'l',
                'ø' | 'Ø' => 'o',
                _ => base,
            };
            assert_eq!(plain[at], expected, "{marked}");
        }
    }
}
