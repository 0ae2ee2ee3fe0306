//! The offline provider: quotes with their marks, in the question's language, streamed.

use std::time::Duration;

use across::providers::{
    chat::{ChatEvent, ChatRequest, FinishReason, Material},
    failure::Category,
    model::{EmbeddingModel, ProviderKind},
    provider::{EmbedPurpose, EmbedRequest, Provider as _},
};
use across_providers::{OfflineProvider, offline::MODEL};

use crate::common::{answer, ask, text};

fn with(question: &str, texts: &[&str]) -> ChatRequest {
    let material = |(index, text): (u32, &&str)| Material {
        index,
        filename: format!("{index}.txt"),
        page: None,
        heading: None,
        text: (*text).to_owned(),
    };
    ChatRequest {
        model: MODEL.to_owned(),
        materials: (1..).zip(texts).map(material).collect(),
        ..ask(question)
    }
}

const OFFLINE: OfflineProvider = OfflineProvider::new(Duration::ZERO);

#[tokio::test]
async fn an_answer_says_what_it_is_and_quotes_with_marks() {
    let texts = [
        "The canteen opens at noon.",
        "Refunds are paid within 14 days. Shipping is not refunded.",
    ];
    let items = answer(&OFFLINE, with("When are refunds paid?", &texts)).await;
    let answer = text(&items);
    assert!(answer.starts_with("No language model is connected"), "{answer}");
    assert!(
        answer.contains("\n\n- “Refunds are paid within 14 days.” [2]"),
        "{answer}"
    );
    assert!(!answer.contains("canteen"), "{answer}");
    let started = ChatEvent::Started {
        provider: ProviderKind::Offline,
        upstream_id: None,
        model: Some(MODEL.into()),
    };
    assert_eq!(items[0], Ok(started));
    let words = items
        .iter()
        .filter(|item| matches!(item, Ok(ChatEvent::Text(_))))
        .count();
    assert!(words > 20, "it streams word by word: {words}");
    assert!(
        matches!(&items[items.len() - 2], Ok(ChatEvent::Usage(usage)) if usage.input_total > 0 && usage.output_total > 20)
    );
    assert_eq!(items.last(), Some(&Ok(ChatEvent::Finish(FinishReason::Stop))));
}

#[tokio::test]
async fn hebrew_questions_get_hebrew_frames() {
    let request = with("מתי משולמים ההחזרים?", &["ההחזרים משולמים בתוך 14 יום."]);
    let hebrew = text(&answer(&OFFLINE, request).await);
    assert!(hebrew.starts_with("לא מחובר מודל שפה"), "{hebrew}");
    assert!(hebrew.contains("- “ההחזרים משולמים בתוך 14 יום.” [1]"), "{hebrew}");
    assert!(text(&answer(&OFFLINE, with("מה?", &[])).await).starts_with("לא מחובר מודל שפה"));
}

#[tokio::test]
async fn without_materials_it_says_what_to_do() {
    let answer = text(&answer(&OFFLINE, with("What is the refund policy?", &[])).await);
    assert!(
        answer.contains("Add files") && answer.contains("administrator"),
        "{answer}"
    );
    assert!(!answer.contains('['), "{answer}");
}

#[tokio::test]
async fn nothing_in_a_file_becomes_markup_or_a_mark() {
    let text_in_file = "The refund form is at [this page](javascript:x) <b>now</b>, see `a_b` [7].";
    let answer = text(&answer(&OFFLINE, with("Where is the refund form?", &[text_in_file])).await);
    assert!(
        answer.contains(r"\[this page\](javascript:x) \<b\>now\</b\>, see \`a\_b\` \[7\].” [1]"),
        "{answer}"
    );
}

#[tokio::test]
async fn the_length_limit_holds() {
    let request = ChatRequest {
        max_output: 5,
        ..with("When are refunds paid?", &["Refunds are paid soon."])
    };
    let items = answer(&OFFLINE, request).await;
    assert_eq!(items.last(), Some(&Ok(ChatEvent::Finish(FinishReason::Length))));
    assert!(text(&items).split_whitespace().count() <= 5);
}

#[tokio::test(start_paused = true)]
async fn it_takes_its_time_so_that_it_can_be_stopped() {
    let begun = tokio::time::Instant::now();
    let items = answer(&OfflineProvider::new(Duration::from_millis(15)), with("Hello?", &[])).await;
    let words = items
        .iter()
        .filter(|item| matches!(item, Ok(ChatEvent::Text(_))))
        .count();
    assert!(begun.elapsed() >= Duration::from_millis(15) * u32::try_from(words).unwrap());
}

#[tokio::test]
async fn it_has_one_model_and_makes_no_vectors() {
    let models = OFFLINE.models().await.unwrap();
    assert_eq!(
        models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(),
        [MODEL]
    );
    let model = EmbeddingModel {
        id: MODEL.into(),
        dimensions: 3,
    };
    let request = EmbedRequest {
        model,
        inputs: vec!["a".into()],
        purpose: EmbedPurpose::Query,
    };
    assert_eq!(
        OFFLINE.embed(request).await.unwrap_err().category,
        Category::Unsupported
    );
}
