//! How much one may ask for, who is counted, and what the counters show.

use std::{collections::HashSet, time::Instant};

use reqwest::{Method, Response};
use serde_json::json;

use crate::harness::{ADMIN, PASSWORD, Server, eventually, form, raw::Raw};

const ACCOUNTS: [(&str, &str); 4] = [
    (ADMIN, "admin"),
    ("m@example.com", "manager"),
    ("u1@example.com", "user"),
    ("m2@example.com", "manager"),
];

/// Asks who somebody is with a token that is none, from behind these words about the address.
async fn stranger(server: &Server, words: &[(&str, String)]) -> Response {
    let mut request = server.request(Method::GET, "/api/v1/users/me").bearer_auth("nonsense");
    for (name, value) in words {
        request = request.header(*name, value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn s65_the_address_is_the_peers_and_only_a_trusted_proxy_may_name_another() {
    let rate = ("AI_ACROSS_RATE_PER_ADDRESS", "10");
    let open = Server::start_with(&[rate]).await;
    let mut statuses = Vec::new();
    for number in 0..30 {
        let words = ["x-forwarded-for", "x-real-ip", "forwarded"].map(|name| (name, format!("198.51.100.{number}")));
        statuses.push(stranger(&open, &words).await.status().as_u16());
    }
    assert_eq!(statuses, [vec![401; 10], vec![429; 20]].concat());

    let behind = Server::start_with(&[rate, ("AI_ACROSS_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")]).await;
    for number in 0..20 {
        let words = [("x-forwarded-for", format!("198.51.100.{number}"))];
        assert_eq!(
            stranger(&behind, &words).await.status(),
            401,
            "each address has its own count"
        );
    }
    let mut statuses = Vec::new();
    for number in 0..15 {
        // What the client wrote itself stands on the left of what the proxies saw.
        let words = [("x-forwarded-for", format!("198.51.100.{number}, 192.0.2.77, 10.1.2.3"))];
        statuses.push(stranger(&behind, &words).await.status().as_u16());
    }
    assert_eq!(statuses, [vec![401; 10], vec![429; 5]].concat());
}

#[tokio::test]
async fn strangers_are_limited_by_address_and_people_by_account() {
    let settings = [("AI_ACROSS_RATE_PER_ADDRESS", "20"), ("AI_ACROSS_RATE_PER_USER", "15")];
    let server = Server::with_accounts(&ACCOUNTS, &settings).await;
    let (user, manager) = (
        server.sign_in("u1@example.com").await,
        server.sign_in("m@example.com").await,
    );
    let mut refusal = stranger(&server, &[]).await;
    while refusal.status() == 401 {
        refusal = stranger(&server, &[]).await;
    }
    assert_eq!(refusal.status(), 429);
    let wait: u64 = refusal.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=120).contains(&wait), "{wait}");
    let body: serde_json::Value = refusal.json().await.unwrap();
    assert_eq!(
        (&body["error"], &body["retry_after"]),
        (&json!("RateLimitError"), &json!(wait))
    );
    // The way in and everything without a token are closed for this address; what watches the server is not.
    for (method, path, status) in [
        (Method::POST, "/api/v1/users/login", 429),
        (Method::GET, "/api/v1/setup", 429),
        (Method::GET, "/metrics", 429),
        (Method::GET, "/api/v1/nothing", 404),
        (Method::DELETE, "/api/v1/users/me", 405),
        (Method::GET, "/api/v1/health", 200),
        (Method::GET, "/api/v1/ready", 200),
        (Method::GET, "/openapi.json", 200),
        (Method::GET, "/", 200),
    ] {
        for _ in 0..30 {
            let answer = server.request(method.clone(), path).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        }
    }
    // Whoever is signed in is not held to what others of their address do, and a forbidden request does not count.
    for _ in 0..30 {
        assert_eq!(user.post("/assistants", &json!({})).await.0, 403);
    }
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(user.get("/users/me").await.0);
    }
    assert_eq!(statuses, [vec![200; 15], vec![429; 5]].concat());
    assert_eq!(
        user.post("/conversations", &json!({ "nonsense": 1 })).await.0,
        429,
        "before the input is looked at"
    );
    assert_eq!(
        user.post("/assistants", &json!({})).await.0,
        403,
        "the role is looked at first"
    );
    assert_eq!(manager.get("/users/me").await.0, 200, "others have their own count");
}

/// Begins an upload and leaves it unfinished.
async fn unfinished(server: &Server, token: &str, assistant: &str) -> Raw {
    let (kind, body) = form(assistant, "a.txt", b"Some words.");
    let mut raw = Raw::connect(server).await;
    raw.send(format!(
        "POST /api/v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\n\
         content-length: 100000\r\n\r\n{}",
        String::from_utf8(body).unwrap().split("\r\n--B--").next().unwrap()
    ))
    .await;
    raw
}

#[tokio::test]
async fn s38_two_uploads_of_one_person_and_four_in_all_come_in_at_a_time() {
    let server = Server::with_accounts(&ACCOUNTS, &[]).await;
    let (admin, manager) = (server.admin().await, server.sign_in("m@example.com").await);
    let third = server.sign_in("m2@example.com").await;
    let assistant = admin.assistant("Press Writer").await;
    let mut held = Vec::new();
    for person in [&admin, &admin, &manager, &manager] {
        held.push(unfinished(&server, &person.token, &assistant).await);
    }
    // Each holds its place once its file has begun to arrive.
    let arriving = server.dir.join("tmp");
    eventually(async || (std::fs::read_dir(&arriving).unwrap().count() == 4).then_some(())).await;
    // An assistant that is not there is refused once a place was found, and before that nothing is looked at.
    let nowhere = "01890a5d-ac96-774b-bcce-b302099a8057";
    for (person, status, name) in [
        (&admin, 429, "RateLimitError"),
        (&manager, 429, "RateLimitError"),
        (&third, 503, "ServiceUnavailableError"),
    ] {
        let (found, body) = person.upload(nowhere, "b.txt", "Other words.").await;
        assert_eq!(found, status, "{body}");
        assert_eq!(
            (&body["error"], &body["retry_after"]),
            (&json!(name), &json!(10)),
            "{body}"
        );
    }
    assert_eq!(admin.get("/assistants").await.0, 200, "only uploads wait");
    held.clear();
    for person in [&admin, &third] {
        eventually(async || (person.upload(nowhere, "b.txt", "Other words.").await.0 == 404).then_some(())).await;
    }
    eventually(async || is_empty(&server.dir.join("tmp")).then_some(())).await;
}

fn is_empty(dir: &std::path::Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}

#[tokio::test]
async fn s38_uploads_that_lie_about_themselves_leave_nothing_behind() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Press Writer").await;
    let (kind, whole) = form(&assistant, "a.txt", b"Some words.");
    let large = form(&assistant, "a.txt", &vec![b'a'; 26 * 1024 * 1024]).1;
    let send = async |length: Option<usize>, body: &[u8]| {
        let mut raw = Raw::connect(&server).await;
        let framing = length.map_or("transfer-encoding: chunked".into(), |length| {
            format!("content-length: {length}")
        });
        let token = &admin.token;
        raw.send(format!(
            "POST /api/v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\n{framing}\r\n\r\n"
        ))
        .await;
        if length.is_none() {
            raw.send(format!("{:x}\r\n", body.len())).await;
        }
        raw.send(body).await;
        if length.is_none() {
            raw.send("\r\n0\r\n\r\n").await;
        }
        raw.answer().await.unwrap().status
    };
    let begin = whole.get(..whole.len() - 7).unwrap();
    let parts = |part: &str| format!("{}--B--\r\n", part.repeat(1000)).into_bytes();
    let file = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nwords\r\n";
    let other = "--B\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nwords\r\n";
    let header = format!("--B\r\nX-Long: {}\r\n\r\nwords\r\n--B--\r\n", "y".repeat(1024 * 1024));
    for (what, length, body, expected) in [
        ("a length of 1", Some(1), large.clone(), vec![400, 413, 422]),
        ("too large", Some(large.len()), large.clone(), vec![413]),
        ("too large in chunks", None, large.clone(), vec![413]),
        (
            "two files",
            None,
            [begin, b"\r\n", file.as_bytes(), b"--B--\r\n"].concat(),
            vec![422],
        ),
        ("no file", None, parts(""), vec![400, 422]),
        ("many files", None, parts(file), vec![422]),
        ("many parts", None, parts(other), vec![422]),
        ("a large header", None, header.into_bytes(), vec![400, 422]),
        (
            "an endless beginning",
            None,
            vec![b'-'; 4 * 1024 * 1024],
            vec![400, 422],
        ),
        ("a part that does not end", Some(begin.len()), begin.to_vec(), vec![400]),
    ] {
        let began = Instant::now();
        let status = send(length, &body).await;
        assert!(expected.contains(&status), "{what}: {status}");
        assert!(began.elapsed().as_secs() < 10, "{what}");
    }
    eventually(async || is_empty(&server.dir.join("tmp")).then_some(())).await;
    assert_eq!(admin.get("/files").await.1["total"], 0);
}

#[tokio::test]
async fn s68_metrics_are_for_administrators_and_the_token_and_name_nobody() {
    const TOKEN: &str = "0123456789abcdef-metrics";
    let server = Server::with_accounts(&ACCOUNTS, &[("AI_ACROSS_METRICS_TOKEN", TOKEN)]).await;
    let (admin, user) = (server.admin().await, server.sign_in("u1@example.com").await);
    let manager = server.sign_in("m@example.com").await;
    let read = async |token: &str| {
        let request = server.request(Method::GET, "/metrics").bearer_auth(token);
        let answer = request.send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.headers()["content-type"].clone(),
            answer.text().await.unwrap(),
        )
    };
    let anonymous = server.request(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
    for wrong in ["", "x", &TOKEN[1..], &TOKEN.to_uppercase()] {
        assert_eq!(read(wrong).await.0, 401, "{wrong:?}");
    }
    assert_eq!((read(&user.token).await.0, read(&manager.token).await.0), (403, 403));
    let in_address = server
        .request(Method::GET, &format!("/metrics?token={TOKEN}"))
        .send()
        .await
        .unwrap();
    assert_eq!(in_address.status(), 401);
    // The token opens nothing else.
    assert_eq!(
        server
            .request(Method::GET, "/api/v1/users/me")
            .bearer_auth(TOKEN)
            .send()
            .await
            .unwrap()
            .status(),
        401
    );

    let assistant = admin.assistant("Press Writer").await;
    let conversation = user.conversation(&assistant).await;
    let events = user.ask(&conversation, "Where is the marmalade?").await.all().await;
    assert_eq!(events.last().unwrap()["type"], "done");
    user.get(&format!("/conversations/{conversation}/messages")).await;
    let mut raw = Raw::connect(&server).await;
    for round in 0..100 {
        let requests = (0..100).map(|number| {
            let method = ["GET", "BREW", "POST"][number % 3];
            format!("{method} /api/v1/r{round}/{number} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
        });
        raw.send(requests.collect::<String>()).await;
        for _ in 0..100 {
            assert_eq!(raw.answer().await.unwrap().status, 404);
        }
    }
    let (status, kind, text) = read(TOKEN).await;
    assert_eq!(
        (status, kind.to_str().unwrap()),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    assert_eq!(read(&admin.token).await.0, 200);
    let series: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .collect();
    assert!(series.len() < 2000, "{}", series.len());
    let value = |name: &str| {
        let line = series
            .iter()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .parse::<f64>()
            .unwrap()
    };
    let unknown = ["GET", "other", "POST"].map(|method| {
        value(&format!(
            "ai_across_http_requests_total{{route=\"other\",method=\"{method}\",status=\"4xx\"}}"
        ))
    });
    assert!(unknown.iter().sum::<f64>() >= 10_000.0, "{unknown:?}");
    let login = "route=\"/api/v1/users/login\"";
    assert!(
        value(&format!(
            "ai_across_http_requests_total{{{login},method=\"POST\",status=\"2xx\"}}"
        )) >= 3.0
    );
    assert!(value(&format!("ai_across_http_request_duration_seconds_count{{{login}}}")) >= 3.0);
    assert_eq!(
        (
            value("ai_across_panics_total"),
            value("ai_across_answers_being_written")
        ),
        (0.0, 0.0)
    );
    assert!(value("ai_across_connections") >= 1.0 && value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_start_time_seconds") > 1.7e9);
    assert!(text.contains(&format!(
        "ai_across_build_info{{version=\"{}\"}} 1",
        env!("CARGO_PKG_VERSION")
    )));
    let labels: HashSet<_> = series
        .iter()
        .filter_map(|line| line.split_once('{')?.1.split_once('}'))
        .collect();
    for (labels, _) in labels {
        let secrets = [
            ADMIN,
            "u1@example.com",
            &conversation,
            &assistant,
            "marmalade",
            PASSWORD,
            "r42",
            "BREW",
        ];
        assert!(secrets.iter().all(|secret| !labels.contains(secret)), "{labels}");
    }
}
