//! The command line: what each subcommand does, and the exit code it ends with.

use std::{
    future::Future,
    io::{self, BufRead as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use across::{
    actor::{Doer, Role},
    audit::Action,
    identity::{
        account::{self, AccountError, NewAccount, RegisterError},
        user::{Email, User, UserChange, UserFilter},
    },
    knowledge::fill,
    page::PageRequest,
    secret::Secret,
};
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use rustix::{fs::Mode, process::umask};
use tokio::runtime::Builder;

use crate::{
    compose,
    config::{self, Arguments, Loaded, StoreKind},
    doctor, extractor,
    failure::Failure,
    logging, openapi, serve,
};

/// After how many tasks of its own a thread looks for those that came from outside.
const GLOBAL_QUEUE: u32 = 8;
/// How long work that cannot be interrupted may hold up the end of the process.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// Self-hosted AI content platform: assistants that answer from your files.
#[derive(Parser)]
#[command(name = "ai-across", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Bring the data up to date if needed, then serve (the default)
    Serve(Options),
    /// Bring the database to this version's schema
    Migrate {
        /// Change nothing; list what would be done, and exit with 1 if there is anything
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        options: Options,
    },
    /// Accounts, without the web
    #[command(subcommand)]
    User(UserCommand),
    /// Look whether everything is as it must be, also beside a server that runs; exits with 0 only if all of it is
    Doctor {
        /// Read every byte of database, files and vectors too, and call the providers
        #[arg(long)]
        deep: bool,
        #[command(flatten)]
        options: Options,
    },
    /// Fill the vector store outside again from the database, without embedding anything again
    Reindex {
        /// Fill this one instead of the configured one, at the configured address
        #[arg(long, value_name = "NAME", value_parser = vector_store)]
        store: Option<StoreKind>,
        #[command(flatten)]
        options: Options,
    },
    /// Print the effective configuration with the source of each value, secrets masked
    Config {
        /// Print a configuration file with every setting, its default and its description
        #[arg(long, hide = true)]
        example: bool,
        #[command(flatten)]
        options: Options,
    },
    /// Print the OpenAPI document of the HTTP interface
    Openapi,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Read a document from standard input and write its text to standard output, under tight limits
    #[command(hide = true)]
    Extract {
        /// The kind of document
        #[arg(long, value_parser = kind)]
        kind: across_extract::Kind,
    },
}

#[derive(Subcommand)]
enum UserCommand {
    /// Make an account; its password is read from standard input
    Add {
        /// The email address to sign in with
        #[arg(long)]
        email: String,
        /// What the person is called
        #[arg(long)]
        name: String,
        /// admin, manager or user
        #[arg(long, value_parser = role, default_value = "user")]
        role: Role,
        #[command(flatten)]
        options: Options,
    },
    /// List the accounts
    List {
        #[command(flatten)]
        options: Options,
    },
    /// Set a new password, read from standard input, and end the account's sessions
    ResetPassword {
        /// The account's email address
        #[arg(long)]
        email: String,
        #[command(flatten)]
        options: Options,
    },
    /// Keep an account from signing in and end its sessions
    Deactivate {
        /// The account's email address
        #[arg(long)]
        email: String,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args)]
struct Options {
    /// Configuration file [default: ai-across.toml in the data directory, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Directory of everything the platform keeps
    #[arg(long, value_name = "DIRECTORY")]
    data_dir: Option<String>,
}

fn role(name: &str) -> Result<Role, String> {
    Role::parse(name).ok_or_else(|| "the roles are admin, manager and user".to_owned())
}

fn kind(name: &str) -> Result<across_extract::Kind, String> {
    across_extract::Kind::parse(name).ok_or_else(|| "there is no such kind of document".to_owned())
}

fn vector_store(name: &str) -> Result<StoreKind, String> {
    StoreKind::parse(name).ok_or_else(|| "the stores are embedded, pgvector, chroma and qdrant".to_owned())
}

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    // Whatever is made from here on is for this user alone.
    umask(Mode::RWXG | Mode::RWXO);
    let done = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(options) => serve(options),
        Command::Migrate { check, options } => migrate(check, options),
        Command::User(UserCommand::Add {
            email,
            name,
            role,
            options,
        }) => add_user(&email, &name, role, options),
        Command::User(UserCommand::List { options }) => list_users(options),
        Command::User(UserCommand::ResetPassword { email, options }) => reset_password(&email, options),
        Command::User(UserCommand::Deactivate { email, options }) => deactivate(&email, options),
        Command::Doctor { deep, options } => doctor(deep, options),
        Command::Reindex { store, options } => reindex(store, options),
        Command::Config { example: true, .. } => print(&config::example()),
        Command::Config {
            example: false,
            options,
        } => load(options).and_then(|it| print(&config::effective(&it))),
        Command::Openapi => document(),
        Command::Completions { shell } => completions(shell),
        // The child answers in a form of its own and knows no configuration.
        Command::Extract { kind } => return extractor::child(kind),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if this cannot be written.
            let _ = writeln!(io::stderr(), "ai-across: {failure}");
            failure.exit_code()
        }
    }
}

fn serve(options: Options) -> Result<(), Failure> {
    let config = load(options)?.config;
    logging::start(&config)?;
    block_on(serve::serve(config))
}

fn migrate(check: bool, options: Options) -> Result<(), Failure> {
    let config = load(options)?.config;
    logging::start(&config)?;
    block_on(async {
        if !check {
            return compose::migrate(&config).await;
        }
        let pending = compose::pending(&config).await?;
        if pending.is_empty() {
            return print("The database is up to date.\n");
        }
        print(&pending.iter().map(|name| format!("{name}\n")).collect::<String>())?;
        Err(Failure::Working(format!(
            "{} migrations are pending; run: ai-across migrate",
            pending.len()
        )))
    })
}

fn doctor(deep: bool, options: Options) -> Result<(), Failure> {
    let config = match load(options) {
        Ok(loaded) => loaded.config,
        Err(failure) => {
            print("FAIL  configuration: it cannot be used. Correct what standard error tells of it.\n")?;
            return Err(failure);
        }
    };
    logging::start(&config)?;
    block_on(doctor::examine(&config, deep))
}

fn reindex(store: Option<StoreKind>, options: Options) -> Result<(), Failure> {
    let config = load(options)?.config;
    logging::start(&config)?;
    let kind = store.unwrap_or(config.vector_store);
    block_on(async {
        let composition = compose::compose_with(&config, kind).await?;
        let platform = &composition.platform;
        if !platform.vectors.is_copy() {
            return print("the embedded vector store is the database itself: there is nothing to fill\n");
        }
        let filled = fill::everything(platform).await;
        let filled = filled.map_err(|error| Failure::Working(error.to_string()))?;
        print(&format!(
            "filled {} with {} points of {} files\n",
            kind.as_str(),
            filled.points,
            filled.files
        ))
    })
}

/// The first line of standard input: arguments can be read by every process of the machine.
fn typed_password() -> Result<Secret, Failure> {
    let mut password = String::new();
    let read = io::stdin().lock().read_line(&mut password);
    read.map_err(|error| Failure::Working(format!("the password could not be read: {error}")))?;
    Ok(Secret::new(password.trim_end_matches(['\r', '\n'])))
}

fn add_user(email: &str, name: &str, role: Role, options: Options) -> Result<(), Failure> {
    let loaded = load(options)?;
    logging::start(&loaded.config)?;
    let password = typed_password()?;
    block_on(async {
        let composition = compose::compose(&loaded.config).await?;
        let new = NewAccount {
            email,
            name,
            role,
            password: Some(password),
            must_change_password: None,
        };
        let made = account::register(&composition.platform, &Doer::platform(), new).await;
        let (user, _) = made.map_err(|error| match error {
            RegisterError::Busy(_) | RegisterError::Store(_) => Failure::Working(error.to_string()),
            _ => Failure::Usage(error.to_string()),
        })?;
        print(&format!("made {} ({})\n", user.email, user.role.as_str()))
    })
}

fn list_users(options: Options) -> Result<(), Failure> {
    const AT_A_TIME: u64 = 100;
    let loaded = load(options)?;
    logging::start(&loaded.config)?;
    block_on(async {
        let composition = compose::compose(&loaded.config).await?;
        let mut offset = 0;
        loop {
            let page = PageRequest {
                limit: AT_A_TIME,
                offset,
            };
            let found = composition
                .platform
                .store
                .list_users(&UserFilter::default(), page)
                .await;
            let found = found.map_err(|error| Failure::Working(error.to_string()))?;
            for user in &found.items {
                let state = if user.is_active { "active" } else { "deactivated" };
                let seen = user.last_login_at.map_or_else(|| "never".to_owned(), crate::api::stamp);
                print(&format!(
                    "{}\t{}\t{state}\t{seen}\t{}\n",
                    user.email,
                    user.role.as_str(),
                    user.name
                ))?;
            }
            offset += AT_A_TIME;
            if offset >= found.total {
                return Ok(());
            }
        }
    })
}

fn reset_password(email: &str, options: Options) -> Result<(), Failure> {
    let loaded = load(options)?;
    logging::start(&loaded.config)?;
    let password = typed_password()?;
    block_on(async {
        let composition = compose::compose(&loaded.config).await?;
        let user = named(&composition, email).await?;
        account::reset_password(&composition.platform, &Doer::platform(), user.id, Some(password))
            .await
            .map_err(|error| refused(&error))?;
        print(&format!(
            "set a new password for {} and ended its sessions\n",
            user.email
        ))
    })
}

fn deactivate(email: &str, options: Options) -> Result<(), Failure> {
    let loaded = load(options)?;
    logging::start(&loaded.config)?;
    block_on(async {
        let composition = compose::compose(&loaded.config).await?;
        let user = named(&composition, email).await?;
        let change = UserChange {
            is_active: Some(false),
            ..UserChange::default()
        };
        let platform = &composition.platform;
        let deed = Doer::platform().does(Action::UserUpdate, platform.clock.now());
        let changed = platform.store.update_user(user.id, change, None, deed).await;
        let changed = changed.map_err(AccountError::from).and_then(account::outcome);
        changed.map_err(|error| refused(&error))?;
        print(&format!("deactivated {} and ended its sessions\n", user.email))
    })
}

async fn named(composition: &compose::Composition, email: &str) -> Result<User, Failure> {
    let unknown = || Failure::Usage(format!("there is no account with the email address {email}"));
    let email = Email::parse(email).ok_or_else(unknown)?;
    let found = composition.platform.store.find_user_by_email(&email).await;
    let found = found.map_err(|error| Failure::Working(error.to_string()))?;
    found.map(|(user, _)| user).ok_or_else(unknown)
}

fn refused(error: &AccountError) -> Failure {
    match error {
        AccountError::Busy(_) | AccountError::Store(_) => Failure::Working(error.to_string()),
        _ => Failure::Usage(error.to_string()),
    }
}

fn document() -> Result<(), Failure> {
    let json = openapi::document().to_pretty_json();
    print(&json.map_err(|error| Failure::Working(format!("the document cannot be written: {error}")))?)?;
    print("\n")
}

fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ai-across", &mut script);
    print(&String::from_utf8_lossy(&script))
}

fn load(options: Options) -> Result<Loaded, Failure> {
    let Options {
        config,
        listen,
        data_dir,
    } = options;
    config::load(
        &Arguments {
            config,
            listen,
            data_dir,
        },
        std::env::vars_os(),
    )
    .map_err(|problems| Failure::Usage(problems.to_string()))
}

fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        // What the database answers comes from its own threads, and would wait behind sixty others otherwise.
        .global_queue_interval(GLOBAL_QUEUE)
        .build();
    let runtime = runtime.map_err(|error| Failure::Working(format!("no threads can be started: {error}")))?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LAST_WAIT);
    done
}

/// Writes to standard output. A reader that went away, as `head` does, is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Working(format!("standard output cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}
