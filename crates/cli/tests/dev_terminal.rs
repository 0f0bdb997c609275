//! `staysail dev` at a terminal: single keys, the line at the foot, and a terminal that is given back as it was.

#![cfg(unix)]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use rustix::termios::LocalModes;
use support::{backend, project, staysail};
use terminal::Terminal;

/// `staysail dev` in a small project, and its folder.
fn start(flags: &[&str]) -> (Terminal, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let mut command = staysail(folder.path());
    command.arg("dev").args(flags).env("BROWSER", "none");
    (Terminal::start(command), folder)
}

#[test]
fn keys_act_without_enter_and_the_terminal_is_given_back_as_it_was() {
    let (mut terminal, _folder) = start(&[]);
    terminal.until("backend live in");
    terminal.until("● live");
    assert!(
        !terminal.settings().intersects(LocalModes::ICANON | LocalModes::ECHO),
        "keys come one at a time"
    );
    assert!(terminal.settings().contains(LocalModes::ISIG), "Ctrl-C still does what it does");
    terminal.press_when_asked("h");
    terminal.until("swap on save: on or off");
    terminal.press_when_asked("f");
    terminal.until("backend swapped in");
    terminal.press_when_asked("i");
    terminal.until("\"t\":\"inspect\"");
    terminal.press_when_asked("o");
    terminal.until("/__staysail/open?token=");
    terminal.press_when_asked("c");
    terminal.until("\x1b[2J\x1b[3J\x1b[H");
    terminal.press_when_asked("q");
    assert!(terminal.ended().success());
    assert_eq!(terminal.settings(), terminal.before);
}

#[test]
fn ctrl_c_gives_the_terminal_back_too() {
    let (mut terminal, _folder) = start(&[]);
    terminal.until("● live");
    // SAFETY: the child is ours and not yet reaped.
    unsafe { libc::kill(terminal.child.id() as i32, libc::SIGINT) };
    terminal.ended();
    assert_eq!(terminal.settings(), terminal.before);
    assert!(terminal.shows_cursor(), "the cursor stays hidden: {}", terminal.seen);
}

#[test]
fn saves_wait_while_swapping_on_save_is_off() {
    let (mut terminal, folder) = start(&["--explain"]);
    terminal.until("● live");
    terminal.press_when_asked("s");
    terminal.until("swap on save is off");
    std::fs::write(folder.path().join("src/main.rs"), backend("second")).unwrap();
    terminal.until("1 file saved, r builds");
    assert!(!terminal.text.contains("Compiling"), "{}", terminal.text);
    terminal.press_when_asked("r");
    terminal.until("backend swapped in");
    terminal.until("tiny");
    terminal.until("copy to its own path");
    std::fs::write(folder.path().join("src/main.rs"), backend("third")).unwrap();
    terminal.until("1 file saved, r builds");
    terminal.press_when_asked("s");
    terminal.until("backend swapped in");
}

#[test]
fn the_foot_tells_what_is_wrong_with_the_build() {
    let (mut terminal, folder) = start(&[]);
    terminal.until("● live");
    std::fs::write(folder.path().join("src/main.rs"), "fn main() { let x: u32 = \"no\"; }").unwrap();
    terminal.until("mismatched types");
    terminal.until("● 1 error in the build");
    std::fs::write(folder.path().join("src/main.rs"), backend("repaired")).unwrap();
    terminal.until("● live");
}
