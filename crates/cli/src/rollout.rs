//! `staysail rollout`: how many get a release that is given out in waves.
//!
//! **Invariant:** decides nothing about trust, and needs no key of the targets role: shares are signed by the keys that are
//! online anyway ([`staysail_update::publisher::rollout`]).

use crate::keys::{self, DEFAULT_FOLDER, PassphraseArgs};
use crate::publish::{apart, existing_place};
use clap::{Args, Subcommand};
use staysail_update::publisher::rollout::{self, Change, Rollout, Wave};
use staysail_update::publisher::{Keys, Role, Share};
use std::path::PathBuf;

/// Show or change how many get a release that was published with --rollout.
#[derive(Debug, Args)]
pub struct RolloutArgs {
    #[command(subcommand)]
    command: RolloutCommand,
}

#[derive(Debug, Subcommand)]
enum RolloutCommand {
    /// Show what everybody gets, and newer releases with their shares.
    Show(Place),
    /// Give a release to this share of all installs.
    Set(SetArgs),
    /// Give a release to nobody else for now. Who runs it keeps it.
    Pause(OneArgs),
    /// Give a release to the share from before the pause again.
    Resume(OneArgs),
    /// Give a release to everybody.
    Finish(OneArgs),
}

#[derive(Debug, Args)]
struct Place {
    /// Folder of the repository, or address of a staysail-server (token in STAYSAIL_PUBLISH_TOKEN).
    #[arg(long)]
    to: String,
    /// Channel.
    #[arg(long, default_value = "stable")]
    channel: String,
    /// Folder of the keys.
    #[arg(long, default_value = DEFAULT_FOLDER)]
    keys: PathBuf,
}

#[derive(Debug, Args)]
struct SetArgs {
    /// Version of the release.
    version: String,
    /// How many get it from now on, in percent: 25%, or 0.5%.
    share: Share,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

#[derive(Debug, Args)]
struct OneArgs {
    /// Version of the release; the newest one that is given out in waves, unless it is named.
    version: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Runs `staysail rollout …`.
///
/// # Errors
/// A sentence for the terminal; the repository then is as it was.
pub fn run(arguments: RolloutArgs) -> anyhow::Result<()> {
    match arguments.command {
        RolloutCommand::Show(arguments) => show(&arguments),
        RolloutCommand::Set(SetArgs { version, share, place, passphrase }) => {
            change(&OneArgs { version: Some(version), place, passphrase }, Change::Share(share))
        }
        RolloutCommand::Pause(arguments) => change(&arguments, Change::Pause),
        RolloutCommand::Resume(arguments) => change(&arguments, Change::Resume),
        RolloutCommand::Finish(arguments) => change(&arguments, Change::Share(Share::WHOLE)),
    }
}

fn show(arguments: &Place) -> anyhow::Result<()> {
    let keys = Keys::at(&arguments.keys);
    let Rollout { for_everybody, waves } =
        apart(|| Ok(rollout::show(&*existing_place(&arguments.to)?, &keys, &arguments.channel)?))?;
    match for_everybody {
        Some(version) => println!("{version} is for everybody on {}.", arguments.channel),
        None => println!("Nothing is published on {}.", arguments.channel),
    }
    for wave in &waves {
        println!("  {}", describe(wave));
    }
    Ok(())
}

/// A release in waves, for people.
pub fn describe(wave: &Wave) -> String {
    let Wave { version, share, paused, .. } = wave;
    match paused {
        true => format!("{version}: paused at {share}; nobody else gets it"),
        false if *share == Share::WHOLE => format!("{version}: given to everybody"),
        false => format!("{version}: given to {share}"),
    }
}

fn change(arguments: &OneArgs, change: Change) -> anyhow::Result<()> {
    let Place { to, channel, keys } = &arguments.place;
    let keys = Keys::at(keys);
    let roles = [Role::Snapshot, Role::Timestamp];
    let passphrase = keys::passphrase_for(&keys, &roles, None, &arguments.passphrase)?;
    let wave = apart(|| {
        let (place, now) = (existing_place(to)?, jiff::Timestamp::now());
        let which = (channel.as_str(), arguments.version.as_deref());
        Ok(rollout::change(&*place, &keys, which, change, passphrase.as_deref(), now)?)
    })?;
    println!("{}", describe(&wave));
    println!("Who runs it keeps it, whatever its share is.");
    if wave.share == Share::WHOLE && !wave.paused {
        println!(
            "The next `staysail publish`, or `staysail repo renew --resign`, has `staysail bundle` take it, too."
        );
    }
    Ok(())
}
