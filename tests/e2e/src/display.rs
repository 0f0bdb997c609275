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

/// What both screens show.
const MODE: &str = "1024x768";

/// For Xorg: a card that is none, and no device or console of the machine is touched.
const TWO_SCREENS: &str = r#"Section "ServerFlags"
  Option "AutoAddDevices" "false"
  Option "AutoEnableDevices" "false"
EndSection
Section "Device"
  Identifier "none"
  Driver "dummy"
  VideoRam 16384
EndSection
Section "Screen"
  Identifier "both"
  Device "none"
  DefaultDepth 24
EndSection
"#;

/// A virtual display; gone when dropped, and when the test is killed.
pub struct Display {
    name: String,
    server: Child,
    window_manager: Option<Program>,
}

impl Display {
    /// Starts an X server on a free number, and a window manager in it. Neither carries a test's mark.
    ///
    /// # Errors
    /// When Xvfb is missing or does not come up.
    pub fn start() -> anyhow::Result<Self> {
        let mut command = Command::new("Xvfb");
        command.args(["-screen", "0", "1280x900x24"]);
        Self::serve(command, "Xvfb (Debian: xvfb)")
    }

    /// Starts an X server with two screens beside each other, `DUMMY0` and `DUMMY1`, each 1024 by 768 pixels: Xvfb has one
    /// output, and GTK counts outputs. `xrandr --output DUMMY1 --off` takes the right one away. What the server needs
    /// lies in `folder`.
    ///
    /// # Errors
    /// When Xorg or its driver for no hardware is missing, or does not come up.
    pub fn with_two_screens(folder: &Path) -> anyhow::Result<Self> {
        let config = folder.join("two-screens.conf");
        std::fs::write(&config, TWO_SCREENS)?;
        let mut command = Command::new("Xorg");
        command.arg("-config").arg(&config).arg("-logfile").arg(folder.join("two-screens.log"));
        let display = Self::serve(command, "Xorg (Debian: xserver-xorg-core, xserver-xorg-video-dummy)")?;
        for arguments in [
            &["--addmode", "DUMMY1", MODE][..],
            &["--output", "DUMMY1", "--mode", MODE, "--right-of", "DUMMY0"],
        ] {
            display.tool("xrandr", arguments).context("a second screen (Debian: x11-xserver-utils)")?;
        }
        // Asked, the server looks at its outputs anew; until then it takes the second for one nothing is connected to.
        crate::wait_until("the second screen", PATIENCE, || {
            let told = display.tool("xrandr", &["--query"]).map_err(|error| format!("{error:#}"))?;
            if told.contains("DUMMY1 connected 1024x768+1024+0") { Ok(()) } else { Err(told) }
        })?;
        Ok(display)
    }

    fn serve(mut command: Command, name: &str) -> anyhow::Result<Self> {
        let (mut reader, writer) = std::io::pipe()?;
        let descriptor = writer.as_raw_fd();
        // Without repetition: a key whose release waits, because the machine is busy, would count as pressed over and over.
        command
            .args(["-displayfd", &descriptor.to_string(), "-nolisten", "tcp", "-ac", "-noreset", "-r"])
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
        let server = command.spawn().with_context(|| format!("starting {name}"))?;
        drop(writer);
        // The server closes the pipe after the number, or dies and so closes it: the read has an end.
        let mut number = String::new();
        reader.read_to_string(&mut number)?;
        let number: u32 =
            number.trim().parse().with_context(|| format!("{name} did not name its display"))?;
        let mut display = Self { name: format!(":{number}"), server, window_manager: None };
        display.start_window_manager();
        Ok(display)
    }

    /// Starts the window manager, if there is one on this machine.
    pub fn start_window_manager(&mut self) {
        let mut openbox = Command::new("openbox");
        openbox.env("DISPLAY", &self.name).env_remove(MARK);
        self.window_manager = Program::start("openbox", openbox).ok();
    }

    /// Ends the window manager: windows stand where programs put them.
    pub fn end_window_manager(&mut self) {
        self.window_manager = None;
    }

    /// Starts a compositor: what lies below a transparent window is seen through it as long as the answer is kept.
    ///
    /// # Errors
    /// When there is none on this machine.
    pub fn composite(&self) -> anyhow::Result<Program> {
        let mut compositor = Command::new("xcompmgr");
        compositor.env("DISPLAY", &self.name).env_remove(MARK);
        Program::start("xcompmgr", compositor)
    }

    /// The colour of one place of the screen as people see it: red, green, blue.
    ///
    /// # Errors
    /// When `import` fails.
    pub fn colour_at(&self, x: i32, y: i32) -> anyhow::Result<[u8; 3]> {
        let place = format!("1x1+{x}+{y}");
        let text = self.tool("import", &["-window", "root", "-crop", &place, "-depth", "8", "txt:-"])?;
        let hex = text.lines().last().and_then(|line| line.split('#').nth(1)).unwrap_or_default();
        let part =
            |index: usize| hex.get(index..index + 2).and_then(|part| u8::from_str_radix(part, 16).ok());
        let colour = part(0).zip(part(2)).zip(part(4)).map(|((red, green), blue)| [red, green, blue]);
        colour.with_context(|| format!("import said {text}"))
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
        tool(&self.name, program, arguments)
    }

    /// Ids of the visible windows whose title matches `title` (a regular expression).
    pub fn windows(&self, title: &str) -> Vec<String> {
        self.search("--name", title)
    }

    /// Ids of the visible windows of programs, dialogs with them: those have no title.
    pub fn programs_windows(&self) -> Vec<String> {
        self.search("--class", ".")
    }

    fn search(&self, by: &str, pattern: &str) -> Vec<String> {
        loop {
            match self.tool("xdotool", &["search", "--onlyvisible", by, pattern]) {
                Ok(found) => return found.lines().map(str::to_owned).collect(),
                // A window was closed while it was looked at: that says nothing of the others.
                Err(error) if error.to_string().contains("BadWindow") => {}
                Err(_) => return Vec::new(),
            }
        }
    }

    /// Waits for a program's window beside these, gives it the focus and returns its id. Keys that come before are
    /// another window's.
    ///
    /// # Errors
    /// When there is none.
    pub fn focus_new(&self, before: &[String], patience: Duration) -> anyhow::Result<String> {
        let new = crate::wait_until("a new window", patience, || {
            let new = self.programs_windows().into_iter().find(|window| !before.contains(window));
            new.ok_or_else(|| format!("{before:?}"))
        })?;
        self.focus(&new)?;
        Ok(new)
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
        picture(&self.name, file)
    }
}

/// Writes a picture of the whole screen of the display with this name.
pub(crate) fn picture(display: &str, file: &Path) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    tool(display, "import", &["-window", "root", &file.display().to_string()]).map(drop)
}

fn tool(display: &str, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new(program);
    command.args(arguments).env("DISPLAY", display).env_remove(MARK);
    child::run(program, command, PATIENCE)
}

impl Drop for Display {
    fn drop(&mut self) {
        self.window_manager = None;
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
