//! `staysail keys status`, `export`, `import` and `passphrase`: what there is, moving it, and how it opens.

use super::{DEFAULT_FOLDER, FolderArgs, PassphraseArgs, RoleName};
use super::{ask_new_passphrase, ask_passphrase, given_passphrase, new_passphrase};
use crate::repo::days_until;
use anyhow::{Context, bail};
use clap::Args;
use staysail_update::Error;
use staysail_update::publisher::keys::{Kept, short};
use staysail_update::publisher::{Keys, Role, metadata};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Days before the root's expiry from which on it is warned of.
const ROOT_WARNING_DAYS: i64 = 90;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Folder of the keys.
    #[arg(long, default_value = DEFAULT_FOLDER)]
    keys: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Id of the key, or the beginning of it.
    id: String,
    /// File to write; must not exist.
    file: PathBuf,
    /// Folder of the keys.
    #[arg(long, default_value = DEFAULT_FOLDER)]
    keys: PathBuf,
    /// Only the public part, for `keys add --public` on another machine.
    #[arg(long)]
    public: bool,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// A file that `keys export` has written.
    file: PathBuf,
    #[command(flatten)]
    purpose: Purpose,
    /// Folder of the keys.
    #[arg(long, default_value = DEFAULT_FOLDER)]
    keys: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ChangePassphraseArgs {
    /// Only these keys, by their ids or the beginnings of them; otherwise all that are here.
    ids: Vec<String>,
    #[command(flatten)]
    folder: FolderArgs,
    /// File whose first line is the new passphrase.
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Leave the private keys unencrypted.
    #[arg(long, conflicts_with = "new_passphrase_file")]
    unencrypted: bool,
}

/// What a key is for. It only names the file: who is trusted for what stands in the root and in the list of releases.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Purpose {
    /// Role it is for.
    #[arg(long, value_enum)]
    role: Option<RoleName>,
    /// Channel whose own key it is (`repo delegate`).
    #[arg(long)]
    channel: Option<String>,
}

pub(super) fn status(arguments: &StatusArgs) -> anyhow::Result<()> {
    let keys = Keys::at(&arguments.keys);
    let root = metadata::parse_root(&keys.root()?)?;
    let here = keys.found()?;
    let days = days_until(root.expires, jiff::Timestamp::now());
    println!("Root {}, valid until {} ({days} days).", root.version, root.expires.strftime("%Y-%m-%d"));
    if days < ROOT_WARNING_DAYS {
        println!("warning: that is soon. Renew it with `staysail keys renew`.");
    }
    for role in Role::ALL {
        let Some(trusted) = root.role(role.name()) else { continue };
        println!("{}: {} of {} keys must sign", role.name(), trusted.threshold, trusted.keyids.len());
        for id in &trusted.keyids {
            let kept = here
                .iter()
                .find(|found| found.id == *id)
                .map_or("elsewhere", |found| found.file.kept().name());
            println!("  {}  {kept}", short(id));
        }
    }
    for found in here.iter().filter(|found| !root.keys.contains_key(&found.id)) {
        match found.channel() {
            Some(channel) => {
                println!("channel {channel}: {}  {}", short(&found.id), found.file.kept().name())
            }
            None => println!("{}: the key {} is trusted for nothing", found.path.display(), short(&found.id)),
        }
    }
    if let Some(version) = keys.waiting()? {
        println!("Root {version} waits for signatures: {}", keys.draft_path().display());
    }
    Ok(())
}

pub(super) fn export(arguments: &ExportArgs) -> anyhow::Result<()> {
    let keys = Keys::at(&arguments.keys);
    if !arguments.public {
        let found = keys.export(&arguments.id, &arguments.file)?;
        let (id, to) = (&found.id, arguments.file.display());
        match found.file.kept() {
            Kept::Encrypted => {
                println!("Copied the private key {id} to {to}: it opens with the same passphrase.")
            }
            Kept::Plain => {
                println!(
                    "Copied the private key {id} to {to}, NOT encrypted: whoever reads that file can sign."
                );
            }
            Kept::External => println!("Copied to {to} how the external signer of the key {id} is asked."),
        }
        return Ok(());
    }
    let found = keys.one(&arguments.id)?;
    let text = serde_json::to_string_pretty(&found.public()?)? + "\n";
    let mut file = std::fs::File::create_new(&arguments.file)
        .with_context(|| format!("creating {}", arguments.file.display()))?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    println!("Wrote the public key {} to {}.", found.id, arguments.file.display());
    Ok(())
}

pub(super) fn import(arguments: &ImportArgs) -> anyhow::Result<()> {
    let keys = Keys::at(&arguments.keys);
    let id = match (&arguments.purpose.channel, arguments.purpose.role) {
        (Some(channel), _) => keys.import_for_channel(&arguments.file, channel)?,
        (None, Some(role)) => keys.import(&arguments.file, role.into())?,
        (None, None) => bail!("say what the key is for: --role, or --channel for a channel's own key"),
    };
    println!("Took the private key {id} to {}.", arguments.keys.display());
    Ok(())
}

pub(super) fn change_passphrase(arguments: &ChangePassphraseArgs) -> anyhow::Result<()> {
    let keys = Keys::at(&arguments.folder.keys);
    let mut those = if arguments.ids.is_empty() {
        keys.found()?
    } else {
        arguments.ids.iter().map(|id| keys.one(id)).collect::<Result<Vec<_>, _>>()?
    };
    those.retain(|found| found.file.kept() != Kept::External);
    if those.is_empty() {
        bail!("no private key is in {}; nothing was changed", keys.folder().display());
    }
    let old = match given_passphrase(arguments.folder.passphrase.passphrase_file.as_deref())? {
        None if those.iter().any(|found| found.file.is_encrypted()) => ask_passphrase(&keys)?,
        given => given,
    };
    // The environment has the old one.
    let new = match &arguments.new_passphrase_file {
        None if !arguments.unencrypted && !std::io::stdin().is_terminal() => {
            bail!(
                "no new passphrase; nothing was changed. Give one with --new-passphrase-file, or pass --unencrypted"
            )
        }
        None if !arguments.unencrypted => Some(ask_new_passphrase()?),
        file => new_passphrase(&PassphraseArgs { passphrase_file: file.clone() }, arguments.unencrypted)?,
    };
    let count = those.len();
    keys.change_passphrase(those, old.as_deref(), new.as_deref()).map_err(|error| {
        let said = match error {
            Error::Refused(_) if arguments.ids.is_empty() && count > 1 => {
                "no key was changed; where they have different passphrases, name some by their ids"
            }
            Error::Refused(_) => "no key was changed",
            _ => "not all keys were changed; give the command again, and it goes on where it ended",
        };
        anyhow::Error::new(error).context(said)
    })?;
    let (keys, how) = (
        keys.folder().display(),
        if new.is_some() { "with the new passphrase" } else { "without a passphrase" },
    );
    println!("Private keys in {keys} that open {how} now: {count}. Copies made before open as they did.");
    Ok(())
}
