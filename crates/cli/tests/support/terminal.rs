//! The command at a terminal of its own.

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const BOUND: Duration = Duration::from_secs(120);

/// The command, and all its terminal has shown.
pub struct Terminal {
    /// The command's process.
    pub child: Child,
    keys: File,
    screen: File,
    shown: Receiver<Vec<u8>>,
    /// How the terminal was set before the command was started.
    pub before: LocalModes,
    /// What was shown and not looked for yet.
    pub text: String,
    /// All that was shown.
    pub seen: String,
}

impl Terminal {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        tcsetwinsize(&ours, Winsize { ws_row: 30, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let screen = File::options().read(true).write(true).open(&name).unwrap();
        let before = tcgetattr(&screen).unwrap().local_modes;
        // SAFETY: between fork and exec only `setsid` and `ioctl` are called; nothing is allocated.
        unsafe { command.pre_exec(at_the_terminal) };
        let child = command
            .env("TERM", "xterm-256color")
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
        Self { child, keys, screen, shown, before, text: String::new(), seen: String::new() }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Presses a key as soon as the command asks for keys one at a time.
    pub fn press_when_asked(&mut self, key: &str) {
        let end = Instant::now() + BOUND;
        while self.settings().contains(LocalModes::ICANON) {
            assert!(Instant::now() < end, "no key is asked for after {:?}", self.text);
            std::thread::sleep(Duration::from_millis(1));
        }
        self.press(key);
    }

    /// Waits until this was shown, and forgets everything up to it.
    pub fn until(&mut self, what: &str) {
        let end = Instant::now() + BOUND;
        loop {
            if let Some(at) = self.text.find(what) {
                self.text.drain(..at + what.len());
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.shown.recv_timeout(left) {
                Ok(piece) => self.take(&piece),
                Err(_) => panic!("{what:?} was not shown after {:?}", self.text),
            }
        }
    }

    fn take(&mut self, piece: &[u8]) {
        let piece = String::from_utf8_lossy(piece);
        self.text.push_str(&piece);
        self.seen.push_str(&piece);
    }

    /// Reads what an ended command has left on the screen.
    fn read_rest(&mut self) {
        // Written behind everything the command wrote, so what comes before it is all there was.
        self.screen.write_all(b"<end>").unwrap();
        self.until("<end>");
    }

    /// Waits for the command's end, in bounded time.
    pub fn ended(&mut self) -> std::process::ExitStatus {
        let end = Instant::now() + BOUND;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end after {:?}", self.text);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the cursor is to be seen, with all that was shown.
    pub fn shows_cursor(&mut self) -> bool {
        self.read_rest();
        // Lists and lines that change in place hide it.
        self.seen.rfind("\x1b[?25h") >= self.seen.rfind("\x1b[?25l")
    }

    /// How the terminal is set.
    pub fn settings(&self) -> LocalModes {
        tcgetattr(&self.screen).unwrap().local_modes
    }
}

/// Makes the terminal at standard input the one whose Ctrl-C ends this process.
fn at_the_terminal() -> std::io::Result<()> {
    // SAFETY: plain numbers; called in a new process that leads no group yet.
    let taken = unsafe { libc::setsid() != -1 && libc::ioctl(0, libc::TIOCSCTTY as _, 0) != -1 };
    if taken { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
