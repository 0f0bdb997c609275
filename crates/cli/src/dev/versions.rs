//! A path of its own for every built executable: a running one is never overwritten (Windows locks it, and it is what
//! the shell returns to), and the linker never sees a file somebody runs.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Executables kept besides the one that is live.
const KEPT: usize = 3;

/// The folder of versions, `<target>/versions/<number>/<name>`.
pub struct Versions {
    folder: PathBuf,
    next: u64,
    /// Those that were there, and ours: what another session makes meanwhile is not ours to remove.
    own: BTreeSet<u64>,
    /// What the last one was made from.
    last: Option<(u64, SystemTime)>,
}

impl Versions {
    /// Opens the folder, beginning after the highest number there.
    pub fn open(target: &Path) -> Result<Self> {
        let folder = target.join("versions");
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let own: BTreeSet<u64> = numbers(&folder).into_keys().collect();
        let next = own.last().map_or(1, |last| last + 1);
        Ok(Self { folder, next, own, last: None })
    }

    /// Copies the executable to a path of its own; `None` when it is the very one copied last.
    pub fn take(&mut self, executable: &Path) -> Result<Option<PathBuf>> {
        let facts =
            std::fs::metadata(executable).with_context(|| format!("reading {}", executable.display()))?;
        let mark = (facts.len(), facts.modified()?);
        if self.last == Some(mark) {
            return Ok(None);
        }
        let folder = self.new_folder()?;
        let path = folder.join(executable.file_name().unwrap_or_default());
        // Shares the blocks where the file system can, and copies them where it can not. No hard link: a tool
        // that edits the linked file in place would edit this one, too.
        reflink_copy::reflink_or_copy(executable, &path)
            .with_context(|| format!("copying to {}", path.display()))?;
        self.last = Some(mark);
        Ok(Some(path))
    }

    /// The folder of the next number. Another session with the same target folder counts as well.
    fn new_folder(&mut self) -> Result<PathBuf> {
        std::fs::create_dir_all(&self.folder).with_context(|| format!("making {}", self.folder.display()))?;
        loop {
            let number = self.next;
            self.next += 1;
            let folder = self.folder.join(format!("{number:06}"));
            match std::fs::create_dir(&folder) {
                Ok(()) => {
                    self.own.insert(number);
                    return Ok(folder);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("making {}", folder.display())),
            }
        }
    }

    /// Forgets which one was copied last, so that the next build counts as new.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// Removes old versions, but none of these.
    pub fn clean_up(&self, used: &[PathBuf]) {
        let mut all = numbers(&self.folder);
        all.retain(|number, _| self.own.contains(number));
        let old = all.len().saturating_sub(KEPT);
        for folder in
            all.values().take(old).filter(|folder| !used.iter().any(|path| path.starts_with(folder)))
        {
            // Windows keeps a running one; it goes next time.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

fn numbers(folder: &Path) -> BTreeMap<u64, PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_new_executable_gets_a_path_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let executable = folder.path().join("app");
        let mut versions = Versions::open(folder.path()).unwrap();
        let mut paths = Vec::new();
        for n in 0..6_usize {
            std::fs::write(&executable, vec![b'x'; n]).unwrap();
            paths.push(versions.take(&executable).unwrap().unwrap());
            assert_eq!(versions.take(&executable).unwrap(), None, "the same one is not new");
        }
        versions.clean_up(&paths[..1]);
        let left: Vec<bool> = paths.iter().map(|path| path.exists()).collect();
        assert_eq!(left, [true, false, false, true, true, true]);
        let mut again = Versions::open(folder.path()).unwrap();
        let beside = again.take(&executable).unwrap().unwrap();
        assert!(!paths.contains(&beside));
        // Both are open: they do not write over each other, nor clean up what is the other's.
        for n in 10..16_usize {
            std::fs::write(&executable, vec![b'x'; n]).unwrap();
            assert_ne!(versions.take(&executable).unwrap().unwrap(), beside);
        }
        versions.clean_up(&[]);
        assert!(beside.exists());
    }
}
