//! The contract on each server. One that the environment does not name is skipped, and said so; where CI is set it must be
//! named, except Qdrant, for which there is no package to install.

use across::{retrieval::vectors::VectorError, secret::Secret};
use across_testkit::{qdrant::QdrantDouble, vectors::Outside};
use across_vectors::{Choice, open};

/// What one test runs on: the store, and the double if it is one.
type Bench = (Outside, Option<QdrantDouble>);

/// The address in this variable of the environment.
#[expect(clippy::print_stderr, reason = "what is skipped is said aloud")]
#[expect(
    clippy::disallowed_methods,
    reason = "the tests' servers are named by the environment"
)]
fn named(variable: &str, is_needed: bool) -> Option<String> {
    let found = std::env::var(variable).ok().filter(|address| !address.is_empty());
    if found.is_none() {
        let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!(in_ci && is_needed), "{variable} must name a server where CI is set");
        eprintln!("skipped: {variable} names no server");
    }
    found
}

fn outside(choice: &Choice, is_exact: bool) -> Outside {
    Outside {
        store: open(choice).unwrap(),
        space: across::id::FileId::new().to_string(),
        is_exact,
    }
}

async fn chroma() -> Option<Bench> {
    let url = named("TEST_CHROMA_URL", true)?.parse().unwrap();
    Some((outside(&Choice::Chroma(url, None), false), None))
}

async fn pgvector() -> Option<Bench> {
    let url = named("TEST_PGVECTOR_URL", true)?;
    Some((outside(&Choice::Pgvector(Secret::new(url)), true), None))
}

async fn qdrant() -> Option<Bench> {
    let url = named("TEST_QDRANT_URL", false)?.parse().unwrap();
    Some((outside(&Choice::Qdrant(url, None), false), None))
}

async fn qdrant_double() -> Option<Bench> {
    let double = QdrantDouble::start(Some("k-1")).await.unwrap();
    let choice = Choice::Qdrant(double.url.parse().unwrap(), Some(Secret::new("k-1")));
    Some((outside(&choice, true), Some(double)))
}

macro_rules! contract {
    ($($server:ident: $cases:tt)+) => {$( mod $server { contract!(@ $server $cases); } )+};
    (@ $server:ident [$($case:ident),+]) => {$(
        #[tokio::test]
        async fn $case() -> Result<(), super::VectorError> {
            match super::$server().await {
                Some((subject, _double)) => across_testkit::vectors::$case(&subject).await,
                None => Ok(()),
            }
        }
    )+};
    ($($server:ident)+) => { contract!{ $($server: [
        the_scope_never_leaks,
        the_best_piece_counts_and_ties_go_by_id,
        removing_a_file_leaves_the_others,
        other_dimensions_are_refused,
        it_agrees_with_a_naive_scan,
        nothing_is_asked_for_or_has_no_direction,
        copies_can_be_written_again_and_removed,
        a_missing_collection_is_not_an_empty_one
    ])+ } };
}

contract!(chroma pgvector qdrant qdrant_double);
