//! The TUF client workflow: from a trusted root to the newest metadata, and from there to single targets.
//!
//! # Theory of operation
//! [`TrustedMetadataSet`] of `sigstore-tuf` decides whether one file may follow from the others; it knows neither files nor
//! network. This client decides which file is asked for next, with which bound, what is kept, and what was seen before:
//! ```text
//! root.json                    the newest trusted root
//! root_history/N.root.json     every root on the way to it
//! timestamp.json, snapshot.json, targets.json, <role>.json   the newest verified of each
//! floors, floors.copy          see `floors`
//! ```
//! Whatever is read back is verified again, from the pinned root on, so a damaged or forged file is no more than a missing one.
//! A file is written when it has passed every check, so what a refresh that fails half-way has verified stays.
//!
//! Clauses are those of the TUF specification 1.0.33. The one clock is the caller's.
//!
//! **Invariant:** the engine, the `tuf_client` example and `staysail repo check` all run on this, and nothing else in this
//! crate asks a repository for metadata.

use super::checks::{check_root, check_targets, check_version, matching};
use super::floors::Floors;
use super::folder::MetadataFolder;
use super::names::as_file_name;
use super::repository::Repository;
use super::{Delegated, NEVER, Proof, Target};
use crate::{Error, crypto};
use sigstore_tuf::{MetaFile, Metadata, Role, Snapshot, Targets, Timestamp, TrustedMetadataSet};
use staysail_protocol::limits;
use std::collections::{BTreeMap, BTreeSet};

/// A client of one repository. Lives for one update; the next one begins with a new client.
pub struct Client {
    repository: Box<dyn Repository>,
    folder: MetadataFolder,
    pinned: Vec<u8>,
    pinned_version: u64,
    trusted: TrustedMetadataSet,
    floors: Floors,
    /// When this update began (section 5.1); measures every expiry.
    now: Option<jiff::Timestamp>,
    /// Accepted metadata by file name without version, and roots by `N.root.json`.
    accepted: BTreeMap<String, Vec<u8>>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("folder", &self.folder).field("now", &self.now).finish_non_exhaustive()
    }
}

impl Client {
    /// A client whose trust begins with `root`.
    ///
    /// # Errors
    /// [`Error::Trust`] when that is no root, or not signed by its own keys.
    pub fn new(
        repository: impl Repository + 'static,
        folder: MetadataFolder,
        root: &[u8],
    ) -> Result<Self, Error> {
        let trusted = crypto::trusted(root)?;
        check_root(trusted.root())?;
        Ok(Self {
            repository: Box::new(repository),
            pinned: root.to_vec(),
            pinned_version: trusted.root().version,
            floors: Floors::load(&folder.folder, &*folder.disk),
            folder,
            trusted,
            now: None,
            accepted: BTreeMap::new(),
        })
    }

    /// What is trusted by now.
    pub fn trusted(&self) -> &TrustedMetadataSet {
        &self.trusted
    }

    /// Whether this folder has ever seen a repository with content.
    pub fn has_seen_any(&self) -> bool {
        self.floors.any()
            || self.folder.read("timestamp.json", limits::TIMESTAMP_METADATA_BYTES_MAX).is_some()
    }

    /// Brings the top-level metadata up to date: section 5.2 to 5.6. `clock` is the time now.
    ///
    /// # Errors
    /// [`Error::Trust`] when something does not verify, has expired or went back; [`Error::Network`]. What was verified
    /// before the error is kept.
    pub async fn refresh(&mut self, clock: jiff::Timestamp) -> Result<(), Error> {
        self.roots().await?;
        if self.floors.follow(self.trusted.root(), &self.pinned)? {
            // Section 5.3.11: the way back for clients that a stolen key has led too far.
            self.folder.forget("timestamp.json");
            self.folder.forget("snapshot.json");
        }
        let now = self.floors.time(clock);
        self.now = Some(now);
        // Section 5.3.10.
        self.trusted.check_root_expired(now)?;
        self.remembered_metadata();
        self.timestamp(now).await?;
        self.snapshot(now).await?;
        self.targets(now).await?;
        self.floors.raise_time(clock);
        self.keep_floors();
        Ok(())
    }

    /// Section 5.3.3 to 5.3.9: from root to root, from the folder where it has the next one, else from the repository.
    async fn roots(&mut self) -> Result<(), Error> {
        let mut fetched = 0;
        loop {
            let next = format!("{}.root.json", self.trusted.root().version.saturating_add(1));
            let kept = self.folder.read(&format!("root_history/{next}"), limits::ROOT_METADATA_BYTES_MAX);
            if kept.is_some_and(|bytes| self.accept_root(&next, bytes).is_ok()) {
                continue;
            }
            self.keep_root();
            if fetched == limits::ROOT_ROTATIONS_MAX {
                return Err(Error::TooLarge {
                    what: "the chain of roots (the next update goes on with it)".into(),
                    limit: "root_rotations_max",
                });
            }
            let bytes = self.repository.metadata(&next, limits::ROOT_METADATA_BYTES_MAX).await?;
            let Some(bytes) = bytes else { return Ok(()) };
            self.accept_root(&next, bytes)?;
            self.keep_root();
            fetched += 1;
        }
    }

    fn accept_root(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), Error> {
        check_root(Metadata::<sigstore_tuf::Root>::from_slice(&bytes)?.signed())?;
        self.trusted.update_root(&bytes)?;
        self.accepted.insert(name.to_owned(), bytes);
        Ok(())
    }

    fn keep_root(&self) {
        let root = self.trusted.root_bytes();
        self.folder.keep(&format!("root_history/{}.root.json", self.trusted.root().version), root);
        self.folder.keep("root.json", root);
    }

    /// Metadata of earlier updates, as far as the trusted root vouches for them, however old.
    fn remembered_metadata(&mut self) {
        let mut load =
            |name: &str,
             bytes_max,
             update: fn(&mut TrustedMetadataSet, &[u8]) -> sigstore_tuf::Result<()>| {
                if let Some(bytes) = self.folder.read(name, bytes_max)
                    && update(&mut self.trusted, &bytes).is_ok()
                {
                    self.accepted.insert(name.to_owned(), bytes);
                }
            };
        load("timestamp.json", limits::TIMESTAMP_METADATA_BYTES_MAX, |set, bytes| {
            set.update_timestamp(bytes, NEVER)
        });
        load("snapshot.json", limits::SNAPSHOT_METADATA_BYTES_MAX, |set, bytes| {
            set.update_snapshot(bytes, NEVER)
        });
        load("targets.json", limits::TARGETS_METADATA_BYTES_MAX, |set, bytes| {
            set.update_targets(bytes, NEVER).map(|_| ())
        });
    }

    /// Section 5.4.
    async fn timestamp(&mut self, now: jiff::Timestamp) -> Result<(), Error> {
        let bytes = self
            .repository
            .metadata("timestamp.json", limits::TIMESTAMP_METADATA_BYTES_MAX)
            .await?
            .ok_or_else(|| missing("timestamp.json"))?;
        check_version(Metadata::<Timestamp>::from_slice(&bytes)?.signed())?;
        let mut next = self.trusted.clone();
        let newer = match next.update_timestamp(&bytes, now) {
            Ok(()) => true,
            // The same version again: what is trusted stays, whatever this one says.
            Err(sigstore_tuf::Error::EqualVersion { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        let timestamp = next.timestamp().ok_or_else(|| missing("timestamp.json"))?;
        self.floors.check_timestamp(timestamp)?;
        // Section 5.4.4, for one that was kept, too: it may have expired meanwhile.
        next.check_timestamp_expired(now)?;
        self.floors.raise_timestamp(timestamp);
        self.trusted = next;
        if newer {
            self.keep_floors();
            self.keep("timestamp.json", bytes);
        }
        Ok(())
    }

    /// Section 5.5.
    async fn snapshot(&mut self, now: jiff::Timestamp) -> Result<(), Error> {
        let pin = self.trusted.timestamp().and_then(Timestamp::snapshot_meta).cloned();
        let pin = pin.ok_or_else(|| Error::Trust("the timestamp names no snapshot".into()))?;
        let usable = |known: &Snapshot| known.version == pin.version && !known.is_expired(now);
        if self.trusted.snapshot().is_some_and(usable) {
            return self.accept_snapshot(self.trusted.clone());
        }
        let name = self.versioned(pin.version, "snapshot");
        let bytes = self.fetch(&name, &pin, limits::SNAPSHOT_METADATA_BYTES_MAX).await?;
        check_version(Metadata::<Snapshot>::from_slice(&bytes)?.signed())?;
        let mut next = self.trusted.clone();
        next.update_snapshot(&bytes, now)?;
        self.accept_snapshot(next)?;
        self.keep_floors();
        self.keep("snapshot.json", bytes);
        Ok(())
    }

    fn accept_snapshot(&mut self, next: TrustedMetadataSet) -> Result<(), Error> {
        let snapshot = next.snapshot().ok_or_else(|| missing("snapshot.json"))?;
        self.floors.check_snapshot(snapshot)?;
        self.floors.raise_snapshot(snapshot);
        self.trusted = next;
        Ok(())
    }

    /// Section 5.6.
    async fn targets(&mut self, now: jiff::Timestamp) -> Result<(), Error> {
        let pin = self.pin("targets").ok_or_else(|| Error::Trust("the snapshot names no targets".into()))?;
        let usable = |known: &Targets| known.version == pin.version && !known.is_expired(now);
        if self.trusted.targets_role("targets").is_some_and(usable) {
            return Ok(());
        }
        let name = self.versioned(pin.version, "targets");
        let bytes = self.fetch(&name, &pin, limits::TARGETS_METADATA_BYTES_MAX).await?;
        check_targets(Metadata::<Targets>::from_slice(&bytes)?.signed())?;
        self.trusted.update_targets(&bytes, now)?;
        self.keep("targets.json", bytes);
        Ok(())
    }

    /// What the snapshot says of a role's metadata.
    fn pin(&self, role: &str) -> Option<MetaFile> {
        self.trusted.snapshot()?.meta.get(&format!("{role}.json")).cloned()
    }

    fn versioned(&self, version: u64, role: &str) -> String {
        let role = as_file_name(role);
        if self.trusted.root().consistent_snapshot {
            format!("{version}.{role}.json")
        } else {
            format!("{role}.json")
        }
    }

    async fn fetch(&self, name: &str, pin: &MetaFile, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let bytes_max = pin.length.unwrap_or(bytes_max).min(bytes_max);
        self.repository.metadata(name, bytes_max).await?.ok_or_else(|| missing(name))
    }

    fn keep(&mut self, name: &str, bytes: Vec<u8>) {
        self.folder.keep(name, &bytes);
        self.accepted.insert(name.to_owned(), bytes);
    }

    fn keep_floors(&mut self) {
        if let Err(error) = self.floors.save(&self.folder.folder, &*self.folder.disk) {
            tracing::warn!(%error, "the floors of metadata could not be kept");
        }
    }

    /// Finds a target in the tree of delegations, in the order of section 5.6.7: a role before those it delegates to, those
    /// in the order they stand there, nothing after one that is terminating. `None` when no role names it.
    ///
    /// # Errors
    /// [`Error::Trust`] before a refresh, or when a role on the way does not verify; [`Error::TooLarge`] when there are more
    /// roles on the way than `delegated_roles_visited_max`; [`Error::Network`].
    pub async fn find(&mut self, path: &str) -> Result<Option<Target>, Error> {
        let now = self.check_refreshed()?;
        let mut waiting = vec![vec!["targets".to_owned()]];
        let mut visited = BTreeSet::new();
        while let Some(way) = waiting.pop() {
            let Some(role) = way.last().cloned() else { continue };
            if !visited.insert(role.clone()) {
                continue;
            }
            if visited.len() > limits::DELEGATED_ROLES_VISITED_MAX {
                return Err(Error::TooLarge {
                    what: format!("the search for {path}"),
                    limit: "delegated_roles_visited_max",
                });
            }
            if let [.., delegator, _] = way.as_slice() {
                // What the snapshot does not name is not there.
                let Some(pin) = self.pin(&role) else { continue };
                self.delegated(&role, delegator, &pin, now).await?;
            }
            let targets = self.trusted.targets_role(&role).ok_or_else(|| missing(&role))?;
            if let Some(file) = targets.target(path) {
                return Ok(Some(Target { path: path.into(), file: file.clone(), roles: way[1..].to_vec() }));
            }
            let (next, last) = matching(targets, path)?;
            if last {
                waiting.clear();
            }
            waiting.extend(next.into_iter().rev().map(|child| [way.clone(), vec![child]].concat()));
        }
        Ok(None)
    }

    /// Loads the metadata of a delegated role, by the word of the role that delegates to it on this way.
    async fn delegated(
        &mut self,
        role: &str,
        delegator: &str,
        pin: &MetaFile,
        now: jiff::Timestamp,
    ) -> Result<(), Error> {
        if self.trusted.targets_role(role).is_some() {
            self.trusted.verify_delegated_targets(role, delegator, now)?;
            return Ok(());
        }
        let file = format!("{}.json", as_file_name(role));
        if let Some(bytes) = self.folder.read(&file, limits::TARGETS_METADATA_BYTES_MAX)
            && self.trusted.update_delegated_targets(&bytes, role, delegator, now).is_ok()
        {
            self.accepted.insert(file, bytes);
            return Ok(());
        }
        let bytes =
            self.fetch(&self.versioned(pin.version, role), pin, limits::TARGETS_METADATA_BYTES_MAX).await?;
        check_targets(Metadata::<Targets>::from_slice(&bytes)?.signed())?;
        self.trusted.update_delegated_targets(&bytes, role, delegator, now)?;
        self.keep(&file, bytes);
        Ok(())
    }

    /// Everything a target follows from must be there, belong together and be fresh.
    fn check_refreshed(&self) -> Result<jiff::Timestamp, Error> {
        let set = &self.trusted;
        let all = (self.now, set.timestamp(), set.snapshot(), set.targets_role("targets"));
        let (Some(now), Some(timestamp), Some(snapshot), Some(targets)) = all else {
            return Err(Error::Trust("the metadata were not refreshed".into()));
        };
        set.check_root_expired(now)?;
        set.check_timestamp_expired(now)?;
        set.check_snapshot_expired(now)?;
        let fits = timestamp.snapshot_meta().is_some_and(|pin| pin.version == snapshot.version)
            && self.pin("targets").is_some_and(|pin| pin.version == targets.version)
            && !targets.is_expired(now);
        if fits { Ok(now) } else { Err(Error::Trust("the last refresh was not completed".into())) }
    }

    /// Downloads a target that was found, and checks it. `bytes_max` bounds what is taken at all.
    ///
    /// # Errors
    /// [`Error::Tampered`] when the bytes are not those that were signed; [`Error::TooLarge`]; [`Error::Network`].
    pub async fn download(&self, target: &Target, bytes_max: u64) -> Result<Vec<u8>, Error> {
        if target.file.length > bytes_max {
            return Err(Error::TooLarge { what: target.path.clone(), limit: "the size that was allowed" });
        }
        let path = if self.trusted.root().consistent_snapshot {
            let hash = ["sha256", "sha512"].iter().find_map(|name| target.file.hashes.get(*name));
            let hash =
                hash.ok_or_else(|| Error::Trust(format!("{} has no hash that is known here", target.path)))?;
            match target.path.rsplit_once('/') {
                Some((folder, name)) => format!("{folder}/{hash}.{name}"),
                None => format!("{hash}.{}", target.path),
            }
        } else {
            target.path.clone()
        };
        let bytes = self.repository.target(&path, target.file.length).await?;
        let bytes = bytes.ok_or_else(|| missing(&path))?;
        target.check(&bytes)?;
        Ok(bytes)
    }

    /// What vouches for a target that was found, to be verified again without a network.
    ///
    /// # Errors
    /// [`Error::Trust`] before a refresh.
    pub fn proof(&self, target: &Target) -> Result<Proof, Error> {
        let get = |name: &str| {
            self.accepted.get(name).cloned().ok_or_else(|| Error::Trust(format!("{name} was not seen")))
        };
        let roots = self.pinned_version + 1..=self.trusted.root().version;
        Ok(Proof {
            path: target.path.clone(),
            roots: roots.map(|version| get(&format!("{version}.root.json"))).collect::<Result<_, _>>()?,
            timestamp: get("timestamp.json")?,
            snapshot: get("snapshot.json")?,
            targets: get("targets.json")?,
            delegated: target
                .roles
                .iter()
                .map(|role| {
                    Ok(Delegated {
                        role: role.clone(),
                        metadata: get(&format!("{}.json", as_file_name(role)))?,
                    })
                })
                .collect::<Result<_, Error>>()?,
        })
    }
}

fn missing(name: &str) -> Error {
    Error::NotThere(name.to_owned())
}
