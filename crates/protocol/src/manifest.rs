//! Release manifest: what one version of an app consists of. A TUF target, content-addressed.

use crate::assets::{self, Group};
use crate::capability::Capability;
use crate::desktop::Declared;
use crate::interface::{CommandSpec, WindowSpec};
use crate::limits;
use crate::module::{self, ModuleLimits};
use crate::path::is_device;
use crate::policy::{UpdatePolicy, Urgency};
use crate::shadow::ShadowRules;
use crate::webview::WebviewConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Newest manifest format this crate writes and reads.
pub const MANIFEST_FORMAT: u32 = 1;

/// One release of an app.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of this manifest; readers refuse a higher one.
    pub format: u32,
    /// Identifier of the app.
    pub app: String,
    /// Name shown to people.
    pub name: String,
    /// Version shown to people (semantic version).
    pub version: String,
    /// Counts up with every publication of the channel, also for a return to older content. 0 in a local build.
    pub sequence: u64,
    /// Notes for users, Markdown.
    #[serde(default)]
    pub notes: String,
    /// Interface hash that page and backend share.
    pub interface: String,
    /// Oldest and newest shell-worker protocol the backend speaks.
    pub protocol: (u16, u16),
    /// Windows to open.
    pub windows: Vec<WindowSpec>,
    /// What is declared beside windows: menus, tray and the like.
    #[serde(default)]
    pub desktop: Declared,
    /// Commands the page may call.
    pub commands: Vec<CommandSpec>,
    /// Values of production mode.
    pub config: ModeConfig,
    /// The page's files.
    pub page: Vec<FileEntry>,
    /// The backend's files per target triple; the first file is the worker's executable.
    pub backend: BTreeMap<String, Vec<FileEntry>>,
    /// Wasm modules of the backend, the same for every target, by the name the app calls them by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub modules: BTreeMap<String, Module>,
    /// The shell it runs in from the next start on, per target triple: the first file. Absent: the one that was installed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shell: BTreeMap<String, Vec<FileEntry>>,
    /// Version (of Staysail) of that shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell_version: Option<String>,
    /// Files of the page that are fetched when they are first asked for, by the name of their group.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Group>,
    /// Ways from older files to newer ones.
    #[serde(default)]
    pub deltas: Vec<Delta>,
    /// When this release is taken.
    #[serde(default, skip_serializing_if = "UpdatePolicy::is_none")]
    pub policy: UpdatePolicy,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Urgency::is_none")]
    pub urgency: Urgency,
    /// Its answers are compared with those of the release before, first; not when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Box<ShadowRules>>,
    /// Oldest version of the shell (of Staysail) that can run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_shell: Option<String>,
    /// Everybody who runs something older takes this release before any newer one: what it does to the app's data is
    /// never left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub barrier: bool,
    /// Version of the newest barrier before this release: who runs something older takes that one first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_barrier: Option<String>,
}

/// One file of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Path within its module, `/`-separated, relative, without `.` or `..`.
    pub path: String,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// Size of the content in bytes.
    pub size: u64,
    /// Whether the file is executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// The compressed form that travels.
    pub blob: Blob,
}

/// A Wasm module of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Its file.
    pub file: FileEntry,
    /// What it may use.
    #[serde(default)]
    pub limits: ModuleLimits,
}

/// A zstd-compressed object in the repository, named by its own hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// SHA-256 of the compressed bytes, hexadecimal.
    pub sha256: String,
    /// Size of the compressed bytes.
    pub size: u64,
}

/// How to make one file from another one the client may already have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// SHA-256 of the old content.
    pub from: String,
    /// SHA-256 of the new content.
    pub to: String,
    /// `zstd-patch-from`: the blob is a zstd frame made with the old content as its dictionary. `staysail-delta-3`: a
    /// patch for executables (`docs/spec/delta.md`). Readers leave deltas of other methods alone.
    pub method: String,
    /// The patch.
    pub blob: Blob,
}

/// The values of one mode (`[debug]` or `[production]` of `staysail.toml`) as they reach shell, Rust and page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModeConfig {
    /// `debug` or `production`.
    pub mode: String,
    /// Log filter: `error`, `warn`, `info`, `debug`, `trace` or a directive list.
    pub log: String,
    /// Whether the web inspector can be opened.
    pub inspector: bool,
    /// Content security policy of the page; the strict default when absent.
    pub csp: Option<String>,
    /// What the pages of which windows may do beyond calling the app's own commands.
    pub capabilities: Vec<Capability>,
    /// How the webview is set up; read at the start of the app.
    pub webview: Box<WebviewConfig>,
    /// Constants for Rust (`app.constant`) and page (`constants` of `@staysail/api`).
    pub constants: BTreeMap<String, serde_json::Value>,
    /// Milliseconds a new worker has to say hello.
    pub hello_timeout_ms: u64,
    /// Seconds a new version is watched.
    pub probation_s: u64,
    /// Seconds the old worker has to finish its calls.
    pub drain_s: u64,
    /// Milliseconds a new page has to come up.
    pub page_ready_timeout_ms: u64,
}

impl Default for ModeConfig {
    fn default() -> Self {
        Self {
            mode: "debug".into(),
            log: "info".into(),
            inspector: false,
            csp: None,
            capabilities: Vec::new(),
            webview: Box::default(),
            constants: BTreeMap::new(),
            hello_timeout_ms: limits::HELLO_TIMEOUT_MS,
            probation_s: limits::PROBATION_S,
            drain_s: limits::DRAIN_S,
            page_ready_timeout_ms: limits::PAGE_READY_TIMEOUT_MS,
        }
    }
}

/// Where a built app looks for releases. Attached to its executable.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdateSource {
    /// Base address of the repository (`https://…`, `http://127…` or `file://…`), without a trailing slash.
    pub url: String,
    /// Other addresses of the same repository, asked in this order while the first does not answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mirrors: Vec<String>,
    /// Seconds between two checks when the server announces nothing.
    pub check_interval_s: u64,
    /// The channel to follow while the user chose no other; `stable` when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub channel: String,
    /// The version to stay at (`1.4.2`, `1.4.x`) while the user chose no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
    /// Most bytes of releases and asset groups per second; any number when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download_bytes_per_s_max: Option<u64>,
    /// Files of a release that are downloaded at once; `download_parallel_max` when 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub download_parallel_max: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Why a manifest can not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON of a manifest.
    #[error("the release manifest can not be read: {0}")]
    Syntax(String),
    /// Made by a newer Staysail.
    #[error("the release manifest has format {0}; this Staysail reads up to {MANIFEST_FORMAT}")]
    Format(u32),
    /// A named limit is exceeded.
    #[error("the release manifest exceeds {0}")]
    TooLarge(&'static str),
    /// A path would leave its folder, or means different things on different systems.
    #[error("the release manifest names the unsafe path {0:?}")]
    UnsafePath(String),
    /// Two paths of one module are the same file on some system, or one is the folder of the other.
    #[error("the release manifest names {0:?} and {1:?}, which can not both exist on every system")]
    Collision(String, String),
    /// A hash is not 64 lower-case hexadecimal digits.
    #[error("the release manifest holds {0:?} where a SHA-256 in hexadecimal belongs")]
    BadHash(String),
    /// An asset group has a name that is none.
    #[error("the release manifest: {0}")]
    BadGroup(String),
    /// A Wasm module has a name that is none.
    #[error("the release manifest: {0}")]
    BadModule(String),
}

impl Manifest {
    /// Reads a manifest and checks everything that can be checked without the files.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > limits::MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge("manifest_bytes_max"));
        }
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| ManifestError::Syntax(error.to_string()))?;
        if manifest.format > MANIFEST_FORMAT {
            return Err(ManifestError::Format(manifest.format));
        }
        if manifest.files().count() > limits::MANIFEST_FILES_MAX {
            return Err(ManifestError::TooLarge("manifest_files_max"));
        }
        if manifest.groups.len() > limits::MANIFEST_GROUPS_MAX {
            return Err(ManifestError::TooLarge("manifest_groups_max"));
        }
        for name in manifest.groups.keys() {
            assets::check_name(name).map_err(ManifestError::BadGroup)?;
        }
        if manifest.modules.len() > limits::MODULES_MAX {
            return Err(ManifestError::TooLarge("modules_max"));
        }
        if manifest.module_files().any(|file| file.size > limits::MODULE_BYTES_MAX) {
            return Err(ManifestError::TooLarge("module_bytes_max"));
        }
        if manifest.module_files().map(|file| file.size).sum::<u64>() > limits::MODULES_BYTES_MAX {
            return Err(ManifestError::TooLarge("modules_bytes_max"));
        }
        for name in manifest.modules.keys() {
            module::check_name(name).map_err(ManifestError::BadModule)?;
        }
        for file in manifest.files() {
            check_path(&file.path)?;
            check_hash(&file.sha256)?;
            check_hash(&file.blob.sha256)?;
        }
        // Files of groups have addresses like any other of the page.
        check_collisions(manifest.page.iter().chain(manifest.group_files()))?;
        for module in manifest.backend.values().chain(manifest.shell.values()) {
            check_collisions(module.iter())?;
        }
        for delta in &manifest.deltas {
            for hash in [&delta.from, &delta.to, &delta.blob.sha256] {
                check_hash(hash)?;
            }
        }
        Ok(manifest)
    }

    /// The files of all asset groups.
    pub fn group_files(&self) -> impl Iterator<Item = &FileEntry> {
        self.groups.values().flat_map(|group| &group.files)
    }

    /// The files of all Wasm modules.
    pub fn module_files(&self) -> impl Iterator<Item = &FileEntry> {
        self.modules.values().map(|module| &module.file)
    }

    /// All files: the page's, those of asset groups and Wasm modules, and backend and shell for every target.
    pub fn files(&self) -> impl Iterator<Item = &FileEntry> {
        let native = self.backend.values().chain(self.shell.values()).flatten();
        self.page.iter().chain(self.group_files()).chain(self.module_files()).chain(native)
    }

    /// The manifest as it is published: pretty JSON, stable order.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// Refuses paths that are absolute, climb, are empty or too long, or mean something else on another system.
///
/// # Errors
/// [`ManifestError::UnsafePath`].
pub fn check_path(path: &str) -> Result<(), ManifestError> {
    let unsafe_part = |part: &str| {
        part.is_empty()
            || part == "."
            || part == ".."
            || part.ends_with(['.', ' '])
            || part.len() > limits::RELEASE_NAME_BYTES_MAX
            || is_device(part)
    };
    let bad_character =
        |c: char| c.is_control() || matches!(c, '\\' | ':' | '<' | '>' | '"' | '|' | '?' | '*');
    if path.is_empty()
        || path.len() > limits::RELEASE_PATH_BYTES_MAX
        || path.contains(bad_character)
        || path.split('/').any(unsafe_part)
    {
        return Err(ManifestError::UnsafePath(path.chars().take(200).collect()));
    }
    Ok(())
}

/// Refuses two paths that differ only in upper and lower case, and a file where another one needs a folder.
fn check_collisions<'a>(files: impl Iterator<Item = &'a FileEntry>) -> Result<(), ManifestError> {
    let mut folded: Vec<(String, &str)> =
        files.map(|file| (file.path.to_lowercase(), file.path.as_str())).collect();
    folded.sort_unstable();
    let collision = |a: &str, b: &str| {
        let cut = |path: &str| path.chars().take(200).collect();
        Err(ManifestError::Collision(cut(a), cut(b)))
    };
    if let Some([a, b]) = folded.array_windows().find(|[a, b]| a.0 == b.0) {
        return collision(a.1, b.1);
    }
    for (path, written) in &folded {
        for (at, _) in path.match_indices('/') {
            if let Ok(found) = folded.binary_search_by(|(other, _)| other.as_str().cmp(&path[..at])) {
                return collision(folded[found].1, written);
            }
        }
    }
    Ok(())
}

fn check_hash(hash: &str) -> Result<(), ManifestError> {
    let hexadecimal = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
    if hash.len() == 64 && hash.bytes().all(hexadecimal) {
        Ok(())
    } else {
        Err(ManifestError::BadHash(hash.chars().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_their_folder_or_name_a_device_are_refused() {
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../b",
            "a//b",
            "a/./b",
            "C:x",
            "a\\b",
            "nul",
            "COM1.txt",
            "a. ",
            "a\0",
        ] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
        for good in ["index.html", "assets/app-1a2b.js", "übersicht/日本.css", "a..b", ".well-known/x"] {
            assert!(check_path(good).is_ok(), "{good:?}");
        }
        for device in ["CON", "prn.js", "Aux", "NUL.tar.gz", "com9", "LPT1.html", "a/lpt3/b"] {
            assert!(check_path(device).is_err(), "{device:?}");
        }
        for near in ["console.js", "com10", "lpt.css", "nullable", "auxiliary/x", "com.js"] {
            assert!(check_path(near).is_ok(), "{near:?}");
        }
        let name = "x".repeat(limits::RELEASE_NAME_BYTES_MAX);
        let path = "x/".repeat(limits::RELEASE_PATH_BYTES_MAX / 2);
        assert!(check_path(&name).is_ok() && check_path(&format!("{name}x")).is_err());
        assert!(check_path(&path[1..]).is_err() && check_path(&format!("{}x", &path[2..])).is_ok());
        assert!(check_path(&format!("{path}x")).is_err());
    }

    #[test]
    fn a_manifest_of_a_newer_format_is_refused_by_its_number() {
        let manifest = Manifest { format: MANIFEST_FORMAT + 1, ..Manifest::default() };
        assert_eq!(Manifest::parse(&manifest.to_bytes()), Err(ManifestError::Format(MANIFEST_FORMAT + 1)));
    }

    #[test]
    fn the_file_of_a_shell_is_checked_like_any_other() {
        let file = |path: &str| FileEntry {
            path: path.into(),
            sha256: "a".repeat(64),
            blob: Blob { sha256: "b".repeat(64), size: 1 },
            ..FileEntry::default()
        };
        let parse = |path: &str| {
            let shell = BTreeMap::from([("x86_64-unknown-linux-gnu".to_owned(), vec![file(path)])]);
            Manifest::parse(&Manifest { shell, ..Manifest::default() }.to_bytes())
        };
        assert_eq!(parse("notes").unwrap().files().count(), 1);
        assert_eq!(parse("../notes"), Err(ManifestError::UnsafePath("../notes".into())));
    }

    #[test]
    fn paths_that_collide_on_some_system_are_refused() {
        let parse = |paths: &[&str], backend: bool| {
            let file = |path: &&str| FileEntry {
                path: (*path).into(),
                sha256: "a".repeat(64),
                blob: Blob { sha256: "b".repeat(64), size: 1 },
                ..FileEntry::default()
            };
            let files: Vec<_> = paths.iter().map(file).collect();
            let mut manifest = Manifest::default();
            if backend {
                manifest.backend.insert("x86_64-unknown-linux-gnu".into(), files);
            } else {
                manifest.page = files;
            }
            Manifest::parse(&manifest.to_bytes())
        };
        for bad in [
            &["a.js", "a.js"][..],
            &["index.html", "assets/App.js", "assets/app.js"],
            &["Übersicht.css", "übersicht.css"],
            &["a", "a/b"],
            &["x/y/z.css", "X/Y"],
            &["a/b", "a-b", "A"],
        ] {
            for backend in [false, true] {
                let refused = parse(bad, backend);
                assert!(matches!(refused, Err(ManifestError::Collision(..))), "{bad:?}: {refused:?}");
            }
        }
        for good in [&["a", "b/a", "a.b"][..], &["a/b", "a/c", "ab"], &[]] {
            assert!(parse(good, false).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn files_of_asset_groups_are_checked_like_those_of_the_page_and_collide_with_them() {
        let file = |path: &str| FileEntry {
            path: path.into(),
            sha256: "a".repeat(64),
            blob: Blob { sha256: "b".repeat(64), size: 1 },
            ..FileEntry::default()
        };
        let parse = |groups: &[(&str, &str)]| {
            let group = |path: &str| Group { files: vec![file(path)], ..Group::default() };
            let groups = groups.iter().map(|(name, path)| ((*name).to_owned(), group(path))).collect();
            let manifest = Manifest { page: vec![file("index.html")], groups, ..Manifest::default() };
            Manifest::parse(&manifest.to_bytes())
        };
        let good = parse(&[("maps", "maps/a.bin"), ("music", "b.ogg")]).unwrap();
        assert_eq!(good.files().count(), 3);
        assert!(matches!(parse(&[("maps", "../a")]), Err(ManifestError::UnsafePath(_))));
        assert!(matches!(parse(&[("maps", "Index.html")]), Err(ManifestError::Collision(..))));
        assert!(matches!(parse(&[("maps", "a"), ("music", "a/b")]), Err(ManifestError::Collision(..))));
        assert!(matches!(parse(&[("a b", "a")]), Err(ManifestError::BadGroup(_))));
        let many = (0..=limits::MANIFEST_GROUPS_MAX).map(|at| (at.to_string(), Group::default())).collect();
        let manifest = Manifest { groups: many, ..Manifest::default() };
        let refused = Manifest::parse(&manifest.to_bytes());
        assert_eq!(refused, Err(ManifestError::TooLarge("manifest_groups_max")));
    }

    #[test]
    fn modules_are_files_with_plain_names_and_bounds() {
        let module = |path: &str, size| Module {
            file: FileEntry {
                path: path.into(),
                sha256: "a".repeat(64),
                size,
                blob: Blob { sha256: "b".repeat(64), size: 1 },
                ..FileEntry::default()
            },
            ..Module::default()
        };
        let parse = |name: &str, module: Module| {
            let modules = BTreeMap::from([(name.to_owned(), module)]);
            Manifest::parse(&Manifest { modules, ..Manifest::default() }.to_bytes())
        };
        assert_eq!(parse("rules", module("rules.wasm", 9)).unwrap().files().count(), 1);
        assert!(matches!(parse("../x", module("x.wasm", 9)), Err(ManifestError::BadModule(_))));
        assert!(matches!(parse("rules", module("../x.wasm", 9)), Err(ManifestError::UnsafePath(_))));
        let large = parse("rules", module("x.wasm", limits::MODULE_BYTES_MAX + 1));
        assert_eq!(large, Err(ManifestError::TooLarge("module_bytes_max")));
    }

    #[test]
    fn a_hash_that_could_be_a_path_is_refused() {
        let page = vec![FileEntry { path: "a".into(), sha256: "../../etc".into(), ..FileEntry::default() }];
        let manifest = Manifest { page, ..Manifest::default() };
        assert!(matches!(Manifest::parse(&manifest.to_bytes()), Err(ManifestError::BadHash(_))));
    }
}
