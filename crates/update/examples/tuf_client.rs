//! A TUF client on the command line, with the interface that the conformance suite of TUF implementers drives
//! (github.com/theupdateframework/tuf-conformance, CLIENT-CLI.md):
//!
//! ```text
//! tuf_client --metadata-dir DIR init TRUSTED_ROOT
//! tuf_client --metadata-dir DIR --metadata-url URL refresh
//! tuf_client --metadata-dir DIR --metadata-url URL --target-name NAME... --target-base-url URL --target-dir DIR download
//! ```
//! It runs on exactly the code with which apps look for their releases ([`staysail_update::trust::Client`]). Exit code 0 or 1.
//! `--time RFC3339` stands for the clock.

use staysail_update::disk::{self, Disk, OsDisk};
use staysail_update::trust::{Client, MetadataFolder, Web, as_file_name};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Largest target this example takes.
const TARGET_BYTES_MAX: u64 = 256 << 20;

/// What was asked for.
#[derive(Debug, Default)]
pub struct Arguments {
    metadata_dir: Option<PathBuf>,
    metadata_url: Option<String>,
    target_names: Vec<String>,
    target_base_url: Option<String>,
    target_dir: Option<PathBuf>,
    time: Option<String>,
    words: Vec<String>,
}

/// Reads a command line, without the program's name.
///
/// # Errors
/// What is wrong with it.
pub fn read(mut given: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    while let Some(word) = given.next() {
        let Some(option) = word.strip_prefix("--") else {
            arguments.words.push(word);
            continue;
        };
        let (option, value) = match option.split_once('=') {
            Some((option, value)) => (option, value.to_owned()),
            None => (option, given.next().ok_or_else(|| format!("--{option} wants a value"))?),
        };
        match option {
            "metadata-dir" => arguments.metadata_dir = Some(value.into()),
            "metadata-url" => arguments.metadata_url = Some(value),
            "target-name" => arguments.target_names.push(value),
            "target-base-url" => arguments.target_base_url = Some(value),
            "target-dir" => arguments.target_dir = Some(value.into()),
            "time" => arguments.time = Some(value),
            _ => return Err(format!("there is no option --{option}")),
        }
    }
    Ok(arguments)
}

/// A client that knows the newest of the repository.
async fn refreshed(arguments: &Arguments, folder: MetadataFolder) -> Result<Client, String> {
    let url = arguments.metadata_url.as_deref().ok_or("--metadata-url is missing")?;
    let web = Web::new(url, arguments.target_base_url.as_deref()).map_err(text)?;
    let root = folder.root().map_err(text)?;
    let clock = match &arguments.time {
        Some(time) => time.parse().map_err(|error| format!("--time: {error}"))?,
        None => jiff::Timestamp::now(),
    };
    let mut client = Client::new(web, folder, &root).map_err(text)?;
    client.refresh(clock).await.map_err(text)?;
    Ok(client)
}

async fn download(client: &mut Client, name: &str, folder: &Path) -> Result<(), String> {
    let target = client.find(name).await.map_err(text)?.ok_or_else(|| format!("no role names {name}"))?;
    let path = folder.join(as_file_name(name));
    let there = disk::read(&path, target.file.length).ok().flatten();
    if there.is_some_and(|bytes| target.check(&bytes).is_ok()) {
        return Ok(());
    }
    let bytes = client.download(&target, TARGET_BYTES_MAX).await.map_err(text)?;
    OsDisk.write(&path, &bytes, false).map_err(|error| format!("writing {}: {error}", path.display()))
}

/// Does what was asked for.
///
/// # Errors
/// Why it could not be done; the exit code is then 1.
pub async fn run(arguments: Arguments) -> Result<(), String> {
    let folder = arguments.metadata_dir.as_deref().ok_or("--metadata-dir is missing")?;
    let folder = MetadataFolder::new(folder, Arc::new(OsDisk));
    let words: Vec<_> = arguments.words.iter().map(String::as_str).collect();
    match words[..] {
        ["init", root] => {
            let root = std::fs::read(root).map_err(|error| format!("reading {root}: {error}"))?;
            folder.begin(&root).map_err(text)
        }
        ["refresh"] => refreshed(&arguments, folder).await.map(|_| ()),
        ["download"] => {
            let targets = arguments.target_dir.as_deref().ok_or("--target-dir is missing")?;
            if arguments.target_names.is_empty() || arguments.target_base_url.is_none() {
                return Err("download wants --target-name and --target-base-url".into());
            }
            let mut client = refreshed(&arguments, folder).await?;
            for name in &arguments.target_names {
                download(&mut client, name, targets).await?;
            }
            Ok(())
        }
        _ => Err("say one of: init TRUSTED_ROOT, refresh, download".into()),
    }
}

fn text(error: staysail_update::Error) -> String {
    error.to_string()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match read(std::env::args().skip(1)) {
        Ok(arguments) => run(arguments).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tuf_client: {error}");
            ExitCode::FAILURE
        }
    }
}
