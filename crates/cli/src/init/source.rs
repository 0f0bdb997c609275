//! Where a template comes from: Staysail's own ones, a folder, or a Git repository.

use crate::shell_binary::checkout;
use anyhow::{Context, Result, bail};
use include_dir::{Dir, include_dir};
use staysail_supervise::Spawn;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

static BUILT_IN: Dir = include_dir!("$CARGO_MANIFEST_DIR/templates");
/// Most files of a template.
const FILES_MAX: usize = 1_000;
/// Most bytes of one file of a template.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// A repository must be here within this time.
const CLONE_S: u64 = 120;
/// Pause between two looks whether it is.
const LOOK_MS: u64 = 25;
/// What never belongs to a template.
const NEVER: [&str; 4] = [".git", "node_modules", "target", ".DS_Store"];

/// A file of a template.
#[derive(Debug)]
pub struct File {
    /// Where, below the template.
    pub path: PathBuf,
    /// What is in it.
    pub content: Vec<u8>,
}

/// Where a template comes from.
#[derive(Debug)]
pub enum Source {
    /// One of Staysail's own: read from the checkout this command was built from, or built into it.
    Own(String),
    /// A folder.
    Folder(PathBuf),
    /// A repository, cloned into a folder that goes away.
    Cloned(String, tempfile::TempDir),
}

impl fmt::Display for Source {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(name) => write!(to, "the template {name}"),
            Self::Folder(folder) => write!(to, "the folder {}", folder.display()),
            Self::Cloned(url, _) => write!(to, "the repository {url}"),
        }
    }
}

impl Source {
    /// All of Staysail's own templates and what they build on.
    pub fn own() -> Self {
        Self::Own(String::new())
    }

    /// One of Staysail's own templates.
    pub fn named(folder: &str) -> Self {
        Self::Own(folder.into())
    }

    /// Whether this names a repository.
    pub fn is_repository(name: &str) -> bool {
        let name = name.split('#').next().unwrap_or(name);
        name.contains("://") || name.starts_with("git@") || name.ends_with(".git")
    }

    /// Whether this names a folder.
    pub fn is_folder(name: &str) -> bool {
        name.contains(['/', '\\']) || name.starts_with('.') || Path::new(name).is_dir()
    }

    /// A folder.
    pub fn of_folder(name: &str) -> Result<Self> {
        let folder = PathBuf::from(name);
        if !folder.is_dir() {
            bail!("the template's folder {name} does not exist; nothing was written.");
        }
        Ok(Self::Folder(folder))
    }

    /// Clones a repository; `#branch` behind its address names a branch or tag.
    pub fn clone(address: &str) -> Result<Self> {
        let (url, branch) = address.split_once('#').map_or((address, None), |(url, name)| (url, Some(name)));
        // An address that begins with a dash would be a flag of git's.
        if url.starts_with('-') || branch.is_some_and(|name| name.starts_with('-')) {
            bail!("{address:?} is no address of a repository; nothing was written.");
        }
        let folder = tempfile::Builder::new().prefix("staysail-template-").tempdir()?;
        eprintln!("fetching {url} …");
        let mut arguments = vec!["clone", "--quiet", "--depth", "1"];
        if let Some(name) = branch {
            arguments.extend(["--branch", name]);
        }
        let to = folder.path().join("template");
        let to_text = to.display().to_string();
        arguments.extend(["--", url, &to_text]);
        let mut git = Spawn::new("git").args(arguments).stdout(Stdio::null()).guarded(true);
        if !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            // Nobody could answer.
            git = git.env("GIT_TERMINAL_PROMPT", "0");
        }
        let tree = git.spawn().context("git could not be started; it fetches templates from repositories")?;
        let end = Instant::now() + Duration::from_secs(CLONE_S);
        let status = loop {
            if let Some(status) = tree.try_wait()? {
                break status;
            }
            if Instant::now() > end {
                tree.kill();
                bail!("{url} was not here after {CLONE_S} s; nothing was written.");
            }
            std::thread::sleep(Duration::from_millis(LOOK_MS));
        };
        if !status.success() {
            bail!("{url} could not be fetched ({status}); what git said stands above. Nothing was written.");
        }
        Ok(Self::Cloned(url.into(), folder))
    }

    /// The template's own files.
    pub fn template(&self) -> Result<Vec<File>> {
        match self {
            Self::Own(name) => self.folder(name),
            Self::Folder(folder) => from_disk(folder),
            Self::Cloned(_, folder) => from_disk(&folder.path().join("template")),
        }
    }

    /// The files of one of Staysail's own folders.
    pub fn folder(&self, name: &str) -> Result<Vec<File>> {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if let Some(root) =
            checkout().map(|root| root.join("templates").join(name)).filter(|root| root.is_dir())
            && plain
        {
            return from_disk(&root);
        }
        let folder = BUILT_IN.get_dir(name).with_context(|| format!("there is no template {name}"))?;
        let mut found = Vec::new();
        collect(folder, name, &mut found);
        Ok(found)
    }

    /// Names of Staysail's own folders, without those that only others build on.
    pub fn folders(&self) -> Result<Vec<String>> {
        let mut names: Vec<String> = match checkout().map(|root| root.join("templates")) {
            Some(root) => std::fs::read_dir(&root)
                .with_context(|| format!("reading {}", root.display()))?
                .flatten()
                .filter(|entry| entry.path().is_dir())
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect(),
            None => BUILT_IN.dirs().map(|folder| folder.path().display().to_string()).collect(),
        };
        names.retain(|name| !name.starts_with(['_', '.']));
        names.sort();
        Ok(names)
    }
}

fn from_disk(root: &Path) -> Result<Vec<File>> {
    let mut found = Vec::new();
    read(root, root, &mut found)?;
    Ok(found)
}

fn read(root: &Path, folder: &Path, found: &mut Vec<File>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if NEVER.iter().any(|never| entry.file_name() == *never) {
            continue;
        }
        if kind.is_dir() {
            read(root, &path, found)?;
        } else if kind.is_file() {
            // A link could name a file outside of the template, and is left out.
            if found.len() >= FILES_MAX {
                bail!("{} holds more than {FILES_MAX} files; nothing was written.", root.display());
            }
            let size = entry.metadata()?.len();
            if size > FILE_BYTES_MAX {
                bail!(
                    "{} has {size} bytes; {FILE_BYTES_MAX} is the limit. Nothing was written.",
                    path.display()
                );
            }
            let content = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
            found.push(File { path: path.strip_prefix(root)?.to_path_buf(), content });
        }
    }
    Ok(())
}

fn collect(folder: &Dir, root: &str, found: &mut Vec<File>) {
    for file in folder.files() {
        let path = file.path().strip_prefix(root).unwrap_or(file.path());
        found.push(File { path: path.to_path_buf(), content: file.contents().to_vec() });
    }
    for below in folder.dirs() {
        collect(below, root, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_repositories_are_told_apart_from_names() {
        for (name, repository, folder) in [
            ("react", false, false),
            ("./react", false, true),
            ("https://example.com/a/b", true, true),
            ("git@example.com:a/b.git", true, true),
            ("/tmp/b.git#main", true, true),
        ] {
            assert_eq!(
                (Source::is_repository(name), Source::is_folder(name)),
                (repository, folder),
                "{name}"
            );
        }
        assert!(Source::clone("--upload-pack=x://").is_err());
    }
}
