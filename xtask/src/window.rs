//! A window as X11 sees it: found by its title, typed into, photographed.

use crate::display::Display;
use anyhow::{Context, bail, ensure};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Number X11 gave the window.
pub type Id = u64;

fn xdotool(display: &str, arguments: &[&str]) -> Option<String> {
    loop {
        let output = Command::new("xdotool").args(arguments).env("DISPLAY", display).output().ok()?;
        if output.status.success() {
            return Some(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        // Some window was closed while it was looked at in search of this one.
        let closed_meanwhile = arguments.first() == Some(&"search")
            && String::from_utf8_lossy(&output.stderr).contains("BadWindow");
        if !closed_meanwhile {
            return None;
        }
    }
}

/// The visible window whose title matches the pattern, if there is one; `display` is the display's name.
pub fn find(display: &str, title: &str) -> Option<Id> {
    let found = xdotool(display, &["search", "--onlyvisible", "--name", title])?;
    found.lines().next()?.parse().ok()
}

/// Waits for the window.
///
/// # Errors
/// When it does not appear in time.
pub fn wait(display: &Display, title: &str, limit: Duration) -> anyhow::Result<Id> {
    let begun = Instant::now();
    loop {
        if let Some(id) = find(&display.name, title) {
            return Ok(id);
        }
        if begun.elapsed() > limit {
            bail!("no window with the title {title} after {} s", limit.as_secs());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Brings the window to the front and gives it the keyboard.
pub fn focus(display: &Display, id: Id) {
    xdotool(&display.name, &["windowactivate", "--sync", &id.to_string()]);
}

/// The window that has the keyboard.
pub fn active(display: &Display) -> Option<Id> {
    xdotool(&display.name, &["getactivewindow"])?.parse().ok()
}

/// Clicks into the window, in pixels from its upper left corner.
pub fn click(display: &Display, id: Id, x: i32, y: i32) {
    let (id, x, y) = (id.to_string(), x.to_string(), y.to_string());
    xdotool(&display.name, &["mousemove", "--window", &id, &x, &y, "click", "1"]);
}

/// Presses keys, such as `ctrl+End`.
pub fn keys(display: &Display, keys: &[&str]) {
    xdotool(&display.name, &[&["key", "--clearmodifiers"][..], keys].concat());
}

/// Types text as a person would.
///
/// # Errors
/// When xdotool can not be started or fails.
pub fn type_text(display: &Display, text: &str, pause_ms: u32) -> anyhow::Result<()> {
    ensure!(xdotool_type(&display.name, text, pause_ms)?.wait()?.success(), "xdotool could not type");
    Ok(())
}

fn xdotool_type(display: &str, text: &str, pause_ms: u32) -> anyhow::Result<Child> {
    Command::new("xdotool")
        .args(["type", "--delay", &pause_ms.to_string(), text])
        .env("DISPLAY", display)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("xdotool can not be started")
}

/// Saves a picture of the whole display.
///
/// # Errors
/// When ImageMagick can not be started or fails.
pub fn picture(display: &Display, path: &Path) -> anyhow::Result<()> {
    let done = Command::new("import")
        .args(["-window", "root"])
        .arg(path)
        .env("DISPLAY", &display.name)
        .status()
        .context("ImageMagick's `import` can not be started")?;
    if !done.success() {
        bail!("the picture {} could not be made", path.display());
    }
    Ok(())
}

/// Types a sentence over and over, as a person would, until it is told to stop.
#[derive(Debug)]
pub struct Typist {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<usize>>,
}

impl Typist {
    /// Starts to type into the window that has the keyboard.
    pub fn start(display: &Display, sentence: &'static str, pause_ms: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, name) = (stop.clone(), display.name.clone());
        let thread = std::thread::spawn(move || {
            let mut count = 0;
            while !stopped.load(Ordering::Relaxed) {
                let done = xdotool_type(&name, sentence, pause_ms)?.wait()?;
                ensure!(done.success(), "xdotool could not type");
                count += 1;
            }
            Ok(count)
        });
        Self { stop, thread }
    }

    /// Types the sentence to its end and says how often it was typed.
    ///
    /// # Errors
    /// When typing failed.
    pub fn stop(self) -> anyhow::Result<usize> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the typist died"))?
    }
}
