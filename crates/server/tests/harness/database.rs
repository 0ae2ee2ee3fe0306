//! The two databases that a server can stand on, and what tests read and write there behind its back.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement};
use serde_json::{Value, json};

use across::{
    clock::{Clock as _, SystemClock},
    id::{SessionId, UserId},
    identity::session::TokenSigner,
    secret::MasterKey,
};

use super::{ADMIN, PASSWORD, People, Person, Server, postgres, text};

/// The secret of servers whose tokens the tests sign themselves.
const SECRET_KEY: &str = "q0nq7c2pRZ6kq0G3vQ1m8WmWcYxwqk0m6sU3yJc2E5k=";

/// Where a server keeps its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// A file in its data directory.
    Sqlite,
    /// A schema of its own on the server that the tests were told of.
    Postgres,
}

/// Runs a check on a server over SQLite, then on one over PostgreSQL if the tests were told of one.
pub(crate) async fn on_each_database(settings: &[(&str, &str)], check: impl AsyncFn(&mut Server)) {
    for backend in [Backend::Sqlite, Backend::Postgres] {
        if let Some(mut server) = Server::start_on(backend, settings).await {
            check(&mut server).await;
        }
    }
}

impl Server {
    /// A server with an administrator on that database; `None` without a PostgreSQL to use.
    pub(crate) async fn start_on(backend: Backend, settings: &[(&str, &str)]) -> Option<Self> {
        let url = match backend {
            Backend::Sqlite => None,
            Backend::Postgres => Some(postgres().await?),
        };
        let mut all = vec![("AI_ACROSS_SECRET_KEY", SECRET_KEY)];
        all.extend(url.iter().map(|url| ("AI_ACROSS_DATABASE_URL", url.as_str())));
        all.extend(settings);
        Some(Self::start_with(&all).await)
    }

    /// The secret of a server that was started on a database by name.
    pub(crate) fn secret_key(&self) -> &'static str {
        SECRET_KEY
    }

    /// The database of this server.
    pub(crate) async fn database(&self) -> Stored {
        let named = self.environment.iter().find(|(key, _)| key == "AI_ACROSS_DATABASE_URL");
        let url = named.map_or_else(
            || format!("sqlite://{}", self.dir.join("ai-across.db").display()),
            |(_, url)| url.clone(),
        );
        Stored(Database::connect(url).await.unwrap())
    }

    /// An account that an administrator makes, signed in.
    pub(crate) async fn joins(&self, admin: &Person, email: &str, role: &str) -> Person {
        let body = json!({ "email": email, "name": "Somebody", "role": role, "password": PASSWORD });
        let (status, made) = admin.post("/admin/users", &body).await;
        assert_eq!(status, 201, "{made}");
        self.sign_in(email).await
    }

    /// One of each role and a second user, made over HTTP.
    pub(crate) async fn people(&self) -> People {
        let admin = self.sign_in(ADMIN).await;
        People {
            manager: self.joins(&admin, "m@example.com", "manager").await,
            user: self.joins(&admin, "u1@example.com", "user").await,
            other: self.joins(&admin, "u2@example.com", "user").await,
            admin,
        }
    }

    /// One of each role and a second user, seated.
    pub(crate) async fn seated_people(&self) -> People {
        let admin = self.sign_in(ADMIN).await;
        let stored = self.database().await;
        let people = People {
            manager: self.seat(&stored, "m@example.com", "manager").await,
            user: self.seat(&stored, "u1@example.com", "user").await,
            other: self.seat(&stored, "u2@example.com", "user").await,
            admin,
        };
        stored.close().await;
        people
    }

    /// Many users, seated.
    pub(crate) async fn crowd(&self, count: usize) -> Vec<Person> {
        let stored = self.database().await;
        let mut people = Vec::new();
        for number in 0..count {
            people.push(self.seat(&stored, &format!("crowd{number}@example.com"), "user").await);
        }
        stored.close().await;
        people
    }

    /// Writes an account and a session into the database, after those of the administrator: for tests that are not about
    /// signing in, which takes its time on purpose. There is no refresh token.
    async fn seat(&self, stored: &Stored, email: &str, role: &str) -> Person {
        let (user, session) = (UserId::new(), SessionId::new());
        let (account, sign_in) = (stored.id(&user.to_string()), stored.id(&session.to_string()));
        stored
            .execute(&format!(
                "INSERT INTO users (id, email, password_hash, name, role, is_active, must_change_password, version, \
                 search_folded, created_at, updated_at) SELECT {account}, '{email}', password_hash, 'Somebody', '{role}', \
                 is_active, must_change_password, 1, 'somebody', created_at, updated_at FROM users WHERE email = '{ADMIN}'"
            ))
            .await;
        stored
            .execute(&format!(
                "INSERT INTO sessions (id, user_id, created_at, last_used_at, ends_at) SELECT {sign_in}, {account}, \
                 created_at, last_used_at, ends_at FROM sessions LIMIT 1"
            ))
            .await;
        Person {
            base: self.base.clone(),
            token: token(SECRET_KEY, user, session, TimeDelta::zero()),
            refresh: String::new(),
            client: self.client.clone(),
        }
    }
}

impl Person {
    /// Who this is.
    pub(crate) async fn id(&self) -> String {
        text(&self.get("/users/me").await.1["id"])
    }

    /// The same session's access token as it was an hour ago: signed by the server's key, and over.
    pub(crate) fn expired(&self) -> String {
        let claims = self.claims();
        let user: UserId = text(&claims["sub"]).parse().unwrap();
        let session: SessionId = text(&claims["sid"]).parse().unwrap();
        token(SECRET_KEY, user, session, TimeDelta::hours(1))
    }

    /// The same session's access token, had another server signed it.
    pub(crate) fn forged(&self) -> String {
        let claims = self.claims();
        let user: UserId = text(&claims["sub"]).parse().unwrap();
        let session: SessionId = text(&claims["sid"]).parse().unwrap();
        token(
            "7Hc2pRZ6kq0G3vQ1m8WmWcYxwqk0m6sU3yJc2E5kq0nq=",
            user,
            session,
            TimeDelta::zero(),
        )
    }

    /// What the access token says.
    pub(crate) fn claims(&self) -> Value {
        let claims = self.token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    }

    /// The same person with another token.
    pub(crate) fn with_token(&self, token: impl Into<String>) -> Self {
        Self {
            token: token.into(),
            ..self.clone()
        }
    }

    /// The next pair of tokens for this refresh token: status and body.
    pub(crate) async fn refreshed(&self, refresh: &str) -> (u16, Value) {
        let url = format!("{}/api/v1/users/refresh", self.base);
        let request = self.client.post(url).json(&json!({ "refresh_token": refresh }));
        self.answer(request).await
    }
}

/// An access token that a server with this secret key made so long ago.
fn token(key: &str, user: UserId, session: SessionId, ago: TimeDelta) -> String {
    let signer = TokenSigner::new(&MasterKey::new(key.as_bytes()).unwrap());
    let (token, _) = signer.issue(user, session, SystemClock.now() - ago).unwrap();
    token.expose().to_owned()
}

/// A server's database, from behind its back.
pub(crate) struct Stored(DatabaseConnection);

impl Stored {
    fn is_sqlite(&self) -> bool {
        self.0.get_database_backend() == sea_orm::DbBackend::Sqlite
    }

    /// An id as this database writes it.
    fn id(&self, id: &str) -> String {
        if self.is_sqlite() {
            format!("x'{}'", id.replace('-', ""))
        } else {
            format!("'{id}'")
        }
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.0.execute_unprepared(sql).await.unwrap();
    }

    /// The first column of what a query finds, as text.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let statement = Statement::from_string(self.0.get_database_backend(), sql);
        let rows = self.0.query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    /// The tables, without those that the database keeps for itself.
    pub(crate) async fn tables(&self) -> Vec<String> {
        self.texts(if self.is_sqlite() {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND \
             name NOT LIKE 'chunk_words%' ORDER BY name"
        } else {
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
        })
        .await
    }

    /// Every row of a table as one text; bytes in hexadecimal digits.
    pub(crate) async fn rows(&self, table: &str) -> Vec<String> {
        if !self.is_sqlite() {
            return self
                .texts(&format!("SELECT t::text AS line FROM \"{table}\" t ORDER BY line"))
                .await;
        }
        let columns = self
            .texts(&format!(
                "SELECT 'quote(\"' || name || '\")' FROM pragma_table_info('{table}')"
            ))
            .await;
        self.texts(&format!(
            "SELECT {} AS line FROM \"{table}\" ORDER BY line",
            columns.join(" || ',' || ")
        ))
        .await
    }

    /// Everything in these tables.
    pub(crate) async fn contents(&self, tables: &[&str]) -> Vec<String> {
        let mut all = Vec::new();
        for table in tables {
            all.extend(self.rows(table).await);
        }
        all
    }

    /// How many rows each table has.
    pub(crate) async fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for table in self.tables().await {
            counts.insert(table.clone(), self.rows(&table).await.len());
        }
        counts
    }

    /// Where a text is found, be it as text or as bytes.
    pub(crate) async fn places_of(&self, marker: &str) -> Vec<String> {
        let hex: String = marker.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut places = Vec::new();
        for table in self.tables().await {
            for row in self.rows(&table).await {
                if row.contains(marker) || row.to_lowercase().contains(&hex) {
                    places.push(format!("{table}: {row}"));
                }
            }
        }
        places
    }

    pub(crate) async fn close(self) {
        self.0.close().await.unwrap();
    }
}
