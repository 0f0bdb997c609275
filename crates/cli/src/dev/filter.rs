//! Which files belong to the page, which to the backend, and which to nobody.

use crate::project::FILE_NAME;
use ignore::gitignore::Gitignore;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Folders nobody writes by hand.
const NEVER: [&str; 4] = ["target", "node_modules", "build", "__pycache__"];
/// Most folders looked into for ignore rules.
const FOLDERS_MAX: usize = 20_000;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Shown in the window.
    Page,
    /// Compiled.
    Backend,
    /// The project file.
    Project,
}

/// Decides which files count. Paths are absolute.
pub struct Filter {
    root: PathBuf,
    /// The served folder; `None` when a dev server watches the page itself.
    page: Option<PathBuf>,
    /// Written by us.
    types: PathBuf,
    /// Where cargo builds.
    target: PathBuf,
    ignores: Vec<Gitignore>,
    sources: HashSet<PathBuf>,
    /// Folders of sources outside of the project.
    outside: HashSet<PathBuf>,
}

impl Filter {
    /// The rules of a project.
    pub fn new(root: &Path, page: Option<&Path>, types: &Path, target: &Path) -> Self {
        let mut filter = Self {
            root: root.into(),
            page: page.map(Into::into),
            types: types.into(),
            target: target.into(),
            ignores: Vec::new(),
            sources: HashSet::new(),
            outside: HashSet::new(),
        };
        filter.read_ignores();
        filter
    }

    fn read_ignores(&mut self) {
        let mut folders = vec![self.root.clone()];
        let mut at = 0;
        while at < folders.len().min(FOLDERS_MAX) {
            let folder = folders[at].clone();
            at += 1;
            let rules = folder.join(".gitignore");
            if rules.is_file() {
                // A rule that can not be read ignores nothing; git says the same of it.
                self.ignores.push(Gitignore::new(&rules).0);
            }
            let Ok(listing) = std::fs::read_dir(&folder) else { continue };
            let below = listing.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            folders.extend(below.map(|entry| entry.path()).filter(|path| self.folder_counts(path)));
        }
    }

    /// Folders to begin at.
    pub fn roots(&self) -> Vec<PathBuf> {
        let mut roots = vec![self.root.clone()];
        roots.extend(self.page.iter().filter(|page| !self.folder_counts_by_rules(page)).cloned());
        roots.extend(self.outside.iter().cloned());
        roots
    }

    /// Takes the list of the backend's sources; returns those outside of the project.
    pub fn set_sources(&mut self, files: Vec<PathBuf>) -> Vec<PathBuf> {
        let outside: Vec<PathBuf> =
            files.iter().filter(|file| !file.starts_with(&self.root)).cloned().collect();
        self.outside = outside.iter().filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
        self.sources = files.into_iter().filter(|file| !file.starts_with(&self.target)).collect();
        outside
    }

    /// The backend's sources as last told.
    pub fn sources(&self) -> Vec<PathBuf> {
        self.sources.iter().cloned().collect()
    }

    /// Whether files below this folder may count. Only asked for folders.
    pub fn folder_counts(&self, folder: &Path) -> bool {
        let holds_page = self.page.as_ref().is_some_and(|page| page.starts_with(folder));
        let in_page = self.page.as_ref().and_then(|page| folder.strip_prefix(page).ok());
        if let Some(below) = in_page {
            return !hidden_or_foreign(below, &["node_modules"]);
        }
        if self.outside.contains(folder) {
            return true;
        }
        holds_page && folder.starts_with(&self.root) || self.folder_counts_by_rules(folder)
    }

    fn folder_counts_by_rules(&self, folder: &Path) -> bool {
        let Ok(below) = folder.strip_prefix(&self.root) else { return false };
        if folder.starts_with(&self.target) || hidden_or_foreign(below, &NEVER) {
            return false;
        }
        !self.ignored(folder, true)
    }

    fn ignored(&self, path: &Path, folder: bool) -> bool {
        let rules = self.ignores.iter().filter(|rules| path.starts_with(rules.path()));
        rules.into_iter().any(|rules| rules.matched_path_or_any_parents(path, folder).is_ignore())
    }

    /// What this file is for; empty when it does not count.
    pub fn kinds(&self, file: &Path) -> Vec<Kind> {
        let mut kinds = Vec::new();
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else { return kinds };
        if file == self.types || is_editors_own(name) {
            return kinds;
        }
        let folder = file.parent().unwrap_or(file);
        if let Some(below) = self.page.as_ref().and_then(|page| folder.strip_prefix(page).ok())
            && !hidden_or_foreign(below, &["node_modules"])
            && !name.starts_with('.')
            && !name.ends_with(".d.ts")
        {
            kinds.push(Kind::Page);
        }
        if file == self.root.join(FILE_NAME) {
            kinds.push(Kind::Project);
        }
        if self.sources.contains(file) || self.looks_like_backend(file, folder, name) {
            kinds.push(Kind::Backend);
        }
        kinds
    }

    /// Files that may become part of the backend: the list of the last build does not know them yet.
    fn looks_like_backend(&self, file: &Path, folder: &Path, name: &str) -> bool {
        let cargo = matches!(name, "Cargo.toml" | "Cargo.lock" | "rust-toolchain.toml" | "rust-toolchain");
        if !cargo && !name.ends_with(".rs") {
            return false;
        }
        if self.outside.contains(folder) {
            return true;
        }
        self.folder_counts_by_rules(folder) && !(name != "Cargo.lock" && self.ignored(file, false))
    }
}

/// Whether a part of this path is hidden, or has one of these names.
fn hidden_or_foreign(below: &Path, names: &[&str]) -> bool {
    below.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        names.contains(&part.as_ref()) || (part.starts_with('.') && part != ".well-known")
    })
}

/// Files editors write beside the one they save.
fn is_editors_own(name: &str) -> bool {
    name.ends_with('~')
        || name == "4913"
        || name.starts_with(".#")
        || (name.starts_with('#') && name.ends_with('#'))
        || [".swp", ".swx", ".tmp", ".bak", "___jb_tmp___", "___jb_old___"]
            .iter()
            .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart_and_output_never_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("scratch")).unwrap();
        std::fs::write(root.join(".gitignore"), "scratch/\n*.log\n").unwrap();
        let page = root.join("frontend");
        let mut filter =
            Filter::new(root, Some(&page), &page.join("staysail.d.ts"), &root.join("target/staysail"));
        filter.set_sources(vec![root.join("frontend/data.json"), root.join("target/staysail/out.rs")]);
        for (path, kinds) in [
            ("frontend/app.js", vec![Kind::Page]),
            ("frontend/data.json", vec![Kind::Page, Kind::Backend]),
            ("frontend/staysail.d.ts", vec![]),
            ("frontend/node_modules/x/x.js", vec![]),
            ("frontend/app.js~", vec![]),
            ("frontend/.app.js.swp", vec![]),
            ("backend/src/main.rs", vec![Kind::Backend]),
            ("backend/tests/it.rs", vec![Kind::Backend]),
            ("Cargo.toml", vec![Kind::Backend]),
            ("staysail.toml", vec![Kind::Project]),
            ("README.md", vec![]),
            ("scratch/x.rs", vec![]),
            ("target/staysail/out.rs", vec![]),
            ("build/x.rs", vec![]),
            ("a/target/x.rs", vec![]),
        ] {
            assert_eq!(filter.kinds(&root.join(path)), kinds, "{path}");
        }
    }

    #[test]
    fn an_ignored_output_folder_that_is_the_page_counts_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::write(root.join(".gitignore"), "dist\n").unwrap();
        let page = root.join("dist");
        let filter = Filter::new(root, Some(&page), &root.join("x.d.ts"), &root.join("target"));
        assert_eq!(filter.kinds(&page.join("a.css")), [Kind::Page]);
        assert!(filter.roots().contains(&page));
    }
}
