//! Keyword search: finds words in their forms, takes terms as data, stays in its scope.

use across::{
    audit::Action,
    id::ChunkId,
    knowledge::file::KnowledgeStore as _,
    page::PageRequest,
    retrieval::{
        vectors::KeywordIndex as _,
        words::{Word, asked},
    },
};

use crate::bench::{Bench, deed, words};

crate::contracts!(
    words_are_found_in_their_forms,
    every_language_is_searched_by_its_own_rules,
    rare_words_rank_before_common_ones,
    words_are_made_anew_when_the_analyser_has_changed,
    hostile_terms_are_data,
    the_scope_holds,
);

fn terms(text: &str) -> Vec<Word> {
    asked(text, "en")
}

/// A word with this one form, which may be anything.
fn raw(form: &str) -> Word {
    Word {
        plain: form.to_owned(),
        forms: vec![form.to_owned()],
    }
}

async fn chunk_ids(bench: &Bench, file: across::id::FileId) -> Vec<ChunkId> {
    let page = bench
        .store
        .list_chunks(file, PageRequest { limit: 100, offset: 0 })
        .await
        .unwrap()
        .unwrap();
    page.items.into_iter().map(|chunk| chunk.id).collect()
}

async fn words_are_found_in_their_forms(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let texts = [
        "The cats were running",
        "A café in Łódź",
        "invoice of invoices, invoice, 42",
        "invoice about pears, plums, 42",
        "Русский текст",
    ];
    let chunks = (0..).zip(texts).map(|(i, text)| words(i, text)).collect();
    let file = bench.ready(assistant, user, chunks).await;
    let ids = chunk_ids(bench, file).await;
    for (search, expected) in [
        ("cat", vec![0]),
        ("run", vec![0]),
        ("cafe", vec![1]),
        ("café", vec![1]),
        ("текст", vec![4]),
        ("cat cafe", vec![0, 1]),
        ("cat unknown", vec![0]),
        ("unknown", vec![]),
        ("тексты", vec![4]),
    ] {
        let mut found = bench.store.with_words(assistant, &terms(search), 10).await.unwrap();
        found.sort_by_key(|id| ids.iter().position(|known| known == id));
        let expected: Vec<_> = expected.into_iter().map(|i: usize| ids[i]).collect();
        assert_eq!(found, expected, "{search:?}");
    }
    // Best first: the one that says it most, among those of about the same length.
    let ranked = bench.store.with_words(assistant, &terms("invoice"), 10).await.unwrap();
    assert_eq!(ranked, [ids[2], ids[3]]);
    assert_eq!(
        bench.store.with_words(assistant, &terms("invoice"), 1).await.unwrap(),
        [ids[2]]
    );
    assert!(bench.store.with_words(assistant, &[], 10).await.unwrap().is_empty());
    assert!(
        bench
            .store
            .with_words(assistant, &terms("invoice"), 0)
            .await
            .unwrap()
            .is_empty()
    );
}

async fn every_language_is_searched_by_its_own_rules(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let texts = [
        "כשהמנהלים הגיעו לבית הספר דיברו עם עו״ד כהן",
        "הַמַּקְהֵלָה שָׁרָה סְבִיב הַשֻּׁלְחָן",
        "وَصَلَ المُعَلِّمون إلى المدرسة عام ٢٠١٥",
        "Die Häuser in Muenchen stehen an der Straße",
        "В городах растут ёлки",
        "The policies of companies",
    ];
    let chunks = (0..).zip(texts).map(|(i, text)| words(i, text)).collect();
    let file = bench.ready(assistant, user, chunks).await;
    let ids = chunk_ids(bench, file).await;
    for (language, question, expected) in [
        ("he", "מנהל", 0),
        ("he", "בבית", 0),
        ("he", "עוד", 0),
        ("he", "שולחן", 1),
        ("he", "ומקהלה", 1),
        ("ar", "معلمين", 2),
        ("ar", "مدرسة", 2),
        ("ar", "2015", 2),
        ("de", "Haus", 3),
        ("de", "München", 3),
        ("de", "strasse", 3),
        ("ru", "город", 4),
        ("ru", "елка", 4),
        ("en", "company policy", 5),
    ] {
        let found = bench.store.with_words(assistant, &asked(question, language), 10).await;
        assert_eq!(found.unwrap(), [ids[expected]], "{question}");
    }
}

async fn rare_words_rank_before_common_ones(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let texts = [
        "report report report about plums",
        "a zebra was seen near pears",
        "report about apples",
        "report about cherries and grapes of this year",
        "nothing of that kind stands here",
        "nor does it stand here",
        "or at this place",
    ];
    let chunks = (0..).zip(texts).map(|(i, text)| words(i, text)).collect();
    let file = bench.ready(assistant, user, chunks).await;
    let ids = chunk_ids(bench, file).await;
    // How rare a word is counts before how often it is said, and that before how much else is said.
    let found = bench
        .store
        .with_words(assistant, &terms("report zebra"), 10)
        .await
        .unwrap();
    assert_eq!(found, [ids[1], ids[0], ids[2], ids[3]]);
}

async fn words_are_made_anew_when_the_analyser_has_changed(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    let file = bench
        .ready(assistant, user, vec![words(0, "alpha beta"), words(1, "gamma")])
        .await;
    let ids = chunk_ids(bench, file).await;
    bench.run("UPDATE chunks SET words = 'older'").await;
    let find = |word: &'static str| async move { bench.store.with_words(assistant, &[raw(word)], 10).await.unwrap() };
    assert_eq!(find("alpha").await, []);
    // The same version leaves them alone.
    bench.store.migrate().await.unwrap();
    assert_eq!(find("older").await.len(), 2);
    bench
        .run("UPDATE kept_values SET value = '0' WHERE name = 'analyser of words'")
        .await;
    bench.store.migrate().await.unwrap();
    assert_eq!(find("older").await, []);
    assert_eq!((find("alpha").await, find("gamma").await), (vec![ids[0]], vec![ids[1]]));
}

async fn hostile_terms_are_data(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let assistant = bench.assistant("Press").await;
    bench
        .ready(assistant, user, vec![words(0, "alpha beta"), words(1, "near or not")])
        .await;
    let hostile: Vec<Word> = [
        "\"",
        "'",
        "(",
        ")))",
        "*",
        "a*",
        "alp*",
        "^",
        "-beta",
        "\"a\" NEAR/99999 *",
        "text:alpha",
        "chunk_words:alpha",
        "alpha AND gamma",
        "{alpha beta}:x",
        "&",
        "|",
        "!alpha",
        "<->",
        ":*",
        "\\",
        "%",
        "_",
        "\0",
        "alpha\0beta",
        "x'; DROP TABLE chunks; --",
        "",
        " ",
        "🦀",
        "$1",
        "?",
    ]
    .map(raw)
    .to_vec();
    for term in &hostile {
        bench
            .store
            .with_words(assistant, std::slice::from_ref(term), 10)
            .await
            .unwrap_or_else(|error| panic!("{term:?}: {error}"));
    }
    bench.store.with_words(assistant, &hostile, 10).await.unwrap();
    bench
        .store
        .with_words(assistant, &vec![raw(&"(".repeat(200)); 200], 10)
        .await
        .unwrap();
    bench
        .store
        .with_words(assistant, &vec![raw(&"x".repeat(100_000)); 1_000], 10)
        .await
        .unwrap();
    // A prefix operator would find something.
    assert!(
        bench
            .store
            .with_words(assistant, &[raw("alp*")], 10)
            .await
            .unwrap()
            .is_empty()
    );
    // A word that is an operator elsewhere is a word here.
    assert_eq!(
        bench
            .store
            .with_words(assistant, &[raw("near")], 10)
            .await
            .unwrap()
            .len(),
        1
    );
}

async fn the_scope_holds(bench: &Bench) {
    let user = bench.user("anna@example.com").await.id;
    let (mine, other) = (bench.assistant("Mine").await, bench.assistant("Other").await);
    let file = bench.ready(mine, user, vec![words(0, "alpha one")]).await;
    let theirs = bench.ready(other, user, vec![words(0, "alpha two")]).await;
    let (pending, claimed) = bench.accepted(mine, user, "pending").await;
    bench
        .store
        .add_chunks(claimed.lease, pending, 1, "s", vec![words(0, "alpha three")])
        .await
        .unwrap();

    let alpha = [raw("alpha")];
    let find = || bench.store.with_words(mine, &alpha, 10);
    assert_eq!(find().await.unwrap(), chunk_ids(bench, file).await);
    bench
        .store
        .delete_file(file, deed(Action::FileDelete, 2))
        .await
        .unwrap();
    assert!(find().await.unwrap().is_empty());
    let found = bench.store.with_words(other, &alpha, 10).await.unwrap();
    assert_eq!(found, chunk_ids(bench, theirs).await);

    // Rows that go take their words with them.
    bench.run("DELETE FROM chunks").await;
    assert!(bench.store.with_words(other, &alpha, 10).await.unwrap().is_empty());
}
