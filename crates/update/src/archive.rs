//! A repository in one file, for machines without network: what `staysail bundle` makes and `APP --apply FILE` reads.
//!
//! # Theory of operation
//! ```text
//! magic (16) | format (u32) | bytes of the index (u64) | SHA-256 of the index (32) | index (text) | files, one after the other
//! ```
//! Numbers are little-endian. The index names the files in their order, a line each: SHA-256, length, and the path they have
//! in a repository. To the engine this is a [`Network`] like any other: metadata are verified from the root in the executable on,
//! blobs by their hash, expiry and floors hold. The hashes of the index find damage, early and with its place; nothing is
//! believed because of them.
//!
//! **Invariant:** no path of an archive is ever one on disk.

use crate::engine::Surroundings;
use crate::engine::fetch::Remote;
use crate::engine::look::{self, Looked, Standpoint};
use crate::engine::network::{Answer, Network, NetworkFuture, read_apart};
use crate::lifecycle::{Candidate, fits, is_newer};
use crate::store::{Release, Store, compare_versions};
use crate::{Error, TARGET, hash};
use staysail_protocol::limits;
use staysail_protocol::manifest::FileEntry;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

const MAGIC: &[u8; 16] = b"STAYSAIL-ARCHIVE";
const FORMAT: u32 = 1;
const HEAD: usize = 16 + 4 + 8 + 32;

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in a repository.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: String,
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let (sha256, rest) = line.split_once(' ')?;
        let (size, path) = rest.split_once(' ')?;
        Some(Self { path: path.to_owned(), size: size.parse().ok()?, sha256: sha256.to_owned() })
    }
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Stays open: what was checked is what is read, whatever becomes of the name.
    file: Mutex<File>,
    /// Path to offset and length.
    places: BTreeMap<String, (u64, u64)>,
}

/// A repository in one file. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Archive {
    inner: Arc<Inner>,
}

fn refused(path: &Path, reason: impl Into<String>) -> Error {
    Error::Archive { path: path.to_owned(), reason: reason.into() }
}

impl Archive {
    /// Opens an archive and reads it once, to find damage.
    ///
    /// # Errors
    /// [`Error::Archive`] when it is none, is damaged (with the place) or exceeds a limit; disk errors.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let read = |error| Error::disk("reading", path)(error);
        // Before it is opened: a pipe would wait for a writer.
        if !std::fs::metadata(path).map_err(read)?.is_file() {
            return Err(refused(path, "is no file"));
        }
        let mut file = File::open(path).map_err(read)?;
        let length = file.metadata().map_err(read)?.len();
        let index = read_index(path, &mut file, length)?;
        let mut offset = HEAD as u64 + index.1;
        let mut places = BTreeMap::new();
        for entry in &index.0 {
            let (found, size) = hash::of_reader(&mut (&mut file).take(entry.size)).map_err(read)?;
            let end = offset.saturating_add(entry.size);
            if size < entry.size {
                return Err(refused(path, format!("breaks off at byte {length}, in {}", entry.path)));
            }
            if found != entry.sha256 {
                let place = format!("is damaged between byte {offset} and byte {end}, in {}", entry.path);
                return Err(refused(path, place));
            }
            if places.insert(entry.path.clone(), (offset, size)).is_some() {
                return Err(refused(path, format!("holds {} twice", entry.path)));
            }
            offset = end;
        }
        if offset != length {
            return Err(refused(path, format!("goes on after its end at byte {offset}")));
        }
        Ok(Self { inner: Arc::new(Inner { path: path.to_owned(), file: Mutex::new(file), places }) })
    }

    /// A file of it; `None` when it holds none of this path.
    ///
    /// # Errors
    /// Disk errors: a stick that was pulled out.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(&(offset, size)) = self.inner.places.get(path) else { return Ok(None) };
        let mut file = self.inner.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| (&mut *file).take(size).read_to_end(&mut bytes))
            .map_err(Error::disk("reading", &self.inner.path))?;
        Ok(Some(bytes))
    }

    /// Paths and lengths of its files.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.inner.places.iter().map(|(path, (_, size))| (path.as_str(), *size))
    }

    /// Whether an app with this store and this root could apply it now: what the engine will find, known before anything is
    /// shown. `current` is what the app was installed with, or what runs.
    ///
    /// # Errors
    /// [`Error::Archive`] with why not: made by other keys, expired, older than what was seen or runs, without what this
    /// machine needs, not of the version to stay at.
    pub fn check<'a>(
        &'a self,
        store: &'a Store,
        root: &'a [u8],
        current: &'a Release,
        now: jiff::Timestamp,
    ) -> Checking<'a> {
        Box::pin(async move {
            let pinned = crate::crypto::trusted(root)?.root().version;
            if self.read(&format!("metadata/{pinned}.root.json"))?.as_deref() != Some(root) {
                return Err(
                    self.refused("was made with other keys than this app trusts: it belongs to another app")
                );
            }
            let remote = Remote::new(&Surroundings::with_network(Arc::new(self.clone())));
            let state = store.state();
            let running = state.current.and_then(|hash| store.open_release(&hash, root).ok());
            let is_older = |release: &Release| {
                compare_versions(&release.manifest().version, &current.manifest().version) == Ordering::Less
            };
            let current = running.as_ref().filter(|running| !is_older(running)).unwrap_or(current);
            let channel = store.channel();
            let floor = store.state().floor_of(&channel);
            // Of what is in a file nothing comes in waves.
            let (pinned, chance, early) = (None, (|| 0) as crate::engine::Chance, false);
            let from = Standpoint { store, root, current, channel: &channel, floor, pinned, chance, early };
            let looked = look::look(&remote, from, now).await;
            self.weigh(store, current, &channel, looked)
        })
    }

    /// [`Archive::check`] by the machine's clock.
    pub fn check_now<'a>(&'a self, store: &'a Store, root: &'a [u8], current: &'a Release) -> Checking<'a> {
        self.check(store, root, current, jiff::Timestamp::now())
    }

    fn weigh(
        &self,
        store: &Store,
        current: &Release,
        channel: &str,
        looked: Result<Looked, Error>,
    ) -> Result<Fit, Error> {
        let found = match looked {
            Ok(Looked::Found(found)) => found,
            Ok(Looked::Nothing | Looked::NoChannel(_)) => {
                return Err(self.refused(&format!("holds no release of the channel {channel}")));
            }
            Err(Error::Trust(reason)) if reason.contains("expired") => {
                let remedy = "have a new one made with `staysail bundle`";
                return Err(self.refused(&format!("counts no more ({reason}): {remedy}")));
            }
            Err(Error::Trust(reason)) if reason.starts_with("rollback") => {
                return Err(self.refused(&format!("is older than what this app has seen ({reason})")));
            }
            Err(error) => return Err(self.refused(&format!("is refused: {error}"))),
        };
        let (manifest, version) = (&found.manifest, &found.candidate.version);
        if let Some(reason) = &found.candidate.unusable {
            return Err(
                self.refused(&format!("holds version {version}, which can not be installed: {reason}"))
            );
        }
        let lacks = |entry: &FileEntry| !self.inner.places.contains_key(&blob_path(&entry.blob.sha256));
        let mut files = manifest
            .page
            .iter()
            .chain(manifest.group_files())
            .chain(manifest.module_files())
            .chain(manifest.backend.get(TARGET).into_iter().flatten())
            .chain(store.other_shell(manifest).map(|(entry, _)| entry));
        if files.any(lacks) {
            let remedy = format!("have it made with --target {TARGET}");
            return Err(self.refused(&format!("does not hold what this machine needs: {remedy}")));
        }
        let floor = store.state().floor_of(channel);
        let running = Candidate {
            version: current.manifest().version.clone(),
            sequence: current.manifest().sequence,
            channel: current.channel().to_owned(),
            ..Candidate::default()
        };
        if manifest.sequence <= floor || !is_newer(&found.candidate, &running) {
            let reason = "which is not newer than what this app has run already";
            return Err(self.refused(&format!("holds version {version}, {reason}")));
        }
        let pinned = store.pinned();
        if let Some(pinned) = pinned.as_ref().filter(|pinned| !fits(Some(pinned), &found.candidate)) {
            let remedy = "lift that first, in the app or by update.pin(null)";
            return Err(self.refused(&format!(
                "holds version {version}, and this app is to stay at {pinned} (pin): {remedy}"
            )));
        }
        Ok(Fit { version: version.clone(), next_start: found.candidate.next_start })
    }

    fn refused(&self, reason: &str) -> Error {
        refused(&self.inner.path, reason)
    }
}

/// A release that an app could apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// Its version.
    pub version: String,
    /// It needs the shell it brings along, and so goes live when the app is next started.
    pub next_start: bool,
}

/// What comes of [`Archive::check`].
pub type Checking<'a> = Pin<Box<dyn Future<Output = Result<Fit, Error>> + Send + 'a>>;

/// Where a blob lies in a repository.
pub(crate) fn blob_path(sha256: &str) -> String {
    format!("blobs/{sha256}.zst")
}

/// The index, and how long it is.
fn read_index(path: &Path, file: &mut File, length: u64) -> Result<(Vec<Entry>, u64), Error> {
    let read = |error| Error::disk("reading", path)(error);
    let mut head = [0; HEAD];
    if length < HEAD as u64 {
        return Err(refused(path, "is no file that `staysail bundle` has made"));
    }
    file.read_exact(&mut head).map_err(read)?;
    if head[..16] != *MAGIC {
        return Err(refused(path, "is no file that `staysail bundle` has made"));
    }
    let format = u32::from_le_bytes(std::array::from_fn(|at| head[16 + at]));
    if format != FORMAT {
        let reason = format!("has format {format}, this app reads {FORMAT}: install the app again");
        return Err(refused(path, reason));
    }
    let size = u64::from_le_bytes(std::array::from_fn(|at| head[20 + at]));
    if size > limits::ARCHIVE_INDEX_BYTES_MAX {
        return Err(refused(path, "has an index that exceeds archive_index_bytes_max"));
    }
    if length - (HEAD as u64) < size {
        return Err(refused(path, format!("breaks off at byte {length}, in its index")));
    }
    let mut index = Vec::new();
    file.take(size).read_to_end(&mut index).map_err(read)?;
    if hash::of(&index) != hash::hex(&head[28..]) {
        let end = HEAD + index.len();
        return Err(refused(path, format!("is damaged between byte 20 and byte {end}, in its index")));
    }
    let mut files = Vec::new();
    for line in String::from_utf8_lossy(&index).lines() {
        let entry = Entry::parse(line);
        files.push(entry.ok_or_else(|| refused(path, "has an index that can not be read"))?);
        if files.len() > limits::ARCHIVE_FILES_MAX {
            return Err(refused(path, "holds more files than archive_files_max"));
        }
    }
    Ok((files, size))
}

/// Writes the beginning of an archive, before its files.
///
/// # Errors
/// Those of `out`; a list that exceeds a limit.
pub fn write_head(out: &mut impl Write, files: &[Entry]) -> std::io::Result<()> {
    if files.iter().any(|entry| entry.path.contains(char::is_control)) {
        return Err(std::io::Error::other("a path with a character that no path has"));
    }
    let line = |entry: &Entry| format!("{} {} {}\n", entry.sha256, entry.size, entry.path);
    let index = files.iter().map(line).collect::<String>().into_bytes();
    if files.len() > limits::ARCHIVE_FILES_MAX || index.len() as u64 > limits::ARCHIVE_INDEX_BYTES_MAX {
        return Err(std::io::Error::other("more files than archive_files_max or archive_index_bytes_max"));
    }
    out.write_all(MAGIC)?;
    out.write_all(&FORMAT.to_le_bytes())?;
    out.write_all(&(index.len() as u64).to_le_bytes())?;
    out.write_all(&hash::unhex(&hash::of(&index)).unwrap_or_default())?;
    out.write_all(&index)
}

impl Network for Archive {
    fn get<'a>(&'a self, path: &'a str, start: u64) -> NetworkFuture<'a, Answer> {
        let (archive, path) = (self.clone(), path.to_owned());
        read_apart(start, move || archive.read(&path).map_err(|error| error.to_string()))
    }

    fn announcements(&self) -> Option<NetworkFuture<'_, Answer>> {
        None
    }

    fn is_carried(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        self.inner.path.display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let entry = |(path, bytes): &(&str, &[u8])| Entry {
            path: (*path).into(),
            size: bytes.len() as u64,
            sha256: hash::of(bytes),
        };
        let mut out = Vec::new();
        write_head(&mut out, &files.iter().map(entry).collect::<Vec<_>>()).unwrap();
        files.iter().for_each(|(_, bytes)| out.extend_from_slice(bytes));
        out
    }

    fn opened(bytes: &[u8]) -> Result<Archive, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Archive::open(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_put_in_is_read_by_its_path_and_nothing_else_is_there() {
        let archive = opened(&archive(&[("metadata/a", b"one"), ("blobs/b", b""), ("c", b"three")])).unwrap();
        assert_eq!(archive.read("metadata/a").unwrap().unwrap(), b"one");
        assert_eq!(archive.read("blobs/b").unwrap().unwrap(), b"");
        assert_eq!(archive.read("c").unwrap().unwrap(), b"three");
        assert_eq!(archive.read("../etc/passwd").unwrap(), None);
        assert_eq!(archive.files().last(), Some(("metadata/a", 3)));
    }

    #[test]
    fn every_damage_is_found_and_told_with_its_place() {
        let good = archive(&[("metadata/a", b"one"), ("blobs/b", b"two")]);
        opened(&good).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let error = opened(&bad).unwrap_err();
            assert!(error.ends_with("nothing was changed"), "byte {at}: {error}");
            let short = opened(&good[..at]).unwrap_err();
            assert!(short.contains("breaks off") || short.contains("is no file that"), "{at} bytes: {short}");
        }
        let mut bad = good.clone();
        let last = bad.len() - 1;
        bad[last] ^= 1;
        let (from, to) = (good.len() - 3, good.len());
        let error = opened(&bad).unwrap_err();
        assert!(error.contains(&format!("between byte {from} and byte {to}, in blobs/b")), "{error}");
        assert!(opened(&[&good[..], b"x"].concat()).unwrap_err().contains("goes on after its end"));
        assert!(opened(&archive(&[("a", b"1"), ("a", b"2")])).unwrap_err().contains("twice"));
        assert!(opened(b"PK\x03\x04 something else").unwrap_err().contains("`staysail bundle`"));
        let folder = tempfile::tempdir().unwrap();
        assert!(Archive::open(folder.path()).unwrap_err().to_string().contains("is no file"));
    }

    #[test]
    fn sizes_that_are_announced_are_not_believed() {
        let head = |size: u64, index: &[u8]| {
            let sha256 = hash::unhex(&hash::of(index)).unwrap();
            [MAGIC, &FORMAT.to_le_bytes()[..], &size.to_le_bytes(), &sha256, index].concat()
        };
        for size in [limits::ARCHIVE_INDEX_BYTES_MAX + 1, u64::MAX] {
            assert!(opened(&head(size, b"{}")).unwrap_err().contains("archive_index_bytes_max"));
        }
        for index in ["a", "a b c", "a -1 b", "a 18446744073709551616 b"] {
            let error = opened(&head(index.len() as u64, index.as_bytes())).unwrap_err();
            assert!(error.contains("has an index that can not be read"), "{error}");
        }
        let sha256 = hash::of(b"");
        for sizes in [[u64::MAX, 1], [u64::MAX - 60, u64::MAX]] {
            let index = sizes.map(|size| format!("{sha256} {size} p{size}\n")).concat();
            let error = opened(&head(index.len() as u64, index.as_bytes())).unwrap_err();
            assert!(error.contains("breaks off"), "{error}");
        }
    }
}
