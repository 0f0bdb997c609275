//! `staysail repo`: whether apps accept what is published, until when, and signing it anew.
//!
//! **Invariant:** judges nothing itself: a check is what an app does ([`publisher::check`]).

use crate::keys::{self, DEFAULT_FOLDER, PassphraseArgs};
use crate::publish::{apart, existing_place};
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use staysail_update::Error;
use staysail_update::publisher::check::{EXPIRY_WARNING_DAYS, Report};
use staysail_update::publisher::keys::short;
use staysail_update::publisher::{self, Keys, Role};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Check a repository of releases, or sign it anew.
#[derive(Debug, Args)]
pub struct RepoArgs {
    #[command(subcommand)]
    command: RepoCommand,
}

#[derive(Debug, Subcommand)]
enum RepoCommand {
    /// Read a repository as an app does, and say until when each role's signatures count.
    Check(CheckArgs),
    /// Sign anew that the newest release is the newest (needed every 30 days); fit for a schedule.
    Renew(RenewArgs),
    /// Give a channel a key of its own: who has it publishes there, and nowhere else. Done again, it exchanges the key.
    Delegate(DelegateArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Folder or address of the repository.
    from: String,
    /// The trust root an app begins with.
    #[arg(long, default_value = "keys/root.json")]
    root: PathBuf,
    /// Download every file and delta of every release, too.
    #[arg(long)]
    files: bool,
    /// Exit with code 2 when a role's signatures end within so many days.
    #[arg(long, default_value_t = EXPIRY_WARNING_DAYS)]
    warn_days: i64,
}

#[derive(Debug, Args)]
struct RenewArgs {
    /// Folder of the repository, or address of a staysail-server (token in STAYSAIL_PUBLISH_TOKEN).
    #[arg(long)]
    to: String,
    /// Folder of the keys.
    #[arg(long, default_value = DEFAULT_FOLDER)]
    keys: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Sign the list of releases anew, too: before it expires, and after the targets key was exchanged.
    #[arg(long)]
    resign: bool,
}

#[derive(Debug, Args)]
struct DelegateArgs {
    /// The channel.
    channel: String,
    /// Folder of the repository, or address of a staysail-server (token in STAYSAIL_PUBLISH_TOKEN).
    #[arg(long)]
    to: String,
    #[command(flatten)]
    folder: keys::FolderArgs,
    /// Kind of the new key.
    #[arg(long, value_enum, default_value_t)]
    algorithm: keys::AlgorithmName,
    /// File whose first line is the passphrase of the new key, when that is to be another one: who gets the key gets it, too.
    #[arg(long)]
    new_passphrase_file: Option<PathBuf>,
    /// Leave the new private key unencrypted.
    #[arg(long, conflicts_with = "new_passphrase_file")]
    unencrypted: bool,
}

/// Runs `staysail repo …`.
///
/// # Errors
/// A sentence for the terminal; the repository then is as it was.
pub fn run(arguments: RepoArgs) -> anyhow::Result<ExitCode> {
    match arguments.command {
        RepoCommand::Check(arguments) => check(&arguments),
        RepoCommand::Renew(arguments) => renew(arguments).map(|()| ExitCode::SUCCESS),
        RepoCommand::Delegate(arguments) => delegate(&arguments).map(|()| ExitCode::SUCCESS),
    }
}

/// The root an app begins with.
///
/// # Errors
/// A file that can not be read.
pub fn read_root(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| {
        format!("reading the trust root {} (outside the project, name it with --root)", path.display())
    })
}

/// The address of a repository that is named by it, or by its folder.
///
/// # Errors
/// What is neither.
pub fn address(from: &str) -> anyhow::Result<String> {
    if from.contains("://") {
        return Ok(from.to_owned());
    }
    let folder = std::path::absolute(from)?;
    if !folder.is_dir() {
        bail!("{} is no folder", folder.display());
    }
    Ok(format!("file://{}", folder.display()))
}

fn check(arguments: &CheckArgs) -> anyhow::Result<ExitCode> {
    let (root, url) = (read_root(&arguments.root)?, address(&arguments.from)?);
    let (own, now, files) = (tempfile::tempdir()?, jiff::Timestamp::now(), arguments.files);
    let report = apart(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let checked = runtime.block_on(publisher::check::check(&url, &root, own.path(), files, now));
        checked.map_err(|error| {
            let what = match error {
                // Of what can not be read nothing is known.
                Error::Network(_) => "not checked, as an app could not even read it:",
                _ => "an app would refuse",
            };
            anyhow::Error::new(error).context(format!("{what} {}", arguments.from))
        })
    })?;
    let late = print(&report, now, arguments.warn_days);
    Ok(if late { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// Prints what was found; `true` when some role's signatures end soon.
fn print(report: &Report, now: jiff::Timestamp, warn_days: i64) -> bool {
    println!("Apps accept this repository.");
    let mut late = false;
    for role in &report.roles {
        let days = days_until(role.expires, now);
        let soon = days < warn_days;
        late |= soon;
        let date = role.expires.strftime("%Y-%m-%d");
        let remedy = match role.role.as_str() {
            _ if !soon => String::new(),
            "root" => "  SOON: staysail keys renew, then publish or staysail repo renew".into(),
            "targets" => "  SOON: staysail repo renew --resign".into(),
            channel if channel.starts_with("channel-") => "  SOON: publish to the channel".into(),
            _ => "  SOON: staysail repo renew".into(),
        };
        println!("  {:<14} version {:<5} until {date} ({days} days){remedy}", role.role, role.version);
    }
    for release in &report.releases {
        let files = if release.blobs > 0 {
            format!(", {} files and deltas whole", release.blobs)
        } else {
            String::new()
        };
        let share = release.wave.map_or_else(String::new, |(share, paused)| match paused {
            true => format!(", paused at {share}"),
            false => format!(", for {share} of all installs"),
        });
        println!(
            "  {}: {} (sequence {}){share}, manifest {}{files}",
            release.path, release.version, release.sequence, release.hash
        );
    }
    late
}

/// Whole days until `then`.
pub fn days_until(then: jiff::Timestamp, now: jiff::Timestamp) -> i64 {
    then.duration_since(now).as_hours().div_euclid(24)
}

fn renew(arguments: RenewArgs) -> anyhow::Result<()> {
    let folder_keys = Keys::at(&arguments.keys);
    let mut roles = vec![Role::Snapshot, Role::Timestamp];
    if arguments.resign {
        roles.insert(0, Role::Targets);
    }
    let passphrase = keys::passphrase_for(&folder_keys, &roles, None, &arguments.passphrase)?;
    apart(move || {
        let (place, now) = (existing_place(&arguments.to)?, jiff::Timestamp::now());
        let sign = if arguments.resign { publisher::resign } else { publisher::renew };
        Ok(sign(&*place, &folder_keys, passphrase.as_deref(), now)?)
    })?;
    println!(
        "Renewed: for another {} days apps believe that they see the newest.",
        publisher::TIMESTAMP_EXPIRY_DAYS
    );
    Ok(())
}

fn delegate(arguments: &DelegateArgs) -> anyhow::Result<()> {
    let (folder, channel) = (&arguments.folder, arguments.channel.as_str());
    let all = Keys::at(&folder.keys);
    let roles = [Role::Targets, Role::Snapshot, Role::Timestamp];
    let opened = keys::passphrase_for(&all, &roles, None, &folder.passphrase)?;
    let own = PassphraseArgs { passphrase_file: arguments.new_passphrase_file.clone() };
    let given = if own.passphrase_file.is_some() { &own } else { &folder.passphrase };
    let new = keys::new_passphrase(given, arguments.unencrypted)?;
    let made = all.make_for_channel(channel, arguments.algorithm.into(), new.as_deref())?;
    let id = made.id.clone();
    let delegated = apart(|| {
        let (place, now) = (existing_place(&arguments.to)?, jiff::Timestamp::now());
        Ok(publisher::delegate(&*place, &all, channel, made, opened.as_deref(), now)?)
    });
    if let Err(error) = delegated {
        if !matches!(error.downcast_ref(), Some(Error::Uncertain { .. })) {
            all.discard(&[id])?;
            return Err(error);
        }
        let kept = format!(
            "the new key of the channel {channel}, {id}, was kept: it may be the one that counts now. If not, remove its \
             file and give the channel another one (`staysail repo delegate {channel}`)"
        );
        return Err(error.context(kept));
    }
    println!("The channel {channel} has a key of its own, {id}.");
    println!(
        "Whoever has it, with the snapshot and timestamp keys, publishes there: `staysail publish --channel {channel}`."
    );
    println!(
        "Hand it over by `staysail keys export {} FILE`; the targets key is not needed for this channel.",
        short(&id)
    );
    Ok(())
}
