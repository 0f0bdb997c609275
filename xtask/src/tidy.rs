//! `cargo xtask tidy`: the repository's own rules, each a function over the tracked files.
//!
//! A rule is a pure function `fn(&Tree) -> Vec<Finding>`; reading happens once, here. So every rule can be seen
//! to fail in a unit test, with files that exist only in memory.

mod layers;
mod rules;

use anyhow::{Context, bail};
use std::path::Path;
use std::process::Command;

/// One tracked text file.
#[derive(Debug, Clone)]
pub struct File {
    /// Path below the repository's root, `/`-separated.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl File {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    fn extension(&self) -> &str {
        self.name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }
}

/// All tracked text files, and the paths of all tracked files.
#[derive(Debug, Default)]
pub struct Tree {
    /// Text files.
    pub files: Vec<File>,
    /// Every path, of binary files, too.
    pub paths: Vec<String>,
}

impl Tree {
    fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    fn has(&self, path: &str) -> bool {
        self.paths.iter().any(|known| known == path)
    }

    #[cfg(test)]
    fn of(files: &[(&str, &str)]) -> Self {
        let files: Vec<File> =
            files.iter().map(|(path, text)| File { path: (*path).into(), text: (*text).into() }).collect();
        Self { paths: files.iter().map(|file| file.path.clone()).collect(), files }
    }
}

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where, as a path or `path:line`.
    pub place: String,
    /// What is wrong and what to do.
    pub message: String,
    /// Asks only, does not fail.
    pub warning: bool,
}

impl Finding {
    fn error(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into(), warning: false }
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: [(&str, Rule); 12] = [
    ("headers", rules::headers),
    ("invariants", rules::invariants),
    ("architecture", rules::architecture),
    ("layers", layers::layers),
    ("webview", layers::webview),
    ("lengths", rules::lengths),
    ("places", rules::places),
    ("names", rules::names),
    ("locks", rules::locks),
    ("reasons", rules::reasons),
    ("limits", rules::limits),
    ("secrets", rules::secrets),
];

/// Checks every rule, prints what it finds and returns how many rules hold and how many are broken.
///
/// # Errors
/// When the tracked files can not be listed or read.
pub fn run(root: &Path) -> anyhow::Result<(usize, usize)> {
    let tree = read(root)?;
    let mut broken = 0;
    for (name, rule) in RULES {
        let findings = rule(&tree);
        for finding in &findings {
            let kind = if finding.warning { "asks" } else { "error" };
            println!("tidy {name}: {kind}: {}: {}", finding.place, finding.message);
        }
        broken += usize::from(findings.iter().any(|finding| !finding.warning));
    }
    println!("tidy: {} rules hold, {broken} broken, over {} files", RULES.len() - broken, tree.paths.len());
    Ok((RULES.len() - broken, broken))
}

/// Tracked files and new ones that are not ignored.
fn read(root: &Path) -> anyhow::Result<Tree> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("git is needed to list the tracked files")?;
    if !output.status.success() {
        bail!("git ls-files failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let mut tree = Tree::default();
    for path in String::from_utf8_lossy(&output.stdout).split_terminator('\0') {
        let Ok(bytes) = std::fs::read(root.join(path)) else { continue }; // deleted, not yet committed
        tree.paths.push(path.to_owned());
        if let Ok(text) = String::from_utf8(bytes) {
            tree.files.push(File { path: path.to_owned(), text });
        }
    }
    Ok(tree)
}
