//! A window as X11 sees it: found by its title, typed into, photographed.

use crate::display::Display;
use anyhow::{Context, bail};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Number X11 gave the window.
pub type Id = u64;

fn xdotool(display: &Display, arguments: &[&str]) -> Option<String> {
    let output = Command::new("xdotool")
        .args(arguments)
        .env("DISPLAY", &display.name)
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The visible window whose title matches the pattern, if there is one.
pub fn find(display: &Display, title: &str) -> Option<Id> {
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
        if let Some(id) = find(display, title) {
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
    xdotool(display, &["windowactivate", "--sync", &id.to_string()]);
}

/// Clicks into the window, in pixels from its upper left corner.
pub fn click(display: &Display, id: Id, x: i32, y: i32) {
    let (id, x, y) = (id.to_string(), x.to_string(), y.to_string());
    xdotool(display, &["mousemove", "--window", &id, &x, &y, "click", "1"]);
}

/// Presses keys, such as `ctrl+End`.
pub fn keys(display: &Display, keys: &[&str]) {
    xdotool(display, &[&["key", "--clearmodifiers"][..], keys].concat());
}

/// Types text as a person would; goes on while this process does other things.
///
/// # Errors
/// When xdotool can not be started.
pub fn type_text(display: &Display, text: &str, pause_ms: u32) -> anyhow::Result<Child> {
    Command::new("xdotool")
        .args(["type", "--delay", &pause_ms.to_string(), text])
        .env("DISPLAY", &display.name)
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
