//! One instance of an app for each user: a second start hands its arguments over to the first, and ends.
//!
//! # Theory of operation
//! Decided before a release is chosen and before a window exists, by the shell that will have it. Who gets the lock is the first;
//! the lock is the system's, so it is free again however its holder ended, and two starts at the same moment can not
//! both have it. Whoever does not get it sends its start ([`Handover`]) to the one that has, and waits for one byte,
//! which comes when the main window is shown. A first instance that ends meanwhile is no obstacle: its lock is free, and
//! the second becomes the first. One that hangs is: nothing is opened beside it, and the second ends with an error that
//! says so, within `handover_timeout_ms`.

use crate::shell::Shell;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use staysail_protocol::limits::HANDOVER_BYTES_MAX;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(unix)]
#[path = "instance/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "instance/windows.rs"]
mod system;

pub use system::Instance;

/// Answered when the first instance has taken a start.
const TAKEN: u8 = 1;

/// A start, as it is handed over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// Arguments, without the program's name.
    pub arguments: Vec<String>,
    /// Working folder.
    pub cwd: String,
    /// The desktop's leave to come to the front.
    #[serde(default)]
    pub activation: Option<String>,
}

impl Handover {
    /// The start of this process.
    pub fn of_this_start() -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let activation = ["XDG_ACTIVATION_TOKEN", "DESKTOP_STARTUP_ID"].map(std::env::var);
        Self {
            arguments: std::env::args_os().skip(1).map(text).collect(),
            cwd: std::env::current_dir().map(|folder| text(folder.into())).unwrap_or_default(),
            activation: activation.into_iter().flatten().find(|token| !token.is_empty()),
        }
    }

    /// The file that is to be applied (`APP --apply FILE`): the only arguments that are not the app's own.
    pub fn to_apply(&self) -> Option<PathBuf> {
        match self.arguments.as_slice() {
            [option, file] if option == "--apply" => Some(Path::new(&self.cwd).join(file)),
            _ => None,
        }
    }

    /// Length in four bytes, then JSON.
    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let json = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        if json.len() > HANDOVER_BYTES_MAX {
            return Err(format!(
                "the arguments have {} bytes; at most {HANDOVER_BYTES_MAX} are handed over to the app that is running \
                 (handover_bytes_max)",
                json.len()
            ));
        }
        let mut bytes = (json.len() as u32).to_le_bytes().to_vec();
        bytes.extend(json);
        Ok(bytes)
    }
}

/// How a start goes on.
pub enum Entry {
    /// This is the only instance.
    First(Instance),
    /// The start was handed over; there is nothing more to do.
    HandedOver,
}

/// Becomes the only instance of the app, or hands the start over to the one there is.
///
/// # Errors
/// A sentence for people: the instance there is does not answer.
pub fn enter(app: &str, start: &Handover) -> Result<Entry, String> {
    system::enter(&name_of(app), start)
}

/// Short, because a socket's path is, and without anything a file system could read otherwise.
fn name_of(app: &str) -> String {
    format!("staysail-{}", &crate::digest::hex(&Sha256::digest(app.as_bytes()))[..16])
}

/// Takes one start from whoever is at the other end. Whatever else comes is dropped: it is somebody's who does not
/// speak this protocol.
async fn receive<S>(shell: &Arc<Shell>, stream: &mut S) -> Result<(), String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let text = |error: std::io::Error| error.to_string();
    let length = stream.read_u32_le().await.map_err(text)? as usize;
    if length > HANDOVER_BYTES_MAX {
        return Err(format!("a start of {length} bytes was refused (handover_bytes_max)"));
    }
    let mut json = vec![0; length];
    stream.read_exact(&mut json).await.map_err(text)?;
    let start: Handover =
        serde_json::from_slice(&json).map_err(|error| format!("a start can not be read: {error}"))?;
    crate::desktop::app::handed_over(shell, start).await.map_err(|error| error.message)?;
    stream.write_all(&[TAKEN]).await.map_err(text)?;
    stream.flush().await.map_err(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_is_too_large_is_not_handed_over() {
        let start = Handover { arguments: vec!["x".repeat(HANDOVER_BYTES_MAX)], ..Handover::default() };
        assert!(start.to_bytes().unwrap_err().contains("handover_bytes_max"));
    }

    #[test]
    fn a_file_is_applied_when_that_is_all_that_was_asked_for() {
        let start = |arguments: &[&str]| Handover {
            arguments: arguments.iter().map(|&argument| argument.into()).collect(),
            cwd: "/stick".into(),
            activation: None,
        };
        assert_eq!(start(&["--apply", "a.bundle"]).to_apply(), Some("/stick/a.bundle".into()));
        assert_eq!(start(&["--apply", "/b.bundle"]).to_apply(), Some("/b.bundle".into()));
        for arguments in [&["--apply"][..], &["--apply", "a", "b"], &["x", "--apply", "a"], &[]] {
            assert_eq!(start(arguments).to_apply(), None, "{arguments:?}");
        }
    }

    #[test]
    fn names_hold_nothing_of_the_apps_identifier_that_a_path_could_take_otherwise() {
        let name = name_of("../../etc/passwd");
        assert!(name.len() == 25 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{name}");
        assert_ne!(name, name_of("com.example.notes"));
    }
}
