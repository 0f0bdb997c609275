//! A folder of Markdown files.

use crate::search::{self, Hit};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Most bytes of one note.
const NOTE_BYTES_MAX: usize = 4 << 20;

/// Notes a new folder begins with.
const FIRST_NOTES: [(&str, &str); 4] = [
    ("Welcome aboard", include_str!("../notes/welcome.md")),
    ("The eight laws", include_str!("../notes/laws.md")),
    ("How a swap works", include_str!("../notes/swap.md")),
    ("Shortcuts", include_str!("../notes/shortcuts.md")),
];

/// A note in the list.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Its name, which is its file's without the ending.
    pub name: String,
    /// Its first line of text.
    pub preview: String,
    /// When it was last changed, in milliseconds since 1970.
    #[data(number)]
    pub changed: u64,
    /// How many words it has.
    #[data(number)]
    pub words: usize,
}

/// A whole note.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// Its name.
    pub name: String,
    /// Its Markdown.
    pub text: String,
}

/// Why something could not be done, for the user.
#[staysail::data]
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// One sentence.
    pub message: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

fn problem(what: &str, path: &Path, error: &std::io::Error) -> Problem {
    Problem { message: format!("{what} {}: {error}", path.display()) }
}

/// The folder the notes are in.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Opens the folder; a new one gets the first notes.
    pub fn open(root: &Path) -> Result<Self, Problem> {
        let folder = Self { root: root.to_path_buf() };
        if !root.exists() {
            std::fs::create_dir_all(root).map_err(|error| problem("Can not make", root, &error))?;
            let now = SystemTime::now();
            for (age, (name, text)) in (0..).zip(FIRST_NOTES) {
                folder.save(name, text)?;
                // The first of them stands first in the list, which begins with the newest.
                let path = folder.path(name)?;
                let dated = std::fs::File::options().append(true).open(&path);
                dated
                    .and_then(|file| file.set_modified(now - Duration::from_secs(age)))
                    .map_err(|error| problem("Can not date", &path, &error))?;
            }
        }
        Ok(folder)
    }

    fn path(&self, name: &str) -> Result<PathBuf, Problem> {
        let bad = name.is_empty()
            || name.len() > 120
            || name.starts_with('.')
            || name.contains(|c: char| c.is_control() || "/\\:*?\"<>|".contains(c));
        if bad {
            return Err(Problem { message: format!("“{name}” can not be the name of a note") });
        }
        Ok(self.root.join(format!("{name}.md")))
    }

    /// All notes, the newest first.
    pub fn list(&self) -> Result<Vec<Summary>, Problem> {
        let entries =
            std::fs::read_dir(&self.root).map_err(|error| problem("Can not read", &self.root, &error))?;
        let mut notes: Vec<Summary> = entries
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let name = path.file_stem()?.to_str()?.to_string();
                (path.extension()? == "md").then(|| self.summary(&name)).and_then(Result::ok)
            })
            .collect();
        notes.sort_by(|a, b| b.changed.cmp(&a.changed).then_with(|| a.name.cmp(&b.name)));
        Ok(notes)
    }

    /// One note.
    pub fn read(&self, name: &str) -> Result<Note, Problem> {
        let path = self.path(name)?;
        let text = std::fs::read_to_string(&path).map_err(|error| problem("Can not read", &path, &error))?;
        Ok(Note { name: name.to_string(), text })
    }

    fn summary(&self, name: &str) -> Result<Summary, Problem> {
        let path = self.path(name)?;
        let text = self.read(name)?.text;
        let changed = std::fs::metadata(&path).and_then(|metadata| metadata.modified());
        let changed = changed.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(Summary {
            name: name.to_string(),
            preview: crate::markdown::first_line(&text, name),
            changed: changed.map_or(0, |time| time.as_millis() as u64),
            words: text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count(),
        })
    }

    /// Writes a note whole: there is never half of one on the disk.
    pub fn save(&self, name: &str, text: &str) -> Result<Summary, Problem> {
        if text.len() > NOTE_BYTES_MAX {
            return Err(Problem {
                message: format!("“{name}” is larger than {} MB", NOTE_BYTES_MAX >> 20)
            });
        }
        let path = self.path(name)?;
        let temporary = self.root.join(format!(".{name}.{}.saving", std::process::id()));
        std::fs::write(&temporary, text)
            .and_then(|()| std::fs::rename(&temporary, &path))
            .map_err(|error| problem("Can not save", &path, &error))?;
        self.summary(name)
    }

    /// A new note named `wanted`, or with a number behind it when that is taken.
    pub fn create(&self, wanted: &str) -> Result<Summary, Problem> {
        for number in 1..10_000 {
            let name = if number == 1 { wanted.to_string() } else { format!("{wanted} {number}") };
            let path = self.path(&name)?;
            match std::fs::File::create_new(&path) {
                Ok(_) => return self.summary(&name),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(problem("Can not make", &path, &error)),
            }
        }
        Err(Problem { message: format!("There are too many notes named “{wanted}”") })
    }

    /// Moves a note to the bin inside the folder.
    pub fn delete(&self, name: &str) -> Result<(), Problem> {
        let path = self.path(name)?;
        let bin = self.root.join(".bin");
        let stamp = UNIX_EPOCH.elapsed().map_or(0, |time| time.as_millis());
        std::fs::create_dir_all(&bin)
            .and_then(|()| std::fs::rename(&path, bin.join(format!("{name}.{stamp}.md"))))
            .map_err(|error| problem("Can not delete", &path, &error))
    }

    /// Notes that hold all words of `query`, the best first.
    pub fn search(&self, query: &str) -> Result<Vec<Hit>, Problem> {
        let notes = self.list()?.into_iter().filter_map(|summary| self.read(&summary.name).ok());
        Ok(search::rank(query, notes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(&temporary.path().join("notes")).unwrap();
        (temporary, folder)
    }

    #[test]
    fn a_new_folder_begins_with_the_first_notes() {
        let (_temporary, folder) = folder();
        let names: Vec<String> = folder.list().unwrap().into_iter().map(|note| note.name).collect();
        assert_eq!(names, FIRST_NOTES.map(|(name, _)| name));
    }

    #[test]
    fn what_is_saved_is_read_back_and_leaves_nothing_else_behind() {
        let (_temporary, folder) = folder();
        folder.save("Übung", "eins zwei").unwrap();
        assert_eq!(folder.read("Übung").unwrap().text, "eins zwei");
        let leftover = std::fs::read_dir(&folder.root)
            .unwrap()
            .any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".saving"));
        assert!(!leftover);
    }

    #[test]
    fn names_that_are_paths_are_refused() {
        let (_temporary, folder) = folder();
        for name in ["", "../x", "a/b", ".hidden", "a\0b", "c:d"] {
            assert!(folder.read(name).is_err(), "{name:?}");
            assert!(folder.save(name, "").is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_new_note_never_takes_the_place_of_another() {
        let (_temporary, folder) = folder();
        assert_eq!(folder.create("Untitled").unwrap().name, "Untitled");
        assert_eq!(folder.create("Untitled").unwrap().name, "Untitled 2");
        folder.delete("Untitled").unwrap();
        assert!(folder.read("Untitled").is_err());
    }
}
