//! The ordered list of migrations. Each runs in its own transaction; once released, none is ever edited.

mod m0001_identity;
mod m0002_assistants;
mod m0003_knowledge;
mod m0004_conversations;
mod m0005_operation;
mod m0006_people;
mod m0007_governance;

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
