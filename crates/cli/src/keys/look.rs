//! `staysail keys status`, `export` and `import`: what there is, and moving it.

use super::{DEFAULT_FOLDER, RoleName};
use crate::repo::days_until;
use anyhow::{Context, bail};
use clap::Args;
use staysail_update::publisher::keys::short;
use staysail_update::publisher::{Keys, Role, metadata};
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
    /// Role it is for; only names the file.
    #[arg(long, value_enum)]
    role: RoleName,
    /// Folder of the keys.
    #[arg(long, default_value = DEFAULT_FOLDER)]
    keys: PathBuf,
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
            let kept =
                here.iter().find(|found| found.id == *id).map_or("elsewhere", |found| found.file.kept());
            println!("  {}  {kept}", short(id));
        }
    }
    for found in here.iter().filter(|found| !root.keys.contains_key(&found.id)) {
        println!("{}: the key {} is trusted for nothing", found.path.display(), short(&found.id));
    }
    if let Some(version) = keys.waiting()? {
        println!("Root {version} waits for signatures: {}", keys.draft_path().display());
    }
    Ok(())
}

pub(super) fn export(arguments: &ExportArgs) -> anyhow::Result<()> {
    let keys = Keys::at(&arguments.keys);
    if !arguments.public {
        keys.export(&arguments.id, &arguments.file)?;
        println!(
            "Copied the private key to {}: it opens with the same passphrase.",
            arguments.file.display()
        );
        return Ok(());
    }
    let here = keys.found()?;
    let Some(found) = here.iter().find(|found| found.id.starts_with(&arguments.id)) else {
        bail!("no private key {} is in {}", arguments.id, arguments.keys.display());
    };
    let text = serde_json::to_string_pretty(&found.public()?)? + "\n";
    let mut file = std::fs::File::create_new(&arguments.file)
        .with_context(|| format!("creating {}", arguments.file.display()))?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    println!("Wrote the public key {} to {}.", found.id, arguments.file.display());
    Ok(())
}

pub(super) fn import(arguments: &ImportArgs) -> anyhow::Result<()> {
    let id = Keys::at(&arguments.keys).import(&arguments.file, arguments.role.into())?;
    println!("Took the private key {id} to {}.", arguments.keys.display());
    Ok(())
}
