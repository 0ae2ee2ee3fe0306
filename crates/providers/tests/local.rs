//! The built-in embedder: meaning, long texts, odd texts, and questions beside documents.

use across::providers::{
    failure::Category,
    model::EmbeddingModel,
    provider::{EmbedPurpose, EmbedRequest, Pieces, Provider as _},
};
use across_providers::LocalEmbedder;

async fn embed(embedder: &LocalEmbedder, texts: &[String], purpose: EmbedPurpose) -> Vec<Pieces> {
    let request = EmbedRequest {
        model: LocalEmbedder::model(),
        inputs: texts.to_vec(),
        purpose,
    };
    embedder.embed(request).await.unwrap().vectors
}

fn best(query: &Pieces, document: &Pieces) -> f32 {
    assert_eq!(query.len(), 1, "a question is one vector");
    let cosine = |piece: &Vec<f32>| piece.iter().zip(&query[0]).map(|(a, b)| a * b).sum::<f32>();
    document.iter().map(cosine).fold(-1.0, f32::max)
}

/// Some 700 words about one thing.
fn filler() -> String {
    (0..58)
        .map(|number| format!("On day {number} the crew painted the hull of the old ship again. "))
        .collect()
}

#[tokio::test]
async fn what_means_the_same_is_near() {
    let embedder = LocalEmbedder::new();
    let question = ["How many days off do I get?".to_owned()];
    let texts = [
        "Employees are entitled to 23 days of annual leave.",
        "The canteen opens at noon.",
    ]
    .map(str::to_owned);
    let query = &embed(&embedder, &question, EmbedPurpose::Query).await[0];
    let found = embed(&embedder, &texts, EmbedPurpose::Document).await;
    assert_eq!(found[0][0].len(), 384);
    let (near, far) = (best(query, &found[0]), best(query, &found[1]));
    assert!(near > 0.4 && far < 0.25, "{near} {far}");
}

#[tokio::test]
async fn a_fact_at_the_end_of_a_long_text_is_found() {
    let embedder = LocalEmbedder::new();
    let fact = "The emergency telephone number of the Haifa office is 04-555-0199.";
    let texts = [filler(), format!("{}{fact}", filler())];
    let question = ["What is the emergency phone number in Haifa?".to_owned()];
    let query = &embed(&embedder, &question, EmbedPurpose::Query).await[0];
    let found = embed(&embedder, &texts, EmbedPurpose::Document).await;
    assert!(found[1].len() >= 3, "{} pieces", found[1].len());
    let (without, with) = (best(query, &found[0]), best(query, &found[1]));
    assert!(with > without + 0.1, "{without} {with}");
}

#[tokio::test]
async fn a_long_question_is_one_vector_of_length_one() {
    let embedder = LocalEmbedder::new();
    let found = embed(&embedder, &[filler()], EmbedPurpose::Query).await;
    assert_eq!(found[0].len(), 1);
    let length: f32 = found[0][0].iter().map(|value| value * value).sum();
    assert!((length - 1.0).abs() < 1e-4);
}

#[tokio::test]
async fn odd_texts_have_vectors_too() {
    let embedder = LocalEmbedder::new();
    let texts = [
        "",
        " ",
        "\0\u{1}",
        "שלום עולם",
        "你好世界",
        "👩‍👩‍👧👋🏽",
        "İÉ\u{301}ﬁ",
        "e\u{301}\u{301}\u{301}",
        "\u{feff}\u{2028}",
        "[CLS] [SEP] [PAD]",
        "Ёлка и йод",
        "Сколько вопро́сов́",
        "Что тако́е й\u{306}?й",
        "ﷺ",
        "ß㍿Ⅷ",
        "\u{d7ff}\u{e000}\u{10ffff}",
    ];
    let mut texts: Vec<String> = texts.map(str::to_owned).into();
    texts.push("x".repeat(20_000));
    texts.push("İ".repeat(500));
    for purpose in [EmbedPurpose::Document, EmbedPurpose::Query] {
        let found = embed(&embedder, &texts, purpose).await;
        assert_eq!(found.len(), texts.len());
        assert!(found.iter().flatten().flatten().all(|value| value.is_finite()));
        assert!(found.iter().all(|pieces| !pieces.is_empty()));
    }
}

#[tokio::test]
async fn a_question_does_not_wait_for_a_batch_of_documents() {
    let embedder = LocalEmbedder::new();
    let question = ["What colour is the hull?".to_owned()];
    embed(&embedder, &question, EmbedPurpose::Query).await;
    let documents = vec![filler(); 15];
    let batch = embed(&embedder, &documents, EmbedPurpose::Document);
    let asked = embed(&embedder, &question, EmbedPurpose::Query);
    tokio::select! {
        biased;
        _ = batch => panic!("the batch was done before the question"),
        found = asked => assert_eq!(found.len(), 1),
    }
}

#[tokio::test]
async fn another_model_is_refused() {
    let model = EmbeddingModel {
        id: "text-embedding-3-small".into(),
        dimensions: 1536,
    };
    let request = EmbedRequest {
        model,
        inputs: vec!["a".into()],
        purpose: EmbedPurpose::Query,
    };
    assert_eq!(
        LocalEmbedder::new().embed(request).await.unwrap_err().category,
        Category::ModelGone
    );
    assert!(LocalEmbedder::new().models().await.unwrap().is_empty());
}
