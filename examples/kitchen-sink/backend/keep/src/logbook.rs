//! A service: it opens its file when the backend starts, and its methods are commands.

use staysail::{AppHandle, service};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

// #region service
/// The ship's logbook, a file among the app's data. Added with `.service::<Logbook>()`.
pub struct Logbook {
    file: PathBuf,
    lines: Mutex<Vec<String>>,
}

#[service]
impl Logbook {
    /// Runs in each new backend, before its first call.
    #[start]
    fn start(app: AppHandle) -> std::io::Result<Self> {
        Self::open(app.data_dir().join("logbook.txt"))
    }

    /// Writes a line. In the page: `invoke("logbook.write", { line })`.
    #[command]
    fn write(&self, line: String) -> std::io::Result<u32> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line.replace('\n', " "));
        fs::write(&self.file, lines.join("\n"))?;
        Ok(lines.len() as u32)
    }

    /// The newest lines.
    #[command]
    fn read(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines[lines.len().saturating_sub(5)..].to_vec()
    }
}
// #endregion

impl Logbook {
    fn open(file: PathBuf) -> std::io::Result<Self> {
        let text = if file.exists() { fs::read_to_string(&file)? } else { String::new() };
        Ok(Self { file, lines: Mutex::new(text.lines().map(String::from).collect()) })
    }
}

#[cfg(test)]
mod tests {
    use super::Logbook;

    #[test]
    fn what_was_written_is_there_after_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Logbook::open(folder.path().join("logbook.txt")).unwrap();
        let logbook = open();
        logbook.write("Left port".into()).unwrap();
        assert_eq!(logbook.write("Saw a\nwhale".into()).unwrap(), 2);
        assert_eq!(open().read(), ["Left port", "Saw a whale"]);
    }
}
