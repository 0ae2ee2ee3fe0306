//! Accounts: made, changed and deleted by administrators, and what their owners change themselves.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;

use crate::{
    actor::{Actor, AsAdmin, Doer, Role},
    audit::Action,
    fault::StoreError,
    id::UserId,
    identity::{
        password::{self, HasherBusy, Weak},
        throttle::proof_bucket,
        user::{Email, NewUser, User, UserChange, UserChanged},
    },
    platform::Platform,
    secret::Secret,
};

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

/// An account to be made.
#[derive(Debug, Clone)]
pub struct NewAccount<'a> {
    /// Its address, as it was typed.
    pub email: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its role.
    pub role: Role,
    /// Its password; without one a random one is made, which its owner must change.
    pub password: Option<Secret>,
    /// Whether its owner must choose a new password; `None`: if the password is a random one.
    pub must_change_password: Option<bool>,
}

/// Makes an account. The random password comes with it if one was made: it can be shown this once.
///
/// # Errors
/// [`RegisterError`]; [`RegisterError::Taken`] if the address has one.
pub async fn register(
    platform: &Platform,
    doer: &Doer,
    new: NewAccount<'_>,
) -> Result<(User, Option<Secret>), RegisterError> {
    let made = new.password.is_none().then(random_password);
    let password = new
        .password
        .as_ref()
        .or(made.as_ref())
        .cloned()
        .unwrap_or_else(random_password);
    let mut user = checked(platform, new.email, new.name, new.role, &password).await?;
    user.must_change_password = made.is_some() || new.must_change_password.unwrap_or_default();
    let deed = doer.does(Action::UserCreate, user.created_at);
    let user = platform
        .store
        .create_user(user, deed)
        .await
        .map_err(|error| match error {
            StoreError::Conflict(_) => RegisterError::Taken,
            other => other.into(),
        })?;
    Ok((user, made))
}

/// 128 random bits, easy to read out in groups.
fn random_password() -> Secret {
    let text = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
    let groups: Vec<String> = text
        .as_bytes()
        .chunks(6)
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    Secret::new(groups.join("."))
}

pub(super) async fn checked(
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
        must_change_password: false,
        created_at: platform.clock.now(),
    })
}

/// Why an administrator's change was not made.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// There is no such account.
    #[error("There is no such account.")]
    Missing,
    /// Somebody else changed it meanwhile; carries the present version.
    #[error("Somebody else changed this account meanwhile.")]
    Stale(i64),
    /// The address is somebody else's.
    #[error("There is an account with this email address already.")]
    Taken,
    /// Nobody could administer the platform any more.
    #[error("This is the last active administrator. Make somebody else an administrator first.")]
    LastAdmin,
    /// Administrators do not lock themselves out.
    #[error("You cannot deactivate or delete your own account. Ask another administrator.")]
    Yourself,
    /// The new password is not accepted.
    #[error(transparent)]
    Password(#[from] Weak),
    /// Too many sign-ins at once.
    #[error(transparent)]
    Busy(#[from] HasherBusy),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a change, as an account or the reason against it.
///
/// # Errors
/// [`AccountError`] for everything but a change that happened.
pub fn outcome(changed: UserChanged) -> Result<User, AccountError> {
    match changed {
        UserChanged::Done(user) => Ok(*user),
        UserChanged::Missing => Err(AccountError::Missing),
        UserChanged::Stale(version) => Err(AccountError::Stale(version)),
        UserChanged::Taken => Err(AccountError::Taken),
        UserChanged::LastAdmin => Err(AccountError::LastAdmin),
    }
}

/// Changes an account.
///
/// # Errors
/// [`AccountError`]; nothing is changed then.
pub async fn update(
    platform: &Platform,
    admin: AsAdmin,
    doer: &Doer,
    id: UserId,
    change: UserChange,
    expected: Option<i64>,
) -> Result<User, AccountError> {
    if id == admin.actor().user && change.is_active == Some(false) {
        return Err(AccountError::Yourself);
    }
    let deed = doer.does(Action::UserUpdate, platform.clock.now());
    outcome(platform.store.update_user(id, change, expected, deed).await?)
}

/// Changes what a person may change about their own account.
///
/// # Errors
/// [`AccountError`]; nothing is changed then.
pub async fn rename(platform: &Platform, actor: Actor, doer: &Doer, name: String) -> Result<User, AccountError> {
    let change = UserChange {
        name: Some(name),
        ..UserChange::default()
    };
    let deed = doer.does(Action::UserUpdate, platform.clock.now());
    outcome(platform.store.update_user(actor.user, change, None, deed).await?)
}

/// Deletes an account with all its conversations.
///
/// # Errors
/// [`AccountError`]; nothing is changed then.
pub async fn delete(
    platform: &Platform,
    admin: AsAdmin,
    doer: &Doer,
    id: UserId,
    expected: Option<i64>,
) -> Result<(), AccountError> {
    if id == admin.actor().user {
        return Err(AccountError::Yourself);
    }
    let deed = doer.does(Action::UserDelete, platform.clock.now());
    outcome(platform.store.delete_user(id, expected, deed).await?).map(drop)
}

/// Sets an account's password, or a random one that must be changed, and ends its sessions. The random password comes back:
/// it can be shown this once.
///
/// # Errors
/// [`AccountError`]; nothing is changed then.
pub async fn reset_password(
    platform: &Platform,
    doer: &Doer,
    id: UserId,
    password: Option<Secret>,
) -> Result<Option<Secret>, AccountError> {
    let (user, _) = platform.store.find_user(id).await?.ok_or(AccountError::Missing)?;
    let made = password.is_none().then(random_password);
    let password = password.or_else(|| made.clone()).unwrap_or_else(random_password);
    password::check_policy(password.expose(), user.email.as_str(), &user.name)?;
    let hash = platform.passwords.hash(&password).await?;
    let deed = doer.does(Action::UserPasswordReset, platform.clock.now());
    if platform
        .store
        .set_password(id, hash, made.is_some(), None, None, deed)
        .await?
    {
        Ok(made)
    } else {
        Err(AccountError::Missing)
    }
}

/// Why a person's own password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The present password is not right.
    #[error("Your present password is not right.")]
    Wrong,
    /// Too many wrong ones: nothing is looked at for so long.
    #[error("Too many tries. Wait a little.")]
    Throttled(TimeDelta),
    /// The new one is the present one.
    #[error("The new password is the present one. Choose another.")]
    Same,
    /// The new password is not accepted.
    #[error(transparent)]
    Weak(#[from] Weak),
    /// Too many sign-ins at once.
    #[error(transparent)]
    Busy(#[from] HasherBusy),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Changes a person's own password and ends their other sessions.
///
/// # Errors
/// [`PasswordError`]; nothing is changed then.
pub async fn change_password(
    platform: &Platform,
    actor: Actor,
    doer: &Doer,
    present: &Secret,
    new: &Secret,
) -> Result<(), PasswordError> {
    let gone = || StoreError::Conflict("this account is being deleted");
    let (user, hash) = platform.store.find_user(actor.user).await?.ok_or_else(gone)?;
    password::check_policy(new.expose(), user.email.as_str(), &user.name)?;
    let (now, buckets) = (platform.clock.now(), proof_bucket(actor.user));
    if let Err(until) = platform.store.attempt(buckets.clone(), now).await? {
        return Err(PasswordError::Throttled(until - now));
    }
    let proved = platform.passwords.verify(present, Some(&hash)).await;
    if !matches!(proved, Ok(false)) {
        platform.store.forgive(buckets, &[]).await?;
    }
    if !proved? {
        let deed = doer.does(Action::UserPasswordFailed, now);
        platform.store.note(deed, Some(actor.user.to_string()), None).await?;
        return Err(PasswordError::Wrong);
    }
    if present == new {
        return Err(PasswordError::Same);
    }
    let next = platform.passwords.hash(new).await?;
    let deed = doer.does(Action::UserPasswordChange, now);
    let keep = Some(actor.session);
    let set = platform
        .store
        .set_password(actor.user, next, false, keep, Some(hash), deed)
        .await?;
    // An administrator's reset in between wins: what was proved is no longer the password.
    if set { Ok(()) } else { Err(PasswordError::Wrong) }
}
