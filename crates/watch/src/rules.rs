//! Which files and folders count: gitignore, one's own patterns, and what nobody writes by hand.

use crate::editors;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Folders that belong to version control and package managers.
const NEVER: [&str; 6] = [".git", ".hg", ".svn", ".jj", ".pijul", "node_modules"];

/// Decides what is watched. Asked from the watch's own thread.
pub trait Select: Send {
    /// Called before a folder's entries are looked at. `true` when what was decided before about anything below it may
    /// be decided differently now.
    fn enter(&mut self, folder: &Path) -> bool {
        let _ = folder;
        false
    }
    /// Whether this folder is looked into. Not asked for the watched folders themselves.
    fn folder(&mut self, path: &Path) -> bool;
    /// Whether this file, or link that is not followed, counts.
    fn file(&mut self, path: &Path) -> bool;
    /// Whether a file of this name holds rules, so that a change of it is to be taken in.
    fn holds_rules(&self, path: &Path) -> bool {
        let _ = path;
        false
    }
}

/// A pattern that can not be understood.
#[derive(Debug, thiserror::Error)]
#[error("the pattern {pattern:?} can not be understood: {reason}; patterns are written as in a .gitignore")]
pub struct BadPattern {
    pattern: String,
    reason: String,
}

/// The rules `staysail watch` goes by.
///
/// Asked in this order, the first that says something decides: one's own ignore patterns; `.gitignore` of the folder,
/// then of those above it up to the repository; the repository's `info/exclude`; git's global rules; what version
/// control, package managers and editors write for themselves. `only` patterns then narrow the files.
#[derive(Debug)]
pub struct Rules {
    roots: Vec<Root>,
    gitignore: bool,
    defaults: bool,
    /// `.gitignore` by folder, with the time it was written; folders without one are not here.
    files: HashMap<PathBuf, (Option<SystemTime>, u64, Gitignore)>,
    global: Gitignore,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    /// The folders above, up to the one that holds `.git`.
    repository: PathBuf,
    exclude: Gitignore,
    ignore: Gitignore,
    only: Option<Gitignore>,
}

impl Rules {
    /// Rules for these folders, with absolute paths. Git's rules are read now and as folders are entered.
    pub fn new(roots: &[PathBuf]) -> Self {
        let roots = roots.iter().map(|path| Root {
            repository: path.ancestors().find(|at| at.join(".git").exists()).unwrap_or(path).into(),
            path: path.clone(),
            exclude: Gitignore::empty(),
            ignore: Gitignore::empty(),
            only: None,
        });
        let mut rules = Self {
            roots: roots.collect(),
            gitignore: true,
            defaults: true,
            files: HashMap::new(),
            global: Gitignore::global().0,
        };
        let above: Vec<PathBuf> = rules
            .roots
            .iter()
            .flat_map(|root| root.path.ancestors().take_while(|at| at.starts_with(&root.repository)))
            .map(Path::to_path_buf)
            .collect();
        for folder in above {
            rules.read(&folder);
        }
        for root in &mut rules.roots {
            let file = root.repository.join(".git/info/exclude");
            if file.is_file() {
                let mut builder = GitignoreBuilder::new(&root.repository);
                builder.add(file);
                root.exclude = builder.build().unwrap_or_else(|_| Gitignore::empty());
            }
        }
        rules
    }

    /// Whether git's rules are followed.
    #[must_use]
    pub fn gitignore(mut self, yes: bool) -> Self {
        self.gitignore = yes;
        self
    }

    /// Whether what version control, package managers and editors write for themselves is left out.
    #[must_use]
    pub fn defaults(mut self, yes: bool) -> Self {
        self.defaults = yes;
        self
    }

    /// Leaves out what matches, by patterns as in a `.gitignore` in each watched folder.
    ///
    /// # Errors
    /// When a pattern can not be understood.
    pub fn ignore<P: AsRef<str>>(
        mut self,
        patterns: impl IntoIterator<Item = P>,
    ) -> Result<Self, BadPattern> {
        let patterns: Vec<P> = patterns.into_iter().collect();
        for root in &mut self.roots {
            root.ignore = matcher(&root.path, &patterns)?;
        }
        Ok(self)
    }

    /// Counts only files that match, by patterns as in a `.gitignore` in each watched folder. None: all files.
    ///
    /// # Errors
    /// When a pattern can not be understood.
    pub fn only<P: AsRef<str>>(mut self, patterns: impl IntoIterator<Item = P>) -> Result<Self, BadPattern> {
        let patterns: Vec<P> = patterns.into_iter().collect();
        for root in &mut self.roots {
            root.only = if patterns.is_empty() { None } else { Some(matcher(&root.path, &patterns)?) };
        }
        Ok(self)
    }

    /// Whether git or the defaults leave this out. The folder it is in must have been entered.
    pub fn ignored(&self, path: &Path, folder: bool) -> bool {
        let Some(root) = self.root(path) else { return true };
        match root.ignore.matched(path, folder) {
            Match::Ignore(_) => return true,
            Match::Whitelist(_) => return false,
            Match::None => {}
        }
        if self.gitignore {
            for above in path.ancestors().skip(1).take_while(|above| above.starts_with(&root.repository)) {
                let Some((.., rules)) = self.files.get(above) else { continue };
                match rules.matched(path, folder) {
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                    Match::None => {}
                }
            }
            for rules in [&root.exclude, &self.global] {
                // Global rules are read from where the program runs; a path elsewhere is matched by its name.
                let path = path.strip_prefix(&root.repository).unwrap_or(path);
                match rules.matched(path, folder) {
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                    Match::None => {}
                }
            }
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        self.defaults && if folder { NEVER.contains(&&*name) } else { editors::own(&name) }
    }

    /// The watched folder a path is below; the innermost of several.
    fn root(&self, path: &Path) -> Option<&Root> {
        let around = self.roots.iter().filter(|root| path.starts_with(&root.path) && path != root.path);
        around.max_by_key(|root| root.path.components().count())
    }

    fn read(&mut self, folder: &Path) -> bool {
        let file = folder.join(".gitignore");
        let facts = std::fs::metadata(&file).ok().filter(std::fs::Metadata::is_file);
        let Some(facts) = facts else { return self.files.remove(folder).is_some() };
        let stamp = (facts.modified().ok(), facts.len());
        if self.files.get(folder).is_some_and(|(time, length, _)| (*time, *length) == stamp) {
            return false;
        }
        // A rule that can not be read ignores nothing; git says the same of it.
        self.files.insert(folder.into(), (stamp.0, stamp.1, Gitignore::new(&file).0));
        true
    }
}

fn matcher<P: AsRef<str>>(root: &Path, patterns: &[P]) -> Result<Gitignore, BadPattern> {
    let bad = |pattern: &str, error: ignore::Error| {
        // The library's own words repeat the pattern first.
        let reason = error.to_string();
        let reason = reason.rsplit(": ").next().unwrap_or_default().to_owned();
        BadPattern { pattern: pattern.into(), reason }
    };
    let mut builder = GitignoreBuilder::new(root);
    for pattern in patterns.iter().map(AsRef::as_ref) {
        builder.add_line(None, pattern).map_err(|error| bad(pattern, error))?;
    }
    builder.build().map_err(|error| bad("", error))
}

impl Select for Rules {
    fn enter(&mut self, folder: &Path) -> bool {
        self.gitignore && self.read(folder)
    }

    fn folder(&mut self, path: &Path) -> bool {
        !self.ignored(path, true)
    }

    fn file(&mut self, path: &Path) -> bool {
        if self.ignored(path, false) {
            return false;
        }
        let only = self.root(path).and_then(|root| root.only.as_ref());
        only.is_none_or(|only| only.matched_path_or_any_parents(path, false).is_ignore())
    }

    fn holds_rules(&self, path: &Path) -> bool {
        self.gitignore && path.file_name().is_some_and(|name| name == ".gitignore")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn the_nearest_gitignore_decides_and_those_above_the_watched_folder_count() {
        let folder = folder(&[
            (".git/info/exclude", "secret.txt\n"),
            (".gitignore", "*.log\n/app/out/\n"),
            ("app/.gitignore", "!keep.log\n"),
        ]);
        let app = folder.path().join("app");
        let mut rules = Rules::new(std::slice::from_ref(&app));
        for (path, counts) in [
            ("a.txt", true),
            ("a.log", false),
            ("keep.log", true),
            ("secret.txt", false),
            ("a.rs~", false),
            (".env", true),
        ] {
            assert_eq!(rules.file(&app.join(path)), counts, "{path}");
        }
        assert!(!rules.folder(&app.join("out")) && !rules.folder(&app.join("node_modules")));
        assert!(rules.folder(&app.join("src")) && !rules.folder(&app.join(".git")));
        assert!(!rules.enter(&app), "nothing new in it");
        std::fs::remove_file(app.join(".gitignore")).unwrap();
        assert!(rules.enter(&app) && !rules.file(&app.join("keep.log")));
        let mut all = Rules::new(std::slice::from_ref(&app)).gitignore(false).defaults(false);
        assert!(all.file(&app.join("a.log")) && all.file(&app.join("a~")) && all.folder(&app.join(".git")));
    }

    #[test]
    fn ones_own_patterns_come_first_and_only_narrows_files_not_folders() {
        let folder = folder(&[(".gitignore", "*.log\n")]);
        let root = folder.path().to_path_buf();
        let rules = Rules::new(std::slice::from_ref(&root));
        let mut rules = rules.ignore(["/gen", "!a.log"]).unwrap().only(["*.rs", "*.log"]).unwrap();
        for (path, counts) in
            [("a.rs", true), ("src/a.rs", true), ("a.txt", false), ("a.log", true), ("b.log", false)]
        {
            assert_eq!(rules.file(&root.join(path)), counts, "{path}");
        }
        assert!(rules.folder(&root.join("src")) && !rules.folder(&root.join("gen")));
        let error = Rules::new(&[root]).ignore(["a{b"]).unwrap_err().to_string();
        assert!(error.contains("\"a{b\"") && error.contains("as in a .gitignore"), "{error}");
    }
}
