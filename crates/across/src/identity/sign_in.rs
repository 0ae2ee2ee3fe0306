//! Signing in and out, and setting the platform up.

use chrono::TimeDelta;

use crate::{
    actor::{Actor, Doer, Origin, Role},
    audit::Action,
    clock::Time,
    fault::StoreError,
    id::SessionId,
    identity::{
        account::{self, RegisterError},
        password::{HasherBusy, PasswordHash},
        session::{BadToken, NewSession, REFRESH_LIFETIME, RefreshToken, Rotation},
        throttle::{address_bucket, counted_address, sign_in_buckets},
        user::{Email, User},
    },
    platform::Platform,
    secret::Secret,
};

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
    /// Too many failures: nothing is looked at for so long.
    #[error("Too many tries. Wait a little.")]
    Throttled(TimeDelta),
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
    let now = platform.clock.now();
    let tried = Email::parse(email);
    let doer = Doer {
        user: None,
        // Text that is no address may be anything, also a password in the wrong field.
        email: tried.as_ref().map(Email::to_string),
        origin,
    };
    let address = counted_address(doer.origin.ip_address.as_deref().unwrap_or_default());
    let buckets = match &tried {
        Some(email) => {
            let known = platform.store.knows_address(email, &address).await?;
            sign_in_buckets(email, &address, known)
        }
        None => address_bucket(&address),
    };
    // Counted before the work: of many parallel guesses at an account only as many are looked at as the limit allows.
    if let Err(until) = platform.store.attempt(buckets.clone(), now).await? {
        let deed = doer.does(Action::UserLoginThrottled, now);
        platform.store.note(deed, None, None).await?;
        return Err(SignInError::Throttled(until - now));
    }
    let account = match &tried {
        Some(email) => platform.store.find_user_by_email(email).await?,
        None => None,
    };
    let matches = match platform
        .passwords
        .verify(password, account.as_ref().map(|(_, hash)| hash))
        .await
    {
        Ok(matches) => matches,
        Err(busy) => {
            platform.store.forgive(buckets, &[]).await?;
            return Err(busy.into());
        }
    };
    match account {
        Some((user, hash)) if matches && user.is_active => {
            // The pair has proved itself; what strangers did to the account or from the address stays counted.
            let cleared: Vec<String> = buckets.first().iter().map(|bucket| bucket.key.clone()).collect();
            platform.store.forgive(buckets, &cleared).await?;
            match enter(platform, user, Some(hash), doer.origin).await {
                // Deactivated, or given another password, while this one was being looked at.
                Err(StoreError::Conflict(_)) => Err(SignInError::Refused),
                entered => Ok(entered?),
            }
        }
        account => {
            platform.store.charge(buckets, now).await?;
            let known = account.map(|(user, _)| user.id);
            let deed = Doer { user: known, ..doer }.does(Action::UserLoginFailed, now);
            platform.store.note(deed, known.map(|id| id.to_string()), None).await?;
            Err(SignInError::Refused)
        }
    }
}

/// Begins a session for a person who has proved who they are, if by a password while it is still that one.
///
/// # Errors
/// [`StoreError`] if that could not be recorded.
pub async fn enter(
    platform: &Platform,
    user: User,
    proved: Option<PasswordHash>,
    origin: Origin,
) -> Result<SignedIn, StoreError> {
    let now = platform.clock.now();
    let refresh = RefreshToken::random();
    let session = NewSession {
        id: SessionId::new(),
        user: user.id,
        refresh: refresh.hash(),
        ip_address: origin.ip_address.clone(),
        user_agent: origin.user_agent.clone(),
        created_at: now,
    };
    let id = session.id;
    let doer = Doer {
        user: Some(user.id),
        email: Some(user.email.to_string()),
        origin,
    };
    let deed = doer.does(Action::UserLogin, now);
    platform.store.begin_session(session, proved, deed).await?;
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
pub async fn refresh(platform: &Platform, presented: &RefreshToken, origin: Origin) -> Result<SignedIn, SignInError> {
    let now = platform.clock.now();
    let next = RefreshToken::random();
    let doer = Doer {
        origin,
        ..Doer::default()
    };
    match platform.store.rotate(presented.hash(), next.hash(), doer, now).await? {
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
pub async fn sign_out(platform: &Platform, actor: Actor, doer: &Doer, everywhere: bool) -> Result<(), StoreError> {
    let deed = doer.does(Action::UserLogout, platform.clock.now());
    if everywhere {
        platform.store.end_sessions_of(actor.user, deed).await?;
    } else {
        platform.store.end_session(actor.user, actor.session, deed).await?;
    }
    Ok(())
}

/// Makes the first account, an administrator. Exactly one of any number of parallel calls succeeds.
///
/// # Errors
/// [`RegisterError`]; [`RegisterError::SetUpAlready`] if any account exists.
pub async fn set_up(
    platform: &Platform,
    email: &str,
    name: &str,
    password: &Secret,
    doer: &Doer,
) -> Result<User, RegisterError> {
    if platform.store.any_user().await? {
        return Err(RegisterError::SetUpAlready);
    }
    let user = account::checked(platform, email, name, Role::Admin, password).await?;
    let deed = doer.does(Action::UserCreate, user.created_at);
    platform
        .store
        .create_first_user(user, deed)
        .await?
        .ok_or(RegisterError::SetUpAlready)
}
