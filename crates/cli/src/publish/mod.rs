//! `staysail publish`: a release from a project to a repository, live at the last write.
//!
//! **Invariant:** decides nothing about trust: it reads arguments, asks for the passphrase, and reports what
//! [`staysail_update::publisher`] did.

use crate::keys;
use anyhow::{Context, bail};
use clap::Args;
use staysail_protocol::policy::{Live, Urgency};
use staysail_update::bundle::Contents;
use staysail_update::publisher::{self, Folder, Keys, Options, Place, Published, Role, Server, Share};
use std::path::{Path, PathBuf};

/// Environment variable with the token for publishing to a `staysail-server`.
pub const TOKEN_VARIABLE: &str = "STAYSAIL_PUBLISH_TOKEN";

/// Publish a release, signed and with deltas from those before.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// Folder of the repository, or address of a staysail-server (token in STAYSAIL_PUBLISH_TOKEN).
    #[arg(long)]
    pub to: String,
    /// Version of the release; default: that of the project.
    #[arg(long)]
    pub version: Option<String>,
    /// Markdown file with notes for users.
    #[arg(long)]
    pub notes: Option<PathBuf>,
    /// Channel.
    #[arg(long, default_value = "stable")]
    pub channel: String,
    /// Folder of the keys.
    #[arg(long, default_value = keys::DEFAULT_FOLDER)]
    pub keys: PathBuf,
    #[command(flatten)]
    pub passphrase: keys::PassphraseArgs,
    /// File whose first line is the passphrase of the channel's own key, when that is another one.
    #[arg(long)]
    pub channel_passphrase_file: Option<PathBuf>,
    /// Sign with a new targets key what an older one has signed that is no longer trusted. Look at it first.
    #[arg(long)]
    pub resign: bool,
    /// An executable that `staysail build` has made of this version on another system: the release holds its backend and shell,
    /// too. As often as needed.
    #[arg(long, value_name = "EXECUTABLE")]
    pub with: Vec<PathBuf>,
    /// How many get the release for now, in percent, such as 5%; more by `staysail rollout`. Everybody, unless it is said.
    #[arg(long, value_name = "SHARE")]
    pub rollout: Option<Share>,
    /// Everybody who gets the release takes it at once, whatever conditions and users say.
    #[arg(long)]
    pub critical: bool,
    /// Those who run a version below this one take it at once.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub critical_below: Option<String>,
    /// When it goes live where it was downloaded: now, next-load or next-launch; default: `live` of the project's policy.
    #[arg(long, value_name = "WHEN")]
    pub live: Option<Live>,
    /// Oldest Staysail that runs it: an older app starts the shell that the release carries, or does not take it.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub minimum_shell: Option<String>,
    /// Everybody who runs something older takes this release before any newer one.
    #[arg(long, conflicts_with = "rollout")]
    pub barrier: bool,
    /// Version of a barrier that nobody has to pass any more, as often as needed.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    pub lift_barrier: Vec<String>,
    /// From how many releases before this one patches are made (16 at most); 0: whoever updates fetches whole files.
    #[arg(long, value_name = "N", default_value_t = publisher::DELTA_RELEASES)]
    pub delta_releases: usize,
}

fn version(text: &str) -> Result<String, String> {
    semver::Version::parse(text)
        .map(|_| text.to_owned())
        .map_err(|error| format!("{error}; a version is three numbers, such as 1.2.0"))
}

/// Runs `staysail publish`. `assemble` builds the project; it is only called when there is something to publish and the
/// keys can be used, so that a wrong passphrase is told at once and not after a build.
///
/// # Errors
/// A sentence for the terminal; the repository then is as it was.
pub fn run(
    arguments: PublishArgs,
    root: Option<Vec<u8>>,
    assemble: impl FnOnce() -> anyhow::Result<Contents>,
) -> anyhow::Result<Published> {
    let folder_keys = Keys::at(&arguments.keys);
    let roles = [Role::Targets, Role::Snapshot, Role::Timestamp];
    folder_keys.root()?;
    let channel = Some(arguments.channel.as_str()).filter(|_| arguments.channel_passphrase_file.is_none());
    let passphrase = keys::passphrase_for(&folder_keys, &roles, channel, &arguments.passphrase)?;
    let own = arguments.channel_passphrase_file.as_deref();
    let channel_passphrase = own.map(keys::passphrase_in).transpose()?;
    let notes = match &arguments.notes {
        None => None,
        Some(path) => {
            Some(std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?)
        }
    };
    let options = Options {
        channel: arguments.channel,
        version: arguments.version,
        notes,
        passphrase,
        channel_passphrase,
        resign: arguments.resign,
        delta_releases: arguments.delta_releases,
        lift_barriers: arguments.lift_barrier,
        rollout: arguments.rollout,
    };
    let (to, now) = (arguments.to, jiff::Timestamp::now);
    let ready = || Ok(publisher::check_ready(&*place(&to)?, &folder_keys, &options, root.as_deref(), now())?);
    let is_there = apart(ready)?;
    let mut contents = assemble()?;
    for executable in &arguments.with {
        contents.add_built(executable)?;
    }
    contents.manifest.urgency =
        Urgency { critical: arguments.critical, critical_below: arguments.critical_below };
    if let Some(live) = arguments.live {
        contents.manifest.policy.live = live;
    }
    contents.manifest.minimum_shell = arguments.minimum_shell;
    contents.manifest.barrier = arguments.barrier;
    let shell = contents.shell.as_ref().map(|shell| shell.version.clone());
    let targets = contents.manifest.backend.keys().cloned().collect::<Vec<_>>().join(", ");
    // With a shell that takes some seconds.
    eprintln!("Compressing and signing {}…", options.version.as_ref().unwrap_or(&contents.manifest.version));
    let report = apart(|| Ok(publisher::publish(&*place(&to)?, &folder_keys, contents, &options, now())?))?;
    println!("Published {} to {to} (sequence {}).", report.version, report.sequence);
    if !is_there {
        println!(
            "  a new repository: apps that have seen another one at its address refuse it. Is the path right?"
        );
    }
    if let Some(share) = options.rollout {
        println!("  for {share} of all installs; more by `staysail rollout set {} SHARE`", report.version);
    }
    println!("  {} files, {} when nothing is there yet", report.files, size(report.full_bytes));
    if let Some(bytes) = report.update_bytes {
        println!("  {} from the version before; {} deltas", size(bytes), report.deltas);
    }
    println!("  for {targets}");
    if !report.drops_targets.is_empty() {
        println!(
            "  without a backend for {}, unlike the release before: apps there stay as they are. `--with` adds what `staysail build` made there",
            report.drops_targets.join(", ")
        );
    }
    if let Some(barrier) = &report.after_barrier {
        println!("  whoever runs something older than {barrier} takes {barrier} first");
    }
    if let Some(version) = shell {
        println!("  with the shell of Staysail {version}; whoever runs another one starts it next time");
    }
    if report.drops_shell {
        println!(
            "  without a shell, unlike the release before: apps return to the one they were installed with"
        );
    }
    println!("  manifest {}", report.hash);
    Ok(report)
}

/// Publishing blocks, also on its own network runtime: away from whatever runtime the caller may be in.
pub fn apart<T: Send>(work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// The place of a repository that is there.
///
/// # Errors
/// See [`place`]; a folder that is none.
pub fn existing_place(to: &str) -> anyhow::Result<Box<dyn Place>> {
    let folder = Path::new(to.strip_prefix("file://").unwrap_or(to));
    if !is_server(to) && !folder.is_dir() {
        bail!("{to} is no folder, so no repository; nothing was changed. Is the path right?");
    }
    place(to)
}

fn is_server(to: &str) -> bool {
    to.starts_with("http://") || to.starts_with("https://")
}

/// The repository at an address or in a folder, which is made.
///
/// # Errors
/// A folder that can not be opened; a token that is missing.
pub fn place(to: &str) -> anyhow::Result<Box<dyn Place>> {
    if is_server(to) {
        let token = std::env::var(TOKEN_VARIABLE).unwrap_or_default();
        if token.is_empty() {
            bail!("publishing to {to} needs its token in {TOKEN_VARIABLE}; nothing was changed");
        }
        return Ok(Box::new(Server::new(to, &token)?));
    }
    Ok(Box::new(Folder::open(to.strip_prefix("file://").unwrap_or(to).as_ref())?))
}

/// A size for people.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
