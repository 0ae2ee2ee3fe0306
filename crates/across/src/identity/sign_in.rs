//! Signing in and out, and setting the platform up.

use crate::{
    actor::{Actor, Role},
    clock::Time,
    fault::StoreError,
    id::{SessionId, UserId},
    identity::{
        password::{self, HasherBusy, Weak},
        session::{BadToken, NewSession, REFRESH_LIFETIME, RefreshToken, Rotation},
        user::{Email, NewUser, User},
    },
    platform::Platform,
    secret::Secret,
};

/// Where a request comes from, for the list of sessions.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The address.
    pub ip_address: Option<String>,
    /// The program, at most 512 characters.
    pub user_agent: Option<String>,
}

/// What a person gets who signed in.
pub struct SignedIn {
    /// Who they are.
    pub user: User,
    /// Good for fifteen minutes.
    pub access: Secret,
    /// When the access token expires.
    pub access_expires_at: Time,
    /// Good once.
    pub refresh: RefreshToken,
    /// When the refresh token expires.
    pub refresh_expires_at: Time,
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Unknown address, wrong password or deactivated account: nobody learns which.
    #[error("Email or password is not right.")]
    Refused,
    /// Too many sign-ins at once.
    #[error(transparent)]
    Busy(#[from] HasherBusy),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Signs a person in with e-mail and password.
///
/// # Errors
/// [`SignInError`]; takes the same time whether or not the account exists.
pub async fn sign_in(
    platform: &Platform,
    email: &str,
    password: &Secret,
    origin: Origin,
) -> Result<SignedIn, SignInError> {
    let account = match Email::parse(email) {
        Some(email) => platform.store.find_user_by_email(&email).await?,
        None => None,
    };
    let matches = platform
        .passwords
        .verify(password, account.as_ref().map(|(_, hash)| hash))
        .await?;
    match account {
        Some((user, _)) if matches && user.is_active => Ok(enter(platform, user, origin).await?),
        _ => Err(SignInError::Refused),
    }
}

/// Begins a session for a person who has proved who they are.
///
/// # Errors
/// [`StoreError`] if that could not be recorded.
pub async fn enter(platform: &Platform, user: User, origin: Origin) -> Result<SignedIn, StoreError> {
    let now = platform.clock.now();
    let refresh = RefreshToken::random();
    let session = NewSession {
        id: SessionId::new(),
        user: user.id,
        refresh: refresh.hash(),
        ip_address: origin.ip_address,
        user_agent: origin.user_agent,
        created_at: now,
    };
    let id = session.id;
    platform.store.begin_session(session, None).await?;
    let user = User {
        last_login_at: Some(now),
        ..user
    };
    hand_out(platform, user, id, refresh, now + REFRESH_LIFETIME, now)
}

fn hand_out(
    platform: &Platform,
    user: User,
    session: SessionId,
    refresh: RefreshToken,
    refresh_expires_at: Time,
    now: Time,
) -> Result<SignedIn, StoreError> {
    let issued = platform.tokens.issue(user.id, session, now);
    let (access, access_expires_at) =
        issued.ok_or_else(|| StoreError::Unavailable("tokens cannot be signed".into()))?;
    Ok(SignedIn {
        user,
        access,
        access_expires_at,
        refresh,
        refresh_expires_at,
    })
}

/// Exchanges a refresh token for the next pair of tokens.
///
/// # Errors
/// [`SignInError::Refused`] for a token that is unknown, too old or used before; the last ends its session.
pub async fn refresh(platform: &Platform, presented: &RefreshToken) -> Result<SignedIn, SignInError> {
    let now = platform.clock.now();
    let next = RefreshToken::random();
    match platform.store.rotate(presented.hash(), next.hash(), now).await? {
        Rotation::Rotated { session, user, ends_at } => Ok(hand_out(
            platform,
            *user,
            session,
            next,
            (now + REFRESH_LIFETIME).min(ends_at),
            now,
        )?),
        Rotation::Unknown => Err(SignInError::Refused),
        Rotation::Reused(session) => {
            tracing::warn!(%session, "a used refresh token came back; its session was ended");
            Err(SignInError::Refused)
        }
    }
}

/// Why a request comes from nobody.
#[derive(Debug, thiserror::Error)]
pub enum Stranger {
    /// The token is ours but over.
    #[error("Token expired")]
    Expired,
    /// Anything else.
    #[error("Not signed in")]
    Invalid,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who stands behind an access token, as the database says at this moment.
///
/// # Errors
/// [`Stranger`] if the token is not good or its session or account no longer is.
pub async fn identify(platform: &Platform, token: &str) -> Result<(Actor, User, Time), Stranger> {
    let now = platform.clock.now();
    let (user_id, session, expires_at) = platform.tokens.verify(token, now).map_err(|bad| match bad {
        BadToken::Expired => Stranger::Expired,
        BadToken::Invalid => Stranger::Invalid,
    })?;
    let user = platform
        .store
        .session_user(session, now)
        .await?
        .ok_or(Stranger::Invalid)?;
    if user.id != user_id {
        return Err(Stranger::Invalid);
    }
    Ok((
        Actor {
            user: user.id,
            session,
            role: user.role,
        },
        user,
        expires_at,
    ))
}

/// Ends the session of a person, or all of them.
///
/// # Errors
/// [`StoreError`] if that could not be recorded.
pub async fn sign_out(platform: &Platform, actor: Actor, everywhere: bool) -> Result<(), StoreError> {
    if everywhere {
        platform.store.end_sessions_of(actor.user).await
    } else {
        platform.store.end_session(actor.session).await
    }
}

/// Why an account was not made.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The platform has accounts already, so nobody sets it up.
    #[error("This platform is set up already.")]
    SetUpAlready,
    /// The address cannot be one.
    #[error("This is not an email address.")]
    Email,
    /// The address is somebody's already.
    #[error("There is an account with this email address already.")]
    Taken,
    /// The name is empty or too long.
    #[error("A name has 1 to 100 characters.")]
    Name,
    /// The password is not accepted.
    #[error(transparent)]
    Password(#[from] Weak),
    /// Too many sign-ins at once.
    #[error(transparent)]
    Busy(#[from] HasherBusy),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes the first account, an administrator. Exactly one of any number of parallel calls succeeds.
///
/// # Errors
/// [`RegisterError`]; [`RegisterError::SetUpAlready`] if any account exists.
pub async fn set_up(platform: &Platform, email: &str, name: &str, password: &Secret) -> Result<User, RegisterError> {
    if platform.store.any_user().await? {
        return Err(RegisterError::SetUpAlready);
    }
    let user = checked(platform, email, name, Role::Admin, password).await?;
    platform
        .store
        .create_first_user(user)
        .await?
        .ok_or(RegisterError::SetUpAlready)
}

/// Makes an account.
///
/// # Errors
/// [`RegisterError`]; [`RegisterError::Taken`] if the address has one.
pub async fn register(
    platform: &Platform,
    email: &str,
    name: &str,
    role: Role,
    password: &Secret,
) -> Result<User, RegisterError> {
    let user = checked(platform, email, name, role, password).await?;
    platform.store.create_user(user).await.map_err(|error| match error {
        StoreError::Conflict(_) => RegisterError::Taken,
        other => other.into(),
    })
}

async fn checked(
    platform: &Platform,
    email: &str,
    name: &str,
    role: Role,
    password: &Secret,
) -> Result<NewUser, RegisterError> {
    let email = Email::parse(email).ok_or(RegisterError::Email)?;
    let name = name.trim();
    if name.chars().any(char::is_control) || !(1..=100).contains(&name.chars().count()) {
        return Err(RegisterError::Name);
    }
    password::check_policy(password.expose(), email.as_str(), name)?;
    Ok(NewUser {
        id: UserId::new(),
        email,
        name: name.to_owned(),
        role,
        password: platform.passwords.hash(password).await?,
        created_at: platform.clock.now(),
    })
}
