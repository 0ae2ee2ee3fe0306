//! The installation's secret key: found, proved to be the data's before anything is changed, and exchanged for another.

use across::{
    fault::StoreError,
    id::ApiKeyId,
    kept::KeptValues as _,
    providers::key::{ApiKeyStore as _, sealed_name},
    secret::{MasterKey, Secret, Vault},
};
use across_store::SqlStore;

use crate::{config::Config, data_dir::DataDir, failure::Failure};

/// Under which name the sealed pepper of the passwords is kept. It is also what proves that a key is the data's.
pub(crate) const PEPPER: &str = "password_pepper";

/// The key as it was found, and what it is to open.
pub(crate) struct Secrets {
    key: MasterKey,
    vault: Vault,
    /// The sealed pepper, if the data has one.
    sealed: Option<String>,
}

/// What a key that is the data's gives.
pub(crate) struct Unlocked {
    /// The key from which others are derived.
    pub(crate) key: MasterKey,
    /// Seals and opens.
    pub(crate) vault: Vault,
    /// What passwords are hashed with.
    pub(crate) pepper: Vec<u8>,
}

fn damaged() -> Failure {
    Failure::Refused("the file secret.key is damaged: put it back from a backup".to_owned())
}

fn foreign() -> Failure {
    Failure::Refused(
        "the secret key is not the one this data was made with. Set AI_ACROSS_SECRET_KEY, or the file secret.key in \
         the data directory, to the earlier value; to change the key, set AI_ACROSS_SECRET_KEY_OLD to the earlier \
         value beside the new one. Nothing was changed."
            .to_owned(),
    )
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn failed(error: StoreError) -> Failure {
    Failure::Working(error.to_string())
}

/// The key of this text, and the vault that it opens together with the configured earlier one, if it opens the sealed
/// pepper.
///
/// # Errors
/// [`Failure::Refused`] if it is no key, or not the data's.
pub(crate) fn proved(config: &Config, text: &str, sealed: Option<&str>) -> Result<(MasterKey, Vault), Failure> {
    let key = MasterKey::new(text.as_bytes()).ok_or_else(damaged)?;
    let earlier = config.secret_key_old.as_ref().map(Secret::expose);
    let earlier: Vec<_> = earlier
        .and_then(|text| MasterKey::new(text.as_bytes()))
        .into_iter()
        .collect();
    let vault = Vault::new(&key, &earlier).ok_or_else(damaged)?;
    if let Some(sealed) = sealed {
        vault.open(PEPPER, sealed).map_err(|_| foreign())?;
    }
    Ok((key, vault))
}

impl Secrets {
    /// Finds the key, and makes one for data that is new. Changes nothing in the database.
    ///
    /// # Errors
    /// [`Failure::Refused`] if the key is gone, or not the one that this data was made with.
    pub(crate) async fn found(config: &Config, held: &DataDir, store: &SqlStore) -> Result<Self, Failure> {
        // A database without a schema has no table to look into; whatever else is wrong with it is said when that is made.
        let sealed = store.kept(PEPPER).await.ok().flatten();
        let text = match &config.secret_key {
            Some(key) => key.expose().to_owned(),
            None => match held.secret_key()? {
                Some(key) => key,
                None if sealed.is_none() => held.make_secret_key()?,
                None => {
                    return Err(Failure::Refused(format!(
                        "the secret key of this data is gone: {} holds no secret.key, and AI_ACROSS_SECRET_KEY is not \
                         set. Put the file back from a backup, or set the variable.",
                        held.path().display()
                    )));
                }
            },
        };
        let (key, vault) = proved(config, &text, sealed.as_deref())?;
        Ok(Self { key, vault, sealed })
    }

    /// Opens the pepper, which is made if there is none, and seals everything anew that an earlier key sealed.
    ///
    /// # Errors
    /// [`Failure`] if another process made the data with another key meanwhile, or the database fails.
    pub(crate) async fn unlock(self, store: &SqlStore) -> Result<Unlocked, Failure> {
        let Self { key, vault, sealed } = self;
        let sealed = match sealed {
            Some(sealed) => sealed,
            None => {
                let fresh = vault.seal(PEPPER, &rand::random::<[u8; 32]>());
                store.keep_once(PEPPER, &fresh).await.map_err(failed)?
            }
        };
        let pepper = vault.open(PEPPER, &sealed).map_err(|_| foreign())?;
        reseal_keys(store, &vault).await?;
        // Last: as long as the pepper is under the earlier key, a start without that key is refused.
        if !vault.is_current(&sealed) {
            let anew = vault.seal(PEPPER, &pepper);
            if store.replace_kept(PEPPER, &sealed, &anew).await.map_err(failed)? {
                tracing::info!("sealed the passwords' pepper under the present secret key");
            }
        }
        Ok(Unlocked { key, vault, pepper })
    }
}

/// Seals all providers' keys under the present key, all or none.
async fn reseal_keys(store: &SqlStore, vault: &Vault) -> Result<(), Failure> {
    let stored = store.sealed_keys().await.map_err(failed)?;
    let reseal = |(id, sealed): (ApiKeyId, String)| {
        if vault.is_current(&sealed) {
            return None;
        }
        let name = sealed_name(id);
        match vault.open(&name, &sealed) {
            Ok(plain) => Some((id, sealed, vault.seal(&name, &plain))),
            Err(error) => {
                tracing::error!(key = %id, %error, "a provider's key stays as it is; type it again");
                None
            }
        }
    };
    let resealed: Vec<_> = stored.into_iter().filter_map(reseal).collect();
    if !resealed.is_empty() {
        let keys = resealed.len();
        store.reseal_keys(resealed).await.map_err(failed)?;
        tracing::info!(keys, "sealed providers' keys under the present secret key");
    }
    Ok(())
}
