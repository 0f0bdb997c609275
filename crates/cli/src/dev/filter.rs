//! Which files belong to the page, which to the backend, and which to nobody.

use crate::project::FILE_NAME;
use staysail_watch::{Rules, editors};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Folders nobody writes by hand.
const NEVER: [&str; 4] = ["target", "node_modules", "build", "__pycache__"];

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Shown in the window.
    Page,
    /// Compiled.
    Backend,
    /// A Wasm module, or what one is made of.
    Module,
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
    /// Files of Wasm modules, and folders of crates that become some.
    modules: Vec<PathBuf>,
    /// Git's.
    pub rules: Rules,
    sources: HashSet<PathBuf>,
    /// Folders of sources outside of the project.
    outside: HashSet<PathBuf>,
}

impl Filter {
    /// The rules of a project.
    pub fn new(root: &Path, page: Option<&Path>, types: &Path, target: &Path) -> Self {
        Self {
            root: root.into(),
            page: page.map(Into::into),
            types: types.into(),
            target: target.into(),
            modules: Vec::new(),
            rules: Rules::new(&[root.to_path_buf()]),
            sources: HashSet::new(),
            outside: HashSet::new(),
        }
    }

    /// Knows these files of Wasm modules, and folders of crates that become some, too.
    pub fn with_modules(self, modules: Vec<PathBuf>) -> Self {
        Self { modules, ..self }
    }

    /// Folders to begin at.
    pub fn roots(&self) -> Vec<PathBuf> {
        let mut roots = vec![self.root.clone()];
        roots.extend(self.page.iter().filter(|page| page.is_dir() && !page.starts_with(&self.root)).cloned());
        roots
    }

    /// Takes the list of the backend's sources; returns those to be watched wherever they are.
    pub fn set_sources(&mut self, files: Vec<PathBuf>) -> Vec<PathBuf> {
        self.sources = files.into_iter().filter(|file| !file.starts_with(&self.target)).collect();
        let outside = self.sources.iter().filter(|file| !file.starts_with(&self.root));
        self.outside = outside.filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
        self.sources.iter().cloned().collect()
    }

    /// Whether files below this folder may count. Only asked for folders.
    pub fn folder_counts(&self, folder: &Path) -> bool {
        let holds_page = self.page.as_ref().is_some_and(|page| page.starts_with(folder));
        let in_page = self.page.as_ref().and_then(|page| folder.strip_prefix(page).ok());
        if let Some(below) = in_page {
            return !hidden_or_foreign(below, &["node_modules"]);
        }
        if self.outside.contains(folder) || self.modules.iter().any(|module| module.starts_with(folder)) {
            return true;
        }
        holds_page && folder.starts_with(&self.root) || self.folder_counts_by_rules(folder)
    }

    fn folder_counts_by_rules(&self, folder: &Path) -> bool {
        let Ok(below) = folder.strip_prefix(&self.root) else { return false };
        if folder.starts_with(&self.target) || hidden_or_foreign(below, &NEVER) {
            return false;
        }
        let within = folder.ancestors().take_while(|above| *above != self.root);
        !within.into_iter().any(|above| self.rules.ignored(above, true))
    }

    /// What this file is for; empty when it does not count.
    pub fn kinds(&self, file: &Path) -> Vec<Kind> {
        let mut kinds = Vec::new();
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else { return kinds };
        if file == self.types || editors::own(name) {
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
        let of_module = self.modules.iter().any(|module| {
            file == module || file.starts_with(module) && self.looks_like_backend(file, folder, name)
        });
        if of_module {
            kinds.push(Kind::Module);
        }
        if self.sources.contains(file) || !of_module && self.looks_like_backend(file, folder, name) {
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
        self.folder_counts_by_rules(folder) && !(name != "Cargo.lock" && self.rules.ignored(file, false))
    }
}

/// Whether a part of this path is hidden, or has one of these names.
fn hidden_or_foreign(below: &Path, names: &[&str]) -> bool {
    below.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        names.contains(&part.as_ref()) || (part.starts_with('.') && part != ".well-known")
    })
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
        filter = filter.with_modules(vec![root.join("build/rules.wasm"), root.join("modules/tax")]);
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
            ("scratch/deep/x.rs", vec![]),
            ("target/staysail/out.rs", vec![]),
            ("build/x.rs", vec![]),
            ("build/rules.wasm", vec![Kind::Module]),
            ("rules.wasm", vec![]),
            ("modules/tax/src/lib.rs", vec![Kind::Module]),
            ("modules/tax/Cargo.toml", vec![Kind::Module]),
            ("modules/tax/README.md", vec![]),
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
        assert!(filter.folder_counts(&page));
    }
}
