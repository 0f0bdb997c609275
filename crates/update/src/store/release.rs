//! One release of the store. Whatever it hands out was hashed just before (law 3).

use super::{Inner, compare_versions};
use crate::bundle::Attached;
use crate::disk::Lock;
use crate::{Error, TARGET, hash, pack};
use staysail_protocol::manifest::{FileEntry, Manifest, Module};
use staysail_protocol::{PROTOCOL_VERSION, PROTOCOL_VERSION_MIN};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A verified release. Cheap to clone; while one exists the release's files are not collected.
#[derive(Clone)]
pub struct Release {
    inner: Arc<Body>,
}

/// Where a release came from.
pub(super) enum Origin {
    /// It is attached to the executable: the version of last resort.
    Embedded(Arc<Attached>),
    /// It was published on this channel.
    Channel(String),
}

struct Body {
    store: Arc<Inner>,
    manifest: Manifest,
    bytes: Vec<u8>,
    hash: String,
    page: HashMap<String, usize>,
    /// Path of each file of an asset group: its group, and where in it.
    on_demand: HashMap<String, (String, usize)>,
    origin: Origin,
    /// Shared lock that keeps the garbage collection of every process away.
    _in_use: Option<Box<dyn Lock>>,
}

impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Release")
            .field("version", &self.inner.manifest.version)
            .field("sequence", &self.inner.manifest.sequence)
            .field("hash", &self.inner.hash)
            .finish()
    }
}

impl PartialEq for Release {
    fn eq(&self, other: &Self) -> bool {
        self.inner.hash == other.inner.hash
    }
}

impl Eq for Release {}

impl Release {
    pub(super) fn new(
        store: Arc<Inner>,
        manifest: Manifest,
        bytes: Vec<u8>,
        origin: Origin,
        in_use: Option<Box<dyn Lock>>,
    ) -> Self {
        let page = manifest.page.iter().enumerate().map(|(at, entry)| (entry.path.clone(), at)).collect();
        let in_groups = manifest.groups.iter().flat_map(|(name, group)| {
            let places = group.files.iter().enumerate();
            places.map(move |(at, entry)| (entry.path.clone(), (name.clone(), at)))
        });
        let on_demand = in_groups.collect();
        let hash = hash::of(&bytes);
        let body = Body { store, manifest, bytes, hash, page, on_demand, origin, _in_use: in_use };
        Self { inner: Arc::new(body) }
    }

    /// What the release consists of.
    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// SHA-256 of the manifest's bytes: the release's name.
    pub fn hash(&self) -> &str {
        &self.inner.hash
    }

    /// The manifest's exact bytes.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.inner.bytes
    }

    /// Whether this is the release attached to the executable.
    pub fn is_embedded(&self) -> bool {
        self.attached().is_some()
    }

    fn attached(&self) -> Option<&Attached> {
        match &self.inner.origin {
            Origin::Embedded(attached) => Some(attached),
            Origin::Channel(_) => None,
        }
    }

    /// The channel it was published on; empty for the release attached to the executable.
    pub fn channel(&self) -> &str {
        match &self.inner.origin {
            Origin::Embedded(_) => "",
            Origin::Channel(channel) => channel,
        }
    }

    /// Whether a switch between the two would change nothing: same version, page, backend for this machine, modules and values.
    pub fn same_content(&self, other: &Manifest) -> bool {
        same_content(&self.inner.manifest, other)
    }

    /// The bytes of a page file, hashed at each read; `None` when the release has no such file.
    ///
    /// Damage on disk is healed from the attached release where that holds the same content.
    ///
    /// # Errors
    /// [`Error::Tampered`] when the content is not what was released, disk errors.
    pub fn page_file(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(entry) = self.inner.page.get(path).and_then(|at| self.inner.manifest.page.get(*at)) else {
            return Ok(None);
        };
        if let Some(content) = self.attached().map(|attached| attached.content(entry)).transpose()?.flatten()
        {
            return Ok(Some(content));
        }
        self.inner.store.page_content(entry).map(Some)
    }

    /// The bytes of a Wasm module, hashed just now; healed like a file of the page.
    ///
    /// # Errors
    /// [`Error::Tampered`] when the content is not what was released, disk errors.
    pub fn module(&self, module: &Module) -> Result<Vec<u8>, Error> {
        let attached = self.attached().map(|attached| attached.content(&module.file)).transpose()?;
        match attached.flatten() {
            Some(content) => Ok(content),
            None => self.inner.store.page_content(&module.file),
        }
    }

    /// The group a file of the page is in, and the file; `None` when there is no such file in any group.
    pub fn on_demand(&self, path: &str) -> Option<(&str, &FileEntry)> {
        let (group, at) = self.inner.on_demand.get(path)?;
        let files = &self.inner.manifest.groups.get(group)?.files;
        files.get(*at).map(|entry| (group.as_str(), entry))
    }

    /// The bytes of a file of a group, hashed at each read; `None` when it is not on this machine, or damaged: then it has
    /// to be fetched ([`crate::engine::OnDemand`]).
    ///
    /// # Errors
    /// Those of the disk.
    pub fn group_file(&self, entry: &FileEntry) -> Result<Option<Vec<u8>>, Error> {
        let attached = self.attached().map(|attached| attached.content(entry));
        if let Some(content) = attached.transpose()?.flatten() {
            return Ok(Some(content));
        }
        match self.inner.store.page_content(entry) {
            Ok(content) => Ok(Some(content)),
            Err(Error::Tampered { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a file of a group seems to be on this machine, by its size: what it holds is looked at when it is read.
    pub fn has_group_file(&self, entry: &FileEntry) -> bool {
        let store = &self.inner.store;
        let stored = store.disk.size(&store.content_path(&entry.sha256));
        let attached = store.attached.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        matches!(stored, Ok(Some(size)) if size == entry.size)
            || attached.is_some_and(|attached| attached.holds(entry))
    }

    /// The groups all of whose files are on this machine: those that go on being used offline.
    pub(crate) fn whole_groups(&self) -> impl Iterator<Item = &str> {
        let groups = self.inner.manifest.groups.iter();
        let whole = groups.filter(|(_, group)| group.files.iter().all(|entry| self.has_group_file(entry)));
        whole.map(|(name, _)| name.as_str())
    }

    /// The worker's executable for this machine at its versioned path, hashed just now, ready to be started.
    ///
    /// # Errors
    /// [`Error::NoBackend`], [`Error::Tampered`], disk errors.
    pub fn worker(&self) -> Result<PathBuf, Error> {
        let manifest = &self.inner.manifest;
        let files = manifest.backend.get(TARGET).filter(|files| !files.is_empty());
        let Some(files) = files else {
            return Err(Error::NoBackend {
                version: manifest.version.clone(),
                target: TARGET.into(),
                available: manifest.backend.keys().cloned().collect::<Vec<_>>().join(", "),
            });
        };
        let folder = self.inner.store.backend_folder(files);
        match self.place_backend(&folder, files) {
            // The disk is full, read-only or broken: the version of last resort still starts, from a private folder (law 4).
            Err(Error::Disk { .. } | Error::Tampered { .. }) if self.is_embedded() => {
                let folder = self.inner.store.private_folder()?;
                self.place_backend(&folder, files)?;
                Ok(folder.join(&files[0].path))
            }
            placed => placed.map(|()| folder.join(&files[0].path)),
        }
    }

    fn place_backend(&self, folder: &Path, files: &[FileEntry]) -> Result<(), Error> {
        files.iter().try_for_each(|entry| self.inner.store.ensure_file(&folder.join(&entry.path), entry))
    }

    /// Hashes every file of this machine's release.
    ///
    /// # Errors
    /// The first that can not be had as it was released.
    pub fn verify(&self) -> Result<(), Error> {
        let manifest = &self.inner.manifest;
        if !manifest.backend.is_empty() {
            self.worker()?;
        }
        for entry in &manifest.page {
            self.page_file(&entry.path)?;
        }
        for module in self.inner.manifest.modules.values() {
            self.module(module)?;
        }
        Ok(())
    }
}

/// Why this program can not run a release that another version of Staysail could, if so.
pub(crate) fn misfit(manifest: &Manifest) -> Option<String> {
    let (oldest, newest) = manifest.protocol;
    let speaks = !manifest.backend.is_empty();
    if speaks && (oldest > PROTOCOL_VERSION || newest < PROTOCOL_VERSION_MIN) {
        return Some(format!(
            "its backend speaks protocol {oldest} to {newest}, this app {PROTOCOL_VERSION_MIN} to {PROTOCOL_VERSION}; \
             install the app again"
        ));
    }
    let (shell, least) = (env!("CARGO_PKG_VERSION"), manifest.minimum_shell.as_ref()?);
    (compare_versions(shell, least) == Ordering::Less)
        .then(|| format!("it needs Staysail {least}, this app has {shell}; install the app again"))
}

/// See [`Release::same_content`].
pub(crate) fn same_content(a: &Manifest, b: &Manifest) -> bool {
    let same_files = |a: &[FileEntry], b: &[FileEntry]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.path == b.path && a.sha256 == b.sha256)
    };
    let backend = |manifest: &Manifest| manifest.backend.get(TARGET).cloned().unwrap_or_default();
    let same_groups = a.groups.keys().eq(b.groups.keys())
        && a.groups.values().zip(b.groups.values()).all(|(a, b)| same_files(&a.files, &b.files));
    let modules = |manifest: &Manifest| -> Vec<_> {
        let of =
            |(name, module): (&String, &Module)| (name.clone(), module.file.sha256.clone(), module.limits);
        manifest.modules.iter().map(of).collect()
    };
    let same_modules = modules(a) == modules(b);
    a.app == b.app
        && same_groups
        && same_modules
        && a.version == b.version
        && a.windows == b.windows
        && a.desktop == b.desktop
        && a.config == b.config
        && a.policy == b.policy
        && same_files(&a.page, &b.page)
        && same_files(&backend(a), &backend(b))
}

/// SHA-256 over everything of a release that runs on this machine: interface, windows, menus, values, page, backend and modules, but not
/// its number. What proved bad under one number is bad under every other (PRODUCT, law 5).
pub(crate) fn content_hash(manifest: &Manifest) -> String {
    let mut text = format!("{}\n{}\n", manifest.app, manifest.interface);
    let declared = [
        serde_json::to_string(&manifest.windows),
        serde_json::to_string(&manifest.desktop),
        serde_json::to_string(&manifest.config),
    ];
    for part in declared {
        text += &part.unwrap_or_default();
        text.push('\n');
    }
    let backend = manifest.backend.get(TARGET).into_iter().flatten();
    for file in manifest.page.iter().chain(manifest.group_files()).chain(backend) {
        text += &format!("{} {} {}\n", file.sha256, file.executable, file.path);
    }
    for (name, module) in &manifest.modules {
        let limits = serde_json::to_string(&module.limits).unwrap_or_default();
        text += &format!("module {name} {} {limits}\n", module.file.sha256);
    }
    hash::of(text.as_bytes())
}

/// The same with the rules by which its answers are compared: whoever was rejected for an answer that is meant to differ is
/// published again with a rule that says so.
pub(crate) fn compared_hash(manifest: &Manifest) -> Option<String> {
    let rules = serde_json::to_string(manifest.shadow.as_deref()?).unwrap_or_default();
    Some(hash::of(format!("{}\n{rules}", content_hash(manifest)).as_bytes()))
}

impl Inner {
    pub(super) fn content_path(&self, sha256: &str) -> PathBuf {
        self.folder.join("files").join(sha256.get(..2).unwrap_or("xx")).join(sha256)
    }

    pub(super) fn backend_folder(&self, files: &[FileEntry]) -> PathBuf {
        let key = match files {
            [only] => only.sha256.clone(),
            // Files beside the worker may differ while the worker does not.
            several => {
                let list: String =
                    several.iter().map(|entry| format!("{} {}\n", entry.sha256, entry.path)).collect();
                hash::of(list.as_bytes())
            }
        };
        self.folder.join("backend").join(key)
    }

    /// Verified content of a page file, healed if need be.
    fn page_content(&self, entry: &FileEntry) -> Result<Vec<u8>, Error> {
        let path = self.content_path(&entry.sha256);
        let found = match self.disk.read(&path, entry.size) {
            Ok(Some(content)) => {
                let found = hash::of(&content);
                if found == entry.sha256 && content.len() as u64 == entry.size {
                    return Ok(content);
                }
                Found::Damaged(found)
            }
            Ok(None) => Found::Nothing,
            Err(error) if error.kind() == ErrorKind::FileTooLarge => Found::Damaged(error.to_string()),
            Err(error) => Found::Unreadable(error),
        };
        self.heal(&path, entry, &found)
    }

    /// Makes sure that `path` holds the content, as an executable if it is one. What had to be put there is looked at
    /// again: it is run from there, and not from what was written.
    pub(super) fn ensure_file(&self, path: &Path, entry: &FileEntry) -> Result<(), Error> {
        match self.look(path, entry)? {
            None => Ok(()),
            Some(found) => {
                self.heal(path, entry, &found)?;
                match self.look(path, entry)? {
                    None => Ok(()),
                    Some(found) => Err(Error::Tampered {
                        what: entry.path.clone(),
                        expected: entry.sha256.clone(),
                        found: found.to_string(),
                    }),
                }
            }
        }
    }

    /// What lies at `path`, if that is not the content.
    fn look(&self, path: &Path, entry: &FileEntry) -> Result<Option<Found>, Error> {
        let found = match self.disk.digest(path) {
            Ok(Some((found, size))) if found == entry.sha256 && size == entry.size => {
                if entry.executable {
                    self.disk.mark_executable(path).map_err(Error::disk("marking", path))?;
                }
                return Ok(None);
            }
            Ok(Some((found, _))) => Found::Damaged(found),
            Ok(None) => Found::Nothing,
            Err(error) => Found::Unreadable(error),
        };
        Ok(Some(found))
    }

    /// Content that is missing or damaged comes from the attached release, or not at all. What is damaged goes, so that
    /// the engine fetches it again. What can not be read stays: it may be there again the next time, and if not, what is
    /// fetched takes its place.
    fn heal(&self, path: &Path, entry: &FileEntry, found: &Found) -> Result<Vec<u8>, Error> {
        let attached = self.attached.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        if let Some(content) = attached.map(|attached| attached.content(entry)).transpose()?.flatten() {
            self.disk.write(path, &content, entry.executable).map_err(Error::disk("writing", path))?;
            return Ok(content);
        }
        if matches!(found, Found::Damaged(_)) {
            tracing::error!(
                file = entry.path,
                %found,
                "a stored file is not what was released; it is removed"
            );
            self.disk.remove(path).map_err(Error::disk("removing", path))?;
        }
        Err(Error::Tampered {
            what: entry.path.clone(),
            expected: entry.sha256.clone(),
            found: found.to_string(),
        })
    }

    /// Content with this hash from anywhere on this machine, verified: the base of a delta.
    pub(super) fn base(&self, entry: &FileEntry, folders: &[PathBuf]) -> Option<Vec<u8>> {
        let mut paths = vec![self.content_path(&entry.sha256)];
        paths.extend(folders.iter().map(|folder| folder.join(&entry.path)));
        for path in paths {
            if let Ok(Some(content)) = self.disk.read(&path, entry.size.min(pack::FILE_BYTES_MAX))
                && hash::of(&content) == entry.sha256
            {
                return Some(content);
            }
        }
        let attached = self.attached.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        attached?.content(entry).ok().flatten()
    }
}

/// What was found where content should be.
enum Found {
    Nothing,
    /// Something else, by its hash.
    Damaged(String),
    /// The disk refuses to say.
    Unreadable(std::io::Error),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no file"),
            Self::Damaged(found) => f.write_str(found),
            Self::Unreadable(error) => error.fmt(f),
        }
    }
}
