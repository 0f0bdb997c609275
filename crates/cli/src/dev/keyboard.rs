//! Single keys from the terminal, without Enter, while the command runs.
//!
//! Only what stands between a key and the program is switched off (line editing and echo): Ctrl-C, Ctrl-Z and output
//! work as always. The terminal gets its own settings back at the end, also when the command ends early.

use super::session::Incoming;
use std::io::{IsTerminal, Read};
use std::sync::mpsc::Sender;

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Build and swap the backend.
    Rebuild,
    /// Start the backend without its kept state.
    Fresh,
    /// Open the web inspector.
    Inspector,
    /// Open the app in the browser.
    Browser,
    /// Swap on save, or only when asked.
    Toggle,
    /// Clear the terminal.
    Clear,
    /// End.
    Quit,
    /// An empty line, to set apart what comes next.
    Blank,
    /// Say what the keys are.
    Help,
}

/// Keys and what they do, for the help.
pub const HELP: &str = "  r  build and swap the backend\n  f  start the backend afresh, without its kept state\n  s  swap on save: on or off\n  i  open the inspector\n  o  open the app in your browser\n  c  clear\n  q  end\n  h  this help";

impl Key {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte.to_ascii_lowercase() {
            b'r' => Self::Rebuild,
            b'f' => Self::Fresh,
            b'i' => Self::Inspector,
            b'o' => Self::Browser,
            b's' => Self::Toggle,
            b'c' => Self::Clear,
            b'q' => Self::Quit,
            b'\n' | b'\r' => Self::Blank,
            b'h' | b'?' => Self::Help,
            _ => return None,
        })
    }
}

/// The terminal's keys, read until this is dropped.
pub struct Keyboard {
    #[cfg(unix)]
    _settings: unix::Settings,
}

impl Keyboard {
    /// Begins to read; `None` when nobody sits at a terminal.
    pub fn start(sender: Sender<Incoming>) -> Option<Self> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        #[cfg(unix)]
        let settings = unix::Settings::change()?;
        let spawned = std::thread::Builder::new().name("keyboard".into()).spawn(move || {
            while let Some(byte) = next() {
                if let Some(key) = Key::of(byte)
                    && sender.send(Incoming::Key(key)).is_err()
                {
                    return;
                }
            }
        });
        spawned.ok().map(|_| Self {
            #[cfg(unix)]
            _settings: settings,
        })
    }
}

/// Gives the terminal its settings back, for an end that drops nothing.
pub fn restore() {
    #[cfg(unix)]
    unix::restore();
}

#[cfg(unix)]
fn next() -> Option<u8> {
    let mut byte = [0];
    std::io::stdin().lock().read_exact(&mut byte).ok().map(|()| byte[0])
}

#[cfg(windows)]
fn next() -> Option<u8> {
    // The console hands out keys one at a time by itself; others than letters are of no interest.
    let mut byte = [0];
    match console::Term::stdout().read_key() {
        Ok(console::Key::Char(letter)) => letter.encode_utf8(&mut [0; 4]).as_bytes().first().copied(),
        Ok(console::Key::Enter) => Some(b'\n'),
        Ok(_) => Some(0),
        // No console but something that acts as one: its lines are read.
        Err(_) => std::io::stdin().lock().read_exact(&mut byte).ok().map(|()| byte[0]),
    }
}

#[cfg(unix)]
mod unix {
    use rustix::termios::{
        LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
    };
    use std::sync::Mutex;

    /// What the terminal was set to before, while it is changed.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    pub struct Settings;

    impl Settings {
        /// `None` when the terminal belongs to another job: reading would stop this one.
        pub fn change() -> Option<Self> {
            let input = std::io::stdin();
            if tcgetpgrp(&input).is_ok_and(|owner| owner != rustix::process::getpgrp()) {
                return None;
            }
            let before = tcgetattr(&input).ok()?;
            let mut changed = before.clone();
            changed.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            changed.special_codes[SpecialCodeIndex::VMIN] = 1;
            changed.special_codes[SpecialCodeIndex::VTIME] = 0;
            tcsetattr(&input, OptionalActions::Now, &changed).ok()?;
            *BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(before);
            Some(Self)
        }
    }

    impl Drop for Settings {
        fn drop(&mut self) {
            restore();
        }
    }

    pub fn restore() {
        let before = BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(before) = before {
            // A terminal that is gone needs no settings.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_help_is_one_and_asks_for_something_else() {
        let named: Vec<Key> = HELP.lines().map(|line| Key::of(line.trim().as_bytes()[0]).unwrap()).collect();
        for (index, key) in named.iter().enumerate() {
            assert!(!named[..index].contains(key), "{key:?} twice");
        }
        assert_eq!(Key::of(b'R'), Some(Key::Rebuild));
        assert_eq!(Key::of(b'x'), None);
    }
}
