//! Text as it is stored and compared, and numbers back from columns.

use sea_orm::{
    Condition, ExprTrait as _,
    sea_query::{Expr, IntoColumnRef, LikeExpr},
};
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use crate::error::Fault;

/// No folded column is longer than this; a longer search text is found nowhere.
const LONGEST_SEARCH: usize = 2_000;

/// Text as both databases can keep it: U+0000, which one of them refuses, becomes U+FFFD. Character offsets stay right.
pub(crate) fn storable(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}

/// As [`storable`], for every text of a JSON value.
pub(crate) fn storable_json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable(text)),
        Value::Array(values) => values.into_iter().map(storable_json).collect(),
        Value::Object(values) => values
            .into_iter()
            .map(|(name, value)| (storable(name), storable_json(value)))
            .collect(),
        plain => plain,
    }
}

/// Text as it is compared where case shall not matter.
pub(crate) fn fold(text: &str) -> String {
    text.nfkc()
        .flat_map(char::to_lowercase)
        .map(|c| if c == '\0' { '\u{fffd}' } else { c })
        .collect()
}

/// Whether a folded column contains `text`, which is data and never a pattern.
pub(crate) fn contains(column: impl IntoColumnRef, text: &str) -> Condition {
    let folded = fold(text.trim());
    if folded.chars().count() > LONGEST_SEARCH {
        return Condition::all().add(Expr::val(1).eq(0));
    }
    let mut pattern = String::with_capacity(folded.len() + 2);
    pattern.push('%');
    for c in folded.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    Condition::all().add(Expr::col(column).like(LikeExpr::new(pattern).escape('\\')))
}

/// A number that a column keeps in a wider type.
pub(crate) fn narrow<T, W>(wide: W, table: &str, column: &str, id: impl std::fmt::Display) -> Result<T, Fault>
where
    T: TryFrom<W>,
{
    T::try_from(wide).map_err(|_| Fault::corrupt(table, column, id))
}

/// A number that fits its column in every sane case; the largest possible one otherwise.
pub(crate) fn column_i32(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// As [`column_i32`], for the wider columns.
pub(crate) fn column_i64(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
