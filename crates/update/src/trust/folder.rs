//! Verified metadata on disk. What is read back is never believed, only remembered.

use crate::disk::Disk;
use crate::{Error, crypto};
use staysail_protocol::limits;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder with verified metadata.
#[derive(Clone)]
pub struct MetadataFolder {
    pub(super) folder: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
}

impl std::fmt::Debug for MetadataFolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetadataFolder").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl MetadataFolder {
    /// The folder, written through `disk`. It need not exist.
    pub fn new(folder: &Path, disk: Arc<dyn Disk>) -> Self {
        Self { folder: folder.to_owned(), disk }
    }

    /// The newest trusted root kept here.
    ///
    /// # Errors
    /// Those of the disk; [`Error::Trust`] when there is none.
    pub fn root(&self) -> Result<Vec<u8>, Error> {
        let path = self.folder.join("root.json");
        self.disk
            .read(&path, limits::ROOT_METADATA_BYTES_MAX)
            .map_err(Error::disk("reading", &path))?
            .ok_or_else(|| Error::Trust(format!("there is no {}; begin with a trusted root", path.display())))
    }

    /// Keeps `root` as the one to begin with. It must be signed by its own keys.
    ///
    /// # Errors
    /// [`Error::Trust`]; those of the disk.
    pub fn begin(&self, root: &[u8]) -> Result<(), Error> {
        crypto::trusted(root)?;
        let path = self.folder.join("root.json");
        self.disk.write(&path, root, false).map_err(Error::disk("writing", &path))
    }

    /// A file that can not be read is one that is not there: it is fetched again.
    pub(super) fn read(&self, name: &str, bytes_max: u64) -> Option<Vec<u8>> {
        self.disk.read(&self.folder.join(name), bytes_max).ok().flatten()
    }

    /// A full or read-only disk is no reason to refuse good metadata; it costs a download the next time.
    pub(super) fn keep(&self, name: &str, bytes: &[u8]) {
        if self.read(name, bytes.len() as u64).as_deref() == Some(bytes) {
            return;
        }
        let path = self.folder.join(name);
        if let Err(error) = self.disk.write(&path, bytes, false) {
            tracing::warn!(%error, path = %path.display(), "metadata could not be kept");
        }
    }

    pub(super) fn forget(&self, name: &str) {
        let path = self.folder.join(name);
        if let Err(error) = self.disk.remove(&path) {
            tracing::warn!(%error, path = %path.display(), "outdated metadata could not be removed");
        }
    }
}
