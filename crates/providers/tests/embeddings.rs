//! Vectors from an OpenAI-compatible server: order, batches, and refusal of what is no vector.

use across::providers::{
    failure::Category,
    model::EmbeddingModel,
    provider::{EmbedPurpose, EmbedRequest},
};
use across_testkit::vendor::Answer;
use serde_json::{Value, json};

use crate::common::pair;

fn request(texts: &[&str], dimensions: usize) -> EmbedRequest {
    EmbedRequest {
        model: EmbeddingModel {
            id: "text-embedding-3-small".to_owned(),
            dimensions,
        },
        inputs: texts.iter().map(|text| (*text).to_owned()).collect(),
        purpose: EmbedPurpose::Document,
    }
}

fn list(entries: &Value) -> Answer {
    let body = json!({"object": "list", "data": entries, "usage": {"prompt_tokens": 8, "total_tokens": 8}});
    Answer::whole(200, "application/json", body.to_string())
}

#[tokio::test]
async fn many_texts_go_in_batches_and_come_back_in_order() {
    let (vendor, adapter) = pair().await;
    let texts: Vec<String> = (0..70).map(|number| format!("word{number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let all = adapter.embed(request(&texts, 1536)).await.unwrap();
    let sizes: Vec<usize> = vendor
        .requests()
        .iter()
        .map(|sent| sent.body["input"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [32, 32, 6]);
    assert!(
        vendor
            .requests()
            .iter()
            .all(|sent| sent.body.get("dimensions").is_none())
    );
    assert_eq!(all.tokens, Some(70));
    let alone = adapter.embed(request(&["word69"], 1536)).await.unwrap();
    assert_eq!(all.vectors[69], alone.vectors[0]);
    let length: f32 = all.vectors[3][0].iter().map(|value| value * value).sum();
    assert!((length - 1.0).abs() < 1e-4);
}

#[tokio::test]
async fn a_shorter_vector_is_asked_for_by_its_dimension() {
    let (vendor, adapter) = pair().await;
    let short = adapter.embed(request(&["a"], 256)).await.unwrap();
    assert_eq!(short.vectors[0][0].len(), 256);
    assert_eq!(vendor.requests()[0].body["dimensions"], 256);
}

#[tokio::test]
async fn vectors_are_sorted_by_index_and_brought_to_length_one() {
    let (vendor, adapter) = pair().await;
    vendor.answer_next(list(
        &json!([{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [3, 4]}]),
    ));
    let found = adapter.embed(request(&["a", "b"], 2)).await.unwrap();
    assert_eq!(found.vectors, [vec![vec![0.6, 0.8]], vec![vec![0.0, 1.0]]]);
}

#[tokio::test]
async fn what_is_no_vector_is_refused() {
    let (vendor, adapter) = pair().await;
    let bad = [
        json!([]),
        json!([{"index": 0, "embedding": []}]),
        json!([{"index": 0, "embedding": [1, 2, 3]}]),
        json!([{"index": 0, "embedding": [0, 0]}]),
        json!([{"index": 0, "embedding": [1e39, 1]}]),
        json!([{"index": 0, "embedding": "AAAA"}]),
    ];
    for entries in bad {
        vendor.answer_next(list(&entries));
        let error = adapter.embed(request(&["a"], 2)).await.unwrap_err();
        assert_eq!(error.category, Category::Malformed, "{entries}: {error}");
    }
    vendor.answer_next(Answer::whole(200, "application/json", r#"{"detail":"no such model"}"#));
    assert!(
        adapter
            .embed(request(&["a"], 2))
            .await
            .unwrap_err()
            .message
            .contains("no such model")
    );
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved() {
    let (vendor, adapter) = pair().await;
    vendor.answer_next(Answer::whole(413, "application/json", r#"{"error":"too large"}"#));
    let found = adapter.embed(request(&["a", "b", "c"], 1536)).await.unwrap();
    assert_eq!(found.vectors.len(), 3);
    let sizes: Vec<usize> = vendor
        .requests()
        .iter()
        .map(|sent| sent.body["input"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [3, 1, 2]);
    let alone = adapter.embed(request(&["c"], 1536)).await.unwrap();
    assert_eq!(found.vectors[2], alone.vectors[0]);
}
