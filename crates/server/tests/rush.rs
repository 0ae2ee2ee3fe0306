//! Everybody of one office at nine: many who sign in at the same moment from one address are no attack, and one who guesses
//! there is.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{ADMIN, PASSWORD, Server, behind_the_back, eventually};

/// More than wrong passwords are let through from one address.
const PEOPLE: usize = 60;

fn email(number: usize) -> String {
    format!("u{number}@example.com")
}

/// The status of a sign-in, tried again while the server is too busy to look at it.
async fn sign_in(server: &Server, email: &str, password: &str) -> StatusCode {
    eventually(async || {
        let body = json!({ "email": email, "password": password });
        let request = server.request(Method::POST, "/api/v1/users/login").json(&body);
        let status = request.send().await.unwrap().status();
        (status != StatusCode::SERVICE_UNAVAILABLE).then_some(status)
    })
    .await
}

#[tokio::test]
async fn s11_a_whole_office_signs_in_at_once_from_one_address() {
    let mut server = Server::start().await;
    server.end();
    // Sixty accounts with the administrator's password, without sixty hashes.
    for number in 0..PEOPLE {
        let copy = format!(
            "INSERT INTO users (id, email, search_folded, name, role, password_hash, is_active, must_change_password, \
             created_at, updated_at, version) SELECT randomblob(16), '{email}', '{email}', name, 'user', password_hash, \
             is_active, must_change_password, created_at, updated_at, version FROM users WHERE email = '{ADMIN}'",
            email = email(number)
        );
        behind_the_back(&server.dir, &copy).await;
    }
    let server = server.start_again(&[]);
    let emails: Vec<String> = (0..PEOPLE).map(email).collect();
    let all = join_all(emails.iter().map(|email| sign_in(&server, email, PASSWORD))).await;
    assert!(all.iter().all(|status| *status == StatusCode::OK), "{all:?}");
}

#[tokio::test]
async fn s11_sixty_wrong_passwords_close_the_address() {
    let server = Server::start().await;
    let emails: Vec<String> = (0..PEOPLE).map(email).collect();
    let all = join_all(
        emails
            .iter()
            .map(|email| sign_in(&server, email, "wrong horse battery")),
    )
    .await;
    let refused = all.iter().filter(|status| **status == StatusCode::UNAUTHORIZED).count();
    assert!(refused >= 50, "{all:?}");
    // Nobody from there is looked at now, not even who knows the password.
    assert_eq!(sign_in(&server, ADMIN, PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
}
