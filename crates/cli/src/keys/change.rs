//! `staysail keys renew`, `add`, `remove`, `rotate` and `sign`: every change of who may sign is a new root, signed by enough
//! keys of the one before and of its own.

use super::{AlgorithmName, FolderArgs, RoleName, new_passphrase, passphrase_for};
use anyhow::Context;
use clap::Args;
use staysail_update::Error;
use staysail_update::publisher::keys::{Changed, Draft, changes};
use staysail_update::publisher::{Keys, Role, metadata};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct RenewArgs {
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    offline: OfflineArgs,
}

/// Who signs the new root.
#[derive(Debug, Clone, Args)]
struct OfflineArgs {
    /// Sign nothing here: only write the new root to keys/draft.root.json, for the holders of root keys to sign.
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// The role.
    #[arg(value_enum)]
    role: RoleName,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    offline: OfflineArgs,
    /// File with the public key of somebody else (`keys export --public`), or in PEM with --signer.
    #[arg(long)]
    public: Option<PathBuf>,
    /// Command that signs with the key of --public: bytes on its standard input, signature in hexadecimal on its output.
    #[arg(long, requires = "public", value_name = "COMMAND")]
    signer: Option<String>,
    /// How the external signer signs: ed25519, ecdsa-sha2-nistp256, ecdsa-sha2-nistp384, rsassa-pss-sha256, …
    #[arg(long, requires = "signer", default_value = "ecdsa-sha2-nistp256")]
    scheme: String,
    /// From now on so many keys of the role must sign.
    #[arg(long)]
    threshold: Option<usize>,
    /// Kind of a new key.
    #[arg(long, value_enum, default_value_t, conflicts_with = "public")]
    algorithm: AlgorithmName,
    /// Leave a new private key unencrypted.
    #[arg(long, conflicts_with = "public")]
    unencrypted: bool,
}

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// The role.
    #[arg(value_enum)]
    role: RoleName,
    /// Id of the key, or the beginning of it (`keys status`).
    id: String,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    offline: OfflineArgs,
    /// From now on so many keys of the role must sign.
    #[arg(long)]
    threshold: Option<usize>,
}

#[derive(Debug, Args)]
pub(super) struct RotateArgs {
    /// The roles.
    #[arg(value_enum, required = true)]
    roles: Vec<RoleName>,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    offline: OfflineArgs,
    /// Kind of the new keys.
    #[arg(long, value_enum, default_value_t)]
    algorithm: AlgorithmName,
    /// Leave the new private keys unencrypted.
    #[arg(long)]
    unencrypted: bool,
}

#[derive(Debug, Args)]
pub(super) struct SignArgs {
    /// The root that was sent; default: the one that waits in keys/draft.root.json.
    file: Option<PathBuf>,
    #[command(flatten)]
    folder: FolderArgs,
    /// Add no signature: only take those that others gave.
    #[arg(long)]
    accept: bool,
    /// Write the root with its signatures here, to send it on, instead of keeping it.
    #[arg(long, conflicts_with = "accept")]
    out: Option<PathBuf>,
}

pub(super) fn renew(arguments: &RenewArgs) -> anyhow::Result<()> {
    apply(&arguments.folder, &arguments.offline, |_| Ok(()))
}

pub(super) fn add(arguments: &AddArgs) -> anyhow::Result<()> {
    let (keys, role) = (Keys::at(&arguments.folder.keys), Role::from(arguments.role));
    keys.check_none_waits()?;
    let mut made = Vec::new();
    let (public, id) = match (&arguments.public, &arguments.signer) {
        (None, _) => {
            let passphrase = new_passphrase(&arguments.folder.passphrase, arguments.unencrypted)?;
            let key = keys.make(role, arguments.algorithm.into(), passphrase.as_deref())?;
            made.push(key.id.clone());
            (key.public, key.id)
        }
        (Some(file), signer) => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
            match signer {
                Some(command) => {
                    let command = command.split_whitespace().map(str::to_owned).collect();
                    let noted = keys.add_external(role, command, &arguments.scheme, text.trim())?;
                    made.push(noted.1.clone());
                    noted
                }
                None => {
                    let value: serde_json::Value = serde_json::from_str(&text).with_context(|| {
                        format!("{} is no file of `keys export --public`", file.display())
                    })?;
                    let (scheme, public) = (value["scheme"].as_str(), value["keyval"]["public"].as_str());
                    metadata::key(scheme.unwrap_or_default(), public.unwrap_or_default())?
                }
            }
        }
    };
    println!("The {} role gets the key {id}.", role.name());
    let applied = apply(&arguments.folder, &arguments.offline, |draft| {
        draft.add(role, &public, &id);
        if let Some(threshold) = arguments.threshold {
            draft.set_threshold(role, threshold);
        }
        Ok(())
    });
    or_discard(&keys, applied, &made)
}

/// When a root could not be made the keys that were made for it go, too.
fn or_discard(keys: &Keys, applied: anyhow::Result<()>, made: &[String]) -> anyhow::Result<()> {
    if applied.is_err() && keys.waiting()?.is_none() {
        keys.discard(made)?;
    }
    applied
}

pub(super) fn remove(arguments: &RemoveArgs) -> anyhow::Result<()> {
    let role = Role::from(arguments.role);
    apply(&arguments.folder, &arguments.offline, |draft| {
        draft.remove(role, &arguments.id)?;
        if let Some(threshold) = arguments.threshold {
            draft.set_threshold(role, threshold);
        }
        Ok(())
    })
}

pub(super) fn rotate(arguments: &RotateArgs) -> anyhow::Result<()> {
    let keys = Keys::at(&arguments.folder.keys);
    keys.check_none_waits()?;
    let passphrase = new_passphrase(&arguments.folder.passphrase, arguments.unencrypted)?;
    let mut ids = Vec::new();
    let applied = apply(&arguments.folder, &arguments.offline, |draft| {
        for role in arguments.roles.iter().map(|role| Role::from(*role)) {
            let count = draft.count(role);
            draft.clear(role);
            for _ in 0..count {
                let made = keys.make(role, arguments.algorithm.into(), passphrase.as_deref())?;
                draft.add(role, &made.public, &made.id);
                ids.push(made.id);
            }
        }
        Ok(())
    });
    or_discard(&keys, applied, &ids)
}

pub(super) fn sign(arguments: &SignArgs) -> anyhow::Result<()> {
    let keys = Keys::at(&arguments.folder.keys);
    let file = arguments.file.clone().unwrap_or_else(|| keys.draft_path());
    let draft = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    let (current, next) = (metadata::parse_root(&keys.root()?)?, metadata::parse_root(&draft)?);
    println!("Root {} after root {}:", next.version, current.version);
    for line in changes(&current, &next) {
        println!("  {line}");
    }
    if arguments.accept {
        return tell(&keys, &keys.accept(&draft)?);
    }
    let passphrase = passphrase_for(&keys, &[Role::Root], None, &arguments.folder.passphrase)?;
    let signed = keys.add_signatures(&draft, passphrase.as_deref())?;
    if let Some(out) = &arguments.out {
        std::fs::write(out, signed).with_context(|| format!("writing {}", out.display()))?;
        println!("Signed: {}. Send it back; `staysail keys sign --accept FILE` takes it.", out.display());
        return Ok(());
    }
    tell(&keys, &keys.accept(&signed)?)
}

fn apply(
    folder: &FolderArgs,
    offline: &OfflineArgs,
    change: impl FnOnce(&mut Draft) -> Result<(), Error>,
) -> anyhow::Result<()> {
    let (keys, now) = (Keys::at(&folder.keys), jiff::Timestamp::now());
    let changed = if offline.offline {
        keys.propose(now, change)?
    } else {
        let passphrase = passphrase_for(&keys, &[Role::Root], None, &folder.passphrase)?;
        keys.change(passphrase.as_deref(), now, change)?
    };
    tell(&keys, &changed)
}

fn tell(keys: &Keys, changed: &Changed) -> anyhow::Result<()> {
    let version = changed.version;
    if changed.progress.is_complete() {
        println!(
            "Root {version} is signed. Publish once (`staysail publish` or `staysail repo renew`) so that apps learn of it."
        );
        return Ok(());
    }
    let ((old, old_needed), (new, new_needed)) = (changed.progress.old, changed.progress.new);
    println!("Root {version} waits for signatures in {}:", keys.draft_path().display());
    println!("  {old} of {old_needed} by keys of the root before, {new} of {new_needed} by its own");
    println!("Send that file to the other holders of root keys: `staysail keys sign FILE --out SIGNED`.");
    println!("What comes back: `staysail keys sign --accept SIGNED`.");
    Ok(())
}
