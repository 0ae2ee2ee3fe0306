//! Exports as CSV (RFC 4180): any number of rows, read page by page while they are sent, harmless in spreadsheets.

use std::future::Future;

use across::fault::StoreError;
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use futures::stream;
use serde::Deserialize;
use utoipa::ToSchema;

/// How a list is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// A page of it, as JSON.
    Json,
    /// All of it, as CSV.
    Csv,
}

/// Where an export is.
enum Next<C> {
    /// Nothing was sent yet.
    Header,
    /// The page after this place.
    Page(Option<C>),
    /// Everything was sent.
    End,
}

/// The rows of all pages as one download. `pages` gives the rows after a place, and the place after them; none at the end.
/// A database that fails on the way breaks the download off, so that a part is not taken for the whole.
pub(crate) fn export<C, P, F>(filename: &'static str, columns: &'static [&'static str], pages: P) -> Response
where
    C: Send + 'static,
    P: Fn(Option<C>) -> F + Send + 'static,
    F: Future<Output = Result<(Vec<Vec<String>>, Option<C>), StoreError>> + Send,
{
    let parts = stream::unfold((Next::Header, pages), move |(next, pages)| async move {
        match next {
            Next::Header => {
                let header = line(columns.iter().copied());
                Some((Ok(Bytes::from(header)), (Next::Page(None), pages)))
            }
            Next::Page(after) => match pages(after).await {
                Ok((rows, place)) => {
                    let text: String = rows.iter().map(|row| line(row.iter().map(String::as_str))).collect();
                    let next = place.map_or(Next::End, |place| Next::Page(Some(place)));
                    Some((Ok(Bytes::from(text)), (next, pages)))
                }
                Err(error) => {
                    tracing::error!(%error, filename, "an export was broken off");
                    Some((Err(error), (Next::End, pages)))
                }
            },
            Next::End => None,
        }
    });
    download(filename, Body::from_stream(parts))
}

/// Rows that are all there already, as one download.
pub(crate) fn whole(
    filename: &'static str,
    columns: &'static [&'static str],
    rows: impl Iterator<Item = Vec<String>>,
) -> Response {
    let mut text = line(columns.iter().copied());
    text.extend(rows.map(|row| line(row.iter().map(String::as_str))));
    download(filename, Body::from(text))
}

fn download(filename: &'static str, body: Body) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/csv; charset=utf-8"),
    );
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{filename}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// One line, ended as RFC 4180 wants it.
fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(cell).collect();
    format!("{}\r\n", cells.join(","))
}

/// One cell. What a spreadsheet would take for a formula begins with an apostrophe.
fn cell(text: &str) -> String {
    let first = text.trim_start().chars().next();
    let is_formula = matches!(first, Some('=' | '+' | '-' | '@')) || text.starts_with(['\t', '\r']);
    let is_number = text.parse::<f64>().is_ok();
    let safe = if is_formula && !is_number {
        format!("'{text}")
    } else {
        text.to_owned()
    };
    if safe.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("+cmd", "'+cmd"),
            ("-cmd", "'-cmd"),
            ("  @x", "'  @x"),
            ("\tx", "'\tx"),
            ("=A,B", "\"'=A,B\""),
            ("-0.5", "-0.5"),
            ("", ""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
