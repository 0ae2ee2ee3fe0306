//! While a row is here, entries of the audit log from before its moment may be removed: within one transaction only.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_retention")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub cutoff: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
