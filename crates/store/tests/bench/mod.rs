//! A fresh database for each test, and the things that most tests need in it.

use std::sync::Arc;

use across::{
    actor::{Doer, Origin, Role},
    assistants::{AssistantStore as _, Draft},
    audit::{Action, Deed},
    clock::Time,
    conversations::conversation::{ConversationStore as _, Created, NewTurn, Progress, Question, TurnPlace},
    governance::{
        meter::{Payer, Reservation},
        usage::Purpose,
    },
    id::{AssistantId, ConversationId, FileId, InstallationId, MessageId, UserId},
    identity::{
        password::PasswordHash,
        user::{Email, NewUser, User, UserStore as _},
    },
    jobs::{
        job::{Job, LEASE},
        queue::{Claimed, Queue as _},
    },
    knowledge::file::{Accepted, ExtractedText, Kind, KnowledgeStore as _, NewChunk, NewFile},
};
use across_store::{Options, SqlStore};
use chrono::TimeDelta;
use sea_orm::{ConnectionTrait as _, Database, QueryResult, Statement};

/// The space of the tests' vectors.
pub(crate) const SPACE: &str = "test:4";

/// Makes a module for each database that runs the named contracts on it.
#[macro_export]
macro_rules! contracts {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(&$crate::bench::Bench::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(bench) = $crate::bench::Bench::postgres().await {
                    super::$name(&bench).await;
                    bench.tidy().await;
                }
            })+
        }
    };
}

/// A moment, so many seconds after the tests' beginning of time.
pub(crate) fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_800_000_000, 123_456_000).unwrap() + TimeDelta::seconds(seconds)
}

/// That somebody did something, so many seconds after the tests' beginning of time.
pub(crate) fn deed(action: Action, seconds: i64) -> Deed {
    let doer = Doer {
        user: None,
        email: Some("root@example.com".into()),
        origin: Origin {
            ip_address: Some("192.0.2.7".into()),
            user_agent: Some("contract tests".into()),
        },
    };
    doer.does(action, at(seconds))
}

/// A migrated database of its own.
pub(crate) struct Bench {
    pub(crate) store: Arc<SqlStore>,
    pub(crate) url: String,
    pub(crate) dir: tempfile::TempDir,
    schema: Option<String>,
}

fn options() -> Options {
    Options {
        pool_size: 0,
        pool_overflow: 12,
        ..Options::default()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment where a server is"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Bench {
    pub(crate) async fn sqlite() -> Self {
        let bench = Self::sqlite_bare().await;
        bench.store.migrate().await.unwrap();
        bench
    }

    pub(crate) async fn sqlite_bare() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("data/across.db").display());
        let store = Arc::new(SqlStore::open(&url, options()).await.unwrap());
        Self {
            store,
            url,
            dir,
            schema: None,
        }
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let bench = Self::postgres_bare().await?;
        bench.store.migrate().await.unwrap();
        Some(bench)
    }

    pub(crate) async fn postgres_bare() -> Option<Self> {
        let Some(server) = environment("TEST_DATABASE_URL") else {
            assert_ne!(
                environment("CI").as_deref(),
                Some("true"),
                "CI must set TEST_DATABASE_URL"
            );
            return None;
        };
        let schema = format!("test_{}", FileId::new().uuid().simple());
        let admin = Database::connect(&server).await.unwrap();
        admin
            .execute_unprepared(&format!("CREATE SCHEMA {schema}"))
            .await
            .unwrap();
        admin.close().await.unwrap();
        let separator = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{separator}options=-c%20search_path%3D{schema}");
        let store = Arc::new(SqlStore::open(&url, options()).await.unwrap());
        Some(Self {
            store,
            url,
            dir: tempfile::tempdir().unwrap(),
            schema: Some(schema),
        })
    }

    /// Removes what a server would otherwise keep.
    pub(crate) async fn tidy(self) {
        if let Some(schema) = &self.schema {
            self.run(&format!("DROP SCHEMA {schema} CASCADE")).await;
        }
    }

    /// The same database as another process sees it.
    pub(crate) async fn another(&self) -> SqlStore {
        SqlStore::open(&self.url, options()).await.unwrap()
    }

    /// Runs a statement behind the store's back.
    pub(crate) async fn run(&self, sql: &str) -> u64 {
        let db = Database::connect(&self.url).await.unwrap();
        let result = db.execute_unprepared(sql).await.unwrap();
        db.close().await.unwrap();
        result.rows_affected()
    }

    /// Tries a statement behind the store's back; the error is what the database says.
    pub(crate) async fn tries(&self, sql: &str) -> Result<u64, String> {
        let db = Database::connect(&self.url).await.unwrap();
        let result = db.execute_unprepared(sql).await;
        db.close().await.unwrap();
        result
            .map(|done| done.rows_affected())
            .map_err(|error| error.to_string())
    }

    /// The rows that a query behind the store's back gives.
    pub(crate) async fn query(&self, sql: &str) -> Vec<QueryResult> {
        let db = Database::connect(&self.url).await.unwrap();
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let rows = db.query_all_raw(statement).await.unwrap();
        db.close().await.unwrap();
        rows
    }

    pub(crate) async fn user(&self, email: &str) -> User {
        self.store
            .create_user(new_user(email), deed(Action::UserCreate, 0))
            .await
            .unwrap()
    }

    pub(crate) async fn assistant(&self, name: &str) -> AssistantId {
        let id = AssistantId::new();
        self.store
            .create_assistant(id, draft(name), deed(Action::AssistantCreate, 0))
            .await
            .unwrap();
        id
    }

    pub(crate) async fn claim(&self, seconds: i64) -> Claimed {
        self.store
            .claim(at(seconds), LEASE)
            .await
            .unwrap()
            .expect("a job is due")
    }

    /// A file as it stands right after its upload, with the job that is to read it.
    pub(crate) async fn accepted(&self, assistant: AssistantId, uploader: UserId, content: &str) -> (FileId, Claimed) {
        let file = new_file(assistant, uploader, content);
        let id = file.id;
        let accepted = self.store.accept_file(file, deed(Action::FileCreate, 0)).await.unwrap();
        assert!(matches!(accepted, Accepted::Yes(_)));
        let claimed = self.claim(0).await;
        assert_eq!(
            claimed.job,
            Job::Ingest {
                file: id,
                generation: 1
            }
        );
        (id, claimed)
    }

    /// A file that can be found, with these chunks.
    pub(crate) async fn ready(&self, assistant: AssistantId, uploader: UserId, chunks: Vec<NewChunk>) -> FileId {
        let (id, claimed) = self.accepted(assistant, uploader, &FileId::new().to_string()).await;
        self.fill(id, &claimed, 1, chunks).await;
        id
    }

    /// Writes and publishes a generation, and finishes its job.
    pub(crate) async fn fill(&self, id: FileId, claimed: &Claimed, generation: i64, chunks: Vec<NewChunk>) {
        let text = ExtractedText {
            text: chunks.iter().map(|chunk| chunk.text.as_str()).collect(),
            pages: Vec::new(),
        };
        self.store
            .save_text(claimed.lease, id, generation, &text)
            .await
            .unwrap();
        self.store
            .add_chunks(claimed.lease, id, generation, SPACE, chunks)
            .await
            .unwrap();
        self.store.publish(claimed.lease, id, generation, at(1)).await.unwrap();
        self.store.finish_job(claimed.lease).await.unwrap();
    }

    pub(crate) async fn conversation(&self, owner: UserId, assistant: AssistantId) -> ConversationId {
        let id = ConversationId::new();
        let created = self
            .store
            .create_conversation(id, owner, assistant, "", at(0))
            .await
            .unwrap();
        assert!(matches!(created, Created::Yes(_)));
        id
    }
}

pub(crate) fn new_user(email: &str) -> NewUser {
    NewUser {
        id: UserId::new(),
        email: Email::parse(email).unwrap(),
        name: "Anna".into(),
        role: Role::User,
        password: PasswordHash("v1:x".into()),
        must_change_password: false,
        created_at: at(0),
    }
}

pub(crate) fn draft(name: &str) -> Draft {
    Draft {
        name: name.into(),
        description: Some("Writes press releases".into()),
        instructions: "Be brief.".into(),
        model: None,
        temperature: 0.7,
        max_tokens: 2_048,
        avatar_url: None,
    }
}

pub(crate) fn new_file(assistant: AssistantId, uploader: UserId, content: &str) -> NewFile {
    NewFile {
        id: FileId::new(),
        assistant,
        filename: format!("{content}.txt"),
        kind: Kind::Txt,
        size: content.len() as u64,
        sha256: content.into(),
        uploaded_by: uploader,
        created_at: at(0),
    }
}

pub(crate) fn chunk(index: u32, text: &str, vectors: Vec<Vec<f32>>) -> NewChunk {
    NewChunk {
        index,
        page: Some(index + 1),
        start: index * 100,
        end: index * 100 + 50,
        heading: None,
        text: text.into(),
        token_count: 5,
        vectors,
    }
}

/// A chunk whose vector does not matter.
pub(crate) fn words(index: u32, text: &str) -> NewChunk {
    chunk(index, text, vec![vec![1.0, 0.0, 0.0, 0.0]])
}

pub(crate) fn turn(owner: UserId, conversation: ConversationId, content: &str, seconds: i64) -> NewTurn {
    let answer = MessageId::new();
    let payer = Payer {
        user: Some(owner),
        role: Some(Role::User),
        assistant: None,
    };
    let call = Reservation {
        conversation: Some(conversation),
        message: Some(answer),
        ..Reservation::new(payer, Purpose::Chat, "openai", "gpt", at(seconds))
    };
    NewTurn {
        conversation,
        owner,
        place: TurnPlace::End(question(content)),
        answer,
        model: "gpt".into(),
        citations: Vec::new(),
        retrieval: None,
        title: Some("A title".into()),
        call,
        request: None,
        writer: InstallationId::new(),
        lease_until: at(seconds + 60),
        at: at(seconds),
    }
}

/// A new question.
pub(crate) fn question(content: &str) -> Question {
    Question {
        id: MessageId::new(),
        content: content.into(),
    }
}

/// How far an answer is; its lease goes on until `seconds`.
pub(crate) fn progress(content: &str, seconds: i64) -> Progress {
    Progress {
        content: content.into(),
        provider: "openai".into(),
        failover: None,
        lease_until: at(seconds),
    }
}
