//! A repository in one file, for machines without network: what `staysail bundle` makes and `APP --apply FILE` reads.
//!
//! # Theory of operation
//! ```text
//! magic (16) | format (u32) | bytes of the index (u64) | SHA-256 of the index (32) | index (JSON) | files, one after the other
//! ```
//! Numbers are little-endian. The index names the files in their order, by the paths they have in a repository, with length
//! and SHA-256. To the engine this is a [`Network`] like any other: metadata are verified from the root in the executable on,
//! blobs by their hash, expiry and floors hold. The hashes of the index find damage, early and with its place; nothing is
//! believed because of them.
//!
//! **Invariant:** no path of an archive is ever one on disk.

use crate::engine::Surroundings;
use crate::engine::fetch::Remote;
use crate::engine::network::{Answer, Network, NetworkFuture, answer};
use crate::store::{Store, compare_versions};
use crate::trust::{self, Client, MetadataFolder};
use crate::{Error, TARGET, hash};
use serde::{Deserialize, Serialize};
use staysail_protocol::limits;
use staysail_protocol::manifest::Manifest;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const MAGIC: &[u8; 16] = b"STAYSAIL-ARCHIVE";
const FORMAT: u32 = 1;
const HEAD: usize = 16 + 4 + 8 + 32;

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path in a repository.
    pub path: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Index {
    files: Vec<Entry>,
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
        for entry in &index.0.files {
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
    /// shown. Gives the version it holds.
    ///
    /// # Errors
    /// [`Error::Archive`] with why not: made by other keys, expired, older than what was seen or runs, without what this
    /// machine needs.
    pub async fn check(
        &self,
        store: &Store,
        root: &[u8],
        installed: &Manifest,
        now: jiff::Timestamp,
    ) -> Result<String, Error> {
        let path = &self.inner.path;
        let pinned = crate::crypto::trusted(root)?.root().version;
        if self.read(&format!("metadata/{pinned}.root.json"))?.as_deref() != Some(root) {
            return Err(refused(
                path,
                "was made with other keys than this app trusts: it belongs to another app",
            ));
        }
        let surroundings = Surroundings::with_network(Arc::new(self.clone()));
        let folder = MetadataFolder::new(&store.folder().join("metadata"), Arc::clone(&store.inner.disk));
        let mut client = Client::new(Remote::new(&surroundings), folder, root)?;
        let told = |error: Error| match error {
            Error::Trust(reason) if reason.contains("expired") => refused(
                path,
                format!("counts no more ({reason}): have a new one made with `staysail bundle`"),
            ),
            Error::Trust(reason) if reason.starts_with("rollback") => {
                refused(path, format!("is older than what this app has seen ({reason})"))
            }
            error => refused(path, format!("is refused: {error}")),
        };
        client.refresh(now).await.map_err(told)?;
        let target = client.find(&trust::target_path(trust::CHANNEL)).await.map_err(told)?;
        let target = target
            .ok_or_else(|| refused(path, format!("holds no release of the channel {}", trust::CHANNEL)))?;
        let bytes = client.download(&target, limits::MANIFEST_BYTES_MAX as u64).await.map_err(told)?;
        let manifest = Manifest::parse(&bytes)?;
        self.fits(&manifest, installed)?;
        let (version, floor) = (&manifest.version, store.state().floor);
        let older = compare_versions(version, &installed.version) == Ordering::Less;
        if manifest.sequence <= floor || (floor == 0 && older) {
            return Err(refused(
                path,
                format!("holds version {version}, which is not newer than what this app has run already"),
            ));
        }
        Ok(version.clone())
    }

    /// [`Archive::check`] by the machine's clock.
    ///
    /// # Errors
    /// See there.
    pub async fn check_now(&self, store: &Store, root: &[u8], installed: &Manifest) -> Result<String, Error> {
        self.check(store, root, installed, jiff::Timestamp::now()).await
    }

    /// Whether it is for this app, and holds what this machine needs.
    fn fits(&self, manifest: &Manifest, installed: &Manifest) -> Result<(), Error> {
        let path = &self.inner.path;
        if manifest.app != installed.app {
            return Err(refused(path, format!("belongs to {}, not to {}", manifest.app, installed.app)));
        }
        let backend = manifest.backend.get(TARGET).into_iter().flatten();
        let lacks = |sha256: &str| !self.inner.places.contains_key(&blob_path(sha256));
        if manifest.page.iter().chain(backend).any(|entry| lacks(&entry.blob.sha256)) {
            return Err(refused(
                path,
                format!("does not hold what this machine needs: have it made with --target {TARGET}"),
            ));
        }
        Ok(())
    }
}

/// Where a blob lies in a repository.
pub(crate) fn blob_path(sha256: &str) -> String {
    format!("blobs/{sha256}.zst")
}

/// The index, and how long it is.
fn read_index(path: &Path, file: &mut File, length: u64) -> Result<(Index, u64), Error> {
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
    let index: Index = serde_json::from_slice(&index)
        .map_err(|error| refused(path, format!("has an index that can not be read: {error}")))?;
    if index.files.len() > limits::ARCHIVE_FILES_MAX {
        return Err(refused(path, "holds more files than archive_files_max"));
    }
    Ok((index, size))
}

/// Writes the beginning of an archive, before its files.
///
/// # Errors
/// Those of `out`; a list that exceeds a limit.
pub fn write_head(out: &mut impl Write, files: Vec<Entry>) -> std::io::Result<()> {
    let count = files.len();
    let index = serde_json::to_vec(&Index { files })?;
    if count > limits::ARCHIVE_FILES_MAX || index.len() as u64 > limits::ARCHIVE_INDEX_BYTES_MAX {
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
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || archive.read(&path));
            let found = read.await.map_err(|error| error.to_string())?;
            Ok(answer(found.map_err(|error| error.to_string())?, start))
        })
    }

    fn announcements(&self) -> Option<NetworkFuture<'_, Answer>> {
        None
    }

    fn lacks_deltas(&self) -> bool {
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
        write_head(&mut out, files.iter().map(entry).collect()).unwrap();
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
        let sha256 = hash::of(b"");
        for sizes in [[u64::MAX, 1], [u64::MAX - 60, u64::MAX]] {
            let files =
                sizes.map(|size| format!(r#"{{"path":"p{size}","size":{size},"sha256":"{sha256}"}}"#));
            let index = format!(r#"{{"files":[{}]}}"#, files.join(","));
            let error = opened(&head(index.len() as u64, index.as_bytes())).unwrap_err();
            assert!(error.contains("breaks off"), "{error}");
        }
    }
}
