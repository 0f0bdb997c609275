//! `staysail keys`: the signing keys of an app's releases.
//!
//! | Way | Module |
//! |---|---|
//! | made once | [`init`] |
//! | exchanged, added, taken away, signed by several | [`change`] |
//! | looked at, moved, encrypted anew | [`look`] |
//!
//! **Invariant:** a private key is never printed, never overwritten but by itself under another passphrase, and never lies in the
//! clear unless that was asked for.

mod change;
mod init;
mod look;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use staysail_update::publisher::keys::Algorithm;
use staysail_update::publisher::{Keys, Role};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Environment variable with the passphrase of the keys.
pub const PASSPHRASE_VARIABLE: &str = "STAYSAIL_KEYS_PASSPHRASE";
/// Folder of the keys unless another is named.
pub const DEFAULT_FOLDER: &str = "keys";

/// Make, exchange and renew the keys that sign releases.
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make the keys of an app, once.
    Init(init::InitArgs),
    /// Show who may sign, which keys are here, and until when the root counts.
    Status(look::StatusArgs),
    /// Sign the trust root anew before it expires.
    Renew(change::RenewArgs),
    /// Trust one more key for a role: a new one, one from another machine, or one that an external signer has.
    Add(change::AddArgs),
    /// Trust a key for a role no more.
    Remove(change::RemoveArgs),
    /// Exchange all keys of a role for new ones.
    Rotate(change::RotateArgs),
    /// Sign a root that another holder of keys has sent, or take one that others have signed.
    Sign(change::SignArgs),
    /// Copy a key to a file: private as it is at rest, or only its public part.
    Export(look::ExportArgs),
    /// Take a private key from a file.
    Import(look::ImportArgs),
    /// Give the private keys here another passphrase.
    Passphrase(look::ChangePassphraseArgs),
}

/// Where the keys are and how they open.
#[derive(Debug, Clone, Args)]
pub struct FolderArgs {
    /// Folder of the keys.
    #[arg(long, default_value = DEFAULT_FOLDER)]
    pub keys: PathBuf,
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

/// The passphrase of keys.
#[derive(Debug, Clone, Default, Args)]
pub struct PassphraseArgs {
    /// File whose first line is the passphrase of the keys.
    #[arg(long)]
    pub passphrase_file: Option<PathBuf>,
}

/// A role, as it is written on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleName {
    Root,
    Targets,
    Snapshot,
    Timestamp,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Root => Self::Root,
            RoleName::Targets => Self::Targets,
            RoleName::Snapshot => Self::Snapshot,
            RoleName::Timestamp => Self::Timestamp,
        }
    }
}

/// A kind of keys, as it is written on the command line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum AlgorithmName {
    /// Ed25519.
    #[default]
    Ed25519,
    /// ECDSA P-256.
    Ecdsa,
}

impl From<AlgorithmName> for Algorithm {
    fn from(name: AlgorithmName) -> Self {
        match name {
            AlgorithmName::Ed25519 => Self::Ed25519,
            AlgorithmName::Ecdsa => Self::Ecdsa,
        }
    }
}

/// Runs `staysail keys …`.
///
/// # Errors
/// A sentence for the terminal; nothing of what was there before is changed.
pub fn run(arguments: KeysArgs) -> anyhow::Result<()> {
    match arguments.command {
        KeysCommand::Init(arguments) => init::init(&arguments),
        KeysCommand::Status(arguments) => look::status(&arguments),
        KeysCommand::Renew(arguments) => change::renew(&arguments),
        KeysCommand::Add(arguments) => change::add(&arguments),
        KeysCommand::Remove(arguments) => change::remove(&arguments),
        KeysCommand::Rotate(arguments) => change::rotate(&arguments),
        KeysCommand::Sign(arguments) => change::sign(&arguments),
        KeysCommand::Export(arguments) => look::export(&arguments),
        KeysCommand::Import(arguments) => look::import(&arguments),
        KeysCommand::Passphrase(arguments) => look::change_passphrase(&arguments),
    }
}

/// A new passphrase; none when the keys are to lie in the clear.
///
/// # Errors
/// None was given and none could be asked for.
pub fn new_passphrase(given: &PassphraseArgs, unencrypted: bool) -> anyhow::Result<Option<String>> {
    if unencrypted {
        eprintln!(
            "warning: the private keys are not encrypted. Whoever reads them can publish to your users."
        );
        return Ok(None);
    }
    if let Some(passphrase) = given_passphrase(given.passphrase_file.as_deref())? {
        return Ok(Some(passphrase));
    }
    if !std::io::stdin().is_terminal() {
        bail!(
            "no passphrase for the keys; nothing was written. Give one with --passphrase-file or {PASSPHRASE_VARIABLE}, \
             or pass --unencrypted"
        );
    }
    ask_new_passphrase().map(Some)
}

/// A new passphrase, asked for twice on the terminal.
fn ask_new_passphrase() -> anyhow::Result<String> {
    dialoguer::Password::new()
        .with_prompt("New passphrase for the keys")
        .with_confirmation("Once more", "The two differ; try again")
        .interact()
        .context("no passphrase was read; nothing was written")
}

/// The passphrase in the first line of a file.
///
/// # Errors
/// A file that can not be read, or has none.
pub fn passphrase_in(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("reading the passphrase from {}", file.display()))?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => bail!("{} has no passphrase in its first line", file.display()),
    }
}

/// The passphrase that `file` or the environment gives.
fn given_passphrase(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    if let Some(file) = file {
        return passphrase_in(file).map(Some);
    }
    Ok(std::env::var(PASSPHRASE_VARIABLE).ok().filter(|passphrase| !passphrase.is_empty()))
}

/// The passphrase for the keys of these roles and of a channel: from the file, the environment or the terminal; none when they need none.
///
/// # Errors
/// A passphrase file that can not be read.
pub fn passphrase_for(
    keys: &Keys,
    roles: &[Role],
    channel: Option<&str>,
    given: &PassphraseArgs,
) -> anyhow::Result<Option<String>> {
    if let Some(passphrase) = given_passphrase(given.passphrase_file.as_deref())? {
        return Ok(Some(passphrase));
    }
    let encrypted = roles.iter().any(|role| keys.is_encrypted(*role))
        || channel.is_some_and(|channel| keys.is_channel_encrypted(channel));
    if encrypted { ask_passphrase(keys) } else { Ok(None) }
}

/// The passphrase of keys, asked for on the terminal; none where there is no terminal.
fn ask_passphrase(keys: &Keys) -> anyhow::Result<Option<String>> {
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let prompt = format!("Passphrase of the keys in {}", keys.folder().display());
    let passphrase = dialoguer::Password::new().with_prompt(prompt).interact();
    passphrase.map(Some).context("no passphrase was read; nothing was changed")
}
