//! The page's dev server over the whole session: where it listens, what it is told, and its return when it ends.
//!
//! A dev server that ends takes nothing along: the window waits, says so, and loads the page again when the server is
//! back, its state kept as ever. Bundlers' clients do that, too, but one may be in the middle of it when the server ends again.

use super::missed::{self, Missed};
use super::server::{self, DevServer};
use super::session::Incoming;
use crate::bundler::Bundler;
use crate::project::Project;
use anyhow::{Result, bail};
use staysail_protocol::bridge::Overlay;
use staysail_protocol::interface::Description;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

/// A taken port is followed by this many others that are tried.
const PORTS_TRIED_MAX: u16 = 100;
/// Starts in a row without success, after which it is left alone.
const STARTS_MAX: u32 = 8;
/// Pause before the second start; it doubles with each.
const PAUSE_MS: u64 = 250;
/// Longest pause.
const PAUSE_MS_MAX: u64 = 8_000;
/// A server that ran this long counts as one that works.
const WORKS_AFTER: Duration = Duration::from_secs(10);
/// A dev server that somebody else runs must answer within this time.
const FOREIGN_S: u64 = 60;
/// Pause between two looks whether it does.
const LOOK_MS: u64 = 100;

/// The page's dev server.
pub struct Frontend {
    /// Where it listens; `None` when the page comes from a folder.
    pub url: Option<String>,
    bundler: Bundler,
    command: Option<String>,
    sender: Sender<Incoming>,
    server: Option<DevServer>,
    /// Number of the last start, from 1.
    number: u64,
    started: Instant,
    /// When the compiler that writes the page's files was started, until it has compiled all of them once.
    compiles_since: Option<SystemTime>,
    missed: Missed,
    /// Starts in a row that came to nothing.
    failed: u32,
}

/// What came of an ended dev server.
pub struct Ended {
    /// For the terminal.
    pub message: String,
    /// For the window.
    pub overlay: Overlay,
}

impl Frontend {
    /// Decides where the server listens. Nothing is started yet.
    pub fn new(project: &Project, version: &str, sender: Sender<Incoming>) -> Result<Self> {
        let config = project.config.frontend.dev.clone();
        let url = match config.as_ref().and_then(|config| config.url.clone()) {
            Some(url)
                if config.as_ref().is_some_and(|config| config.any_port && config.command.is_some()) =>
            {
                Some(with_free_port(&url)?)
            }
            url => url,
        };
        let bundler = Bundler::begin(project, version, url.as_deref())?;
        let command = config.and_then(|config| config.command);
        Ok(Self {
            url,
            bundler,
            command,
            sender,
            server: None,
            number: 0,
            started: Instant::now(),
            compiles_since: None,
            missed: Missed::default(),
            failed: 0,
        })
    }

    /// What the bundler is told while it runs.
    pub fn bundler(&self) -> &Bundler {
        &self.bundler
    }

    /// Tells the bundler what the backend offers.
    pub fn described(&self, description: &Description) {
        self.bundler.interface(description);
    }

    /// Starts the server and waits until it answers, or waits for one that somebody else runs.
    pub fn start(&mut self, project: &Project, waiting: impl FnOnce(&str)) -> Result<()> {
        let Some(command) = self.command.clone() else {
            return self.url.as_deref().map_or(Ok(()), |url| wait_for_foreign(url, waiting));
        };
        if let Some(url) = &self.url
            && server::accepts(url)?
        {
            bail!(
                "something already listens at {url}, so the dev server can not.\n  End that program, choose another port in frontend.dev of staysail.toml (and in your bundler's configuration), or add `any_port = true` there when the bundler takes its port from STAYSAIL_DEV_URL or PORT."
            );
        }
        self.spawn(project, &command)?;
        if let (Some(url), Some(server)) = (&self.url, &self.server) {
            server.wait_for(url)?;
        }
        Ok(())
    }

    fn spawn(&mut self, project: &Project, command: &str) -> Result<()> {
        let (lines, ends) = (self.sender.clone(), self.sender.clone());
        self.number += 1;
        let number = self.number;
        let line = move |line| drop(lines.send(Incoming::ServerLine(number, line)));
        let ended = move |status| drop(ends.send(Incoming::ServerEnded(number, status)));
        self.started = Instant::now();
        // What can not be written is told when there are types to write.
        let _ = crate::types::promise(&project.types());
        self.compiles_since = self.url.is_none().then(SystemTime::now);
        self.server = Some(DevServer::start(project, command, &self.bundler, line, ended)?);
        Ok(())
    }

    /// Whether the server of this number is the one that runs.
    pub fn runs(&self, number: u64) -> bool {
        number == self.number && self.server.is_some()
    }

    /// Hears a line of the server. When it is the compiler's that it watches now, and it may have missed saves before, it is
    /// started again: returns a file for which that is done. See [`missed`].
    pub fn heard(&mut self, project: &Project, number: u64, line: &str) -> Result<Option<PathBuf>> {
        if !self.runs(number) || !missed::watches(line) {
            return Ok(None);
        }
        let (Some(since), Some(served)) = (self.compiles_since.take(), project.served()) else {
            return Ok(None);
        };
        let sources = missed::sources(&project.frontend_folder(), &served, &project.types(), since);
        let Some(file) = self.missed.find(sources) else { return Ok(None) };
        self.end();
        if let Some(command) = self.command.clone() {
            self.spawn(project, &command)?;
        }
        Ok(Some(file))
    }

    /// The server of this number has ended by itself. It is started again, unless that has failed too often. `None` for one that
    /// was ended.
    pub fn ended(&mut self, number: u64, status: &str) -> Option<Ended> {
        if !self.runs(number) {
            return None;
        }
        self.bundler.forget();
        let said = self.server.take().map(|server| server.last_words()).unwrap_or_default();
        self.failed = if self.started.elapsed() >= WORKS_AFTER { 1 } else { self.failed + 1 };
        let again = self.failed <= STARTS_MAX;
        let (next, advice) = if again {
            let pause = PAUSE_MS << self.failed.saturating_sub(1).min(16);
            let pause = Duration::from_millis(if self.failed == 1 { 0 } else { pause.min(PAUSE_MS_MAX) });
            let sender = self.sender.clone();
            std::thread::spawn(move || {
                std::thread::sleep(pause);
                drop(sender.send(Incoming::ServerAgain));
            });
            (
                "it is being started again",
                "It is being started again. What you see stays, and so does what you typed.",
            )
        } else {
            (
                "page edits do not show until `staysail dev` is started again",
                "It ended too often to be started again. Look at its message, then start `staysail dev` again.",
            )
        };
        let message = format!("the dev server ended ({status}); {next}");
        let overlay = Overlay {
            kind: "server".into(),
            title: format!("The dev server ended ({status})"),
            detail: said,
            advice: advice.into(),
            retry: false,
            fresh: false,
        };
        Some(Ended { message, overlay })
    }

    /// Starts the server again, without waiting: [`Incoming::ServerBack`] tells when it answers.
    pub fn again(&mut self, project: &Project) -> Result<()> {
        let Some(command) = self.command.clone() else { return Ok(()) };
        self.spawn(project, &command)?;
        let (sender, number) = (self.sender.clone(), self.number);
        let Some(url) = self.url.clone() else {
            // It only writes files: there is nothing to wait for.
            drop(sender.send(Incoming::ServerBack(number)));
            return Ok(());
        };
        std::thread::spawn(move || {
            let end = Instant::now() + Duration::from_secs(FOREIGN_S);
            while Instant::now() < end {
                if server::goes_on_accepting(&url).unwrap_or(false) {
                    drop(sender.send(Incoming::ServerBack(number)));
                    return;
                }
                std::thread::sleep(Duration::from_millis(LOOK_MS));
            }
        });
        Ok(())
    }

    /// Ends the server and everything it started.
    pub fn end(&mut self) {
        if let Some(server) = self.server.take() {
            server.end();
        }
    }
}

/// Files that a page without a bundler exchanges in place: style sheets, and images (`packages/api/src/runtime/images.ts`).
pub fn is_exchanged_in_place(file: &Path) -> bool {
    const ENDINGS: [&str; 10] = ["css", "avif", "bmp", "gif", "ico", "jpeg", "jpg", "png", "svg", "webp"];
    let ending = file.extension().unwrap_or_default().to_ascii_lowercase();
    ENDINGS.iter().any(|known| ending == *known)
}

fn wait_for_foreign(url: &str, waiting: impl FnOnce(&str)) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(FOREIGN_S);
    let mut waiting = Some(waiting);
    while !server::accepts(url)? {
        if let Some(tell) = waiting.take() {
            tell(&format!("waiting for the dev server at {url}: start it now …"));
        }
        if Instant::now() > end {
            bail!(
                "nothing answers at {url} after {FOREIGN_S} s, and frontend.dev in staysail.toml has no command to start it.\n  Start your dev server first, or add its command."
            );
        }
        std::thread::sleep(Duration::from_millis(LOOK_MS));
    }
    Ok(())
}

/// The address itself, or with the next port that nobody has.
fn with_free_port(url: &str) -> Result<String> {
    let (_, first) = crate::project::address(url).map_err(anyhow::Error::msg)?;
    for port in first..=first.saturating_add(PORTS_TRIED_MAX) {
        let candidate = with_port(url, first, port);
        if !server::accepts(&candidate)? && server::can_listen(&candidate)? {
            return Ok(candidate);
        }
    }
    bail!(
        "the port of {url} and the {PORTS_TRIED_MAX} behind it are all taken.\n  Choose another one in frontend.dev of staysail.toml."
    )
}

fn with_port(url: &str, old: u16, new: u16) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.strip_suffix(&format!(":{old}")).unwrap_or(authority);
    format!("{scheme}://{host}:{new}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_of_an_address_is_exchanged() {
        assert_eq!(with_port("http://localhost:5173", 5173, 5174), "http://localhost:5174");
        assert_eq!(with_port("https://[::1]:1/a?b=:1", 1, 2), "https://[::1]:2/a?b=:1");
        assert_eq!(with_port("http://localhost/x", 80, 81), "http://localhost:81/x");
    }

    #[test]
    fn a_taken_port_is_followed_by_the_next_free_one() {
        let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let chosen = with_free_port(&format!("http://127.0.0.1:{port}/")).unwrap();
        let (_, chosen) = crate::project::address(&chosen).unwrap();
        assert!(chosen > port, "{chosen} is not behind {port}");
    }

    #[test]
    fn a_port_of_a_connection_is_taken_although_nobody_listens_there() {
        let server = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let connection = std::net::TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let port = connection.local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}/");
        assert!(!server::accepts(&url).unwrap());
        assert_ne!(with_free_port(&url).unwrap(), url);
    }
}
