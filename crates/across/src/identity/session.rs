//! Sessions: a signed access token for fifteen minutes, an opaque refresh token that changes with every use.

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    actor::Doer,
    audit::Deed,
    clock::Time,
    fault::StoreError,
    id::{SessionId, UserId},
    identity::{password::PasswordHash, user::User},
    secret::{MasterKey, Secret},
};

/// How long an access token is good for.
pub const ACCESS_LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// How long a refresh token is good for if it is not used.
pub const REFRESH_LIFETIME: TimeDelta = TimeDelta::days(7);
/// How long a session lasts, however often it is refreshed.
pub const SESSION_LIFETIME: TimeDelta = TimeDelta::days(30);
/// For how long a used refresh token may be used once more, as two tabs racing do.
pub const REUSE_GRACE: TimeDelta = TimeDelta::seconds(10);
/// Sessions of one person at most; the oldest ends when another begins.
pub const MAX_SESSIONS: usize = 20;
/// Clock difference that is tolerated in tokens, in seconds.
const LEEWAY_SECONDS: u64 = 5;
/// No token of ours is longer than this, in bytes.
const MAX_TOKEN_BYTES: usize = 4096;

const ISSUER: &str = "ai-across";

/// SHA-256 of a refresh token: what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshHash(pub [u8; 32]);

/// An opaque refresh token: 256 random bits.
pub struct RefreshToken(Secret);

impl RefreshToken {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())))
    }

    /// One that came from outside; anything may be tried.
    #[must_use]
    pub fn presented(text: &str) -> Self {
        Self(Secret::new(text))
    }

    /// The text to hand out.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What is stored of it. The token has 256 random bits, so a fast hash suffices.
    #[must_use]
    pub fn hash(&self) -> RefreshHash {
        RefreshHash(Sha256::digest(self.0.expose().as_bytes()).into())
    }
}

/// A session about to begin.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// Its first refresh token.
    pub refresh: RefreshHash,
    /// From where it was begun.
    pub ip_address: Option<String>,
    /// With what it was begun, at most 512 characters.
    pub user_agent: Option<String>,
    /// When it begins.
    pub created_at: Time,
}

/// What became of presenting a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// The next token is good now.
    Rotated {
        /// The session.
        session: SessionId,
        /// The person.
        user: Box<User>,
        /// When the session ends at the latest.
        ends_at: Time,
    },
    /// No live session knows this token, it is too old, or its owner may not sign in.
    Unknown,
    /// The token had been used before: the whole session is ended now, since one of its two holders is a thief.
    Reused(SessionId),
}

/// A session, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// From where it was begun.
    pub ip_address: Option<String>,
    /// With what it was begun.
    pub user_agent: Option<String>,
    /// When it began.
    pub created_at: Time,
    /// When it was last refreshed.
    pub last_used_at: Time,
}

/// Remembers sessions.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Begins a session, notes the sign-in on the account and the address as one of its owner's, and ends the oldest
    /// sessions beyond [`MAX_SESSIONS`]; in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the account may not sign in any more, or its password is no longer the one that was
    /// `proved`.
    async fn begin_session(
        &self,
        session: NewSession,
        proved: Option<PasswordHash>,
        deed: Deed,
    ) -> Result<(), StoreError>;

    /// The person behind a session, if the session lives and the account is active. Asked once per request.
    async fn session_user(&self, session: SessionId, now: Time) -> Result<Option<User>, StoreError>;

    /// Exchanges a refresh token for the next one. A used token is accepted once more within [`REUSE_GRACE`] of its
    /// first use while none of its children has been used; any other reuse ends the session and is written down as done by
    /// whoever stands behind `doer`'s origin, in the name of the session's owner.
    async fn rotate(
        &self,
        presented: RefreshHash,
        next: RefreshHash,
        doer: Doer,
        now: Time,
    ) -> Result<Rotation, StoreError>;

    /// The living sessions of a person, latest use first.
    async fn list_sessions(&self, user: UserId, now: Time) -> Result<Vec<Session>, StoreError>;

    /// Ends one session of a person; `false` if they have no such session, and then nothing is written down.
    async fn end_session(&self, user: UserId, session: SessionId, deed: Deed) -> Result<bool, StoreError>;

    /// Ends all sessions of a person; `false` if there is no such person.
    async fn end_sessions_of(&self, user: UserId, deed: Deed) -> Result<bool, StoreError>;
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: uuid::Uuid,
    sid: uuid::Uuid,
    typ: String,
    iat: i64,
    exp: i64,
    jti: uuid::Uuid,
}

/// Why an access token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadToken {
    /// Ours, but its time is over: the client refreshes.
    Expired,
    /// Anything else.
    Invalid,
}

/// Signs and verifies access tokens (JWT, HS256 only).
pub struct TokenSigner {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl TokenSigner {
    /// A signer under the given master key.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        let secret = key.derive("ai-across access token v1");
        Self {
            encoding: EncodingKey::from_secret(&secret),
            decoding: DecodingKey::from_secret(&secret),
        }
    }

    /// An access token for a session, and when it expires. `None` never happens with an HMAC key.
    #[must_use]
    pub fn issue(&self, user: UserId, session: SessionId, now: Time) -> Option<(Secret, Time)> {
        let expires = now + ACCESS_LIFETIME;
        let claims = Claims {
            iss: ISSUER.into(),
            aud: ISSUER.into(),
            sub: user.uuid(),
            sid: session.uuid(),
            typ: "access".into(),
            iat: now.timestamp(),
            exp: expires.timestamp(),
            jti: SessionId::new().uuid(),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).ok()?;
        Some((Secret::new(token), expires))
    }

    /// Whose token this is, and when it expires.
    ///
    /// # Errors
    /// [`BadToken`] for every token that is not ours, not an access token, or not valid at `now`.
    pub fn verify(&self, token: &str, now: Time) -> Result<(UserId, SessionId, Time), BadToken> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(BadToken::Invalid);
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[ISSUER]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library reads the machine's clock; ours is a parameter, so times are checked below.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => BadToken::Expired,
                _ => BadToken::Invalid,
            })?
            .claims;
        if claims.typ != "access" || claims.iat > now.timestamp() + LEEWAY_SECONDS as i64 {
            return Err(BadToken::Invalid);
        }
        if claims.exp + (LEEWAY_SECONDS as i64) < now.timestamp() {
            return Err(BadToken::Expired);
        }
        let expires = Time::from_timestamp(claims.exp, 0).ok_or(BadToken::Invalid)?;
        Ok((claims.sub.into(), claims.sid.into(), expires))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, ManualClock};

    fn signer(fill: u8) -> TokenSigner {
        TokenSigner::new(&MasterKey::new(&[fill; 32]).unwrap())
    }

    #[test]
    fn a_token_is_good_for_its_time_and_its_key_only() {
        let clock = ManualClock::new(Time::from_timestamp(1_800_000_000, 0).unwrap());
        let (user, session) = (UserId::new(), SessionId::new());
        let (token, expires) = signer(1).issue(user, session, clock.now()).unwrap();
        assert_eq!(
            signer(1).verify(token.expose(), clock.now()),
            Ok((user, session, expires))
        );
        assert_eq!(signer(2).verify(token.expose(), clock.now()), Err(BadToken::Invalid));
        clock.advance(ACCESS_LIFETIME + TimeDelta::seconds(6));
        assert_eq!(signer(1).verify(token.expose(), clock.now()), Err(BadToken::Expired));
    }

    #[test]
    fn other_algorithms_types_and_forgeries_are_refused() {
        let now = Time::from_timestamp(1_800_000_000, 0).unwrap();
        let (token, _) = signer(1).issue(UserId::new(), SessionId::new(), now).unwrap();
        let parts: Vec<_> = token.expose().split('.').collect();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        let refresh = URL_SAFE_NO_PAD.encode(
            String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap())
                .unwrap()
                .replace("access", "refresh"),
        );
        for forged in [
            format!("{none}.{}.", parts[1]),
            format!("{none}.{}.{}", parts[1], parts[2]),
            format!("{}.{refresh}.{}", parts[0], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            "a.b.c".into(),
            String::new(),
            "x".repeat(70_000),
        ] {
            assert_eq!(signer(1).verify(&forged, now), Err(BadToken::Invalid));
        }
    }
}
