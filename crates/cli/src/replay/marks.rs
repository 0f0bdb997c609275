//! By what a file is known to be the same, and the files that decide how cargo calls rustc.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What tells a file from its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    size_bytes: u64,
    modified: SystemTime,
    number: u64,
}

/// Files and their marks; `None` for a file that is not there.
pub type Marks = BTreeMap<PathBuf, Option<Mark>>;

/// The file's mark now.
pub fn mark(path: &Path) -> Option<Mark> {
    let facts = std::fs::metadata(path).ok()?;
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&facts);
    #[cfg(not(unix))]
    let number = 0;
    Some(Mark { size_bytes: facts.len(), modified: facts.modified().ok()?, number })
}

/// Marks of these files now.
pub fn marks(files: impl IntoIterator<Item = PathBuf>) -> Marks {
    files.into_iter().map(|file| (mark(&file), file)).map(|(mark, file)| (file, mark)).collect()
}

/// Whether this file is as it was before this moment. A file that is gone is not.
pub fn is_older(path: &Path, moment: SystemTime) -> bool {
    mark(path).is_some_and(|mark| mark.modified < moment)
}

/// Files from which cargo and rustup take settings when they run in this folder, whether they are there or not.
pub fn settings(folder: &Path) -> Vec<PathBuf> {
    let names = [
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config",
        ".cargo/config.toml",
        "rust-toolchain",
        "rust-toolchain.toml",
    ];
    let mut files: Vec<PathBuf> =
        folder.ancestors().flat_map(|above| names.map(|name| above.join(name))).collect();
    let home = |variable: &str, below: &str| {
        let named = std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        named.or_else(|| Some(std::env::home_dir()?.join(below)))
    };
    files.extend(
        home("CARGO_HOME", ".cargo")
            .into_iter()
            .flat_map(|home| ["config", "config.toml"].map(|name| home.join(name))),
    );
    files.extend(home("RUSTUP_HOME", ".rustup").map(|home| home.join("settings.toml")));
    files
}

/// Whether the environment holds a setting beside which nothing is replayed: another compiler, a wrapper of the user's
/// own, another place for artifacts, and what cargo does not promise yet.
pub fn environment_forbids() -> bool {
    let names = [
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_RUSTC",
        "CARGO_BUILD_RUSTC_WRAPPER",
        "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_BUILD_DIR",
    ];
    let unstable = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("CARGO_UNSTABLE_");
    std::env::vars_os().any(|(name, _)| unstable(&name) || names.iter().any(|forbidden| name == *forbidden))
}

/// Whether one of cargo's configuration files holds such a setting, or has others included.
pub fn files_forbid(files: &[PathBuf]) -> bool {
    let words = ["rustc", "include", "unstable", "build-dir"];
    let configurations =
        files.iter().filter(|file| file.ends_with("config") || file.ends_with("config.toml"));
    let mut texts = configurations.filter_map(|file| std::fs::read_to_string(file).ok());
    texts.any(|text| words.iter().any(|word| text.contains(word)))
}

/// Where this program lies.
pub fn executable(program: &Path) -> PathBuf {
    if program.components().count() > 1 {
        return program.to_owned();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file());
    found.unwrap_or_else(|| program.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapper_of_the_users_own_and_whatever_cargo_may_read_elsewhere_is_respected() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".cargo/config.toml");
        std::fs::create_dir(folder.path().join(".cargo")).unwrap();
        let files = settings(folder.path());
        assert!(files.contains(&file));
        let of_folder: Vec<_> = files.into_iter().filter(|file| file.starts_with(folder.path())).collect();
        for (text, forbids) in [
            (
                "[build]\njobs = 2\n[target.x86_64-unknown-linux-gnu]\nrustflags = [\"-C\", \"link-arg=x\"]",
                false,
            ),
            ("build.rustc-workspace-wrapper = \"mine\"", true),
            ("build.rustc-wrapper = \"sccache\"", true),
            ("include = [\"other.toml\"]", true),
            ("[unstable]\nbuild-std = [\"core\"]", true),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(files_forbid(&of_folder), forbids, "{text}");
        }
    }

    #[test]
    fn a_file_that_was_replaced_has_another_mark_and_one_that_is_gone_is_not_older() {
        let folder = tempfile::tempdir().unwrap();
        let (file, other) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&file, "a").unwrap();
        let before = mark(&file);
        std::fs::write(&other, "a").unwrap();
        std::fs::rename(&other, &file).unwrap();
        assert_ne!(mark(&file), before);
        let later = SystemTime::now() + std::time::Duration::from_secs(3600);
        assert!(
            is_older(&file, later) && !is_older(&other, later) && !is_older(&file, SystemTime::UNIX_EPOCH)
        );
    }
}
