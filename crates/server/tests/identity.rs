//! Signing in, sessions and passwords: what ends when, who is slowed down, and what is not accepted.

use std::time::{Duration, Instant};

use across_testkit::vendor::{Answer, ScriptedVendor, Step};
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ADMIN, PASSWORD, Person, Server, database::on_each_database, text};

const NEW_PASSWORD: &str = "another horse battery";
const TRUSTING: (&str, &str) = ("AI_ACROSS_TRUSTED_PROXIES", "127.0.0.1");

/// Tries to sign in: status, seconds to wait if any, and body without its id.
async fn try_sign_in(server: &Server, email: &str, password: &str, from: &str) -> (u16, Option<u64>, Value) {
    let answer = server
        .request(Method::POST, "/api/v1/users/login")
        .header("x-forwarded-for", from)
        .json(&json!({ "email": email, "password": password }))
        .send()
        .await
        .unwrap();
    let wait = answer
        .headers()
        .get("retry-after")
        .map(|wait| wait.to_str().unwrap().parse().unwrap());
    let status = answer.status().as_u16();
    let mut body: Value = answer.json().await.unwrap();
    body.as_object_mut().unwrap().remove("request_id");
    (status, wait, body)
}

async fn update(admin: &Person, person: &str, change: Value) {
    let (status, told) = admin.patch(&format!("/admin/users/{person}"), &change).await;
    assert_eq!(status, 200, "{told}");
}

#[tokio::test]
async fn s05_who_is_deactivated_is_out_with_the_next_request() {
    on_each_database(&[], async |server: &mut Server| {
        let admin = server.admin().await;
        let user = server.joins(&admin, "u1@example.com", "user").await;
        update(&admin, &user.id().await, json!({ "is_active": false })).await;
        assert_eq!(user.get("/users/me").await.0, 401);
        assert_eq!(user.refreshed(&user.refresh).await.0, 401);
        let closed = try_sign_in(server, "u1@example.com", PASSWORD, "").await;
        let wrong = try_sign_in(server, "u1@example.com", "wrong password, this", "").await;
        assert_eq!((closed.0, &closed), (401, &wrong));
    })
    .await;
}

#[tokio::test]
async fn s05_deactivation_counts_on_every_instance_and_ends_streams() {
    let vendor = ScriptedVendor::start().await.unwrap();
    let base = vendor.base_url.clone();
    let settings = [
        ("AI_ACROSS_OPENAI_BASE_URL", base.as_str()),
        ("OPENAI_API_KEY", "sk-test-0123456789"),
    ];
    let Some((one, two)) = Server::pair(&settings).await else {
        return;
    };
    let admin = one.admin().await;
    one.joins(&admin, "u1@example.com", "user").await;
    let user = two.sign_in("u1@example.com").await;
    let body = json!({ "name": "Press Writer", "model": "gpt-4o-mini" });
    let (status, assistant) = admin.post("/assistants", &body).await;
    assert_eq!(status, 201, "{assistant}");
    let conversation = user.conversation(&text(&assistant["id"])).await;
    // This instance knows the models before the vendor's next answer is fixed.
    assert_eq!(user.get("/models").await.0, 200);
    let words = json!({ "choices": [{ "index": 0, "delta": { "content": "Word " } }] });
    let mut steps = Vec::new();
    for _ in 0..40 {
        steps.push(Step::Write(format!("data: {words}\n\n").into_bytes()));
        steps.push(Step::Wait(Duration::from_secs(1)));
    }
    vendor.answer_next(Answer::stream(steps));
    let mut stream = user.ask(&conversation, "Hello?").await;
    stream.until("chunk").await;
    let id = user.id().await;
    update(&admin, &id, json!({ "is_active": false })).await;
    let begun = Instant::now();
    assert_eq!(user.get("/users/me").await.0, 401, "at once on the other instance");
    assert_eq!(user.refreshed(&user.refresh).await.0, 401);
    let last = stream.until("error").await;
    assert_eq!(last["error"], json!("AuthenticationError"), "{last}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn s06_a_role_counts_from_the_next_request_on() {
    on_each_database(&[], async |server: &mut Server| {
        let admin = server.admin().await;
        let user = server.joins(&admin, "u1@example.com", "user").await;
        let id = user.id().await;
        let make = async || user.post("/assistants", &json!({ "name": "Press Writer" })).await.0;
        assert_eq!(make().await, 403);
        update(&admin, &id, json!({ "role": "manager" })).await;
        assert_eq!(make().await, 201);
        update(&admin, &id, json!({ "role": "user" })).await;
        assert_eq!(make().await, 403);
    })
    .await;
}

#[tokio::test]
async fn s07_a_new_password_ends_the_other_sessions() {
    on_each_database(&[], async |server: &mut Server| {
        let admin = server.admin().await;
        let here = server.joins(&admin, "u1@example.com", "user").await;
        let there = server.sign_in("u1@example.com").await;
        let change = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
        assert_eq!(here.post("/users/password", &change).await.0, 204);
        assert_eq!(there.get("/users/me").await.0, 401);
        assert_eq!(there.refreshed(&there.refresh).await.0, 401);
        assert_eq!(here.get("/users/me").await.0, 200);
        let (status, next) = here.refreshed(&here.refresh).await;
        assert_eq!(status, 200, "{next}");
        // After an administrator's reset all of them are over, and what was shown once opens the account.
        let path = format!("/admin/users/{}/password", here.id().await);
        let (status, made) = admin.post(&path, &json!({})).await;
        assert_eq!(status, 200, "{made}");
        assert_eq!(here.get("/users/me").await.0, 401);
        assert_eq!(here.refreshed(&text(&next["refresh_token"])).await.0, 401);
        let temporary = text(&made["temporary_password"]);
        assert_eq!(try_sign_in(server, "u1@example.com", NEW_PASSWORD, "").await.0, 401);
        assert_eq!(try_sign_in(server, "u1@example.com", &temporary, "").await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn s08_signing_out_ends_the_access_token_at_once() {
    on_each_database(&[], async |server: &mut Server| {
        let (here, there) = (server.admin().await, server.admin().await);
        assert_eq!(here.get("/users/me").await.1["email"], ADMIN);
        assert_eq!(here.post("/users/logout", &json!({})).await.0, 204);
        assert_eq!(here.get("/users/me").await.0, 401);
        assert_eq!(here.refreshed(&here.refresh).await.0, 401);
        assert_eq!(there.get("/users/verify").await.0, 200);
        let third = server.admin().await;
        assert_eq!(there.post("/users/logout", &json!({ "all": true })).await.0, 204);
        assert_eq!(
            (there.get("/users/me").await.0, third.get("/users/me").await.0),
            (401, 401)
        );
    })
    .await;
}

#[tokio::test]
async fn s09_refresh_tokens_rotate_and_a_stolen_one_ends_the_session() {
    on_each_database(&[], async |server: &mut Server| {
        let admin = server.admin().await;
        let next = async |token: &str| {
            let (status, body) = admin.refreshed(token).await;
            assert_eq!(status, 200, "{body}");
            text(&body["refresh_token"])
        };
        let second = next(&admin.refresh).await;
        assert_ne!(second, admin.refresh);
        // Two tabs at once: the first token again, while nothing it led to was used.
        let sibling = next(&admin.refresh).await;
        assert_ne!(sibling, second);
        let third = next(&second).await;
        // And again, after its child was used: one of its two holders is a thief.
        assert_eq!(admin.refreshed(&admin.refresh).await.0, 401);
        for token in [&second, &sibling, &third] {
            assert_eq!(admin.refreshed(token).await.0, 401);
        }
        assert_eq!(admin.get("/users/me").await.0, 401);
        let again = server.admin().await;
        let (_, audited) = again.get("/audit?action=user.refresh_reused").await;
        assert_eq!(audited["total"], json!(1), "{audited}");

        // Many at once end well or end the session; nothing in between.
        let answers = join_all((0..20).map(|_| again.refreshed(&again.refresh))).await;
        assert!(
            answers.iter().all(|(status, _)| [200, 401].contains(status)),
            "{answers:?}"
        );
        let good = answers.iter().find(|(status, _)| *status == 200).expect("one of them");
        let lives = again.get("/users/me").await.0 == 200;
        let (status, _) = again.refreshed(&text(&good.1["refresh_token"])).await;
        assert_eq!(status == 200, lives);
        assert_eq!(again.refreshed(&again.token).await.0, 401, "an access token is none");
    })
    .await;
}

#[tokio::test]
async fn s11_guessing_is_slowed_down_however_it_is_done() {
    on_each_database(&[TRUSTING], async |server: &mut Server| {
        const WRONG: &str = "wrong password, this";
        let admin = server.admin().await;
        server.joins(&admin, "u1@example.com", "user").await;
        // Once from another place, so that it is known as theirs.
        assert_eq!(try_sign_in(server, "u1@example.com", PASSWORD, "198.51.100.9").await.0, 200);

        let spellings = ["u1@example.com", "U1@Example.com", " u1@EXAMPLE.com ", "\u{ff55}1@example.com"];
        let mut statuses = Vec::new();
        for email in [spellings.as_slice(), &["nobody@example.com", "NOBODY@example.com"]] {
            let tries = (0..50).map(|number| try_sign_in(server, email[number % email.len()], WRONG, "198.51.100.1"));
            let answers = join_all(tries).await;
            let judged = answers.iter().filter(|(status, ..)| *status == 401).count();
            assert!((1..=5).contains(&judged), "{judged} of fifty for {email:?}");
            let refused = answers.iter().find(|(status, ..)| *status == 429).unwrap();
            assert!(refused.1.is_some_and(|wait| (1..=300).contains(&wait)), "{refused:?}");
            assert_eq!(refused.2["error"], json!("RateLimitError"));
            // Some may have come while every place for a hash was taken.
            assert!(answers.iter().all(|(status, ..)| [401, 429, 503].contains(status)));
            let failed = format!("/audit?action=user.login_failed&limit=1&from={}", "2020-01-01");
            statuses.push((answers.into_iter().map(|(status, ..)| status).max(), admin.get(&failed).await.1["total"].clone()));
        }
        // Known and unknown accounts are treated alike, and as often as was judged it was written down.
        assert_eq!(statuses[0].0, statuses[1].0);
        assert!(statuses[1].1.as_u64().unwrap() <= 10, "{statuses:?}");
        for email in ["u1@example.com", "nobody@example.com"] {
            let (status, wait, _) = try_sign_in(server, email, PASSWORD, "198.51.100.1").await;
            assert!(status == 429 && wait.is_some(), "{email}: {status}");
        }
        // From where they signed in before they still get in.
        assert_eq!(try_sign_in(server, "u1@example.com", PASSWORD, "198.51.100.9").await.0, 200);
        // The lock ends.
        let stored = server.database().await;
        let early = "2020-01-01 00:00:00+00:00";
        stored
            .execute(&format!(
                "UPDATE throttle_counters SET locked_until = '{early}', window_start = '{early}' WHERE locked_until IS NOT NULL"
            ))
            .await;
        stored.close().await;
        assert_eq!(try_sign_in(server, "u1@example.com", PASSWORD, "198.51.100.1").await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn s12_every_character_of_a_password_counts() {
    on_each_database(&[TRUSTING], async |server: &mut Server| {
        let admin = server.admin().await;
        let start = "0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789";
        let long = format!("{start} and the end of it is this!");
        let longest = format!("{start}{}", "é".repeat(128 - start.chars().count()));
        let spaced = "  a horse, a battery  ";
        for (number, (password, expected)) in [
            (long.as_str(), 201),
            (spaced, 201),
            (longest.as_str(), 201),
            (&format!("{longest}é"), 422),
            ("with a nul \0 inside it", 422),
        ]
        .into_iter()
        .enumerate()
        {
            let email = format!("u{number}@example.com");
            let body = json!({ "email": email, "name": "Somebody", "password": password });
            let (status, told) = admin.post("/admin/users", &body).await;
            assert_eq!(status, expected, "{told}");
            if expected == 201 {
                assert_eq!(try_sign_in(server, &email, password, "198.51.100.1").await.0, 200);
            }
        }
        let nearly = format!("{start} and the end of it is that!");
        for (email, password) in [
            ("u0@example.com", nearly.as_str()),
            ("u0@example.com", start),
            ("u1@example.com", spaced.trim()),
            ("u1@example.com", " a horse, a battery  "),
            ("u2@example.com", longest.strip_suffix('é').unwrap()),
        ] {
            assert_eq!(
                try_sign_in(server, email, password, "198.51.100.2").await.0,
                401,
                "{password:?}"
            );
        }
        for password in [format!("{longest}é"), "with a nul \0 inside it".to_owned()] {
            assert_eq!(
                try_sign_in(server, "u2@example.com", &password, "198.51.100.3").await.0,
                422
            );
        }
    })
    .await;
}

#[tokio::test]
async fn s14_passwords_are_long_and_uncommon_and_nothing_else() {
    on_each_database(&[], async |server: &mut Server| {
        let admin = server.admin().await;
        let user = server.joins(&admin, "long.address@example.com", "user").await;
        let mut present = PASSWORD.to_owned();
        for (new, is_good) in [
            ("password1234", false),
            ("Long.Address@Example.com", false),
            ("eleven char", false),
            ("xxxxxxxxxxxxxx", false),
            ("          ab", true),
            ("nothing but letters", true),
            ("סוסה נכונה סוללה", true),
        ] {
            let body = json!({ "current_password": present, "new_password": new });
            let (status, told) = user.post("/users/password", &body).await;
            assert_eq!(status, if is_good { 204 } else { 422 }, "{new:?} {told}");
            if is_good {
                new.clone_into(&mut present);
            } else {
                assert_eq!(told["details"][0]["field"], json!("new_password"), "{told}");
                let body = json!({ "email": "long.address@example.com", "name": "X", "password": new });
                assert_eq!(admin.post("/admin/users", &body).await.0, 422, "{new:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn s15_an_account_is_changed_by_who_proves_to_own_it() {
    on_each_database(&[], async |server: &mut Server| {
        let admin = server.admin().await;
        let user = server.joins(&admin, "u1@example.com", "user").await;
        let before = user.get("/users/me").await.1;
        for body in [
            json!({ "email": "other@example.com" }),
            json!({ "role": "admin" }),
            json!({ "is_active": false }),
            json!({ "must_change_password": false }),
            json!({ "password": NEW_PASSWORD }),
            json!({ "name": "Other", "role": "admin" }),
        ] {
            assert_eq!(user.patch("/users/me", &body).await.0, 422, "{body}");
        }
        assert_eq!(user.get("/users/me").await.1, before);
        let body = json!({ "current_password": "wrong password, this", "new_password": NEW_PASSWORD });
        for _ in 0..5 {
            assert_eq!(user.post("/users/password", &body).await.0, 403);
        }
        let request = user.request(Method::POST, "/users/password").json(&body);
        let (status, headers, _) = user.told(request).await;
        assert!(status == 429 && headers.contains_key("retry-after"), "{status}");
        let right = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
        assert_eq!(
            user.post("/users/password", &right).await.0,
            429,
            "also with the right one"
        );
        server.sign_in("u1@example.com").await;
    })
    .await;
}
