//! A display of the test's own: Xvfb and a window manager, screenshots, keyboard and windows.

use crate::child::{self, Program, die_with_test};
use crate::processes::MARK;
use anyhow::Context;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Longest wait for anything the X server or a tool of it does.
const PATIENCE: Duration = Duration::from_secs(10);

/// A virtual display; gone when dropped, and when the test is killed.
pub struct Display {
    name: String,
    server: Child,
    _window_manager: Option<Program>,
}

impl Display {
    /// Starts an X server on a free number, and a window manager in it. Neither carries a test's mark.
    ///
    /// # Errors
    /// When Xvfb is missing or does not come up.
    pub fn start() -> anyhow::Result<Self> {
        let (mut reader, writer) = std::io::pipe()?;
        let descriptor = writer.as_raw_fd();
        let mut command = Command::new("Xvfb");
        command
            .args(["-displayfd", &descriptor.to_string(), "-screen", "0", "1280x900x24", "-nolisten", "tcp"])
            .args(["-ac", "-noreset"])
            .env_remove(MARK)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        die_with_test(&mut command);
        // SAFETY: fcntl is async-signal-safe; the descriptor is open in the child, too.
        unsafe {
            command.pre_exec(move || {
                if libc::fcntl(descriptor, libc::F_SETFD, 0) == -1 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let server = command.spawn().context("starting Xvfb (Debian: xvfb)")?;
        drop(writer);
        // The server closes the pipe after the number, or dies and so closes it: the read has an end.
        let mut number = String::new();
        reader.read_to_string(&mut number)?;
        let number: u32 = number.trim().parse().context("Xvfb did not name its display")?;
        let mut display = Self { name: format!(":{number}"), server, _window_manager: None };
        let mut openbox = Command::new("openbox");
        openbox.env("DISPLAY", &display.name).env_remove(MARK);
        display._window_manager = Program::start("openbox", openbox).ok();
        Ok(display)
    }

    /// Its name, for `DISPLAY`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a tool of X11 in this display and returns what it said.
    ///
    /// # Errors
    /// When it fails or hangs.
    pub fn tool(&self, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(program);
        command.args(arguments).env("DISPLAY", &self.name).env_remove(MARK);
        child::run(program, command, PATIENCE)
    }

    /// Ids of the visible windows whose title matches `title` (a regular expression).
    pub fn windows(&self, title: &str) -> Vec<String> {
        let found = self.tool("xdotool", &["search", "--onlyvisible", "--name", title]);
        found.map(|text| text.lines().map(str::to_owned).collect()).unwrap_or_default()
    }

    /// Waits for the one window with this title and returns its X11 id.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn window(&self, title: &str, patience: Duration) -> anyhow::Result<String> {
        crate::wait_until(&format!("one window named {title}"), patience, || {
            match self.windows(title).as_slice() {
                [one] => Ok(one.clone()),
                other => Err(format!("{} windows", other.len())),
            }
        })
    }

    /// Types `text` into whatever has the keyboard focus.
    ///
    /// # Errors
    /// When xdotool fails.
    pub fn type_text(&self, text: &str) -> anyhow::Result<()> {
        self.tool("xdotool", &["type", "--delay", "5", text]).map(drop)
    }

    /// Presses a key, e.g. `Escape` or `ctrl+s`.
    ///
    /// # Errors
    /// When xdotool fails.
    pub fn key(&self, key: &str) -> anyhow::Result<()> {
        self.tool("xdotool", &["key", key]).map(drop)
    }

    /// Gives the keyboard focus to a window.
    ///
    /// # Errors
    /// When xdotool fails.
    pub fn focus(&self, window: &str) -> anyhow::Result<()> {
        self.tool("xdotool", &["windowactivate", "--sync", window]).map(drop)
    }

    /// Writes a picture of the whole screen.
    ///
    /// # Errors
    /// When `import` fails.
    pub fn screenshot(&self, file: &Path) -> anyhow::Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        self.tool("import", &["-window", "root", &file.display().to_string()]).map(drop)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self._window_manager = None;
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
