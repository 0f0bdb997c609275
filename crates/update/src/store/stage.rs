//! Putting a release into the store, trying it, keeping or collecting it.

use super::boot::StoredProof;
use super::shell::carried;
use super::state::{Copy, State};
use super::{Release, Store, content_hash};
use crate::disk::{Lock, TEMPORARY};
use crate::trust::Proof;
use crate::{Error, TARGET, hash};
use staysail_protocol::manifest::{FileEntry, Manifest};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

/// Folder of files of asset groups that are being fetched.
const ON_DEMAND: &str = "on-demand";
/// Held by the process that fetches them.
pub(crate) const ON_DEMAND_LOCK: &str = "on-demand.lock";

/// The files of a release this machine needs, each with the place it belongs.
pub(crate) fn wanted(store: &Store, manifest: &Manifest) -> Vec<(FileEntry, PathBuf)> {
    let by_content = manifest.page.iter().chain(manifest.module_files());
    let by_content = by_content.map(|entry| (entry.clone(), store.inner.content_path(&entry.sha256)));
    let backend = manifest.backend.get(TARGET).map(Vec::as_slice).unwrap_or_default();
    let folder = store.inner.backend_folder(backend);
    let shell = store.other_shell(manifest).map(|(entry, path)| (entry.clone(), path));
    by_content
        .chain(backend.iter().map(|entry| (entry.clone(), folder.join(&entry.path))))
        .chain(shell)
        .collect()
}

/// The files of asset groups, each with the place it has when it was fetched.
fn fetched(store: &Store, manifest: &Manifest, is_meant: impl Fn(&str) -> bool) -> Vec<(FileEntry, PathBuf)> {
    let groups = manifest.groups.iter().filter(|(name, _)| is_meant(name));
    let files = groups.flat_map(|(_, group)| &group.files);
    files.map(|entry| (entry.clone(), store.inner.content_path(&entry.sha256))).collect()
}

/// A release on trial. Until it ends in a verdict or in order, a crash counts against the release.
#[derive(Debug)]
pub struct Trial {
    store: Store,
    /// Hash of the release and of its content: under another number it is on trial no less.
    names: [String; 2],
    _lock: Option<Box<dyn Lock>>,
}

impl Trial {
    /// The trial ends in order without a verdict (the user quit): it does not count.
    pub fn give_up(self) {
        let result = self.store.change(|state| {
            for name in &self.names {
                if let Some(trials) = state.trials.get_mut(name) {
                    *trials = trials.saturating_sub(1);
                    if *trials == 0 {
                        state.trials.remove(name);
                    }
                }
            }
        });
        if let Err(error) = result {
            tracing::warn!(%error, "the end of a trial could not be stored");
        }
    }
}

impl Store {
    /// The files that have to be fetched, those of asset groups only when the release that runs has the whole group here
    /// (what works offline now goes on doing so), or with `every_group`. Those the store or the attached release has are put in their places, verified.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn missing(
        &self,
        manifest: &Manifest,
        current: &Release,
        every_group: bool,
    ) -> Result<Vec<(FileEntry, PathBuf)>, Error> {
        let whole: BTreeSet<&str> = current.whole_groups().collect();
        let groups = fetched(self, manifest, |name| every_group || whole.contains(name));
        let mut missing = Vec::new();
        for (entry, path) in wanted(self, manifest).into_iter().chain(groups) {
            match self.inner.ensure_file(&path, &entry) {
                Ok(()) => {}
                Err(Error::Tampered { .. } | Error::CorruptBundle { .. }) => missing.push((entry, path)),
                Err(error) => return Err(error),
            }
        }
        // Files with the same content have one place.
        let mut places = BTreeSet::new();
        missing.retain(|(_, path)| places.insert(path.clone()));
        Ok(missing)
    }

    /// Puts fetched content in its place if it is what the manifest says.
    ///
    /// # Errors
    /// [`Error::Tampered`], disk errors.
    pub(crate) fn put(&self, entry: &FileEntry, path: &Path, content: &[u8]) -> Result<(), Error> {
        let found = hash::of(content);
        if found != entry.sha256 || content.len() as u64 != entry.size {
            return Err(Error::Tampered { what: entry.path.clone(), expected: entry.sha256.clone(), found });
        }
        self.inner.disk.write(path, content, entry.executable).map_err(Error::disk("writing", path))
    }

    /// The content with hash `sha256` as any release on this machine has it, verified: the base of a delta.
    pub(crate) fn delta_base(&self, sha256: &str, current: &Release) -> Option<Vec<u8>> {
        let attached = self.attached();
        if let Some(attached) = attached.filter(|attached| attached.shell.as_deref() == Some(sha256)) {
            return attached.shell_content();
        }
        let mut manifests = vec![current.manifest().clone()];
        manifests
            .extend(self.release_hashes().iter().filter_map(|hash| Some(self.read_manifest(hash).ok()?.0)));
        manifests.iter().find_map(|manifest| {
            let backend = manifest.backend.get(TARGET).map(Vec::as_slice).unwrap_or_default();
            let folder = self.inner.backend_folder(backend);
            let shell = carried(manifest);
            let by_content =
                manifest.page.iter().chain(manifest.group_files()).chain(manifest.module_files());
            let mut entries = by_content.chain(backend).chain(shell);
            let entry = entries.find(|entry| entry.sha256 == sha256)?;
            self.inner.base(entry, &[folder, self.inner.backend_folder(std::slice::from_ref(entry))])
        })
    }

    /// Path of a file of an asset group that is being fetched. It outlives the app: the next time goes on with it.
    pub(crate) fn on_demand_partial(&self, blob: &str) -> PathBuf {
        self.inner.folder.join(ON_DEMAND).join(blob)
    }

    /// Where content with this hash lies.
    pub(crate) fn content_path(&self, sha256: &str) -> PathBuf {
        self.inner.content_path(sha256)
    }

    /// Path of a download under way.
    pub(crate) fn partial(&self, blob: &str) -> PathBuf {
        self.inner.folder.join("partial").join(blob)
    }

    /// Records a release whose files are all in place, with the proof that leads to it.
    ///
    /// # Errors
    /// Whatever keeps the release from being opened again: it is opened, and all its files hashed, before it counts.
    pub(crate) fn stage(&self, manifest: &[u8], proof: &Proof, root: &[u8]) -> Result<Release, Error> {
        let hash = hash::of(manifest);
        let folder = self.inner.folder.join("releases").join(&hash);
        let proof = serde_json::to_vec(&StoredProof::new(proof)).unwrap_or_default();
        for (name, bytes) in [("proof.json", proof.as_slice()), ("manifest.json", manifest)] {
            let path = folder.join(name);
            self.inner.disk.write(&path, bytes, false).map_err(Error::disk("writing", &path))?;
        }
        let release = self.open_release(&hash, root)?;
        release.verify()?;
        let shell = self.other_shell(release.manifest());
        if let Some((entry, path)) = &shell {
            self.inner.ensure_file(path, entry)?;
        }
        self.sync_folders(release.manifest(), &folder)?;
        self.change(|state| {
            if let Some((entry, _)) = shell {
                state.shells.0.insert(hash.clone(), entry.sha256.clone());
            }
            state.staged = Some(hash);
            state.keep_shells();
        })?;
        Ok(release)
    }

    /// Makes the places of a release's files, and its own folder, durable. A file may have been found in its place that a process put there
    /// which was killed before it could do so.
    fn sync_folders(&self, manifest: &Manifest, own: &Path) -> Result<(), Error> {
        let root = self.inner.folder.as_path();
        let wanted = wanted(self, manifest);
        let above = |path| Path::ancestors(path).skip(1).take_while(|folder| folder.starts_with(root));
        let places = wanted.iter().map(|(_, path)| path.as_path()).chain([own]);
        let folders: BTreeSet<&Path> = places.flat_map(above).collect();
        folders.into_iter().filter(|folder| self.inner.disk.is_folder(folder)).try_for_each(|folder| {
            self.inner.disk.sync_folder(folder).map_err(Error::disk("syncing", folder))
        })
    }

    /// The release that waits on disk to be applied, if there is one and it is whole.
    pub(crate) fn staged(&self, root: &[u8]) -> Option<Release> {
        let hash = self.state().staged?;
        let release = self.open_release(&hash, root).ok()?;
        (!self.is_banned_content(&hash, release.manifest()) && release.verify().is_ok()).then_some(release)
    }

    /// Begins a trial: from here on a crash counts against the release.
    ///
    /// # Errors
    /// Those of the disk: then there must be no trial.
    pub(crate) fn begin_trial(&self, release: &Release) -> Result<Trial, Error> {
        let lock = self.try_lock("trial.lock", true)?;
        let names = [release.hash().to_owned(), content_hash(release.manifest())];
        let mut before = None;
        let begun = self.change(|state| {
            before = Some(names.clone().map(|name| state.trials.get(&name).copied().unwrap_or_default()));
            for name in &names {
                *state.trials.entry(name.clone()).or_default() += 1;
            }
        });
        if let Err(error) = begun {
            before.into_iter().for_each(|before| self.take_back(&names, before));
            return Err(error);
        }
        self.start_is_over();
        Ok(Trial { store: self.clone(), names, _lock: lock })
    }

    /// A trial could not be stored whole and does not begin, but one of the two copies may say by now that it has. What
    /// earlier crashes left stays.
    fn take_back(&self, names: &[String; 2], before: [u32; 2]) {
        let result = self.change(|state| {
            for (name, before) in names.iter().zip(before) {
                if state.trials.get(name) == Some(&(before + 1)) {
                    state.trials.insert(name.clone(), before);
                }
            }
            state.trials.retain(|_, trials| *trials > 0);
        });
        if let Err(error) = result {
            tracing::warn!(%error, "a trial that did not begin may be counted");
        }
    }

    /// The release is good: it boots from now on, and the floor rises to it.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn commit(&self, release: &Release) -> Result<(), Error> {
        let (hash, content) = (release.hash().to_owned(), content_hash(release.manifest()));
        self.change(|state| {
            state.trials.remove(&hash);
            state.trials.remove(&content);
            state.bad_starts.remove(&hash);
            state.postponed.waiting_since_s = None;
            if !release.is_embedded() {
                state.raise_floor(release.channel(), release.manifest().sequence);
            }
            if state.staged.as_ref() == Some(&hash) {
                state.staged = None;
            }
            if !release.is_embedded() && state.current.as_ref() != Some(&hash) {
                state.previous = state.current.replace(hash);
            }
            state.keep_shells();
        })
    }

    /// The published release `manifest` is what runs already: only the floor rises.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn raise_floor(&self, channel: &str, sequence: u64) -> Result<(), Error> {
        self.change(|state| state.raise_floor(channel, sequence))
    }

    /// Removes what no release needs: spares the current, the previous, the staged, and every one a process has open.
    ///
    /// # Errors
    /// Those of the disk; whatever is left is removed the next time.
    pub(crate) fn collect_garbage(&self) -> Result<(), Error> {
        // While another process downloads, files lie here that no release names yet.
        let Some(_downloading) = self.try_lock("update.lock", false)? else { return Ok(()) };
        let state = match self.read_state() {
            Copy::Unreadable(error) => {
                return Err(Error::disk("reading", &self.inner.folder.join("state"))(error));
            }
            // What is removed may be all that says how high the floor is.
            Copy::Corrupt => {
                self.heal_state()?;
                self.state()
            }
            Copy::Valid(state) => state,
            Copy::Absent => State::default(),
        };
        let spared: BTreeSet<_> =
            [&state.current, &state.previous, &state.staged].into_iter().flatten().cloned().collect();
        let mut needed = BTreeSet::new();
        let mut need = |manifest: &Manifest| {
            let files = wanted(self, manifest).into_iter().chain(fetched(self, manifest, |_| true));
            needed.extend(files.map(|(_, path)| path));
            needed.extend(manifest.group_files().map(|entry| self.on_demand_partial(&entry.blob.sha256)));
        };
        // Without knowing every release nothing is removed: a listing that fails is not an empty one.
        let hashes = self.list_releases()?;
        if !spared.iter().all(|spared| hashes.contains(spared)) {
            return Ok(());
        }
        for hash in hashes {
            let folder = self.inner.folder.join("releases").join(&hash);
            let free = matches!(self.try_lock(&format!("releases/{hash}/in-use"), false), Ok(Some(_)));
            if spared.contains(&hash) || !free {
                match self.read_manifest(&hash) {
                    Ok((manifest, _)) => need(&manifest),
                    // Whose files those are can not be told: nothing is removed this time.
                    Err(_) if spared.contains(&hash) => return Ok(()),
                    Err(Error::Disk { source, .. }) if source.kind() != ErrorKind::NotFound => return Ok(()),
                    Err(_) => {}
                }
            } else if !self.tells_the_floor(&hash, &state) {
                self.inner.disk.remove(&folder).map_err(Error::disk("removing", &folder))?;
            }
        }
        if let Some(attached) = self.attached() {
            need(&attached.manifest);
        }
        // What runs is not removed from under itself, which some systems would not have.
        let running = self.inner.shell.lock().unwrap_or_else(PoisonError::into_inner).clone();
        needed.extend(running.iter().map(|sha256| self.inner.folder.join("backend").join(sha256)));
        self.forget_shells(state.shells.0.into_values().chain(running).collect())?;
        // Not while somebody fetches.
        let on_demand = self.inner.folder.join(ON_DEMAND);
        if self.inner.disk.is_folder(&on_demand)
            && let Some(_fetching) = self.try_lock(ON_DEMAND_LOCK, false)?
        {
            self.sweep(&on_demand, &needed)?;
        }
        for folder in ["files", "backend"] {
            self.sweep(&self.inner.folder.join(folder), &needed)?;
        }
        // Those two are swept already, and a file of a release may have any name.
        self.remove_leftovers(&self.inner.folder, &["files", "backend"])?;
        let partial = self.inner.folder.join("partial");
        self.inner.disk.remove(&partial).map_err(Error::disk("removing", &partial))
    }

    /// Whether a release is the highest of its channel that was ever committed, and given up since: should both copies of the
    /// state be lost, only its manifest tells the floor. Its files go.
    fn tells_the_floor(&self, hash: &str, state: &State) -> bool {
        self.read_manifest(hash).is_ok_and(|(manifest, _)| {
            manifest.sequence > 0 && manifest.sequence == state.floor_of(&self.read_channel(hash))
        })
    }

    /// Removes what crashes left of files that were being written.
    fn remove_leftovers(&self, folder: &Path, spared: &[&str]) -> Result<(), Error> {
        let disk = &self.inner.disk;
        for entry in disk.list(folder).map_err(Error::disk("listing", folder))? {
            let path = folder.join(&entry.name);
            if spared.contains(&entry.name.as_str()) {
                continue;
            }
            if entry.is_folder {
                self.remove_leftovers(&path, &[])?;
            } else if entry.name.ends_with(TEMPORARY) {
                disk.remove(&path).map_err(Error::disk("removing", &path))?;
            }
        }
        Ok(())
    }

    /// Removes files below `folder` that nobody needs, and folders that became empty.
    fn sweep(&self, folder: &Path, needed: &BTreeSet<PathBuf>) -> Result<(), Error> {
        let disk = &self.inner.disk;
        for entry in disk.list(folder).map_err(Error::disk("listing", folder))? {
            let path = folder.join(entry.name);
            if needed.contains(&path) {
                continue;
            }
            if entry.is_folder {
                self.sweep(&path, needed)?;
                if disk.list(&path).is_ok_and(|rest| rest.is_empty()) {
                    disk.remove(&path).map_err(Error::disk("removing", &path))?;
                }
            } else {
                disk.remove(&path).map_err(Error::disk("removing", &path))?;
            }
        }
        Ok(())
    }

    /// Everything needed to make the two manifests' shared files countable: sizes of what would have to be fetched.
    pub(crate) fn download_plan(
        &self,
        manifest: &Manifest,
        missing: &[(FileEntry, PathBuf)],
        current: &Release,
    ) -> Vec<Fetch> {
        let mut bases: BTreeMap<String, Option<Arc<Vec<u8>>>> = BTreeMap::new();
        missing
            .iter()
            .map(|(entry, path)| {
                let deltas = manifest.deltas.iter().filter(|delta| {
                    delta.to == entry.sha256
                        && crate::pack::knows_method(&delta.method)
                        && delta.blob.size < entry.blob.size
                });
                let delta = deltas.filter_map(|delta| {
                    let base = bases
                        .entry(delta.from.clone())
                        .or_insert_with(|| self.delta_base(&delta.from, current).map(Arc::new));
                    Some((delta.clone(), Arc::clone(base.as_ref()?)))
                });
                Fetch {
                    delta: delta.min_by_key(|(delta, _)| delta.blob.size),
                    entry: entry.clone(),
                    path: path.clone(),
                }
            })
            .collect()
    }
}

/// One file to fetch.
pub(crate) struct Fetch {
    /// The file.
    pub entry: FileEntry,
    /// Where it belongs.
    pub path: PathBuf,
    /// The smallest delta whose base this machine has, with the base.
    pub delta: Option<(staysail_protocol::manifest::Delta, Arc<Vec<u8>>)>,
}

impl Fetch {
    /// The blob that is fetched if all goes well.
    pub fn blob(&self) -> &str {
        self.delta.as_ref().map_or(&self.entry.blob.sha256, |(delta, _)| &delta.blob.sha256)
    }

    /// Bytes that travel if all goes well.
    pub fn bytes(&self) -> u64 {
        self.delta.as_ref().map_or(self.entry.blob.size, |(delta, _)| delta.blob.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clean_up_keeps_what_alone_tells_the_floor_until_something_newer_was_committed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let release = |sequence: u64| {
            let manifest =
                Manifest { format: 1, app: "com.example.a".into(), sequence, ..Manifest::default() };
            let bytes = Manifest { version: format!("1.{sequence}.0"), ..manifest }.to_bytes();
            let manifest = store.folder().join("releases").join(hash::of(&bytes)).join("manifest.json");
            store.inner.disk.write(&manifest, &bytes, false).unwrap();
            manifest
        };
        let [lower, given_up] = [1, 2].map(release);
        // It was committed, and is what boots no more.
        store.raise_floor("stable", 2).unwrap();
        store.collect_garbage().unwrap();
        assert_eq!([lower.exists(), given_up.exists()], [false, true]);
        for copy in ["state", "state.copy"] {
            std::fs::write(store.folder().join(copy), "damaged").unwrap();
        }
        assert_eq!(store.state().floor, 2);
        store.raise_floor("stable", 3).unwrap();
        store.collect_garbage().unwrap();
        assert_eq!((given_up.exists(), store.state().floor), (false, 3));
    }

    #[test]
    fn content_that_is_not_what_the_manifest_says_is_not_put_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let entry =
            FileEntry { path: "a".into(), sha256: hash::of(b"good"), size: 4, ..FileEntry::default() };
        let path = folder.path().join("files/a");
        assert!(matches!(store.put(&entry, &path, b"evil"), Err(Error::Tampered { .. })));
        assert!(!path.exists());
        store.put(&entry, &path, b"good").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"good");
    }
}
