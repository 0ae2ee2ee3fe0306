//! What every answer tells browsers and strangers: refusals that give nothing away, strict headers, no other sites.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{ADMIN, PASSWORD, Server, text};

#[tokio::test]
async fn s44_every_refusal_is_json_and_tells_nothing_of_the_inside() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let large = format!("{{\"name\":\"{}\"}}", "a".repeat(1024 * 1024));
    for (method, path, body, status) in [
        (Method::GET, "/api/v1/nothing", "", 404),
        (Method::GET, "/api/v2/users/me", "", 404),
        (Method::GET, "/assets/gone.js", "", 404),
        (Method::GET, "/.env", "", 404),
        (Method::GET, "/docs/gone.js", "", 404),
        (
            Method::GET,
            "/api/v1/files/01890a5d-ac96-774b-bcce-b302099a8057",
            "",
            404,
        ),
        (Method::GET, "/api/v1/files/'%20OR%201=1", "", 404),
        (Method::PUT, "/api/v1/assistants", "", 405),
        (Method::POST, "/metrics", "", 405),
        (Method::from_bytes(b"BREW").unwrap(), "/api/v1/users/me", "", 405),
        (Method::OPTIONS, "/api/v1/users/me", "", 405),
        (Method::TRACE, "/", "", 405),
        (Method::POST, "/api/v1/assistants", large.as_str(), 413),
        (
            Method::POST,
            "/api/v1/assistants",
            "{\"name\":\"'; DROP TABLE users; --\",\"x\":1}",
            422,
        ),
    ] {
        let request = server.request(method.clone(), path).bearer_auth(&admin.token);
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        assert_eq!(answer.headers()["content-type"], "application/json", "{method} {path}");
        let is_api = path.starts_with("/api/") && status == 405;
        assert!(!is_api || answer.headers().contains_key("allow"), "{method} {path}");
        let body: Value = answer.json().await.unwrap();
        assert!(
            text(&body["error"]).ends_with("Error") && body["request_id"].is_string(),
            "{body}"
        );
        let body = body.to_string();
        for inside in ["SELECT", "sqlx", ".rs", "across::", server.dir.to_str().unwrap()] {
            assert!(!body.contains(inside), "{inside} in {body}");
        }
    }
}

fn policies(answer: &Response) -> [Option<String>; 4] {
    [
        "content-security-policy",
        "x-content-type-options",
        "referrer-policy",
        "strict-transport-security",
    ]
    .map(|name| {
        answer
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    })
}

#[tokio::test]
async fn s56_every_answer_has_strict_headers_and_tls_is_kept_once_it_was_there() {
    let api = "default-src 'none'; frame-ancestors 'none'";
    let plain = Server::start().await;
    let public = Server::start_with(&[("AI_ACROSS_PUBLIC_URL", "https://ai.example.com")]).await;
    let behind = Server::start_with(&[("AI_ACROSS_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    for (server, protocol, is_https) in [
        (&plain, "https", false),
        (&public, "http", true),
        (&behind, "https", true),
        (&behind, "http", false),
    ] {
        let admin = server.admin().await;
        let assistant = admin.assistant("Press Writer").await;
        let conversation = admin.conversation(&assistant).await;
        for (method, path, status) in [
            (Method::GET, "/api/v1/health", 200),
            (Method::GET, "/api/v1/users/me", 200),
            (Method::GET, "/api/v1/nothing", 404),
            (Method::GET, "/assets/gone.js", 404),
            (Method::POST, "/", 405),
            (
                Method::POST,
                &format!("/api/v1/conversations/{conversation}/messages"),
                200,
            ),
        ] {
            let request = server.request(method, path).bearer_auth(&admin.token);
            let request = request.header("x-forwarded-proto", protocol);
            let answer = request
                .json(&json!({ "content": "Hello", "stream": true }))
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status().as_u16(), status, "{path}");
            let found = policies(&answer);
            let expected = [
                Some(api),
                Some("nosniff"),
                Some("no-referrer"),
                is_https.then_some("max-age=31536000"),
            ];
            assert_eq!(found.each_ref().map(Option::as_deref), expected, "{path}");
        }
        let page = server
            .request(Method::GET, "/")
            .header("x-forwarded-proto", protocol)
            .send()
            .await
            .unwrap();
        let [policy, nosniff, referrer, hsts] = policies(&page);
        let policy = policy.unwrap();
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert!(nonce.len() >= 22, "{nonce}");
        assert_eq!(
            policy,
            format!(
                "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; \
                 img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
                 form-action 'self'"
            )
        );
        assert_eq!(
            (nosniff.as_deref(), referrer.as_deref()),
            (Some("nosniff"), Some("no-referrer"))
        );
        assert_eq!(hsts.is_some(), is_https);
        let body = json!({ "email": ADMIN, "password": PASSWORD, "session_mode": "cookie" });
        let login = server
            .request(Method::POST, "/api/v1/users/login")
            .header("x-forwarded-proto", protocol);
        let login = login.json(&body).send().await.unwrap();
        let cookie = login.headers()["set-cookie"].to_str().unwrap();
        assert_eq!(
            cookie.starts_with("__Host-") && cookie.contains("; Secure"),
            is_https,
            "{cookie}"
        );
    }
}

#[tokio::test]
async fn s58_other_sites_may_do_nothing_unless_they_are_listed() {
    let listed = [("AI_ACROSS_CORS_ORIGINS", "https://good.example, http://localhost:3000")];
    let (open, closed) = (Server::start_with(&listed).await, Server::start().await);
    let ask = async |server: &Server, method: Method, origin: &str| {
        let request = server.request(method, "/api/v1/users/me").header("origin", origin);
        let request = request.header("access-control-request-method", "PATCH");
        let request = request.header("access-control-request-headers", "authorization, if-match");
        request.send().await.unwrap()
    };
    for (server, origin, is_allowed) in [
        (&closed, "https://good.example", false),
        (&closed, "null", false),
        (&open, "https://good.example", true),
        (&open, "http://localhost:3000", true),
        (&open, "https://evil.example", false),
        (&open, "https://good.example.evil", false),
        (&open, "https://good.evil", false),
        (&open, "http://good.example", false),
        (&open, "https://good.example:444", false),
        (&open, "https://sub.good.example", false),
        (&open, "null", false),
        (&open, "*", false),
        (&open, "", false),
    ] {
        let preflight = ask(server, Method::OPTIONS, origin).await;
        let simple = ask(server, Method::GET, origin).await;
        assert_eq!(
            preflight.status().as_u16(),
            if is_allowed { 204 } else { 405 },
            "{origin}"
        );
        assert_eq!(simple.status(), 401, "{origin}");
        for answer in [&preflight, &simple] {
            let of_cors = answer
                .headers()
                .keys()
                .filter(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(of_cors.count() > 0, is_allowed, "{origin}");
            let granted = answer.headers().get("access-control-allow-origin");
            assert_eq!(
                granted.map(|value| value.to_str().unwrap()),
                is_allowed.then_some(origin)
            );
            let vary = answer.headers().get("vary").is_some_and(|value| value == "origin");
            assert_eq!(vary, std::ptr::eq(server, &raw const open), "{origin}");
        }
        if is_allowed {
            let list = |name| text(&json!(preflight.headers()[name].to_str().unwrap()));
            assert!(list("access-control-allow-methods").contains("PATCH"));
            assert!(list("access-control-allow-headers").contains("if-match"));
            assert!(simple.headers().contains_key("access-control-expose-headers"));
        }
    }
}
