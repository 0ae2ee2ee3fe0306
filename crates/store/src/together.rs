//! Statements that are sent together. On a database in a file each statement is handed to the connection's thread and its
//! answer back, which costs more than most statements themselves, and a turn of a conversation takes a dozen of them.

use sea_orm::{
    ConnectionTrait as _, DbErr, FromQueryResult, QueryResult, Statement, StatementBuilder, sea_query::Values,
};

use crate::{
    backend::{Backend, takes_one_text},
    error::Fault,
    transaction::Tx,
};

/// Statements of one transaction, to be run in this order.
pub(crate) struct Together<'t> {
    tx: &'t Tx,
    statements: Vec<Statement>,
}

impl<'t> Together<'t> {
    /// None so far.
    pub(crate) const fn new(tx: &'t Tx) -> Self {
        Self {
            tx,
            statements: Vec::new(),
        }
    }

    /// One more.
    pub(crate) fn and(mut self, statement: &impl StatementBuilder) -> Self {
        let backend = self.tx.get_database_backend();
        self.statements.push(statement.build(&backend));
        self
    }

    /// One more, if there is one.
    pub(crate) fn and_option(self, statement: Option<&impl StatementBuilder>) -> Self {
        match statement {
            Some(statement) => self.and(statement),
            None => self,
        }
    }

    /// Runs them. The first that fails is the last that runs, and the transaction is to be given up then.
    pub(crate) async fn run(self) -> Result<Rows, Fault> {
        if self.statements.is_empty() {
            return Ok(Rows(Vec::new()));
        }
        let backend = self.tx.get_database_backend();
        let statements = if takes_one_text(backend) {
            let savepoint = self.tx.savepoint().map(|text| Statement::from_string(backend, text));
            vec![one_text(backend, savepoint.into_iter().chain(self.statements))]
        } else {
            self.statements
        };
        let mut rows = Vec::new();
        for statement in statements {
            rows.extend(self.tx.query_all_raw(statement).await?);
        }
        Ok(Rows(rows))
    }
}

/// All statements in one text, with all their values: the driver gives to each as many as it has places for.
fn one_text(backend: Backend, statements: impl Iterator<Item = Statement>) -> Statement {
    let (mut texts, mut all) = (Vec::new(), Vec::new());
    for statement in statements {
        texts.push(statement.sql);
        all.extend(statement.values.into_iter().flat_map(|Values(values)| values));
    }
    Statement::from_sql_and_values(backend, texts.join("; "), all)
}

/// What statements that were sent together have returned.
pub(crate) struct Rows(Vec<QueryResult>);

impl Rows {
    /// The rows of the statements whose rows have a column of this name.
    pub(crate) fn having<M: FromQueryResult>(&self, column: &str) -> Result<Vec<M>, Fault> {
        let has_it = |row: &&QueryResult| row.column_names().iter().any(|name| name == column);
        let rows = self.0.iter().filter(has_it).map(|row| M::from_query_result(row, ""));
        Ok(rows.collect::<Result<_, DbErr>>()?)
    }
}
