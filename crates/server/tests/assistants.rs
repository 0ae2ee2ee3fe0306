//! Assistants over HTTP.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Server, text};

#[tokio::test]
async fn an_assistant_lives_is_archived_and_comes_back() {
    let (_server, people) = Server::with_people().await;
    let manager = &people.manager;
    let (status, made) = manager
        .post(
            "/assistants",
            &json!({ "name": "  Press Writer ", "description": "", "instructions": "Be brief." }),
        )
        .await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(
        (
            made["name"].as_str(),
            made["description"].as_null(),
            made["temperature"].as_f64(),
            made["max_tokens"].as_u64()
        ),
        (Some("Press Writer"), Some(()), Some(0.7), Some(2048))
    );
    let path = format!("/assistants/{}", text(&made["id"]));

    let (status, changed) = manager
        .patch(&path, &json!({ "description": "In house style", "temperature": 0.2 }))
        .await;
    assert_eq!(
        (status, changed["version"].as_i64()),
        (200, Some(made["version"].as_i64().unwrap() + 1))
    );
    assert_eq!(changed["instructions"], "Be brief.");
    assert_eq!(manager.patch(&path, &json!({})).await.1["version"], changed["version"]);
    assert_eq!(
        manager.patch(&path, &json!({ "description": null })).await.1["description"],
        json!(null)
    );

    assert_eq!(people.user.get(&path).await.0, 200);
    assert_eq!(manager.delete(&path).await.0, 204);
    assert_eq!(manager.delete(&path).await.0, 404);
    assert_eq!((people.user.get(&path).await.0, manager.get(&path).await.0), (404, 200));
    assert_eq!(manager.patch(&path, &json!({ "name": "Other" })).await.0, 409);
    assert_eq!(people.user.get("/assistants").await.1["total"], 0);
    assert_eq!(manager.get("/assistants?include_deleted=true").await.1["total"], 1);
    assert_eq!(manager.post(&format!("{path}/restore"), &json!({})).await.0, 200);
    assert_eq!(manager.post(&format!("{path}/restore"), &json!({})).await.0, 409);
    assert_eq!(people.user.get("/assistants?search=PRESS").await.1["total"], 1);
    assert_eq!(people.user.get("/assistants?search=%25").await.1["total"], 0);
}

#[tokio::test]
async fn a_writer_with_an_old_version_is_told() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let path = format!("/assistants/{}", admin.assistant("Media Lister").await);
    let tag = admin.request(Method::GET, &path).send().await.unwrap().headers()["etag"]
        .to_str()
        .unwrap()
        .to_owned();
    let write = async |name: &str| {
        let request = admin
            .request(Method::PATCH, &path)
            .header("if-match", &tag)
            .json(&json!({ "name": name }));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(write("First").await, 200);
    assert_eq!(write("Second").await, 412);
    assert_eq!(admin.get(&path).await.1["name"], "First");
}

#[tokio::test]
async fn bad_input_names_its_field_and_changes_nothing() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let path = format!("/assistants/{}", admin.assistant("Crisis Q&A").await);
    let before = admin.get(&path).await.1;
    for (body, field) in [
        (json!({ "name": "ab" }), "name"),
        (json!({ "name": 7 }), "name"),
        (json!({ "name": null }), "name"),
        (json!({ "temperature": 3 }), "temperature"),
        (json!({ "max_tokens": 1.5 }), "max_tokens"),
        (json!({ "model": "nobody/serves-this" }), "model"),
        (json!({ "avatar_url": "javascript:alert(1)" }), "avatar_url"),
        (json!({ "is_deleted": true }), "is_deleted"),
        (json!({ "id": "x" }), "id"),
    ] {
        let (status, answer) = admin.patch(&path, &body).await;
        assert_eq!(
            (status, answer["error"].as_str()),
            (422, Some("ValidationError")),
            "{body}"
        );
        assert!(
            answer["details"][0]["field"].as_str().unwrap().contains(field)
                || answer["message"].as_str().unwrap().contains(field),
            "{answer}"
        );
    }
    assert_eq!(admin.get(&path).await.1, before);
    for path in [
        "/assistants/nonsense",
        "/assistants/01890a5d-ac96-774b-bcce-b302099a8057",
        "/assistants/01890A5D-AC96-774B-BCCE-B302099A8057",
    ] {
        let (status, body) = admin.get(path).await;
        assert_eq!((status, body["error"].as_str()), (404, Some("NotFoundError")), "{path}");
    }
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "offset=-1",
        "offset=100001",
        "limit=1&limit=2",
    ] {
        assert_eq!(admin.get(&format!("/assistants?{query}")).await.0, 422, "{query}");
    }
    assert_eq!(admin.get("/assistants?unknown=1").await.0, 200);
}
