//! Who sees and changes what: people apart from each other, roles, fields, and input that tries to be more than input.

use std::time::{Duration, Instant};

use across_testkit::vendor::ScriptedVendor;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Person, Server,
    database::{Backend, on_each_database},
    text,
    walk::{Known, asking, routes, walk},
    words,
};

const UNKNOWN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A question, answered: the ids of the conversation and of the answer.
async fn chat(person: &Person, assistant: &str, question: &str) -> (String, String) {
    let conversation = person.conversation(assistant).await;
    let path = format!("/conversations/{conversation}/messages");
    let (status, answered) = person.post(&path, &json!({ "content": question })).await;
    assert_eq!(status, 201, "{answered}");
    let answer = text(&answered["assistant_message"]["id"]);
    (conversation, answer)
}

fn without_id(mut body: Value) -> Value {
    if let Some(object) = body.as_object_mut() {
        object.remove("request_id");
    }
    body
}

#[tokio::test]
async fn s19_conversations_of_others_do_not_exist_on_any_route() {
    on_each_database(&[], async |server: &mut Server| {
        let people = server.seated_people().await;
        let assistant = people.manager.assistant("Press Writer").await;
        let (conversation, message) = chat(&people.user, &assistant, "My secret plan?").await;
        let stored = server.database().await;
        let before = stored.contents(&["conversations", "messages"]).await;
        let mut count = 0;
        for (method, path) in routes(server).await {
            let Some(rest) = path.strip_prefix("/conversations/{id}") else {
                continue;
            };
            count += 1;
            let body = match (method.as_str(), rest) {
                ("PATCH", "") => json!({ "title": "Taken" }),
                ("POST", "/messages" | "/messages/{mid}/edit") | ("PATCH", "/messages/{mid}") => {
                    json!({ "content": "Hello?" })
                }
                _ => json!({}),
            };
            for stranger in [&people.other, &people.manager, &people.admin] {
                let ask = async |conversation: &str, message: &str| {
                    let body = match rest {
                        "/head" | "/fork" => json!({ "message_id": message }),
                        _ => body.clone(),
                    };
                    let path = path.replace("{id}", conversation).replace("{mid}", message);
                    let request = stranger.request(method.clone(), &path);
                    let request = if method == Method::GET {
                        request
                    } else {
                        request.json(&body)
                    };
                    let (status, _, told) = stranger.told(request).await;
                    (status, without_id(told))
                };
                let theirs = ask(&conversation, &message).await;
                assert_eq!(theirs.0, 404, "{method} {path}");
                assert_eq!(theirs, ask(UNKNOWN, UNKNOWN).await, "{method} {path}");
            }
        }
        assert!(count >= 14, "only {count} routes");
        assert_eq!(stored.contents(&["conversations", "messages"]).await, before);
        stored.close().await;
    })
    .await;
}

#[tokio::test]
async fn s20_a_message_is_found_in_its_own_conversation_only() {
    on_each_database(&[], async |server: &mut Server| {
        let people = server.seated_people().await;
        let assistant = people.manager.assistant("Press Writer").await;
        let (first, message) = chat(&people.user, &assistant, "One?").await;
        let second = people.user.conversation(&assistant).await;
        let (theirs, _) = chat(&people.other, &assistant, "Two?").await;
        for (person, conversation) in [(&people.user, &second), (&people.other, &theirs)] {
            for path in [
                format!("/conversations/{conversation}/messages/{message}"),
                format!("/conversations/{conversation}/messages/{message}/stream"),
            ] {
                assert_eq!(person.get(&path).await.0, 404, "{path}");
            }
            let base = format!("/conversations/{conversation}");
            let words = json!({ "content": "Hello?" });
            let of_message = json!({ "message_id": message });
            for (method, path, body) in [
                (Method::PATCH, format!("{base}/messages/{message}"), &words),
                (Method::POST, format!("{base}/messages/{message}/edit"), &words),
                (
                    Method::POST,
                    format!("{base}/messages/{message}/regenerate"),
                    &json!({}),
                ),
                (Method::POST, format!("{base}/messages/{message}/continue"), &json!({})),
                (Method::PUT, format!("{base}/head"), &of_message),
                (Method::POST, format!("{base}/fork"), &of_message),
            ] {
                let (status, _, told) = person.told(person.request(method, &path).json(body)).await;
                assert_eq!(status, 404, "{path} {told}");
            }
            let stop = json!({ "message_id": message });
            let (status, told) = person.post(&format!("/conversations/{conversation}/stop"), &stop).await;
            assert!(status == 404 || told == json!({ "stopped": false }), "{status} {told}");
        }
        let path = format!("/conversations/{first}/messages/{message}");
        assert_eq!(people.user.get(&path).await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn s21_thirty_answers_at_once_reach_those_who_asked() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let settings = [
        ("AI_ACROSS_OPENAI_BASE_URL", vendor.base_url.as_str()),
        ("OPENAI_API_KEY", "sk-test-0123456789"),
    ];
    on_each_database(&settings, async |server: &mut Server| {
        let admin = server.admin().await;
        let body = json!({ "name": "Press Writer", "model": "gpt-4o-mini" });
        let assistant = text(&admin.post("/assistants", &body).await.1["id"]);
        let crowd = server.crowd(30).await;
        let conversations = join_all(crowd.iter().map(|person| person.conversation(&assistant))).await;
        let marker = |number: usize| format!("marker-{number:02}-end");
        let asked = crowd.iter().zip(&conversations).enumerate();
        let heard = join_all(asked.map(async |(number, (person, conversation))| {
            let events = person
                .ask(conversation, &format!("Say {}", marker(number)))
                .await
                .all()
                .await;
            let (_, stored) = person.get(&format!("/conversations/{conversation}/messages")).await;
            format!("{} {stored}", words(&events))
        }))
        .await;
        for (number, said) in heard.iter().enumerate() {
            let seen: Vec<_> = (0..30).filter(|other| said.contains(&marker(*other))).collect();
            assert_eq!(seen, [number], "{said}");
        }

        // Nobody stops what is not theirs.
        let [one, two, ..] = crowd.as_slice() else {
            panic!("a crowd");
        };
        let conversation = &conversations[0];
        let mut stream = one.ask(conversation, "[[script:slow]]").await;
        stream.until("chunk").await;
        let stop = format!("/conversations/{conversation}/stop");
        for stranger in [two, &admin] {
            assert_eq!(stranger.post(&stop, &json!({})).await.0, 404);
        }
        stream.until("chunk").await;
        assert_eq!(one.post(&stop, &json!({})).await.1, json!({ "stopped": true }));
        let done = stream.until("done").await;
        assert_eq!(done["finish_reason"], json!("stopped"));
    })
    .await;
}

#[tokio::test]
async fn s24_managers_have_no_side_door() {
    on_each_database(&[], async |server: &mut Server| {
        let people = server.seated_people().await;
        let public = [
            "allowed_file_types",
            "app_name",
            "auto_title",
            "default_model",
            "expose_instructions",
            "max_upload_mb",
            "message_max_chars",
        ];
        for person in [&people.manager, &people.user] {
            let (_, told) = person.get("/settings").await;
            let mut keys: Vec<_> = told["settings"].as_object().unwrap().keys().cloned().collect();
            keys.sort();
            assert!(keys.iter().all(|key| public.contains(&key.as_str())), "{keys:?}");
            assert!(keys.len() >= 6 && told.get("defaults").is_none(), "{told}");
            for key in ["app_name", "rag_top_k", "prompt_template"] {
                let change = json!({ "settings": { key: null } });
                assert_eq!(person.patch("/settings", &change).await.0, 403);
            }
        }
        let me = people.manager.id().await;
        let promoted = people
            .manager
            .patch(&format!("/admin/users/{me}"), &json!({ "role": "admin" }))
            .await;
        assert_eq!(promoted.0, 403);
        assert_eq!(people.manager.get("/users/me").await.1["role"], json!("manager"));
        // What was tried is written down.
        let path = format!("/audit?action=access.denied&actor_id={me}");
        let (_, denied) = people.admin.get(&path).await;
        assert_eq!(denied["total"], json!(4), "{denied}");
        // And what they may do, they may.
        let assistant = people.manager.assistant("Press Writer").await;
        assert_eq!(people.manager.upload(&assistant, "a.txt", "text").await.0, 201);
    })
    .await;
}

#[tokio::test]
async fn s25_nobody_writes_fields_that_are_not_theirs() {
    on_each_database(&[], async |server: &mut Server| {
        let people = server.seated_people().await;
        let (admin, user) = (&people.admin, &people.user);
        let assistant = people.manager.assistant("Press Writer").await;
        let (conversation, _) = chat(user, &assistant, "Hello?").await;
        let (_, quota) = admin
            .post("/quotas", &json!({ "scope": "global", "daily_token_limit": 1_000_000 }))
            .await;
        let (_, key) = admin
            .post(
                "/api-keys",
                &json!({ "provider": "openai", "name": "A", "key": "sk-0123456789abcdef" }),
            )
            .await;
        let other = people.other.id().await;
        let at = |kind: &str, id: &Value| format!("/{kind}/{}", text(id));
        let tables = [
            "users",
            "assistants",
            "conversations",
            "messages",
            "usage_quotas",
            "api_keys",
            "settings",
            "knowledge_files",
        ];
        let stored = server.database().await;
        let before = stored.contents(&tables).await;
        let messages = format!("/conversations/{conversation}/messages");
        for (person, method, path, body) in [
            (
                user,
                Method::PATCH,
                "/users/me".to_owned(),
                json!({ "name": "N", "role": "admin" }),
            ),
            (
                user,
                Method::POST,
                "/conversations".into(),
                json!({ "assistant_id": assistant, "user_id": other }),
            ),
            (
                user,
                Method::PATCH,
                format!("/conversations/{conversation}"),
                json!({ "title": "T", "user_id": other }),
            ),
            (
                user,
                Method::POST,
                messages.clone(),
                json!({ "content": "x", "role": "system" }),
            ),
            (
                user,
                Method::POST,
                messages.clone(),
                json!({ "content": "x", "system": "y" }),
            ),
            (
                user,
                Method::POST,
                messages.clone(),
                json!({ "content": "x", "parent_id": other }),
            ),
            (user, Method::POST, messages, json!({ "content": "x", "max_tokens": 1 })),
            (
                &people.manager,
                Method::PATCH,
                format!("/assistants/{assistant}"),
                json!({ "is_deleted": true }),
            ),
            (
                &people.manager,
                Method::PATCH,
                format!("/assistants/{assistant}"),
                json!({ "id": other, "created_at": "x" }),
            ),
            (
                &people.manager,
                Method::POST,
                "/assistants".into(),
                json!({ "name": "Name", "version": 7 }),
            ),
            (
                admin,
                Method::POST,
                "/admin/users".into(),
                json!({ "email": "x@example.com", "name": "X", "password_hash": "y" }),
            ),
            (
                admin,
                Method::PATCH,
                format!("/admin/users/{other}"),
                json!({ "id": UNKNOWN }),
            ),
            (
                admin,
                Method::PATCH,
                at("quotas", &quota["id"]),
                json!({ "scope_id": other }),
            ),
            (
                admin,
                Method::PATCH,
                at("quotas", &quota["id"]),
                json!({ "current": {} }),
            ),
            (
                admin,
                Method::PATCH,
                at("api-keys", &key["id"]),
                json!({ "encrypted_key": "x" }),
            ),
            (
                admin,
                Method::PATCH,
                at("api-keys", &key["id"]),
                json!({ "provider": "anthropic" }),
            ),
            (
                admin,
                Method::PATCH,
                "/settings".into(),
                json!({ "settings": { "secret_key": "x" } }),
            ),
        ] {
            let request = person.request(method.clone(), &path).json(&body);
            let (status, _, told) = person.told(request).await;
            assert_eq!(status, 422, "{method} {path} {body}: {told}");
        }
        for field in ["status", "file_path", "uploaded_by"] {
            let form = format!(
                "--B\r\nContent-Disposition: form-data; name=\"assistant_id\"\r\n\r\n{assistant}\r\n--B\r\n\
                 Content-Disposition: form-data; name=\"{field}\"\r\n\r\nready\r\n--B\r\n\
                 Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\ntext\r\n--B--\r\n"
            );
            let request = people.manager.request(Method::POST, "/files");
            let request = request
                .header("content-type", "multipart/form-data; boundary=B")
                .body(form);
            assert_eq!(people.manager.told(request).await.0, 422, "{field}");
        }
        assert_eq!(stored.contents(&tables).await, before);
        stored.close().await;
    })
    .await;
}

/// Things of every kind, and a marker in every text that not everybody may read.
async fn furnished(server: &Server) -> (crate::harness::People, Known) {
    let people = server.seated_people().await;
    let body = json!({ "name": "Press Writer", "instructions": "MARKER-INSTRUCTIONS" });
    let (_, assistant) = people.manager.post("/assistants", &body).await;
    let assistant = text(&assistant["id"]);
    let file = people
        .manager
        .knows(&assistant, "facts.txt", "The mainnet opens on 14 October.")
        .await;
    let (conversation, message) = chat(&people.user, &assistant, "When? MARKER-QUESTION").await;
    let (_, key) = people
        .admin
        .post(
            "/api-keys",
            &json!({ "provider": "openai", "name": "A", "key": "sk-MARKER-KEY-0123456789" }),
        )
        .await;
    let (_, quota) = people.admin.post("/quotas", &json!({ "scope": "global" })).await;
    let (_, entries) = people.admin.get("/audit?limit=1").await;
    let known = Known {
        assistant,
        file: text(&file["id"]),
        conversation,
        message,
        account: people.user.id().await,
        key: text(&key["id"]),
        quota: text(&quota["id"]),
        entry: text(&entries["audit_logs"][0]["id"]),
    };
    (people, known)
}

#[tokio::test]
async fn s29_s30_nobody_is_told_what_is_not_for_them() {
    on_each_database(&[], async |server: &mut Server| {
        let (people, known) = furnished(server).await;
        let hide = json!({ "settings": { "expose_instructions": false } });
        assert_eq!(people.admin.patch("/settings", &hide).await.0, 200);
        for person in [&people.user, &people.other, &people.manager, &people.admin] {
            let told = walk(server, person, &known).await;
            let is_owner = person.token == people.user.token;
            let is_user = is_owner || person.token == people.other.token;
            for (path, body) in &told {
                for field in [
                    "\"file_path\"",
                    "\"encrypted_key\"",
                    "\"password_hash\"",
                    "\"key\":\"sk",
                    "MARKER-KEY",
                    "$v1$",
                ] {
                    assert!(!body.contains(field), "{path} tells {field}");
                }
                assert!(!(is_user && body.contains("MARKER-INSTRUCTIONS")), "{path}: {body}");
                // Administrators govern, and read nobody's chats.
                assert!(is_owner || !body.contains("MARKER-QUESTION"), "{path}: {body}");
            }
            let seen = told.iter().any(|(_, body)| body.contains("MARKER-QUESTION"));
            assert_eq!(seen, is_owner, "the walk passes where the text is");
            assert_eq!(
                told.iter().any(|(_, body)| body.contains("MARKER-INSTRUCTIONS")),
                !is_user
            );
        }
    })
    .await;
}

#[tokio::test]
async fn s31_nothing_tells_of_what_others_do() {
    on_each_database(&[], async |server: &mut Server| {
        let people = server.seated_people().await;
        let assistant = people.manager.assistant("Press Writer").await;
        let paths = [
            "/conversations",
            "/conversations?search=plan",
            "/notices",
            "/users/sessions",
            "/users/usage",
            "/files",
            "/assistants",
        ];
        let totals = async |person: &Person| {
            let mut totals = Vec::new();
            for path in paths {
                let (status, body) = person.get(path).await;
                assert_eq!(status, 200, "{path}");
                totals.push((body["total"].clone(), body["month"].clone()));
            }
            totals
        };
        let before = totals(&people.other).await;
        let create = async |person: &Person| {
            let request = person
                .request(Method::POST, "/conversations")
                .header("idempotency-key", "the-same");
            let request = request.json(&json!({ "assistant_id": assistant, "title": "The plan" }));
            person.told(request).await
        };
        let (status, _, theirs) = create(&people.user).await;
        assert_eq!(status, 201);
        chat(&people.user, &assistant, "The plan?").await;
        assert_eq!(totals(&people.other).await, before);
        let (status, headers, own) = create(&people.other).await;
        assert_eq!(status, 201, "{own}");
        assert!(!headers.contains_key("idempotency-replayed") && own["id"] != theirs["id"]);
        // The id of another's conversation is no better known than one that never was.
        for id in [text(&theirs["id"]), UNKNOWN.to_owned()] {
            let (status, told) = people.other.get(&format!("/conversations/{id}")).await;
            assert_eq!(
                (status, without_id(told)["error"].clone()),
                (404, json!("NotFoundError"))
            );
        }
    })
    .await;
}

const HOSTILE: [&str; 9] = [
    "'",
    "' OR '1'='1",
    "\");--",
    "\\",
    "%",
    "\0",
    "1; DROP TABLE users",
    "${1}::int",
    "\u{feff}\u{202e}x",
];

/// Everything hostile, everywhere; what was answered, without what differs between two servers anyway.
async fn answers_to_hostility(server: &Server) -> Vec<(String, u16, Value)> {
    let (people, known) = furnished(server).await;
    let admin = &people.admin;
    let stored = server.database().await;
    let before = stored.counts().await;
    let mut told = Vec::new();
    let mut note = |what: String, (status, _, body): (u16, reqwest::header::HeaderMap, Value)| {
        assert!(status < 500, "{what}: {status} {body}");
        let matters = json!([body["error"], body["details"], body["total"]]);
        told.push((what, status, matters));
    };
    let answer = server.request(Method::GET, "/openapi.json").send().await.unwrap();
    let document: Value = answer.json().await.unwrap();
    for (route, methods) in document["paths"].as_object().unwrap() {
        let Some(path) = route.strip_prefix("/api/v1") else {
            continue;
        };
        for parameter in methods["get"]["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            for hostile in HOSTILE {
                let (path, query) = match parameter["in"].as_str() {
                    Some("query") => (known.fill(path), vec![(name, hostile)]),
                    Some("path") => {
                        let encoded: String = hostile.bytes().map(|byte| format!("%{byte:02X}")).collect();
                        (
                            path.replace(&format!("{{{name}}}"), &encoded).replace("{id}", UNKNOWN),
                            vec![],
                        )
                    }
                    _ => continue,
                };
                if path.ends_with("/stream") {
                    continue;
                }
                let request = admin.request(Method::GET, &asking(&path, &query));
                note(format!("GET {route} {name}={hostile:?}"), admin.told(request).await);
            }
        }
    }
    for hostile in HOSTILE {
        let request = admin.request(Method::PATCH, "/settings");
        let request = request.json(&json!({ "settings": { hostile: "x" } }));
        note(format!("setting {hostile:?}"), admin.told(request).await);
        let request = server.request(Method::POST, "/api/v1/users/login");
        let request = request.json(&json!({ "email": format!("{hostile}@example.com"), "password": hostile }));
        note(format!("sign in {hostile:?}"), admin.told(request).await);
        let request = server.request(Method::POST, "/api/v1/users/refresh");
        let request = request.json(&json!({ "refresh_token": hostile }));
        note(format!("refresh {hostile:?}"), admin.told(request).await);
        let visible: String = hostile.chars().filter(char::is_ascii_graphic).collect();
        let request = server.request(Method::GET, "/api/v1/users/me").bearer_auth(visible);
        note(format!("token {hostile:?}"), admin.told(request).await);
        let body = json!({ "assistant_id": hostile, "title": hostile });
        let request = admin.request(Method::POST, "/conversations").json(&body);
        note(format!("conversation {hostile:?}"), admin.told(request).await);
        let body = json!({ "scope": "role", "scope_id": hostile });
        let request = admin.request(Method::POST, "/quotas").json(&body);
        note(format!("quota {hostile:?}"), admin.told(request).await);
        let body = json!({ "question": hostile });
        let request = admin
            .request(Method::POST, &known.fill("/assistants/{id}/retrieval-test"))
            .json(&body);
        note(format!("question {hostile:?}"), admin.told(request).await);
        let (status, body) = admin
            .upload(UNKNOWN, &format!("{}.txt", hostile.replace(['"', '\\'], "")), "x")
            .await;
        note(format!("file {hostile:?}"), (status, Default::default(), body));
    }
    let mut after = stored.counts().await;
    // What is refused is counted and written down, and nothing else is.
    for table in ["audit_logs", "throttle_counters"] {
        after.insert(table.to_owned(), before[table]);
    }
    assert_eq!(after, before);
    stored.close().await;
    told
}

#[tokio::test]
async fn s32_hostile_texts_are_texts_and_answered_alike_on_both_databases() {
    let sqlite = Server::start_on(Backend::Sqlite, &[]).await.unwrap();
    let on_sqlite = answers_to_hostility(&sqlite).await;
    assert!(on_sqlite.len() > 300, "only {}", on_sqlite.len());
    let Some(postgres) = Server::start_on(Backend::Postgres, &[]).await else {
        return;
    };
    let on_postgres = answers_to_hostility(&postgres).await;
    for (one, other) in on_sqlite.iter().zip(&on_postgres) {
        assert_eq!(one, other);
    }
    assert_eq!(on_sqlite.len(), on_postgres.len());
}

#[tokio::test]
async fn s33_what_is_searched_for_is_meant_literally() {
    on_each_database(&[], async |server: &mut Server| {
        let admin = server.admin().await;
        let mut first = String::new();
        for name in ["100% sure", "a_b", "back\\slash", "plain"] {
            let id = admin.assistant(&format!("{name} one")).await;
            let body = json!({ "assistant_id": id, "title": name });
            assert_eq!(admin.post("/conversations", &body).await.0, 201);
            assert_eq!(
                admin
                    .upload(&id, &format!("{}.txt", name.replace('\\', "-")), name)
                    .await
                    .0,
                201
            );
            first = id;
        }
        let found = async |path: &str, search: &str| {
            let request = admin.request(Method::GET, &asking(path, &[("search", search)]));
            let (status, _, body) = admin.told(request).await;
            (status, body["total"].as_u64())
        };
        for (search, expected) in [
            ("%", 1),
            ("_", 1),
            ("0%", 1),
            ("a_b", 1),
            ("a%b", 0),
            ("a.b", 0),
            ("%%%%", 0),
            ("A_B", 1),
        ] {
            for path in ["/assistants", "/conversations", "/files"] {
                assert_eq!(found(path, search).await, (200, Some(expected)), "{path} {search}");
            }
        }
        for path in ["/assistants", "/conversations"] {
            assert_eq!(found(path, "\\").await, (200, Some(1)), "{path}");
        }
        assert_eq!(found("/admin/users", "%").await, (200, Some(0)));
        assert_eq!(found("/admin/users", "ADMIN@").await, (200, Some(1)));
        for search in ["_".repeat(100), "%_".repeat(50), "(".repeat(100)] {
            assert_eq!(found("/conversations", &search).await, (200, Some(0)));
        }
        // Words that the databases' own full text would take for its grammar.
        for question in [
            "\"a\" NEAR/99999 *",
            "a AND OR NOT ( b",
            "a:* & !b | <-> c",
            "\"",
            "col : x",
            "^a -b +c",
            &"(".repeat(200),
        ] {
            let begun = Instant::now();
            let path = format!("/assistants/{first}/retrieval-test");
            let (status, told) = admin.post(&path, &json!({ "question": question })).await;
            assert_eq!(status, 200, "{question}: {told}");
            assert!(begun.elapsed() < Duration::from_secs(5), "{question}");
        }
    })
    .await;
}

#[tokio::test]
async fn s57_a_picture_is_a_picture_or_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let assistant = admin.assistant("Press Writer").await;
    let path = format!("/assistants/{assistant}");
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    for bad in [
        "javascript:alert(1)".to_owned(),
        "data:text/html;base64,PHNjcmlwdD4=".into(),
        "data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=".into(),
        format!("data:image/svg+xml;base64,{png}"),
        format!("data:image/jpeg;base64,{png}"),
        "data:image/png;base64,PHNjcmlwdD4=".into(),
        format!("DATA:image/png,{png}"),
        "//evil.example/x.png".into(),
        "/api/v1/users/logout".into(),
        "http://evil.example/x.png".into(),
        "https://evil.example/x.png".into(),
        format!("data:image/png;base64,{png}\" onerror=\"x"),
        format!("data:image/png;base64,{}", "A".repeat(200 * 1024)),
    ] {
        let (status, told) = admin.patch(&path, &json!({ "avatar_url": bad })).await;
        let shown: String = bad.chars().take(60).collect();
        assert_eq!(
            (status, &told["details"][0]["field"]),
            (422, &json!("avatar_url")),
            "{shown}"
        );
    }
    assert_eq!(admin.get(&path).await.1["avatar_url"], json!(null));
    let good = json!({ "avatar_url": format!("data:image/png;base64,{png}") });
    assert_eq!(admin.patch(&path, &good).await.0, 200);
}
