//! The ordered list of migrations. Each runs in its own transaction; once released, none is ever edited.

mod m0001_identity;
mod m0002_assistants;
mod m0003_knowledge;
mod m0004_conversations;
mod m0005_operation;
mod m0006_people;
mod m0007_governance;
mod m0008_answers;
mod m0009_words;
mod m0010_vectors;
mod m0011_formats;

use sea_orm_migration::{
    MigrationTrait, MigratorTrait, schema,
    sea_orm::sea_query::{
        ColumnDef, Expr, ExprTrait as _, ForeignKey, ForeignKeyAction, ForeignKeyCreateStatement, Index,
        IndexCreateStatement,
    },
};

/// Knows all migrations.
pub(crate) struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_identity::Migration),
            Box::new(m0002_assistants::Migration),
            Box::new(m0003_knowledge::Migration),
            Box::new(m0004_conversations::Migration),
            Box::new(m0005_operation::Migration),
            Box::new(m0006_people::Migration),
            Box::new(m0007_governance::Migration),
            Box::new(m0008_answers::Migration),
            Box::new(m0009_words::Migration),
            Box::new(m0010_vectors::Migration),
            Box::new(m0011_formats::Migration),
        ]
    }
}

/// A text column that takes these values only.
fn one_of(column: &'static str, values: &[&'static str]) -> ColumnDef {
    let mut definition = schema::text(column);
    definition.check(Expr::col(column).is_in(values.iter().copied()));
    definition
}

/// A reference to the `id` of another table.
fn references(
    table: &'static str,
    column: &'static str,
    target: &'static str,
    on_delete: ForeignKeyAction,
) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("fk_{table}_{column}"))
        .from(table, column)
        .to(target, "id")
        .on_delete(on_delete)
        .to_owned()
}

/// An index over columns of a table, named after them.
fn index(table: &'static str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut statement = Index::create()
        .name(format!("ix_{table}_{}", columns.join("_")))
        .table(table)
        .to_owned();
    for column in columns {
        statement.col(*column);
    }
    statement
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};
    use sea_orm_migration::MigratorTrait as _;

    use super::Migrator;
    use crate::backend::tests::server;

    const USER: &str = "0190a0b0-0000-7000-8000-000000000001";
    const FILE: &str = "0190a0b0-0000-7000-8000-000000000002";
    const OTHER: &str = "0190a0b0-0000-7000-8000-000000000003";

    async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let rows = db.query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    /// What an installation of before the accounts had versions and the files had paths becomes.
    async fn upgrades(db: &DatabaseConnection, id: impl Fn(&str) -> String) {
        Migrator::up(db, Some(5)).await.unwrap();
        let time = "'2026-01-02 03:04:05+00:00'";
        let bytes = |hex: &str| match db.get_database_backend() {
            crate::backend::Backend::Postgres => format!("'\\x{hex}'"),
            _ => format!("x'{hex}'"),
        };
        for statement in [
            format!(
                "INSERT INTO users (id, email, password_hash, name, role, is_active, must_change_password, created_at, \
                 updated_at) VALUES ({}, 'anna@example.com', 'x', 'Änna ﬁ', 'admin', TRUE, FALSE, {time}, {time})",
                id(USER)
            ),
            format!(
                "INSERT INTO assistants (id, name, search_folded, instructions, temperature, max_tokens, is_deleted, \
                 version, index_generation, created_at, updated_at) \
                 VALUES ({}, 'Press', 'press', '', 0.5, 10, FALSE, 1, 0, {time}, {time})",
                id(OTHER)
            ),
            format!(
                "INSERT INTO knowledge_files (id, assistant_id, filename, filename_folded, file_type, size_bytes, sha256, \
                 chunk_count, status, progress, generation, latest_generation, created_at, updated_at) \
                 VALUES ({}, {}, 'a', 'a', 'txt', 1, 'x', 0, 'ready', 100, 1, 1, {time}, {time})",
                id(FILE),
                id(OTHER)
            ),
            format!(
                "INSERT INTO chunks (id, file_id, generation, chunk_index, start_char, end_char, text, token_count, space, \
                 dim, vectors) VALUES ({0}, {0}, 1, 0, 0, 1, 'one', 1, 'm:2', 2, {1}), ({2}, {0}, 1, 1, 0, 1, 'two', 1, \
                 'm:2', 2, {3})",
                id(FILE),
                bytes("0000803f00000000"),
                id(OTHER),
                bytes("0000803f00"),
            ),
            format!(
                "INSERT INTO conversations (id, assistant_id, user_id, title, title_folded, last_seq, active_at, \
                 created_at, updated_at) VALUES ({0}, {0}, {1}, 'T', 't', 0, {time}, {time}, {time})",
                id(OTHER),
                id(USER)
            ),
        ] {
            db.execute_unprepared(&statement).await.unwrap();
        }
        Migrator::up(db, None).await.unwrap();
        assert_eq!(
            texts(db, "SELECT search_folded FROM users WHERE version = 1").await,
            ["änna fi\nanna@example.com"]
        );
        assert_eq!(
            texts(db, "SELECT file_path FROM knowledge_files").await,
            [format!("files/{FILE}")]
        );
        // Vectors have their compact form and a checksum; what was damaged has none, so that it is noticed.
        let vectors = "SELECT CAST(LENGTH(codes) AS TEXT) FROM chunk_vectors WHERE space = 'm:2' ORDER BY chunk_number";
        assert_eq!(texts(db, vectors).await, ["10", "0"]);
        let as_before = "SELECT title FROM conversations \
                         WHERE NOT is_pinned AND NOT is_archived AND NOT is_unseen AND folder_id IS NULL";
        assert_eq!(texts(db, as_before).await, ["T"]);
        // A file keeps its kind and its chunks, and may be of more kinds now.
        let kept = "SELECT f.file_type || ' ' || c.text FROM knowledge_files f JOIN chunks c ON c.file_id = f.id \
                    WHERE c.heading IS NULL ORDER BY c.number";
        assert_eq!(texts(db, kept).await, ["txt one", "txt two"]);
        let becomes = async |kind: &str| {
            let change = format!("UPDATE knowledge_files SET file_type = '{kind}'");
            db.execute_unprepared(&change).await.is_ok()
        };
        for kind in ["pptx", "xlsx", "csv", "html", "epub", "pdf", "docx", "md", "txt"] {
            assert!(becomes(kind).await, "{kind}");
        }
        assert!(!becomes("exe").await);
    }

    #[tokio::test]
    async fn rows_of_before_are_completed_in_files() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", dir.path().join("old.db").display());
        let db = Database::connect(url).await.unwrap();
        upgrades(&db, |id| format!("x'{}'", id.replace('-', ""))).await;
    }

    #[tokio::test]
    async fn rows_of_before_are_completed_on_servers() {
        let Some(url) = server() else { return };
        let schema = format!("test_{}", across::id::FileId::new().uuid().simple());
        let admin = Database::connect(&url).await.unwrap();
        let create = format!("CREATE SCHEMA {schema}");
        admin.execute_unprepared(&create).await.unwrap();
        let separator = if url.contains('?') { '&' } else { '?' };
        let db = Database::connect(format!("{url}{separator}options=-c%20search_path%3D{schema}"))
            .await
            .unwrap();
        upgrades(&db, |id| format!("'{id}'")).await;
        db.close().await.unwrap();
        let drop = format!("DROP SCHEMA {schema} CASCADE");
        admin.execute_unprepared(&drop).await.unwrap();
    }
}
