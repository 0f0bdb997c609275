//! `staysail bundle`: the newest release as one file, for machines without network.
//!
//! **Invariant:** judges nothing itself: what goes into the file is what an app was given
//! ([`staysail_update::publisher::bundle`]).

use crate::publish::{apart, size};
use crate::repo::{address, days_until, read_root};
use anyhow::Context;
use clap::Args;
use staysail_update::publisher::bundle::{self, Wanted};
use std::path::PathBuf;

/// Make one file of the newest release, for `APP --apply FILE` on machines without network.
#[derive(Debug, Args)]
pub struct BundleArgs {
    /// Folder or address of the repository.
    from: String,
    /// File to write.
    #[arg(long)]
    out: PathBuf,
    /// Channel.
    #[arg(long, default_value = "stable")]
    channel: String,
    /// Target triple whose backend is put in, as often as needed; default: all that were published.
    #[arg(long, value_name = "TRIPLE")]
    target: Vec<String>,
    /// Version that every machine it is for runs at least: barriers up to it are left out.
    #[arg(long, value_name = "VERSION")]
    from_version: Option<String>,
    /// The trust root an app begins with.
    #[arg(long, default_value = "keys/root.json")]
    root: PathBuf,
}

/// Runs `staysail bundle`.
///
/// # Errors
/// A sentence for the terminal; nothing was written then.
pub fn run(arguments: &BundleArgs) -> anyhow::Result<()> {
    let (root, url) = (read_root(&arguments.root)?, address(&arguments.from)?);
    let (own, now) = (tempfile::tempdir()?, jiff::Timestamp::now());
    let wanted = Wanted {
        channel: arguments.channel.clone(),
        targets: arguments.target.clone(),
        from: arguments.from_version.clone(),
    };
    let made = apart(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let made = runtime.block_on(bundle::bundle(&url, &root, &wanted, own.path(), &arguments.out, now));
        made.with_context(|| format!("{} was not made", arguments.out.display()))
    })?;
    let (out, days) = (arguments.out.display(), days_until(made.expires, now));
    println!(
        "Bundled {} {} into {out} ({} files, {}).",
        made.app,
        made.version,
        made.files,
        size(made.bytes)
    );
    println!("  for {}", made.targets.join(", "));
    if !made.barriers.is_empty() {
        println!("  with {}, to be taken before it", made.barriers.join(", "));
    }
    println!("  apps apply it until {} ({days} days): APP --apply {out}", made.expires.strftime("%Y-%m-%d"));
    Ok(())
}
