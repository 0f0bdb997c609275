//! An external dev server: started with its whole process tree guarded, waited for, ended with us.

use crate::bundler::Bundler;
use crate::package_manager::PackageManager;
use crate::project::Project;
use anyhow::{Context, Result, bail};
use staysail_supervise::{Spawn, Tree};
use std::io::{BufReader, ErrorKind};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The dev server must accept connections within this time.
const START_S: u64 = 60;
/// Pause between two looks whether it does.
const LOOK_MS: u64 = 40;
/// It must still accept them after this pause: Vite listens at its port for a moment to see whether it is free, and a window
/// that opens on that is refused.
const STAYS_MS: u64 = 150;
/// One try to connect.
const CONNECT_MS: u64 = 500;
/// Its last words may take this long to arrive.
const LAST_WORDS_MS: u64 = 500;
/// It may end in order for this long.
const END_MS: u64 = 1_000;
/// Lines of its output shown when it fails.
const LINES_MAX: usize = 30;

/// A running dev server.
pub struct DevServer {
    tree: Arc<Tree>,
    output: Arc<Mutex<Vec<String>>>,
    changed: Receiver<()>,
}

impl DevServer {
    /// Starts the project's dev server. Each line it prints goes to `line`; `ended` is told when it ends.
    pub fn start(
        project: &Project,
        command: &str,
        bundler: &Bundler,
        line: impl Fn(String) + Send + Clone + 'static,
        ended: impl FnOnce(String) + Send + 'static,
    ) -> Result<Self> {
        let mut spawn = shell_command(command)
            .current_dir(project.frontend_folder())
            // Bundlers open a browser by default; the window is ours.
            .env("BROWSER", "none");
        if std::env::var_os("NO_COLOR").is_none() {
            // Colours survive the pipe.
            spawn = spawn.env("FORCE_COLOR", "1");
        }
        let tree = bundler
            .variables()
            .fold(spawn, |spawn, (name, value)| spawn.env(name, value))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .guarded(true)
            .spawn()
            .with_context(|| format!("the dev server `{command}` could not be started"))?;
        let tree = Arc::new(tree);
        let output = Arc::new(Mutex::new(Vec::new()));
        let (tell, changed) = channel::<()>();
        if let Some(stream) = tree.take_stdout() {
            copy(stream, output.clone(), line.clone(), tell.clone());
        }
        if let Some(stream) = tree.take_stderr() {
            copy(stream, output.clone(), line, tell.clone());
        }
        let waited = tree.clone();
        std::thread::spawn(move || {
            let status = waited.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
            let _ = tell.send(());
            ended(status);
        });
        Ok(Self { tree, output, changed })
    }

    /// Waits until it accepts connections.
    pub fn wait_for(&self, url: &str) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(START_S);
        while !goes_on_accepting(url)? {
            if let Some(status) = self.tree.try_wait()? {
                self.hear_out();
                bail!(
                    "the dev server ended before it answered at {url} ({status}). It said:\n{}",
                    self.said()
                );
            }
            if Instant::now() > end {
                bail!(
                    "the dev server does not answer at {url} after {START_S} s.\n  Does frontend.dev.url in staysail.toml name the port it uses? It said:\n{}",
                    self.said()
                );
            }
            // Wakes early when it says something, which is when it usually is ready.
            let _ = self.changed.recv_timeout(Duration::from_millis(LOOK_MS));
        }
        Ok(())
    }

    /// Waits for its last words: the channel closes when both of its streams have ended.
    fn hear_out(&self) {
        let end = Instant::now() + Duration::from_millis(LAST_WORDS_MS);
        while self.changed.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok() {}
    }

    fn said(&self) -> String {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let from = output.len().saturating_sub(LINES_MAX);
        output[from..].iter().map(|line| format!("  | {line}\n")).collect()
    }

    /// What it said last, after it has ended.
    pub fn last_words(&self) -> String {
        self.hear_out();
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let from = output.len().saturating_sub(LINES_MAX);
        output[from..].join("\n").trim().to_owned()
    }

    /// Ends it and everything it started.
    pub fn end(&self) {
        // Its own end has been reported; how it ended is of no interest now.
        let _ = self.tree.terminate(Duration::from_millis(END_MS));
        self.tree.kill();
    }
}

fn copy(
    stream: impl std::io::Read + Send + 'static,
    kept: Arc<Mutex<Vec<String>>>,
    line: impl Fn(String) + Send + 'static,
    tell: Sender<()>,
) {
    std::thread::spawn(move || {
        for text in crate::cargo::lines(BufReader::new(stream)) {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= 2 * LINES_MAX {
                kept.drain(..LINES_MAX);
            }
            kept.push(text.clone());
            drop(kept);
            let _ = tell.send(());
            line(text);
        }
    });
}

/// A command line as the system's shell understands it.
pub fn shell_command(command: &str) -> Spawn {
    if cfg!(windows) {
        Spawn::new("cmd").args(["/C", command])
    } else {
        Spawn::new("sh").args(["-c", command])
    }
}

/// Whether something accepts connections there, and not for a moment only.
pub fn goes_on_accepting(url: &str) -> Result<bool> {
    accepts_after(url, || std::thread::sleep(Duration::from_millis(STAYS_MS)))
}

fn accepts_after(url: &str, pause: impl FnOnce()) -> Result<bool> {
    if !accepts(url)? {
        return Ok(false);
    }
    pause();
    accepts(url)
}

/// Whether anything accepts connections there, on any of the host's addresses.
pub fn accepts(url: &str) -> Result<bool> {
    let (host, port) = crate::project::address(url).map_err(anyhow::Error::msg)?;
    // A host that can not be resolved accepts nothing.
    let Ok(addresses) = (host.as_str(), port).to_socket_addrs() else { return Ok(false) };
    let patience = Duration::from_millis(CONNECT_MS);
    Ok(addresses.into_iter().any(|address| TcpStream::connect_timeout(&address, patience).is_ok()))
}

/// Whether a server could listen there: the port may be that of somebody's connection, which accepts nothing.
pub fn can_listen(url: &str) -> Result<bool> {
    let (host, port) = crate::project::address(url).map_err(anyhow::Error::msg)?;
    let Ok(addresses) = (host.as_str(), port).to_socket_addrs() else { return Ok(true) };
    // Addresses of another machine, or a port that is not allowed: what is wrong there, the dev server says best.
    let is_taken =
        |address| matches!(TcpListener::bind(address), Err(error) if error.kind() == ErrorKind::AddrInUse);
    Ok(!addresses.into_iter().any(is_taken))
}

/// Runs a command of the frontend to its end, its output going where ours goes.
pub fn run_to_end<'a>(
    folder: &Path,
    command: &str,
    variables: impl Iterator<Item = (&'static str, &'a str)>,
) -> Result<()> {
    let spawn = shell_command(command).current_dir(folder);
    let tree = variables
        .fold(spawn, |spawn, (name, value)| spawn.env(name, value))
        .stdout(copy_of_stderr()?)
        .guarded(true)
        .spawn()
        .with_context(|| format!("`{command}` could not be started"))?;
    let status = tree.wait()?;
    if !status.success() {
        bail!("`{command}` failed in {} ({status}); what it said stands above.", folder.display());
    }
    Ok(())
}

/// Standard output is for JSON and results; what tools say goes beside our own messages.
fn copy_of_stderr() -> Result<Stdio> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        Ok(Stdio::from(std::io::stderr().as_fd().try_clone_to_owned()?))
    }
    #[cfg(not(unix))]
    Ok(Stdio::inherit())
}

/// Installs the frontend's packages when it has some and they are missing.
pub fn install_packages(folder: &Path) -> Result<()> {
    // Yarn's Plug'n'Play installs without a folder of packages.
    let installed = ["node_modules", ".pnp.cjs"].iter().any(|name| folder.join(name).exists());
    if folder.join("package.json").is_file() && !installed {
        let manager = PackageManager::of(folder);
        eprintln!(
            "installing the frontend's packages ({} install in {}) …",
            manager.program,
            folder.display()
        );
        run_to_end(folder, manager.install(), std::iter::empty())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_only_tried_for_a_moment_is_no_dev_server() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        assert!(accepts_after(&url, || ()).unwrap());
        assert!(!accepts_after(&url, || drop(listener)).unwrap());
        assert!(!accepts_after(&url, || unreachable!("nothing listens")).unwrap());
    }
}
