//! The file that says what was compared and what differed.

use super::tally::{Gate, Tally};
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// Its name, in the app's folder beside its data. The next report takes its place.
const FILE: &str = "shadow-report.json";

/// What one release's comparison came to. Holds values of answers, cut: it is for the user's machine, and for those the user
/// gives it to.
#[derive(Serialize)]
pub struct Report<'a> {
    /// Version that served.
    pub before: &'a str,
    /// Version that was tried.
    pub version: &'a str,
    /// Whether it may go live, and why.
    pub verdict: &'a Gate,
    /// What was counted.
    #[serde(flatten)]
    pub tally: &'a Tally,
}

impl Report<'_> {
    /// Writes it beside the app's data, for the user alone. Answers where; that it can not be written costs nothing else.
    pub fn write(&self, data_dir: &str) -> Option<String> {
        let path = Path::new(data_dir).with_file_name(FILE);
        match self.write_to(&path) {
            Ok(()) => Some(path.display().to_string()),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "the report of a comparison could not be written");
                None
            }
        }
    }

    fn write_to(&self, path: &Path) -> std::io::Result<()> {
        // Anew: a link that somebody put there is not followed.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)?.write_all(&serde_json::to_vec_pretty(self)?)
    }
}
