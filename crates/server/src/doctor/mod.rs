//! `ai-across doctor`: looks whether everything is as it must be, says so line by line, and changes nothing. It may run
//! beside processes that serve.

mod disk;
mod report;

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use across::{
    clock::{Clock as _, SystemClock, Time},
    fault::StoreError,
    kept::KeptValues as _,
    platform::{Inspection as _, StoredFile},
    providers::{
        credentials::{Trial, tried},
        key::{ApiKeyStore as _, sealed_name},
        registry::Providers,
    },
    secret::{Secret, Vault},
};
use across_store::{SqlStore, room_at};
use chrono::TimeDelta;

use crate::{
    compose,
    config::{Config, Database, SECRET_FILE_NAME},
    failure::Failure,
    unlock::{PEPPER, proved},
};

use report::{Report, told};

/// How far rows may be ahead of the clock: processes on several machines share a database.
const AHEAD: TimeDelta = TimeDelta::minutes(5);
/// Looks at everything that the configuration names and prints a line about each; with `deep` also at what takes long or
/// calls others.
///
/// # Errors
/// [`Failure::Refused`] if the data must not be touched as it is, [`Failure::Working`] if anything else is not as it must
/// be.
pub async fn examine(config: &Config, deep: bool) -> Result<(), Failure> {
    let mut report = Report::default();
    report.ok("configuration", "every setting is valid")?;
    let database = config.database();
    vector_store(&mut report, config).await?;
    if directory(&mut report, config)? {
        disk_room(&mut report, config, &database)?;
        storage(&mut report, config)?;
        if let Some(store) = database_there(&mut report, &database).await? {
            let vault = secret_key(&mut report, config, &store).await?;
            let is_sound = !deep || structure(&mut report, &store, &database).await?;
            // Nothing that a damaged database says about its rows can be believed.
            if is_sound {
                rows(&mut report, config, &store, deep).await?;
                let providers = compose::providers(config, Arc::new(SystemClock))?;
                if let Some(vault) = &vault {
                    call_providers(&mut report, &providers, &store, vault, deep).await?;
                }
            }
        }
    }
    report.end(deep)
}

/// Whether the vector store outside can be asked. What it lacks is told and mended by the next start.
async fn vector_store(report: &mut Report, config: &Config) -> Result<(), Failure> {
    const NAME: &str = "vector store";
    let Some(store) = compose::outside(config, config.vector_store)? else {
        return report.ok(NAME, "it is the database itself");
    };
    let kind = config.vector_store.as_str();
    match store.health().await {
        Ok(()) => report.ok(NAME, &format!("{kind} answers and takes what it is given")),
        Err(error) => report.fail(
            NAME,
            &format!("{kind}: {error}"),
            "Until it can be asked, answers do without the files.",
        ),
    }
}

/// `false` if there is no data to look at.
fn directory(report: &mut Report, config: &Config) -> Result<bool, Failure> {
    const NAME: &str = "data directory";
    let path = config.data_dir.display();
    if !config.data_dir.is_dir() {
        let remedy = "Name the right one with --data-dir, or run ai-across once to make it.";
        report.fail(NAME, &format!("there is no directory {path}"), remedy)?;
        return Ok(false);
    }
    match disk::open_to_others(config) {
        Ok(open) if open.is_empty() => report.ok(NAME, &format!("{path} and all in it is for this user alone"))?,
        Ok(open) => {
            let remedy = "Take their rights from group and others: chmod -R go= on each.";
            report.fail(NAME, &format!("others may use what is ours: {}", told(&open)), remedy)?;
        }
        Err(error) => report.unseen(NAME, &error)?,
    }
    Ok(true)
}

fn disk_room(report: &mut Report, config: &Config, database: &Database) -> Result<(), Failure> {
    const NAME: &str = "disk";
    let mut places = vec![config.data_dir.clone()];
    if let Database::File(path) = database {
        places.extend(path.parent().filter(|parent| parent.is_dir()).map(Path::to_owned));
    }
    let is_full = |path: &PathBuf| room_at(path).map(|has_room| !has_room);
    let full: io::Result<Vec<bool>> = places.iter().map(is_full).collect();
    match full.map(|full| full.contains(&true)) {
        Ok(false) => report.ok(NAME, "there is room"),
        Ok(true) => report.fail(
            NAME,
            "less than 64 MiB or 1 % is free, and uploads are refused",
            "Make room or take a larger disk.",
        ),
        Err(error) => report.unseen(NAME, &error),
    }
}

fn storage(report: &mut Report, config: &Config) -> Result<(), Failure> {
    const NAME: &str = "storage";
    let arriving = config.data_dir.join("tmp");
    // Made by the first start; until then the directory around it is what must be writable.
    let place = if arriving.is_dir() { &arriving } else { &config.data_dir };
    match disk::try_writing(place) {
        Ok(()) => report.ok(NAME, "files can be written and synced"),
        Err(error) => report.fail(
            NAME,
            &format!("no file can be written in {}: {error}", place.display()),
            "Make sure that it belongs to this user and that the disk is mounted for writing.",
        ),
    }
}

/// The database, if it is there and has this version's schema.
async fn database_there(report: &mut Report, database: &Database) -> Result<Option<SqlStore>, Failure> {
    const NAME: &str = "database";
    let opened = async {
        let store = compose::connect_to_read(database).await?;
        let pending = store.pending().await;
        Ok((pending.map_err(|error| compose::refusal(&error, database))?, store))
    };
    match opened.await {
        Ok((pending, store)) if pending.is_empty() => {
            report.ok(NAME, "it answers and has this version's schema")?;
            Ok(Some(store))
        }
        Ok((pending, _)) => {
            let problem = format!("{} migrations are pending, the first is {}", pending.len(), pending[0]);
            report.fail(NAME, &problem, "Run: ai-across migrate")?;
            Ok(None)
        }
        Err(failure) => {
            report.failure(NAME, &failure)?;
            Ok(None)
        }
    }
}

/// What the secret key opens, if it is the data's.
async fn secret_key(report: &mut Report, config: &Config, store: &SqlStore) -> Result<Option<Vault>, Failure> {
    const NAME: &str = "secret key";
    let sealed = match store.kept(PEPPER).await {
        Ok(sealed) => sealed,
        Err(error) => {
            report.unseen(NAME, &error)?;
            return Ok(None);
        }
    };
    let path = config.data_dir.join(SECRET_FILE_NAME);
    let text = match &config.secret_key {
        Some(key) => key.expose().to_owned(),
        None => match fs::read_to_string(&path) {
            Ok(text) => text.trim().to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound && sealed.is_none() => {
                report.ok(NAME, "nothing is sealed yet; the first start makes one")?;
                return Ok(None);
            }
            Err(error) => {
                let problem = format!(
                    "{} cannot be read: {error}. Put it back from a backup, or set AI_ACROSS_SECRET_KEY.",
                    path.display()
                );
                report.failure(NAME, &Failure::Refused(problem))?;
                return Ok(None);
            }
        },
    };
    let vault = match proved(config, &text, sealed.as_deref()) {
        Ok((_, vault)) => vault,
        Err(failure) => {
            report.failure(NAME, &failure)?;
            return Ok(None);
        }
    };
    match store.sealed_keys().await {
        Ok(keys) => {
            let is_closed = |(id, sealed): &&(_, String)| vault.open(&sealed_name(*id), sealed).is_err();
            let closed: Vec<String> = keys
                .iter()
                .filter(is_closed)
                .map(|(id, _)| format!("the provider's key {id} does not open"))
                .collect();
            if closed.is_empty() {
                let sentence = format!("it is the data's and opens all {} stored keys of providers", keys.len());
                report.ok(NAME, &sentence)?;
            } else {
                report.fail(
                    NAME,
                    &told(&closed),
                    "Type these keys again in the settings of providers.",
                )?;
            }
        }
        Err(error) => report.unseen(NAME, &error)?,
    }
    Ok(Some(vault))
}

/// `false` if the database is damaged.
async fn structure(report: &mut Report, store: &SqlStore, database: &Database) -> Result<bool, Failure> {
    const NAME: &str = "integrity";
    let remedy = "Stop the server and put a copy from a backup in its place.";
    let found = store.structure().await;
    let is_damaged = found.as_ref().map_or_else(
        |error| matches!(error, StoreError::Unavailable(_) | StoreError::Corrupt(_)),
        |found| !found.faults.is_empty(),
    );
    report.is_refused |= is_damaged && matches!(database, Database::File(_));
    report.found(
        NAME,
        "pages, indexes and references of the database are whole",
        found,
        remedy,
    )
}

/// What the rows must be, together and with the bytes on the disk.
async fn rows(report: &mut Report, config: &Config, store: &SqlStore, deep: bool) -> Result<(), Failure> {
    let now = SystemClock.now();
    clock(report, store.newest().await, now)?;
    report.found(
        "work in progress",
        "every file on its way and every answer being written has somebody who works on it",
        store.abandoned(now).await,
        "Start the server, which takes up what the last run left; if it runs, restart it.",
    )?;
    files(report, &config.data_dir.join("files"), store, deep).await?;
    report.found(
        "vectors",
        "every chunk of every file that is ready has its vectors, kept in the database",
        store.vectors(deep).await,
        "Process these files again.",
    )?;
    report.found(
        "quotas",
        "counters are what the usage log and the calls in progress say; those of roles are at most what all people used",
        store.counters(now).await,
        "Restart the server, which settles calls of the dead; a quota that is deleted and made again counts its day and \
         month anew.",
    )?;
    report.found(
        "conversations",
        "messages are numbered without gaps and follow each other",
        store.threads().await,
        "Restore a backup, or delete these conversations.",
    )?;
    report.found(
        "audit log",
        "it is kept from being changed, and whatever was made since it began has one entry; changes are not compared",
        store.audit_trail().await,
        "Somebody changed the database by hand: find out who, and restore a backup if need be.",
    )?;
    Ok(())
}

fn clock(report: &mut Report, newest: Result<Option<Time>, StoreError>, now: Time) -> Result<(), Failure> {
    const NAME: &str = "clock";
    match newest {
        Ok(Some(newest)) if newest > now + AHEAD => report.fail(
            NAME,
            &format!("it shows {now}, and the newest row was written at {newest}"),
            "Set the machine's clock, best by a time service.",
        ),
        Ok(_) => report.ok(NAME, "no row is from the future"),
        Err(error) => report.unseen(NAME, &error),
    }
}

async fn files(report: &mut Report, directory: &Path, store: &SqlStore, deep: bool) -> Result<(), Failure> {
    const NAME: &str = "files";
    let looked = async {
        let rows = store.stored_files().await.map_err(|error| error.to_string())?;
        let wrong = if directory.is_dir() || rows.iter().any(|row| row.is_needed) {
            disk::wrong_bytes(directory, &rows, deep).map_err(|error| error.to_string())?
        } else {
            Default::default()
        };
        // Whoever serves meanwhile may have removed a file between the two looks.
        let again = store.stored_files().await.map_err(|error| error.to_string())?;
        let is_needed = |row: &&StoredFile| row.is_needed;
        let needed: HashSet<_> = again.iter().filter(is_needed).map(|row| row.id).collect();
        let known: HashSet<_> = again.iter().map(|row| row.id).collect();
        let mut faults: Vec<String> = wrong
            .into_iter()
            .filter(|(id, _)| needed.contains(id) || !rows.iter().any(|row| row.id == *id) && !known.contains(id))
            .map(|(id, problem)| format!("the bytes of {id} {problem}"))
            .collect();
        faults.sort();
        Ok::<_, String>((rows.len(), faults))
    };
    match looked.await {
        Ok((rows, faults)) if faults.is_empty() => {
            let how = if deep { "is there with its bytes as uploaded" } else { "is there with its length" };
            report.ok(NAME, &format!("each of {rows} files {how}, and nothing belongs to none"))
        }
        Ok((_, faults)) => report.fail(
            NAME,
            &told(&faults),
            "Put them back from a backup, or delete these files and upload them again; what belongs to no file is removed \
             by the next start.",
        ),
        Err(error) => report.unseen(NAME, &error),
    }
}

/// Whether those who are needed are configured and, with `deep`, answer.
async fn call_providers(
    report: &mut Report,
    providers: &Providers,
    store: &SqlStore,
    vault: &Vault,
    deep: bool,
) -> Result<(), Failure> {
    const NAME: &str = "embedding model";
    if let Err(error) = providers.refresh(store, vault).await {
        return report.unseen(NAME, &error);
    }
    match providers.space_in_use(store).await {
        Ok(None) => report.ok(NAME, "no file was indexed yet")?,
        // A choice that was made is only read.
        Ok(Some(space)) => match providers.embedder(store, "auto").await {
            Ok(_) => report.ok(NAME, &format!("files are indexed with {space}, which is served"))?,
            Err(error) => report.fail(NAME, &error.to_string(), "Set a key of a provider that serves it.")?,
        },
        Err(error) => report.unseen(NAME, &error)?,
    }
    if !deep {
        return Ok(());
    }
    for (kind, provider) in providers.configured() {
        let name = format!("provider {}", kind.as_str());
        trial(report, &name, tried(provider.as_ref()).await)?;
    }
    let keys = match store.active_keys().await {
        Ok(keys) => keys,
        Err(error) => return report.unseen("providers", &error),
    };
    for key in keys {
        let opened = vault.open(&sealed_name(key.key.id), &key.sealed).ok();
        let secret = opened.and_then(|plain| String::from_utf8(plain).ok()).map(Secret::new);
        // Those that do not open were told of with the secret key.
        let Some(secret) = secret else { continue };
        let name = format!("provider {} (key {})", key.key.provider.as_str(), key.key.id);
        let outcome = match providers.connector().connect(&key.key, &secret) {
            Some((provider, _)) => tried(provider.as_ref()).await,
            None => Trial::Error,
        };
        trial(report, &name, outcome)?;
    }
    Ok(())
}

fn trial(report: &mut Report, name: &str, outcome: Trial) -> Result<(), Failure> {
    match outcome {
        Trial::Ok => report.ok(name, "it answers and takes the key"),
        Trial::Unauthorized => report.fail(name, "it refuses the key", "Renew the key or the account's credit."),
        Trial::Unreachable => report.fail(
            name,
            "nobody answers there",
            "Check the address, the network and the provider's own status page.",
        ),
        Trial::Error => report.fail(
            name,
            "somebody answers there, but not as this provider does",
            "Check the address it is configured with.",
        ),
    }
}
