//! `staysail keys`: the signing keys of an app's releases.
//!
//! **Invariant:** a private key is never printed, never overwritten, and never lies in the clear unless that was asked for.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use staysail_update::publisher::{Keys, Role};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Environment variable with the passphrase of the keys.
pub const PASSPHRASE_VARIABLE: &str = "STAYSAIL_KEYS_PASSPHRASE";
/// Folder of the keys unless another is named.
pub const DEFAULT_FOLDER: &str = "keys";

/// Make and renew the keys that sign releases.
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make the keys of an app, once.
    Init(InitArgs),
    /// Sign the trust root anew before it expires.
    Renew(RenewArgs),
}

#[derive(Debug, Args)]
struct InitArgs {
    /// Folder the keys are put in.
    #[arg(long, default_value = DEFAULT_FOLDER)]
    keys: PathBuf,
    /// File whose first line is the passphrase.
    #[arg(long, conflicts_with = "unencrypted")]
    passphrase_file: Option<PathBuf>,
    /// Leave the private keys unencrypted.
    #[arg(long)]
    unencrypted: bool,
}

#[derive(Debug, Args)]
struct RenewArgs {
    /// Folder of the keys.
    #[arg(long, default_value = DEFAULT_FOLDER)]
    keys: PathBuf,
    /// File whose first line is the passphrase.
    #[arg(long)]
    passphrase_file: Option<PathBuf>,
}

/// Runs `staysail keys …`.
///
/// # Errors
/// A sentence for the terminal; nothing of what was there before is changed.
pub fn run(arguments: KeysArgs) -> anyhow::Result<()> {
    match arguments.command {
        KeysCommand::Init(arguments) => init(&arguments),
        KeysCommand::Renew(arguments) => {
            let keys = Keys::at(&arguments.keys);
            let passphrase = passphrase_for(&keys, &[Role::Root], arguments.passphrase_file.as_deref())?;
            let version = keys.renew(passphrase.as_deref(), jiff::Timestamp::now())?;
            println!("Root {version} is signed. Publish once (`staysail publish`) so that apps learn of it.");
            Ok(())
        }
    }
}

fn init(arguments: &InitArgs) -> anyhow::Result<()> {
    let passphrase = if arguments.unencrypted {
        eprintln!(
            "warning: the private keys are not encrypted. Whoever reads them can publish to your users."
        );
        None
    } else {
        Some(new_passphrase(arguments.passphrase_file.as_deref())?)
    };
    let folder = &arguments.keys;
    Keys::create(folder, passphrase.as_deref(), jiff::Timestamp::now())?;
    let folder = folder.display();
    println!("Made the keys of this app in {folder}:");
    println!("  root.json                    public: build it into the app, keep it in version control");
    println!("  root.key, targets.key        sign who may publish and what is published: keep them offline");
    println!("  snapshot.key, timestamp.key  sign what is newest");
    println!("Back them up now: an app that is installed can only be updated with these keys.");
    println!("Next, in staysail.toml, so that built apps look for releases and can verify them:");
    println!("  [update]");
    println!("  url = \"https://updates.example.com\"");
    println!("  root = \"{folder}/root.json\"");
    println!("Then `staysail publish --to FOLDER`, and serve that folder: `staysail-server --repo FOLDER`.");
    Ok(())
}

fn new_passphrase(file: Option<&Path>) -> anyhow::Result<String> {
    if let Some(passphrase) = given_passphrase(file)? {
        return Ok(passphrase);
    }
    if !std::io::stdin().is_terminal() {
        bail!(
            "no passphrase for the keys; nothing was written. Give one with --passphrase-file or {PASSPHRASE_VARIABLE}, \
             or pass --unencrypted"
        );
    }
    dialoguer::Password::new()
        .with_prompt("Passphrase for the new keys")
        .with_confirmation("Once more", "The two differ; try again")
        .interact()
        .context("no passphrase was read; nothing was written")
}

/// The passphrase that `file` or the environment gives.
fn given_passphrase(file: Option<&Path>) -> anyhow::Result<Option<String>> {
    if let Some(file) = file {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("reading the passphrase from {}", file.display()))?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            bail!("{} has no passphrase in its first line", file.display());
        }
        return Ok(Some(line.to_owned()));
    }
    Ok(std::env::var(PASSPHRASE_VARIABLE).ok().filter(|passphrase| !passphrase.is_empty()))
}

/// The passphrase for these roles' keys: from the file, the environment or the terminal; none when they need none.
///
/// # Errors
/// A passphrase file that can not be read.
pub fn passphrase_for(keys: &Keys, roles: &[Role], file: Option<&Path>) -> anyhow::Result<Option<String>> {
    if let Some(passphrase) = given_passphrase(file)? {
        return Ok(Some(passphrase));
    }
    let encrypted = roles.iter().any(|role| keys.is_encrypted(*role) == Some(true));
    if !encrypted || !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let prompt = format!("Passphrase of the keys in {}", keys.folder().display());
    let passphrase = dialoguer::Password::new().with_prompt(prompt).interact();
    passphrase.map(Some).context("no passphrase was read; nothing was changed")
}
