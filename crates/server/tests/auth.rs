//! Signing in and out over HTTP, and the rule that strangers get nowhere.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ADMIN, PASSWORD, Server};

#[tokio::test]
async fn s10_wrong_password_and_unknown_account_are_answered_alike() {
    let server = Server::start().await;
    let mut bodies = Vec::new();
    for (email, password) in [
        (ADMIN, "wrong password, this"),
        ("nobody@example.com", PASSWORD),
        ("no address", PASSWORD),
    ] {
        let request = server
            .request(Method::POST, "/api/v1/users/login")
            .json(&json!({ "email": email, "password": password }));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        let mut body: Value = answer.json().await.unwrap();
        assert!(body.as_object_mut().unwrap().remove("request_id").is_some());
        bodies.push(body);
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");
    assert_eq!(
        bodies[0],
        json!({ "error": "AuthenticationError", "message": "Email or password is not right." })
    );
    // Other spellings of the address are the same account.
    server.sign_in(" ADMIN@Example.com ").await;
}

#[tokio::test]
async fn s01_every_route_but_the_public_ones_wants_a_token() {
    let server = Server::start().await;
    let document: Value = server
        .request(Method::GET, "/openapi.json")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let public = [
        "get /api/v1/health",
        "get /api/v1/ready",
        "get /api/v1/setup",
        "post /api/v1/setup",
        "post /api/v1/users/login",
        "post /api/v1/users/refresh",
    ];
    let mut closed = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let address = path
                .replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057")
                .replace("{mid}", "01890a5d-ac96-774b-bcce-b302099a8057");
            for token in [None, Some("nonsense"), Some("eyJhbGciOiJub25lIn0.e30.")] {
                let request = server.request(method.to_uppercase().parse().unwrap(), &address);
                let request = token.iter().fold(request, |request, token| request.bearer_auth(token));
                let status = request.send().await.unwrap().status().as_u16();
                if public.contains(&format!("{method} {path}").as_str()) {
                    assert_ne!(status, 403, "{method} {path}");
                } else {
                    assert_eq!(status, 401, "{method} {path} {token:?}");
                    closed += 1;
                }
            }
        }
    }
    assert!(closed > 60, "only {closed} requests were refused");
    for trick in [
        "//api/v1/assistants",
        "/api/v1/assistants/",
        "/api/v1/./assistants",
        "/api/v1/%61ssistants",
        "/api/v1/assistants;x",
        "/API/v1/assistants",
    ] {
        let answer = server.request(Method::GET, trick).send().await.unwrap();
        let is_page = answer
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind.to_str().unwrap().starts_with("text/html"));
        assert!(
            is_page || [401, 404].contains(&answer.status().as_u16()),
            "{trick}: {}",
            answer.status()
        );
    }
}

#[tokio::test]
async fn s17_the_cookie_works_only_for_our_own_page() {
    let server = Server::start().await;
    let body = json!({ "email": ADMIN, "password": PASSWORD, "session_mode": "cookie" });
    let answer = server
        .request(Method::POST, "/api/v1/users/login")
        .json(&body)
        .send()
        .await
        .unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let tokens: Value = answer.json().await.unwrap();
    assert!(tokens.get("refresh_token").is_none());
    let pair = cookie.split(';').next().unwrap().to_owned();
    let refresh = || {
        server
            .request(Method::POST, "/api/v1/users/refresh")
            .header("cookie", &pair)
    };
    assert_eq!(refresh().json(&json!({})).send().await.unwrap().status(), 403);
    assert_eq!(
        refresh()
            .header("content-type", "text/plain")
            .body("{}")
            .send()
            .await
            .unwrap()
            .status(),
        415
    );
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-aiacross-csrf", "1"),
    ];
    let form = form
        .iter()
        .fold(refresh(), |request, (name, value)| request.header(*name, *value));
    assert_eq!(form.body("a=b").send().await.unwrap().status(), 415);
    let answer = refresh()
        .header("x-aiacross-csrf", "1")
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let next = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    let next = next.split(';').next().unwrap().to_owned();
    assert!(answer.json::<Value>().await.unwrap().get("refresh_token").is_none());
    // No other route takes the cookie for a sign-in, nor its token in a header.
    for (method, path) in [
        (Method::GET, "users/me"),
        (Method::GET, "users/verify"),
        (Method::POST, "users/logout"),
        (Method::GET, "admin/users"),
        (Method::POST, "conversations"),
    ] {
        let request = server
            .request(method, &format!("/api/v1/{path}"))
            .header("cookie", &next)
            .header("x-aiacross-csrf", "1")
            .json(&json!({}));
        assert_eq!(request.send().await.unwrap().status(), 401, "{path}");
    }
    let token = next.split_once('=').unwrap().1;
    let request = server.request(Method::GET, "/api/v1/users/me").bearer_auth(token);
    assert_eq!(request.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn s16_set_up_happens_once_and_only_with_the_printed_token() {
    let (server, token) = Server::fresh().await;
    let needed = async || {
        let answer = server.request(Method::GET, "/api/v1/setup").send().await.unwrap();
        answer.json::<Value>().await.unwrap()["needed"].as_bool()
    };
    let set_up = async |token: &str, password: &str| {
        let body = json!({ "token": token, "email": ADMIN, "name": "A", "password": password });
        let answer = server.request(Method::POST, "/api/v1/setup").json(&body).send().await;
        answer.unwrap().status().as_u16()
    };
    assert_eq!(needed().await, Some(true));
    for wrong in ["", "x", &token[1..], &format!("{token}x")] {
        assert_eq!(set_up(wrong, PASSWORD).await, 401, "{wrong:?}");
    }
    assert_eq!(set_up(&token, "password1234").await, 422);
    assert_eq!(needed().await, Some(true));
    assert_eq!(set_up(&token, PASSWORD).await, 201);
    assert_eq!(needed().await, Some(false));
    assert_eq!(set_up(&token, PASSWORD).await, 404);
    let me = server.admin().await.get("/users/me").await.1;
    assert_eq!((&me["email"], &me["role"]), (&json!(ADMIN), &json!("admin")));
}
