//! The update engine in a program that has nothing else of Staysail: a line of text that is exchanged while the program
//! runs, by signed releases, and goes back by itself when a release is no good. A Tauri or Dioxus app does the same with
//! its page in place of the text.
//!
//! ```text
//! standalone keys KEYS                                     the publisher's keys, once
//! standalone ship FILES KEYS URL PROGRAM                   PROGRAM: a copy of this one with FILES as its first release
//! standalone publish VERSION FILES KEYS REPOSITORY         the next release, into a folder that any web server can serve
//! PROGRAM                                                  shows FILES/greeting.txt, and what is published, as it comes
//! ```
//! Every line that PROGRAM reads is taken as the wish to look for a release now; at the end of its input it ends.

use staysail_update::bundle::{self, Contents};
use staysail_update::engine::{ApplyFuture, HostFuture, NotApplied, RateLimit};
use staysail_update::protocol::manifest::{Manifest, UpdateSource};
use staysail_update::protocol::notice::UpdateEvent;
use staysail_update::protocol::worker::UpdateWish;
use staysail_update::publisher::{self, Folder, Keys, Options};
use staysail_update::{Engine, Host, Release, Store};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

/// The file of a release that the program shows.
const FILE: &str = "greeting.txt";
/// What the program says of itself: releases of other programs are refused.
const APP: &str = "com.example.standalone";

/// What the program shows, and what it showed before the release that is on probation.
#[derive(Default)]
struct Greeting {
    texts: Mutex<(String, String)>,
}

impl Greeting {
    /// Reads the release's text, checked against its signed hash at this moment, and shows it.
    fn show(&self, release: &Release) -> Result<(), NotApplied> {
        let bytes = release.page_file(FILE)?.ok_or_else(|| format!("the release has no {FILE}"))?;
        let text = String::from_utf8(bytes).map_err(|error| format!("{FILE}: {error}"))?;
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut texts.0, text);
        texts.1 = before;
        println!("shown: {}", texts.0.trim());
        Ok(())
    }
}

impl Host for Greeting {
    fn apply(&self, release: Release) -> ApplyFuture<'_> {
        Box::pin(async move { self.show(&release).map(|()| 0.0) })
    }

    /// The program's own check. A real one waits here for what shows that the new version works.
    fn probation(&self) -> HostFuture<'_, ()> {
        Box::pin(async {
            let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
            if !texts.0.trim().is_empty() {
                return Ok(());
            }
            texts.0 = texts.1.clone();
            println!("shown: {}", texts.0.trim());
            Err("the greeting is empty".into())
        })
    }

    fn event(&self, event: UpdateEvent) {
        match event {
            UpdateEvent::Committed { version } => println!("committed: {version}"),
            UpdateEvent::RolledBack { version, reason, .. } => println!("rolled back: {version}: {reason}"),
            UpdateEvent::Failed { reason } => println!("failed: {reason}"),
            _ => {}
        }
    }
}

/// A release with all files of a folder.
fn contents(version: &str, files: &Path) -> Result<Contents, staysail_update::Error> {
    let mut contents = Contents::new(Manifest {
        format: 1,
        app: APP.into(),
        name: "Standalone".into(),
        version: version.into(),
        ..Manifest::default()
    });
    contents.add_page_folder(files)?;
    Ok(contents)
}

/// Puts the first release, where to look for others and whom to trust into a copy of this program.
fn ship(files: &Path, keys: &Path, url: &str, program: &Path) -> Result<(), Box<dyn Error>> {
    let mut contents = contents("1.0.0", files)?;
    contents.root = Some(Keys::at(keys).root()?);
    contents.source =
        Some(UpdateSource { url: url.into(), check_interval_s: 3_600, ..UpdateSource::default() });
    bundle::attach(&std::env::current_exe()?, program, &contents)?;
    Ok(())
}

fn publish(version: &str, files: &Path, keys: &Path, repository: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(repository)?;
    let options = Options { channel: "stable".into(), ..Options::default() };
    let place = Folder::open(repository)?;
    let published = publisher::publish(
        &place,
        &Keys::at(keys),
        contents(version, files)?,
        &options,
        jiff::Timestamp::now(),
    )?;
    println!("published: {} as number {}", published.version, published.sequence);
    Ok(())
}

/// The program itself. What it keeps lies beside it; a real one takes the folder for data of apps.
async fn run() -> Result<(), Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let attached = bundle::read_attached(&program)?.ok_or("nothing is attached: see `ship`")?;
    let store = Store::open(&program.with_extension("data"))?;
    let embedded = store.embed(&attached)?;
    // The newest release that proved good; one that ends the program at its start is left after the third time.
    let (boot, start) = store.begin(&embedded, attached.root.as_deref(), std::process::id());
    if let Some(reason) = &boot.fallback_reason {
        println!("not the newest: {reason}");
    }
    let greeting = Arc::new(Greeting::default());
    greeting.show(&boot.release).map_err(|error| format!("{error:?}"))?;
    start.iter().for_each(|start| start.is_up());

    let source = attached.source.clone().ok_or("it is not said where releases are")?;
    let root = attached.root.clone().ok_or("it is not said whom to trust")?;
    let rate = RateLimit::new(source.download_bytes_per_s_max);
    let engine = Engine::start(store, source, root, boot.release, greeting, rate);
    let wishes = engine.clone();
    tokio::task::spawn_blocking(move || {
        std::io::stdin().lines().map_while(Result::ok).for_each(|_| wishes.wish(UpdateWish::Check));
    })
    .await?;
    engine.shut_down();
    start.iter().for_each(|start| start.ended());
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        [] => run().await,
        ["keys", keys] => {
            Keys::create(Path::new(keys), None, jiff::Timestamp::now()).map(drop).map_err(Into::into)
        }
        ["ship", files, keys, url, program] => {
            ship(Path::new(files), Path::new(keys), url, Path::new(program))
        }
        ["publish", version, files, keys, repository] => {
            publish(version, Path::new(files), Path::new(keys), Path::new(repository))
        }
        _ => Err("usage: see the first lines of standalone.rs".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("standalone: {error}");
            ExitCode::FAILURE
        }
    }
}
