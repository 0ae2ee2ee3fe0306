//! What the server does with connections and heads before any of its rules about people apply.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use serde_json::Value;

use crate::harness::{
    Server,
    raw::{Raw, refused},
};

const HEALTH: &str = "GET /api/v1/health HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn s42_half_sent_heads_end_in_ten_seconds_while_others_are_served_and_kept() {
    let server = Server::start().await;
    let mut kept = Raw::connect(&server).await;
    kept.send(HEALTH).await;
    assert_eq!(kept.answer().await.unwrap().status, 200);
    let began = Instant::now();
    let half = (0..500).map(async |number: usize| {
        let mut raw = Raw::connect(&server).await;
        raw.send(HEALTH.get(..number % HEALTH.len()).unwrap()).await;
        raw.closed().await;
        began.elapsed()
    });
    let others = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let asked = Instant::now();
            let answer = server.request(Method::GET, "/api/v1/health").send().await.unwrap();
            assert_eq!(answer.status(), 200);
            slowest = slowest.max(asked.elapsed());
        }
        slowest
    };
    let (ended, slowest) = tokio::join!(join_all(half), others);
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    for time in ended {
        assert!(
            time > Duration::from_secs(8) && time < Duration::from_secs(20),
            "{time:?}"
        );
    }
    // It was silent for longer than a head may take.
    kept.send(HEALTH).await;
    assert_eq!(kept.answer().await.unwrap().status, 200);
}

#[tokio::test]
async fn s42_heads_that_could_be_read_in_two_ways_are_refused() {
    let server = Server::start().await;
    let login = "POST /api/v1/users/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    for rest in [
        "content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
        "transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
        "content-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
        "content-length: 2, 2\r\n\r\n{}",
        "content-length: -2\r\n\r\n{}",
        "transfer-encoding: identity\r\n\r\n",
        "x: y\r\n folded: z\r\n\r\n",
        "x: y\r\n\tfolded\r\n\r\n",
        "x: y\ncontent-length: 2\r\n\r\n{}",
        "host: y\r\n\r\n",
        "content-length : 2\r\n\r\n{}",
        ": y\r\n\r\n",
    ] {
        // Whatever hides behind such a head is not read as a request.
        let answer = refused(&server, format!("{login}{rest}{HEALTH}")).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "MalformedRequestError"),
            "{rest:?}"
        );
        assert!(answer.headers.contains_key("x-request-id") && answer.headers["x-content-type-options"] == "nosniff");
    }
    for whole in [
        "GET / HTTP/1.1\nhost: x\n\n",
        "GET /\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\n",
    ] {
        assert_eq!(refused(&server, whole).await.status, 400, "{whole:?}");
    }
    // A bad head behind a good request is found all the same.
    let mut raw = Raw::connect(&server).await;
    raw.send(format!(
        "{HEALTH}{login}content-length: 1\r\ncontent-length: 1\r\n\r\n{{"
    ))
    .await;
    let statuses = [raw.answer().await.unwrap().status, raw.answer().await.unwrap().status];
    assert_eq!(statuses, [200, 400]);
    raw.closed().await;
}

#[tokio::test]
async fn s42_long_addresses_and_heads_are_refused_in_our_shape() {
    let server = Server::start().await;
    let head = |path: usize, headers: usize, length: usize| {
        let headers = (0..headers).map(|number| format!("x-{number}: {}\r\n", "y".repeat(length)));
        let path = "p".repeat(path);
        format!(
            "GET /api/v1/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{}\r\n",
            headers.collect::<String>()
        )
    };
    for (head, status, name) in [
        (head(8_000, 90, 100), 404, "NotFoundError"),
        (head(8_200, 0, 0), 414, "UriTooLongError"),
        (head(1_000_000, 0, 0), 414, "UriTooLongError"),
        (head(1, 200, 1), 431, "HeaderFieldsTooLargeError"),
        (head(1, 1, 17_000), 431, "HeaderFieldsTooLargeError"),
        (head(1, 1, 1_000_000), 431, "HeaderFieldsTooLargeError"),
    ] {
        let answer = refused(&server, head).await;
        assert_eq!((answer.status, answer.error().as_str()), (status, name));
        assert_eq!(
            answer.headers["content-security-policy"],
            "default-src 'none'; frame-ancestors 'none'"
        );
    }
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_their_order() {
    let server = Server::start().await;
    let mut raw = Raw::connect(&server).await;
    let login = |body: &str| {
        let length = body.len();
        format!(
            "POST /api/v1/users/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
    };
    let chunked = "POST /api/v1/users/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                   transfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
    raw.send([HEALTH, &login("{}"), HEALTH, &login("{"), chunked].concat())
        .await;
    for expected in [200, 422, 200, 400, 422] {
        assert_eq!(raw.answer().await.unwrap().status, expected);
    }
    raw.closed().await;
    let mut slow = Raw::connect(&server).await;
    for byte in format!("{HEALTH}{}", login("{}")).bytes() {
        slow.send([byte]).await;
    }
    assert_eq!(slow.answer().await.unwrap().status, 200);
    assert_eq!(slow.answer().await.unwrap().status, 422);
}

#[tokio::test]
async fn s01_tricks_with_paths_open_nothing() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for path in [
        "/api/v1//users/me",
        "//api/v1/users/me",
        "/api/v1/users/me/",
        "/api/v1/users/./me",
        "/api/v1/users/%2e%2e/users/me",
        "/api/v1/users/login/../me",
        "/api/v1/users/login/%2e%2e/me",
        "/api/v1/users/me;x",
        "/api/v1/users;x/me",
        "/API/V1/users/me",
        "/api/v1/users/ME",
        "/%61pi/v1/users/me",
        "/api/v1/users/m%65",
        "/api/v1/users%2fme",
        "/./api/v1/users/me",
        "/x/../api/v1/users/me",
        "/\\api/v1/users/me",
        "/api/v1/users/me%00",
        "/api/v1/\u{ff55}sers/me",
        "/api/v1/files/%ff",
        "/api",
        "/metrics/",
        "/Metrics",
        "http://x/api/v1/users/me",
    ] {
        for token in [None, Some(&admin.token)] {
            let header = token.map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
            let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n");
            let answer = refused(&server, head).await;
            let is_plain = path == "http://x/api/v1/users/me";
            let expected: &[u16] = match token {
                None => &[400, 401, 404],
                Some(_) if is_plain => &[200],
                Some(_) => &[400, 404],
            };
            assert!(expected.contains(&answer.status), "{path} {answer:?}");
        }
    }
}

#[tokio::test]
async fn s02_who_is_not_known_is_refused_before_the_body_comes() {
    let server = Server::start().await;
    for token in ["", "authorization: Bearer nonsense\r\n"] {
        let mut raw = Raw::connect(&server).await;
        let kind = "multipart/form-data; boundary=B";
        raw.send(format!(
            "POST /api/v1/files HTTP/1.1\r\nhost: x\r\n{token}content-type: {kind}\r\ncontent-length: 20971520\r\n\r\n--B\r\n"
        ))
        .await;
        // Not a byte more was sent, and the answer is there.
        let answer = raw.answer().await.unwrap();
        assert_eq!((answer.status, answer.error().as_str()), (401, "AuthenticationError"));
        raw.closed().await;
    }
    // A client that sends on without listening still gets to read why it was refused.
    let head = "POST /api/v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: 20971520\r\n\r\n".as_bytes();
    let answer = refused(&server, [head, &vec![b'x'; 20_971_520]].concat()).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn s18_tokens_in_addresses_open_nothing_and_are_not_logged() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for query in ["access_token", "token", "authorization", "bearer"] {
        let path = format!("/api/v1/users/me?{query}={}", admin.token);
        let request = server
            .request(Method::GET, &path)
            .header("referer", format!("{}{path}", server.base));
        assert_eq!(request.send().await.unwrap().status(), 401, "{query}");
    }
    let form = [("access_token", admin.token.as_str())];
    let encoded: Vec<_> = form.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let request = server
        .request(Method::POST, "/api/v1/users/logout")
        .body(encoded.join("&"));
    assert_eq!(request.send().await.unwrap().status(), 401);
    let cookie = format!("access_token={0}; authorization={0}", admin.token);
    let request = server.request(Method::GET, "/api/v1/users/me").header("cookie", cookie);
    assert_eq!(request.send().await.unwrap().status(), 401);
    assert!(server.log().contains("/api/v1/users/me") && !server.log().contains(&admin.token));
}

#[tokio::test]
async fn s40_hostile_json_is_refused_cheaply() {
    let server = Server::start().await;
    let send = async |body: Vec<u8>| {
        let request = server
            .request(Method::POST, "/api/v1/users/login")
            .header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        assert!(body["error"].is_string() && body["message"].is_string(), "{body}");
        status
    };
    let utf16: Vec<u8> = "{\"email\":\"a\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let began = Instant::now();
    for (body, status) in [
        ("[".repeat(10_000).into_bytes(), 400),
        (" ".repeat(1024 * 1024).into_bytes(), 400),
        (" ".repeat(1024 * 1024 + 1).into_bytes(), 413),
        (b"{\"email\":\"a\",\"email\":\"b\"}".to_vec(), 400),
        (b"{\"email\":1e999}".to_vec(), 400),
        (b"{\"email\":\"\\ud800\",\"password\":\"x\"}".to_vec(), 422),
        (b"{\"email\":\"\\u0000\",\"password\":\"x\"}".to_vec(), 422),
        ("\u{feff}{}".as_bytes().to_vec(), 400),
        (utf16, 400),
        (b"{} x".to_vec(), 400),
        (b"null".to_vec(), 422),
        (b"[]".to_vec(), 422),
        (b"\"\"".to_vec(), 422),
        (Vec::new(), 400),
        (b"{\"email\":\"\xff\xfe\"}".to_vec(), 400),
        (
            format!(
                "{{{}}}",
                (0..201).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",")
            )
            .into_bytes(),
            422,
        ),
    ] {
        let shown = String::from_utf8_lossy(body.get(..40).unwrap_or(&body)).into_owned();
        assert_eq!(send(body).await, status, "{shown:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonx",
        "",
    ] {
        let request = server
            .request(Method::POST, "/api/v1/users/login")
            .header("content-type", kind);
        assert_eq!(request.body("{}").send().await.unwrap().status(), 415, "{kind}");
    }
    let admin = server.admin().await;
    assert_eq!(admin.get("/assistants?search=%00").await.0, 422);
    assert_eq!(admin.get("/assistants?limit=1&limit=2").await.0, 422);
}
