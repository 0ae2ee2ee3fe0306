//! What every answer has in common: headers, ids, refusals, the page, the documentation.

use reqwest::Method;
use serde_json::Value;

use crate::harness::Server;

#[tokio::test]
async fn every_answer_has_its_id_and_its_headers() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for path in [
        "/api/v1/health",
        "/api/v1/users/me",
        "/api/v1/nothing",
        "/",
        "/openapi.json",
        "/docs/",
    ] {
        let answer = server
            .request(Method::GET, path)
            .header("x-request-id", "from-the-client_1.0")
            .send()
            .await
            .unwrap();
        let headers = answer.headers();
        assert_eq!(headers["x-request-id"], "from-the-client_1.0", "{path}");
        assert_eq!(
            (&headers["x-content-type-options"], &headers["referrer-policy"]),
            (&"nosniff".parse().unwrap(), &"no-referrer".parse().unwrap())
        );
        assert!(
            headers.contains_key("content-security-policy") && !headers.contains_key("server"),
            "{path}"
        );
    }
    let forged = admin
        .request(Method::GET, "/users/me")
        .header("x-request-id", "a b")
        .send()
        .await
        .unwrap();
    assert_ne!(forged.headers()["x-request-id"], "a b");
    assert!(
        server.log().lines().all(|line| line.starts_with('{')),
        "one JSON object a line"
    );
    assert!(server.log().contains("\"request_id\":\"from-the-client_1.0\""));
}

#[tokio::test]
async fn every_page_has_a_nonce_of_its_own() {
    let server = Server::start().await;
    let mut policies = Vec::new();
    for path in ["/", "/chat/new", "/assistants/anything"] {
        let answer = server.request(Method::GET, path).send().await.unwrap();
        assert_eq!(
            (
                answer.status().as_u16(),
                answer.headers()["content-type"].to_str().unwrap()
            ),
            (200, "text/html; charset=utf-8")
        );
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .unwrap()
            .split('\'')
            .next()
            .unwrap()
            .to_owned();
        let page = answer.text().await.unwrap();
        assert!(!page.contains("__CSP_NONCE__") && (!page.contains("<script") || page.contains(&nonce)));
        policies.push(policy);
    }
    assert!(policies.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(policies[0].contains("img-src 'self' data: blob:") && policies[0].contains("object-src 'none'"));
    assert_eq!(
        server
            .request(Method::GET, "/assets/gone.js")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    assert_eq!(
        server
            .request(Method::GET, "/.vite/manifest.json")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
}

#[tokio::test]
async fn refusals_have_one_shape() {
    let server = Server::start().await;
    for (method, path, status, name) in [
        (Method::GET, "/api/v1/nothing", 404, "NotFoundError"),
        (Method::DELETE, "/api/v1/health", 405, "MethodNotAllowedError"),
        (Method::PUT, "/api/v1/assistants", 405, "MethodNotAllowedError"),
        (Method::POST, "/", 405, "MethodNotAllowedError"),
        (Method::POST, "/api/v1/users/login", 415, "UnsupportedMediaTypeError"),
    ] {
        let answer = server.request(method.clone(), path).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"], name);
        assert!(body["message"].is_string() && body["request_id"].is_string());
    }
    let login = || {
        server
            .request(Method::POST, "/api/v1/users/login")
            .header("content-type", "application/json")
    };
    let large = login()
        .body(format!("{{\"email\":\"{}\"}}", "a".repeat(1024 * 1024)))
        .send()
        .await
        .unwrap();
    assert_eq!(large.status(), 413);
    for malformed in ["", "{", "{\"email\":1,\"email\":2}"] {
        assert_eq!(
            login().body(malformed).send().await.unwrap().status(),
            400,
            "{malformed}"
        );
    }
    assert_eq!(
        login()
            .body("{\"email\":\"a\\u0000@b.c\",\"password\":\"x\"}")
            .send()
            .await
            .unwrap()
            .status(),
        422
    );
}

#[tokio::test]
async fn health_and_readiness_say_what_is_there() {
    let server = Server::start().await;
    let health: Value = server
        .request(Method::GET, "/api/v1/health")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(health["status"], "healthy");
    let ready = crate::harness::eventually(async || {
        let answer = server.request(Method::GET, "/api/v1/ready").send().await.unwrap();
        (answer.status() == 200).then_some(answer)
    })
    .await;
    let ready: Value = ready.json().await.unwrap();
    assert_eq!(
        ready,
        serde_json::json!({ "status": "ready", "database": "connected", "vector_store": "connected", "storage": "ok" })
    );
}

#[tokio::test]
async fn the_documentation_is_the_committed_document() {
    let server = Server::start().await;
    let served: Value = server
        .request(Method::GET, "/openapi.json")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let committed: Value = serde_json::from_str(include_str!("../../../openapi.json")).unwrap();
    assert_eq!(served, committed, "run `cargo xtask generate`");
    let page = server
        .request(Method::GET, "/docs/")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for asset in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        assert!(page.contains(asset), "{page}");
        let answer = server
            .request(Method::GET, &format!("/docs/{asset}"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{asset}");
        assert!(!answer.text().await.unwrap().is_empty());
    }
    assert!(!page.contains("https://"), "the page loads from elsewhere");
    let closed = Server::start_with(&[("AI_ACROSS_DOCS", "false")]).await;
    let answer = closed.request(Method::GET, "/openapi.json").send().await.unwrap();
    assert_ne!(answer.headers()["content-type"], "application/json");
}
