//! Keyword search with the database's own full text; with `backend.rs` the only file that names a database.

use across::{
    id::{AssistantId, ChunkId},
    retrieval::words::Word,
};
use sea_orm::{ConnectionTrait, DbErr, Statement, Value};
use sea_orm_migration::SchemaManager;
use uuid::Uuid;

use crate::{
    backend::Backend,
    convert::{column_i64, storable},
    error::Fault,
};

/// Forms of one search at most; a question has fewer, and more are an attack.
const MAX_FORMS: usize = 128;
/// Characters of one form at most.
const MAX_FORM: usize = 100;

/// Letters whose marks the first index dropped before words were compared, and what remained of them.
const MARKED: &str = concat!(
    "àáâãäåāăąçćčďđèéêëēėęěğìíîïīįıłñńňòóôõöøōőŕřśşšťùúûüūůűųýÿźżž",
    "ÀÁÂÃÄÅĀĂĄÇĆČĎĐÈÉÊËĒĖĘĚĞÌÍÎÏĪĮİŁÑŃŇÒÓÔÕÖØŌŐŔŘŚŞŠŤÙÚÛÜŪŮŰŲÝŸŹŻŽ"
);
const PLAIN: &str = concat!(
    "aaaaaaaaacccddeeeeeeeegiiiiiiilnnnoooooooorrssstuuuuuuuuyyzzz",
    "aaaaaaaaacccddeeeeeeeegiiiiiiilnnnoooooooorrssstuuuuuuuuyyzzz"
);

/// Makes the first index, over the chunks' text; part of the migration that makes the chunks.
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

/// Makes the index over the forms of the chunks' words in place of the one over their text. The forms are plain words of
/// letters and digits, so neither database changes them any more and both find the same.
pub(crate) async fn index_words(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let statements: &[&str] = match db.get_database_backend() {
        Backend::Postgres => &[
            "ALTER TABLE chunks DROP COLUMN words",
            "ALTER TABLE chunks ADD COLUMN words text NOT NULL DEFAULT ''",
            "ALTER TABLE chunks ADD COLUMN word_index tsvector \
             GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED",
            "CREATE INDEX ix_chunks_word_index ON chunks USING gin (word_index)",
        ],
        _ => &[
            "DROP TRIGGER chunk_words_insert",
            "DROP TRIGGER chunk_words_delete",
            "DROP TRIGGER chunk_words_update",
            "DROP TABLE chunk_words",
            "ALTER TABLE chunks ADD COLUMN words text NOT NULL DEFAULT ''",
            "CREATE VIRTUAL TABLE chunk_words USING fts5(words, content='chunks', content_rowid='number', \
             tokenize='unicode61 remove_diacritics 0')",
            // Every row that is there gets its empty entry, which is taken out again when its words are made.
            "INSERT INTO chunk_words(chunk_words) VALUES ('rebuild')",
            "CREATE TRIGGER chunk_words_insert AFTER INSERT ON chunks BEGIN \
             INSERT INTO chunk_words(rowid, words) VALUES (new.number, new.words); END",
            "CREATE TRIGGER chunk_words_delete AFTER DELETE ON chunks BEGIN \
             INSERT INTO chunk_words(chunk_words, rowid, words) VALUES ('delete', old.number, old.words); END",
            "CREATE TRIGGER chunk_words_update AFTER UPDATE OF words ON chunks BEGIN \
             INSERT INTO chunk_words(chunk_words, rowid, words) VALUES ('delete', old.number, old.words); \
             INSERT INTO chunk_words(rowid, words) VALUES (new.number, new.words); END",
        ],
    };
    for statement in statements {
        db.execute_unprepared(statement).await?;
    }
    Ok(())
}

/// Chunks of the assistant's published files that hold any form of `words`, best first.
pub(crate) async fn search(
    db: &impl ConnectionTrait,
    assistant: AssistantId,
    words: &[Word],
    limit: usize,
) -> Result<Vec<ChunkId>, Fault> {
    let forms: Vec<String> = words
        .iter()
        .flat_map(|word| &word.forms)
        .filter(|form| form.chars().any(char::is_alphanumeric))
        .take(MAX_FORMS)
        .map(|form| storable(form.chars().take(MAX_FORM).collect()))
        .collect();
    if forms.is_empty() || limit == 0 {
        return Ok(Vec::new());
    }
    let limit = column_i64(limit);
    let (sql, values) = match db.get_database_backend() {
        Backend::Postgres => on_postgres(assistant, forms, limit),
        _ => {
            // Inside double quotes nothing is an operator; a double quote is doubled.
            let quoted: Vec<String> = forms
                .iter()
                .map(|form| format!("\"{}\"", form.replace('"', "\"\"")))
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

/// The search on PostgreSQL, which has no rank of its own that knows how rare a word is: the rank of each form is weighed
/// by the inverse frequency of BM25 among the assistant's chunks, as SQLite's rank does it.
fn on_postgres(assistant: AssistantId, forms: Vec<String>, limit: i64) -> (String, Vec<Value>) {
    let count = forms.len();
    let each = |write: &dyn Fn(usize) -> String, by: &str| (0..count).map(write).collect::<Vec<_>>().join(by);
    let query = |at: usize| format!("plainto_tsquery('simple', ${})", at + 3);
    let any = each(&query, " || ");
    let counts = each(
        &|at| format!("count(*) FILTER (WHERE held @@ {}) AS n{at}", query(at)),
        ", ",
    );
    // A form that most chunks hold weighs next to nothing, and never less.
    let weight = |at: usize| format!("greatest(ln(greatest((total - n{at} + 0.5) / (n{at} + 0.5), 1)), 0.000001)");
    let score = each(&|at| format!("{} * ts_rank(held, {}, 1)", weight(at), query(at)), " + ");
    let sql = format!(
        "WITH found AS MATERIALIZED (\
         SELECT c.id, c.word_index AS held FROM chunks c \
         JOIN knowledge_files f ON f.id = c.file_id AND f.generation = c.generation \
         WHERE f.assistant_id = $1 AND f.deleted_at IS NULL AND c.word_index @@ ({any})), \
         frequencies AS (SELECT {counts} FROM found), \
         size AS (SELECT coalesce(sum(chunk_count), 0)::float8 AS total FROM knowledge_files \
         WHERE assistant_id = $1 AND deleted_at IS NULL) \
         SELECT id FROM found, frequencies, size ORDER BY {score} DESC, id LIMIT $2"
    );
    let mut values = vec![Value::from(assistant.uuid()), Value::from(limit)];
    values.extend(forms.into_iter().map(Value::from));
    (sql, values)
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
