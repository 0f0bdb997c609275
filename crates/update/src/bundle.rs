//! The first release of an app, attached to the executable that is shipped.
//!
//! # Theory of operation
//! ```text
//! shell executable | blob | blob | … | index (JSON) | trailer
//! trailer = magic, format (u32), bytes of payload (u64), bytes of index (u64), SHA-256, magic
//! ```
//! Numbers are little-endian. The payload is blobs and index; the hash covers it and the trailer's numbers. The magic
//! stands twice, so that one flipped bit makes a damaged bundle and not an executable without one. In a macOS bundle
//! (`*.app/Contents/MacOS/x`) the same bytes are `Contents/Resources/release.staysail`, to leave the signature intact.

use crate::{Error, disk, hash, pack};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use staysail_protocol::manifest::{Blob, FileEntry, Manifest, Module, UpdateSource, check_path};
use staysail_protocol::module::ModuleLimits;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const MAGIC: &[u8; 16] = b"STAYSAIL-RELEASE";
const FORMAT: u32 = 1;
const HEAD: usize = 16 + 4 + 8 + 8;
const TRAILER: usize = HEAD + 32 + 16;
/// Largest index of a bundle (manifest, pinned root and the blobs' places).
pub const INDEX_BYTES_MAX: u64 = 64 << 20;

/// A release made ready: its manifest and all its blobs. What `staysail build` attaches and `staysail publish` publishes.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// The manifest; [`Contents::add_page`], [`Contents::add_to_group`] and [`Contents::add_backend`] fill in its files.
    pub manifest: Manifest,
    /// Compressed bytes by their own SHA-256.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Where the app looks for releases.
    pub source: Option<UpdateSource>,
    /// The pinned trust root (`root.json`).
    pub root: Option<Vec<u8>>,
    /// The shell that `publish` has the release carry.
    pub shell: Option<ShellFile>,
    /// The release is meant to carry no shell, also where the one before did.
    pub without_shell: bool,
}

/// A generic shell on this machine, for the target of this program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShellFile {
    /// The executable.
    pub file: PathBuf,
    /// Name it is given on users' machines; what a desktop tells programs by.
    pub name: String,
    /// Its version (of Staysail).
    pub version: String,
}

impl Contents {
    /// A release without files yet.
    pub fn new(manifest: Manifest) -> Self {
        Self { manifest, ..Self::default() }
    }

    /// Adds a file of the page under its `/`-separated path.
    ///
    /// # Errors
    /// A path that is not allowed in a manifest, or a file that can not be read.
    pub fn add_page(&mut self, path: &str, file: &Path) -> Result<(), Error> {
        let entry = self.entry(path, file, false)?;
        self.manifest.page.push(entry);
        self.manifest.page.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(())
    }

    /// Adds every file below `folder` to the page. Links are followed, names beginning with a dot left out (except
    /// `.well-known`).
    ///
    /// # Errors
    /// See [`Contents::add_page`].
    pub fn add_page_folder(&mut self, folder: &Path) -> Result<(), Error> {
        self.add_below(folder, "")
    }

    fn add_below(&mut self, folder: &Path, prefix: &str) -> Result<(), Error> {
        let listing = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        for item in listing.map_err(Error::disk("reading", folder))? {
            let name = item.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') && name != ".well-known" {
                continue;
            }
            let (path, below) = (item.path(), format!("{prefix}{name}"));
            if path.is_dir() {
                self.add_below(&path, &format!("{below}/"))?;
            } else {
                self.add_page(&below, &path)?;
            }
        }
        Ok(())
    }

    /// Adds a file of the page that is fetched when it is first asked for. An app with a source of releases is shipped
    /// without it.
    ///
    /// # Errors
    /// See [`Contents::add_page`].
    pub fn add_to_group(&mut self, group: &str, path: &str, file: &Path) -> Result<(), Error> {
        let entry = self.entry(path, file, false)?;
        let files = &mut self.manifest.groups.entry(group.to_owned()).or_default().files;
        files.push(entry);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(())
    }

    /// The blobs that are attached: all of them, but those of groups only when there is nowhere to fetch them from.
    fn shipped(&self) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        let manifest = &self.manifest;
        let own: BTreeSet<&str> = manifest
            .page
            .iter()
            .chain(manifest.module_files())
            .chain(manifest.backend.values().flatten())
            .map(|entry| entry.blob.sha256.as_str())
            .collect();
        let fetched: BTreeSet<&str> = manifest
            .group_files()
            .map(|entry| entry.blob.sha256.as_str())
            .filter(|blob| self.source.is_some() && !own.contains(blob))
            .collect();
        self.blobs.iter().filter(move |(name, _)| !fetched.contains(name.as_str()))
    }

    /// Adds a file of the backend for one target triple. The first one of a target is the worker's executable.
    ///
    /// # Errors
    /// See [`Contents::add_page`].
    pub fn add_backend(&mut self, target: &str, path: &str, file: &Path) -> Result<(), Error> {
        let first = !self.manifest.backend.contains_key(target);
        let entry = self.entry(path, file, first)?;
        self.manifest.backend.entry(target.to_owned()).or_default().push(entry);
        Ok(())
    }

    /// Adds a Wasm module of the backend.
    ///
    /// # Errors
    /// See [`Contents::add_page`].
    pub fn add_module(&mut self, name: &str, limits: ModuleLimits, file: &Path) -> Result<(), Error> {
        let file = self.entry(&format!("{name}.wasm"), file, false)?;
        self.manifest.modules.insert(name.to_owned(), Module { file, limits });
        Ok(())
    }

    pub(crate) fn entry(&mut self, path: &str, file: &Path, executable: bool) -> Result<FileEntry, Error> {
        check_path(path)?;
        let content = disk::read(file, pack::FILE_BYTES_MAX)
            .and_then(|content| content.ok_or_else(|| std::io::ErrorKind::NotFound.into()))
            .map_err(Error::disk("reading", file))?;
        self.packed(path, &content, executable)
    }

    pub(crate) fn packed(
        &mut self,
        path: &str,
        content: &[u8],
        executable: bool,
    ) -> Result<FileEntry, Error> {
        check_path(path)?;
        let packed = pack::compress(content, pack::PUBLISH_LEVEL)?;
        let blob = Blob { sha256: hash::of(&packed), size: packed.len() as u64 };
        self.blobs.insert(blob.sha256.clone(), packed);
        Ok(FileEntry {
            path: path.to_owned(),
            sha256: hash::of(content),
            size: content.len() as u64,
            executable,
            blob,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Index {
    /// The manifest's exact bytes: its hash names the release.
    manifest: String,
    source: Option<UpdateSource>,
    root: Option<String>,
    /// SHA-256 of the shell it is attached to, as that was before.
    #[serde(default)]
    shell: Option<String>,
    /// Hash to offset in the payload and length.
    blobs: BTreeMap<String, (u64, u64)>,
}

/// A release read back from an executable. Its blobs are read, and checked, when they are asked for.
#[derive(Debug, Clone)]
pub struct Attached {
    /// The release's manifest.
    pub manifest: Manifest,
    /// Where the app looks for releases.
    pub source: Option<UpdateSource>,
    /// The pinned trust root (`root.json`).
    pub root: Option<Vec<u8>>,
    /// SHA-256 of the shell it is attached to, as that was before; known without reading it.
    pub shell: Option<String>,
    pub(crate) manifest_bytes: Vec<u8>,
    blobs: Arc<Blobs>,
}

#[derive(Debug)]
struct Blobs {
    path: PathBuf,
    /// Stays open: the content remains readable when an installer replaces the executable under a running app.
    file: Mutex<File>,
    start: u64,
    places: BTreeMap<String, (u64, u64)>,
}

/// Where the bundle of an executable is: in itself, or in the resources of its macOS bundle.
fn place(executable: &Path) -> Option<PathBuf> {
    let macos = executable.parent()?;
    let contents = macos.parent()?;
    let app = contents.parent()?;
    (macos.ends_with("MacOS") && contents.ends_with("Contents") && app.extension()? == "app")
        .then(|| contents.join("Resources/release.staysail"))
}

/// Writes `out`: the executable `shell` with a release attached. `out` appears whole or not at all.
///
/// # Errors
/// Disk errors; a manifest that clients would refuse.
pub fn attach(shell: &Path, out: &Path, contents: &Contents) -> Result<(), Error> {
    let manifest_bytes = contents.manifest.to_bytes();
    Manifest::parse(&manifest_bytes)?;
    let digest = disk::Disk::digest(&disk::OsDisk, shell).map_err(Error::disk("reading", shell))?;
    let root = contents.root.clone().map(String::from_utf8).transpose();
    let index = Index {
        manifest: String::from_utf8(manifest_bytes).unwrap_or_default(),
        shell: digest.map(|(sha256, _)| sha256),
        source: contents.source.clone(),
        root: root.map_err(|error| Error::disk("writing", out)(std::io::Error::other(error)))?,
        blobs: BTreeMap::new(),
    };
    match place(out) {
        None => write_bundle(Some(shell), out, contents, index, true),
        Some(resources) => {
            write_bundle(None, &resources, contents, index, false)?;
            if let Some(folder) = out.parent() {
                fs::create_dir_all(folder).map_err(Error::disk("creating", folder))?;
            }
            fs::copy(shell, out).map(drop).map_err(Error::disk("writing", out))
        }
    }
}

fn write_bundle(
    shell: Option<&Path>,
    out: &Path,
    contents: &Contents,
    mut index: Index,
    executable: bool,
) -> Result<(), Error> {
    let folder = out.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::disk("creating", folder))?;
    let temporary = disk::temporary_beside(out);
    let written = (|| {
        let mut file = File::create_new(&temporary)?;
        if let Some(shell) = shell {
            std::io::copy(&mut File::open(shell)?, &mut file)?;
        }
        let mut hasher = Sha256::new();
        let mut length = 0;
        for (name, blob) in contents.shipped() {
            index.blobs.insert(name.clone(), (length, blob.len() as u64));
            length += blob.len() as u64;
            hasher.update(blob);
            file.write_all(blob)?;
        }
        let index = serde_json::to_vec(&index)?;
        hasher.update(&index);
        file.write_all(&index)?;
        let mut trailer = Vec::with_capacity(TRAILER);
        trailer.extend_from_slice(MAGIC);
        trailer.extend_from_slice(&FORMAT.to_le_bytes());
        trailer.extend_from_slice(&(length + index.len() as u64).to_le_bytes());
        trailer.extend_from_slice(&(index.len() as u64).to_le_bytes());
        hasher.update(&trailer);
        trailer.extend_from_slice(&hasher.finalize());
        trailer.extend_from_slice(MAGIC);
        file.write_all(&trailer)?;
        #[cfg(unix)]
        if executable {
            use std::os::unix::fs::PermissionsExt;
            file.set_permissions(fs::Permissions::from_mode(0o755))?;
        }
        let _ = executable;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, out)?;
        disk::sync_folder(folder)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(Error::disk("writing", out))
}

/// Reads the release attached to `executable`, after checking every byte of it; `None` when there is none.
///
/// # Errors
/// [`Error::CorruptBundle`] when there is one but it is not as it was written.
pub fn read_attached(executable: &Path) -> Result<Option<Attached>, Error> {
    let resources = place(executable).filter(|path| path.exists());
    let path = resources.as_deref().unwrap_or(executable);
    let mut file = File::open(path).map_err(Error::disk("reading", path))?;
    let length = file.metadata().map_err(Error::disk("reading", path))?.len();
    if length < TRAILER as u64 {
        return Ok(None);
    }
    let mut trailer = [0; TRAILER];
    file.seek(SeekFrom::Start(length - TRAILER as u64))
        .and_then(|_| file.read_exact(&mut trailer))
        .map_err(Error::disk("reading", path))?;
    let (first, last) = (&trailer[..16] == MAGIC, &trailer[TRAILER - 16..] == MAGIC);
    if !first && !last {
        return Ok(None);
    }
    let corrupt = |reason: String| Error::CorruptBundle { path: path.to_owned(), reason };
    if !first || !last {
        return Err(corrupt("its end is damaged".into()));
    }
    let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| trailer[at + i]));
    let format = u32::from_le_bytes(std::array::from_fn(|i| trailer[16 + i]));
    let (payload, index_length) = (number(20), number(28));
    let start = (length - TRAILER as u64).checked_sub(payload);
    let Some(start) = start.filter(|_| index_length <= payload && index_length <= INDEX_BYTES_MAX) else {
        return Err(corrupt("its lengths do not fit the file".into()));
    };
    file.seek(SeekFrom::Start(start)).map_err(Error::disk("reading", path))?;
    let mut hasher = Sha256::new();
    let mut blobs = (&mut file).take(payload - index_length);
    std::io::copy(&mut blobs, &mut HashWriter(&mut hasher)).map_err(Error::disk("reading", path))?;
    let mut index = vec![0; index_length as usize];
    file.read_exact(&mut index).map_err(Error::disk("reading", path))?;
    hasher.update(&index);
    hasher.update(&trailer[..HEAD]);
    if hasher.finalize()[..] != trailer[HEAD..HEAD + 32] {
        return Err(corrupt("its SHA-256 does not match".into()));
    }
    if format != FORMAT {
        return Err(corrupt(format!("it has format {format}, this shell reads {FORMAT}")));
    }
    let index: Index = serde_json::from_slice(&index).map_err(|error| corrupt(error.to_string()))?;
    let manifest = Manifest::parse(index.manifest.as_bytes())?;
    let room = payload - index_length;
    let fits = |&(offset, length): &(u64, u64)| offset.checked_add(length).is_some_and(|end| end <= room);
    if !index.blobs.values().all(fits) {
        return Err(corrupt("a blob lies outside of it".into()));
    }
    Ok(Some(Attached {
        manifest,
        source: index.source,
        root: index.root.map(String::into_bytes),
        shell: index.shell,
        manifest_bytes: index.manifest.into_bytes(),
        blobs: Arc::new(Blobs { path: path.to_owned(), file: Mutex::new(file), start, places: index.blobs }),
    }))
}

struct HashWriter<'a>(&'a mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Attached {
    /// The content of a file, verified just now; `None` when this bundle does not hold it.
    ///
    /// # Errors
    /// Disk errors, [`Error::CorruptBundle`].
    pub fn content(&self, entry: &FileEntry) -> Result<Option<Vec<u8>>, Error> {
        // Another release may name the same content by another blob: look it up by content in our own manifest.
        let own = self.files().find(|own| own.sha256 == entry.sha256 && own.size == entry.size);
        let Some((own, &(offset, length))) =
            own.and_then(|own| Some((own, self.blobs.places.get(&own.blob.sha256)?)))
        else {
            return Ok(None);
        };
        let corrupt = |reason: String| Error::CorruptBundle { path: self.blobs.path.clone(), reason };
        let packed = self.packed(own, offset, length)?;
        let content =
            pack::decompress(&packed, own.size).map_err(|error| corrupt(format!("{}: {error}", own.path)))?;
        if hash::of(&content) != own.sha256 {
            return Err(corrupt(format!("{} has the wrong SHA-256", own.path)));
        }
        Ok(Some(content))
    }

    fn packed(&self, own: &FileEntry, offset: u64, length: u64) -> Result<Vec<u8>, Error> {
        let path = &self.blobs.path;
        let corrupt = |reason: String| Error::CorruptBundle { path: path.clone(), reason };
        if length != own.blob.size {
            return Err(corrupt(format!("{} has the wrong size", own.path)));
        }
        let mut packed = vec![0; usize::try_from(length).map_err(|_| corrupt("a blob is too large".into()))?];
        let mut file = self.blobs.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.blobs.start + offset))
            .and_then(|_| file.read_exact(&mut packed))
            .map_err(Error::disk("reading", path))?;
        Ok(packed)
    }

    /// The compressed bytes of a file of this bundle's own manifest, as they were published or will be; `None` when it does not
    /// hold them.
    ///
    /// # Errors
    /// Disk errors, [`Error::CorruptBundle`].
    pub(crate) fn blob(&self, own: &FileEntry) -> Result<Option<Vec<u8>>, Error> {
        let place = self.blobs.places.get(&own.blob.sha256);
        place.map(|&(offset, length)| self.packed(own, offset, length)).transpose()
    }

    /// The shell this bundle is attached to; `None` when it is not what it was, signed since for example.
    pub(crate) fn shell_content(&self) -> Option<Vec<u8>> {
        let mut file = self.blobs.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut content = Vec::new();
        file.seek(SeekFrom::Start(0)).ok()?;
        (&mut *file).take(self.blobs.start).read_to_end(&mut content).ok()?;
        (self.shell.as_deref() == Some(hash::of(&content).as_str())).then_some(content)
    }

    /// Whether this bundle holds the content of a file.
    pub(crate) fn holds(&self, entry: &FileEntry) -> bool {
        let own = self.files().find(|own| own.sha256 == entry.sha256 && own.size == entry.size);
        own.is_some_and(|own| self.blobs.places.contains_key(&own.blob.sha256))
    }

    fn files(&self) -> impl Iterator<Item = &FileEntry> {
        self.manifest.files()
    }
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
