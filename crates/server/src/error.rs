//! What a refusal looks like over HTTP: the only place that knows status numbers, and the table of error names.

use across::{
    clock::Time,
    conversations::{
        conversation::Unfit,
        event::{Failure, FailureKind},
        reply::ReplyError,
    },
    fault::{BlobError, Problem, StoreError},
    governance::{
        quota::{Refusal, Scope},
        window::Window,
    },
    id::{FileId, MessageId},
    identity::{
        account::RegisterError,
        sign_in::{SignInError, Stranger},
    },
    knowledge::{reembed::ChangeError, upload::UploadError},
    providers::{credentials::KeyError, embedder::EmbedError},
    retrieval::search::SearchError,
};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::{stamp, words::QuotaScope};

/// A row of the table: name and status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) status: StatusCode,
}

macro_rules! kinds {
    ($($name:ident = $text:literal $status:ident),+ $(,)?) => {
        impl Kind {
            $(pub(crate) const $name: Self = Self { name: $text, status: StatusCode::$status };)+
            /// The whole table.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

kinds! {
    MALFORMED = "MalformedRequestError" BAD_REQUEST,
    AUTHENTICATION = "AuthenticationError" UNAUTHORIZED,
    PERMISSION = "PermissionDeniedError" FORBIDDEN,
    PASSWORD_CHANGE = "PasswordChangeRequiredError" FORBIDDEN,
    NOT_FOUND = "NotFoundError" NOT_FOUND,
    METHOD = "MethodNotAllowedError" METHOD_NOT_ALLOWED,
    TIMEOUT = "RequestTimeoutError" REQUEST_TIMEOUT,
    CONFLICT = "ConflictError" CONFLICT,
    PRECONDITION = "PreconditionFailedError" PRECONDITION_FAILED,
    TOO_LARGE = "PayloadTooLargeError" PAYLOAD_TOO_LARGE,
    URI_TOO_LONG = "UriTooLongError" URI_TOO_LONG,
    MEDIA_TYPE = "UnsupportedMediaTypeError" UNSUPPORTED_MEDIA_TYPE,
    VALIDATION = "ValidationError" UNPROCESSABLE_ENTITY,
    RATE_LIMIT = "RateLimitError" TOO_MANY_REQUESTS,
    QUOTA = "QuotaExceededError" TOO_MANY_REQUESTS,
    HEADERS_TOO_LARGE = "HeaderFieldsTooLargeError" REQUEST_HEADER_FIELDS_TOO_LARGE,
    INTERNAL = "InternalError" INTERNAL_SERVER_ERROR,
    PROVIDER = "ProviderError" BAD_GATEWAY,
    INTERRUPTED = "ProviderStreamInterruptedError" BAD_GATEWAY,
    UNAVAILABLE = "ServiceUnavailableError" SERVICE_UNAVAILABLE,
    PROVIDER_TIMEOUT = "ProviderTimeoutError" GATEWAY_TIMEOUT,
    STORAGE_FULL = "StorageFullError" INSUFFICIENT_STORAGE,
}

/// The body of every refusal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// The error's name.
    error: &'static str,
    /// A sentence for people.
    message: String,
    /// Finds the request in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    request_id: Option<String>,
    /// Particulars: for a `ValidationError` one for each wrong field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<ErrorDetail>,
    /// Seconds after which to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
}

/// What a refusal is about.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ErrorDetail {
    /// The wrong field, with a `message`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<String>,
    /// What is wrong with it, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    message: Option<String>,
    /// The file that is already there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid, nullable = false)]
    file_id: Option<String>,
    /// The answer that is being written, or that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid, nullable = false)]
    message_id: Option<String>,
    /// Whose quota has no room.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    scope: Option<QuotaScope>,
    /// Which of its limits, e.g. `daily_cost_limit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limit: Option<&'static str>,
    /// The limit in dollars, tokens or requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    amount: Option<f64>,
    /// What of it is used or set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    used: Option<f64>,
    /// When the limit's stretch of time ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    resets_at: Option<String>,
}

impl ErrorDetail {
    fn field(field: &str, message: &str) -> Self {
        Self {
            field: Some(field.to_owned()),
            message: Some(message.to_owned()),
            ..Self::default()
        }
    }

    fn file(id: FileId) -> Self {
        Self {
            file_id: Some(id.to_string()),
            ..Self::default()
        }
    }

    fn answer(id: MessageId) -> Self {
        Self {
            message_id: Some(id.to_string()),
            ..Self::default()
        }
    }

    fn quota(refusal: &Refusal) -> Self {
        Self {
            scope: Some(refusal.scope.into()),
            limit: Some(refusal.limit.as_str()),
            amount: Some(refusal.amount),
            used: Some(refusal.used),
            resets_at: Some(stamp(refusal.resets_at)),
            ..Self::default()
        }
    }
}

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct ApiError {
    kind: Kind,
    message: String,
    details: Vec<ErrorDetail>,
    retry_after: Option<u64>,
    /// For the log only.
    cause: Option<String>,
}

/// The cause of a refusal, carried to the request's log line in the response's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

impl ApiError {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            details: Vec::new(),
            retry_after: None,
            cause: None,
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(Kind::NOT_FOUND, "Not found.")
    }

    /// A `ValidationError` about one field.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let detail = ErrorDetail::field(field, &message);
        Self::new(Kind::VALIDATION, message).detail(detail)
    }

    /// A `ValidationError` about several fields.
    pub(crate) fn problems(problems: &[Problem]) -> Self {
        let message = problems
            .first()
            .map_or_else(String::new, |problem| problem.message.clone());
        let details = problems
            .iter()
            .map(|problem| ErrorDetail::field(problem.field, &problem.message));
        Self {
            details: details.collect(),
            ..Self::new(Kind::VALIDATION, message)
        }
    }

    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        Self::new(
            Kind::INTERNAL,
            "Something broke on our side. The request id finds it in the log.",
        )
        .because(cause)
    }

    /// Too many wrong passwords.
    pub(crate) fn too_many_tries(wait: chrono::TimeDelta) -> Self {
        let seconds = u64::try_from(wait.num_seconds()).unwrap_or_default().max(1);
        let minutes = seconds.div_ceil(60);
        Self::new(Kind::RATE_LIMIT, format!("Too many tries. Wait {minutes} min.")).retry_after(seconds)
    }

    /// As many passwords are being looked at as can be.
    pub(crate) fn hasher_busy() -> Self {
        Self::new(Kind::UNAVAILABLE, "Too many sign-ins at once. Try again soon.").retry_after(2)
    }

    /// The first request with this key is not answered yet.
    pub(crate) fn in_progress(message: Option<MessageId>) -> Self {
        let told = Self::new(
            Kind::CONFLICT,
            "The first request with this Idempotency-Key is still being answered.",
        );
        match message {
            Some(message) => told.detail(ErrorDetail::answer(message)),
            None => told,
        }
    }

    /// An answer is being written where this would change something.
    pub(crate) fn being_answered(message: MessageId) -> Self {
        Self::new(
            Kind::CONFLICT,
            "An answer is being written in this chat, maybe in another tab.",
        )
        .detail(ErrorDetail::answer(message))
    }

    /// The conversation can only be read.
    pub(crate) fn assistant_deleted() -> Self {
        Self::new(
            Kind::CONFLICT,
            "This assistant was removed. You can read this chat; start a new one to go on.",
        )
    }

    /// The person has as many conversations as one may have.
    pub(crate) fn too_many_conversations() -> Self {
        Self::new(Kind::CONFLICT, "You have as many chats as allowed. Delete some first.")
    }

    /// A quota has no room, as of `now`.
    pub(crate) fn quota(refusal: &Refusal, now: Time) -> Self {
        let whose = match refusal.scope {
            Scope::Global => "everybody",
            Scope::Role(_) => "your role",
            Scope::User(_) => "you",
            Scope::Assistant(_) => "this assistant",
        };
        let until = match refusal.limit.window() {
            Window::Minute => "minute",
            Window::Hour => "hour",
            Window::Day => "day",
            Window::Month => "month",
        };
        let seconds = (refusal.resets_at - now).num_seconds().max(1);
        Self::new(
            Kind::QUOTA,
            format!(
                "What {whose} may use in a {until} leaves no room for this. Try again later, or ask an administrator."
            ),
        )
        .detail(ErrorDetail::quota(refusal))
        .retry_after(u64::try_from(seconds).unwrap_or(1))
    }

    fn detail(mut self, detail: ErrorDetail) -> Self {
        self.details.push(detail);
        self
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody {
            error: self.kind.name,
            message: self.message,
            request_id: crate::middleware::current_request_id(),
            details: self.details,
            retry_after: self.retry_after,
        };
        let mut response = (self.kind.status, Json(body)).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind == Kind::AUTHENTICATION {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(cause) = self.cause {
            response.extensions_mut().insert(Cause(cause));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let cause = error.to_string();
        match error {
            StoreError::Conflict(rule) => Self::new(Kind::CONFLICT, rule),
            StoreError::Busy | StoreError::Unavailable(_) => {
                Self::new(Kind::UNAVAILABLE, "The database does not answer now. Try again soon.").retry_after(2)
            }
            StoreError::Full => Self::new(Kind::STORAGE_FULL, "The disk is full. Ask an administrator."),
            StoreError::Corrupt(_) | StoreError::LeaseLost => Self::internal(""),
        }
        .because(cause)
    }
}

impl From<BlobError> for ApiError {
    fn from(error: BlobError) -> Self {
        let cause = error.to_string();
        match error {
            BlobError::Full => Self::new(Kind::STORAGE_FULL, "The disk is full. Ask an administrator."),
            BlobError::Missing => Self::not_found(),
            BlobError::Io(_) => {
                Self::new(Kind::UNAVAILABLE, "File storage does not answer now. Try again soon.").retry_after(2)
            }
        }
        .because(cause)
    }
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Refused => Self::new(Kind::AUTHENTICATION, error.to_string()),
            SignInError::Throttled(wait) => Self::too_many_tries(wait),
            SignInError::Busy(_) => Self::hasher_busy(),
            SignInError::Store(error) => error.into(),
        }
    }
}

impl From<Stranger> for ApiError {
    fn from(error: Stranger) -> Self {
        match error {
            Stranger::Expired | Stranger::Invalid => Self::new(Kind::AUTHENTICATION, error.to_string()),
            Stranger::Store(error) => error.into(),
        }
    }
}

impl From<RegisterError> for ApiError {
    fn from(error: RegisterError) -> Self {
        let message = error.to_string();
        match error {
            RegisterError::SetUpAlready => Self::not_found(),
            RegisterError::Taken => Self::new(Kind::CONFLICT, message),
            RegisterError::Email => Self::field("email", message),
            RegisterError::Name => Self::field("name", message),
            RegisterError::Password(_) => Self::field("password", message),
            RegisterError::Busy(_) => Self::hasher_busy(),
            RegisterError::Store(error) => error.into(),
        }
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        let message = error.to_string();
        match error {
            UploadError::TooLarge(_) => Self::new(Kind::TOO_LARGE, message),
            UploadError::Empty | UploadError::NoName => Self::field("file", message),
            UploadError::WrongKind(_) | UploadError::NotAllowed(_) => Self::new(Kind::MEDIA_TYPE, message),
            UploadError::NoAssistant => Self::not_found(),
            UploadError::Duplicate(existing) => Self::new(Kind::CONFLICT, message).detail(ErrorDetail::file(existing)),
            UploadError::TooMany => Self::new(Kind::CONFLICT, message),
            UploadError::Blob(error) => error.into(),
            UploadError::Store(error) => error.into(),
        }
    }
}

impl ApiError {
    /// Why there is no answer, as of `now`.
    pub(crate) fn reply(error: ReplyError, now: Time) -> Self {
        let cause = error.to_string();
        match error {
            ReplyError::Missing => Self::not_found(),
            ReplyError::Unfit(why) => Self::new(
                Kind::CONFLICT,
                match why {
                    Unfit::NotAQuestion => "Only your own messages can be asked in other words.",
                    Unfit::Answered => "This message has an answer. Try again with that answer.",
                    Unfit::Whole => "Only an answer that was stopped or cut off can go on.",
                },
            ),
            ReplyError::Busy(message) => Self::being_answered(message),
            ReplyError::AssistantDeleted => Self::assistant_deleted(),
            ReplyError::Full => Self::new(Kind::CONFLICT, "This chat is full. Start a new one to go on."),
            ReplyError::UnknownModel(_) => Self::field("model", "No provider serves this model. Choose another."),
            ReplyError::TooLong(too_long) => Self::field("content", too_long.to_string()),
            ReplyError::NoModel => Self::new(
                Kind::UNAVAILABLE,
                "No model is available right now. Ask an administrator.",
            )
            .because(cause),
            ReplyError::TooManyOfYours => Self::new(
                Kind::RATE_LIMIT,
                "As many answers are being written to you as may be at once. Wait for one to end.",
            )
            .retry_after(5),
            ReplyError::Quota(refusal) => Self::quota(&refusal, now),
            ReplyError::NoRetrieval => {
                Self::new(Kind::UNAVAILABLE, "The files could not be searched. Try again soon.").retry_after(5)
            }
            ReplyError::Unavailable => {
                Self::new(Kind::UNAVAILABLE, "No further answer can begin now. Try again soon.").retry_after(5)
            }
            ReplyError::Store(error) => error.into(),
        }
    }
}

impl ApiError {
    /// Why there was no search, as of `now`.
    pub(crate) fn search(error: SearchError, now: Time) -> Self {
        let cause = error.to_string();
        match error {
            SearchError::Embedder(_) | SearchError::Embedding(_) => {
                Self::new(Kind::UNAVAILABLE, "The question could not be embedded. Try again soon.")
                    .retry_after(5)
                    .because(cause)
            }
            SearchError::Refused(refusal) => Self::quota(&refusal, now),
            SearchError::Vectors(_) | SearchError::TooSlow => {
                Self::new(Kind::UNAVAILABLE, "The files could not be searched. Try again soon.")
                    .retry_after(5)
                    .because(cause)
            }
            SearchError::Store(error) => error.into(),
        }
    }
}

impl ApiError {
    /// Why the embedding model is not changed, as of `now`.
    pub(crate) fn embedding(error: ChangeError, now: Time) -> Self {
        let message = error.to_string();
        match error {
            ChangeError::Unknown => Self::field("model", message),
            ChangeError::Current | ChangeError::Running | ChangeError::NothingIndexed => {
                Self::new(Kind::CONFLICT, message)
            }
            ChangeError::Embed(EmbedError::Refused(refusal)) => Self::quota(&refusal, now),
            ChangeError::Embed(EmbedError::Provider(_)) => Self::new(
                Kind::PROVIDER,
                "The model did not embed the passages it was tried with. Look at its provider and key.",
            )
            .because(message),
            ChangeError::Embed(EmbedError::Store(error)) | ChangeError::Store(error) => error.into(),
        }
    }
}

impl From<KeyError> for ApiError {
    fn from(error: KeyError) -> Self {
        let message = error.to_string();
        match error {
            KeyError::Invalid(problems) => Self::problems(&problems),
            KeyError::Missing => Self::not_found(),
            KeyError::Stale(_) => crate::etag::stale(),
            KeyError::Taken => Self::new(Kind::CONFLICT, message),
            KeyError::Store(error) => error.into(),
        }
    }
}

/// An answer that failed, in JSON mode.
impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        Self::new(failure_kind(failure.kind), failure.sentence).detail(ErrorDetail::answer(failure.message))
    }
}

/// The row for a failed answer.
pub(crate) const fn failure_kind(kind: FailureKind) -> Kind {
    match kind {
        FailureKind::Provider => Kind::PROVIDER,
        FailureKind::ProviderTimeout => Kind::PROVIDER_TIMEOUT,
        FailureKind::Interrupted => Kind::INTERRUPTED,
        FailureKind::SignedOut => Kind::AUTHENTICATION,
        FailureKind::Unavailable => Kind::UNAVAILABLE,
        FailureKind::Internal => Kind::INTERNAL,
    }
}
