//! `staysail dev` at a terminal: single keys, the line at the foot, and a terminal that is given back as it was.

#![cfg(unix)]

mod support;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use support::{backend, project, staysail};

const BOUND: Duration = Duration::from_secs(120);

/// The command at a terminal of its own, and all the terminal has shown.
struct Terminal {
    child: Child,
    keys: File,
    screen: File,
    shown: Receiver<Vec<u8>>,
    text: String,
    folder: tempfile::TempDir,
}

impl Terminal {
    fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        project(folder.path());
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        tcsetwinsize(&ours, Winsize { ws_row: 30, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let screen = File::options().read(true).write(true).open(&name).unwrap();
        let mut command = staysail(folder.path());
        let child = command
            .arg("dev")
            .args(flags)
            .envs([("TERM", "xterm-256color"), ("BROWSER", "none")])
            .stdin(screen.try_clone().unwrap())
            .stdout(screen.try_clone().unwrap())
            .stderr(screen.try_clone().unwrap())
            .spawn()
            .unwrap();
        let keys = File::from(ours);
        let mut from = keys.try_clone().unwrap();
        let (show, shown) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut piece) {
                if show.send(piece[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keys, screen, shown, text: String::new(), folder }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this was shown, and forgets everything up to it.
    fn until(&mut self, what: &str) {
        let end = Instant::now() + BOUND;
        loop {
            if let Some(at) = self.text.find(what) {
                self.text.drain(..at + what.len());
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.shown.recv_timeout(left) {
                Ok(piece) => self.text.push_str(&String::from_utf8_lossy(&piece)),
                Err(_) => panic!("{what:?} was not shown after {:?}", self.text),
            }
        }
    }

    fn settings(&self) -> LocalModes {
        tcgetattr(&self.screen).unwrap().local_modes
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_act_without_enter_and_the_terminal_is_given_back_as_it_was() {
    let mut terminal = Terminal::start(&[]);
    let before = terminal.settings();
    terminal.until("backend live in");
    terminal.until("● live");
    assert!(
        !terminal.settings().intersects(LocalModes::ICANON | LocalModes::ECHO),
        "keys come one at a time"
    );
    assert!(terminal.settings().contains(LocalModes::ISIG), "Ctrl-C still does what it does");
    terminal.press("h");
    terminal.until("swap on save: on or off");
    terminal.press("f");
    terminal.until("backend swapped in");
    terminal.press("i");
    terminal.until("\"t\":\"inspect\"");
    terminal.press("o");
    terminal.until("/__staysail/open?token=");
    terminal.press("q");
    assert!(terminal.child.wait().unwrap().success());
    assert_eq!(terminal.settings(), before);
}

#[test]
fn ctrl_c_gives_the_terminal_back_too() {
    let mut terminal = Terminal::start(&[]);
    let before = terminal.settings();
    terminal.until("● live");
    // SAFETY: the child is ours and not yet reaped.
    unsafe { libc::kill(terminal.child.id() as i32, libc::SIGINT) };
    terminal.child.wait().unwrap();
    assert_eq!(terminal.settings(), before);
}

#[test]
fn saves_wait_while_swapping_on_save_is_off() {
    let mut terminal = Terminal::start(&["--explain"]);
    terminal.until("● live");
    terminal.press("s");
    terminal.until("swap on save is off");
    std::fs::write(terminal.folder.path().join("src/main.rs"), backend("second")).unwrap();
    terminal.until("1 file saved, r builds");
    assert!(!terminal.text.contains("Compiling"), "{}", terminal.text);
    terminal.press("r");
    terminal.until("backend swapped in");
    terminal.until("tiny");
    terminal.until("copy to its own path");
    std::fs::write(terminal.folder.path().join("src/main.rs"), backend("third")).unwrap();
    terminal.until("1 file saved, r builds");
    terminal.press("s");
    terminal.until("backend swapped in");
}

#[test]
fn the_foot_tells_what_is_wrong_with_the_build() {
    let mut terminal = Terminal::start(&[]);
    terminal.until("● live");
    std::fs::write(terminal.folder.path().join("src/main.rs"), "fn main() { let x: u32 = \"no\"; }").unwrap();
    terminal.until("mismatched types");
    terminal.until("● 1 error in the build");
    std::fs::write(terminal.folder.path().join("src/main.rs"), backend("repaired")).unwrap();
    terminal.until("● live");
}
