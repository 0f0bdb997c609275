//! What starts: the newest good release, down to the one attached to the executable (law 4).

use super::release::{Origin, misfit};
use super::state::Copy;
use super::{Release, Store};
use crate::disk::Lock;
use crate::trust::{self, Delegated, Proof};
use crate::{Error, hash};
use serde::{Deserialize, Serialize};
use staysail_protocol::{limits, manifest::Manifest};
use std::cmp::Ordering;
use std::sync::Arc;

/// Trials of one release that may end without a verdict (a crash, a power failure) before it is banned.
pub const RELEASE_TRIALS_MAX: u32 = 2;
/// Failed starts in a row before a release is banned.
pub const RELEASE_BAD_STARTS_MAX: u32 = 2;
/// Largest proof beside a manifest.
pub const PROOF_BYTES_MAX: u64 = 64 << 20;

/// What to start.
#[derive(Debug)]
pub struct Boot {
    /// The release.
    pub release: Release,
    /// Why it is not the one that ran last, if it is not.
    pub fallback_reason: Option<String>,
}

/// The proof as it lies on disk. All of it is JSON text to begin with.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredProof {
    #[serde(default = "stable", skip_serializing_if = "is_stable")]
    path: String,
    roots: Vec<String>,
    timestamp: String,
    snapshot: String,
    targets: String,
    /// Name and metadata of each delegated role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    delegated: Vec<(String, String)>,
}

fn stable() -> String {
    trust::target_path(trust::CHANNEL)
}

fn is_stable(path: &str) -> bool {
    path == stable()
}

impl StoredProof {
    pub(super) fn new(proof: &Proof) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            path: proof.path.clone(),
            roots: proof.roots.iter().map(|root| text(root)).collect(),
            timestamp: text(&proof.timestamp),
            snapshot: text(&proof.snapshot),
            targets: text(&proof.targets),
            delegated: proof.delegated.iter().map(|one| (one.role.clone(), text(&one.metadata))).collect(),
        }
    }

    fn proof(self) -> Proof {
        Proof {
            path: self.path,
            roots: self.roots.into_iter().map(String::into_bytes).collect(),
            timestamp: self.timestamp.into_bytes(),
            snapshot: self.snapshot.into_bytes(),
            targets: self.targets.into_bytes(),
            delegated: self
                .delegated
                .into_iter()
                .map(|(role, metadata)| Delegated { role, metadata: metadata.into_bytes() })
                .collect(),
        }
    }
}

/// Compares semantic versions; anything else counts as the lowest.
pub(crate) fn compare_versions(a: &str, b: &str) -> Ordering {
    semver::Version::parse(a).ok().cmp(&semver::Version::parse(b).ok())
}

impl Store {
    /// The newest good release. Never fails: the attached one is the last resort.
    ///
    /// Releases on disk count only when the signed metadata beside them leads from the pinned `root` to their manifest,
    /// every file is what the manifest says, they are not banned, and they are not older than the attached one.
    pub fn boot(&self, embedded: &Release, root: Option<&[u8]>) -> Boot {
        self.boot_without(&[], embedded, root)
    }

    /// The same without releases, by hash, that have not come up in this start, whoever is to blame.
    pub fn boot_without(&self, passed: &[String], embedded: &Release, root: Option<&[u8]>) -> Boot {
        let mut reasons = Vec::new();
        match self.read_state() {
            Copy::Corrupt => reasons.push("the store's state was damaged".to_owned()),
            Copy::Unreadable(error) => reasons.push(format!("the store's state can not be read: {error}")),
            Copy::Valid(_) | Copy::Absent => {}
        }
        if let Err(error) = self.heal_state() {
            tracing::warn!(%error, "the store's state could not be made whole");
        }
        self.judge_trials(&mut reasons);
        let state = self.state();
        if let Some(root) = root {
            for hash in [state.current, state.previous].into_iter().flatten() {
                let opened = self.open_release(&hash, root);
                if let Some(reason) = self.ban_reason(&hash) {
                    // A process may have been killed while it banned what it had committed: nothing is built on that before it is
                    // durable.
                    if let Err(error) = self.ban(&hash, &reason) {
                        tracing::warn!(%error, "the ban could not be stored; it holds for this run");
                    }
                    continue;
                }
                match opened {
                    _ if passed.contains(&hash) => {}
                    Ok(release) if older(&release, embedded) => {}
                    Ok(release) => {
                        // An older executable was put in place of the one that could run it. It is not to blame.
                        let unfit = misfit(release.manifest()).map_or(Ok(()), Err);
                        match unfit.and_then(|()| release.verify().map_err(|error| error.to_string())) {
                            Ok(()) => return Boot { release, fallback_reason: join(&reasons) },
                            Err(why) => {
                                reasons.push(format!("version {}: {why}", release.manifest().version))
                            }
                        }
                    }
                    Err(error) => reasons.push(format!("release {}: {error}", short(&hash))),
                }
            }
        }
        Boot { release: embedded.clone(), fallback_reason: join(&reasons) }
    }

    /// A release whose trial twice ended without a verdict took the app down with it.
    fn judge_trials(&self, reasons: &mut Vec<String>) {
        let state = self.state();
        let condemned = state.trials.iter().filter(|(_, trials)| **trials >= RELEASE_TRIALS_MAX);
        for (hash, trials) in condemned {
            // Another process may have it on trial right now; then there is nothing to judge yet.
            let Ok(Some(_lock)) = self.try_lock("trial.lock", false) else { return };
            let reason = format!("the app ended {trials} times while this release was on probation");
            reasons.push(format!("release {} is never tried again: {reason}", short(hash)));
            if let Err(error) = self.ban(hash, &reason) {
                tracing::error!(%error, "the ban could not be stored; it holds for this run");
            }
        }
    }

    /// Opens a release of the store after following its proof from the pinned root.
    ///
    /// # Errors
    /// [`Error::Trust`], [`Error::Tampered`], disk errors.
    pub fn open_release(&self, hash: &str, root: &[u8]) -> Result<Release, Error> {
        let in_use = self.use_lock(hash);
        let (manifest, bytes) = self.read_manifest(hash)?;
        let proof = self.read_proof(hash)?;
        trust::check_target(&proof.verify(root)?, &bytes)?;
        let channel = trust::channel_of(&proof.path).unwrap_or_default().to_owned();
        Ok(Release::new(Arc::clone(&self.inner), manifest, bytes, Origin::Channel(channel), in_use))
    }

    fn read_proof(&self, hash: &str) -> Result<Proof, Error> {
        let path = self.inner.folder.join("releases").join(hash).join("proof.json");
        let proof = self
            .inner
            .disk
            .read(&path, PROOF_BYTES_MAX)
            .and_then(|proof| proof.ok_or_else(|| std::io::ErrorKind::NotFound.into()))
            .map_err(Error::disk("reading", &path))?;
        let proof: StoredProof = serde_json::from_slice(&proof)
            .map_err(|error| Error::Trust(format!("unreadable proof: {error}")))?;
        Ok(proof.proof())
    }

    /// The channel a release on disk came from. Where its proof does not say, the one the app was built to follow: most are of
    /// that.
    pub(super) fn read_channel(&self, hash: &str) -> String {
        let proof = self.read_proof(hash).unwrap_or_default();
        trust::channel_of(&proof.path).map_or_else(|| self.own_channel(), str::to_owned)
    }

    /// A shared lock on a release that exists; none on a read-only disk, where nothing is collected either.
    pub(super) fn use_lock(&self, hash: &str) -> Option<Box<dyn Lock>> {
        let folder = self.inner.folder.join("releases").join(hash);
        if !self.inner.disk.is_folder(&folder) {
            return None;
        }
        self.try_lock(&format!("releases/{hash}/in-use"), true).ok()?
    }

    pub(super) fn read_manifest(&self, hash: &str) -> Result<(Manifest, Vec<u8>), Error> {
        let path = self.inner.folder.join("releases").join(hash).join("manifest.json");
        let bytes = self
            .inner
            .disk
            .read(&path, limits::MANIFEST_BYTES_MAX as u64)
            .and_then(|bytes| bytes.ok_or_else(|| std::io::ErrorKind::NotFound.into()))
            .map_err(Error::disk("reading", &path))?;
        let found = hash::of(&bytes);
        if found != hash {
            return Err(Error::Tampered {
                what: "the release manifest".into(),
                expected: hash.to_owned(),
                found,
            });
        }
        Ok((Manifest::parse(&bytes)?, bytes))
    }

    /// A start of `release` failed. After `RELEASE_BAD_STARTS_MAX` in a row it is banned; never the attached one.
    pub fn bad_start(&self, release: &Release, reason: &str) {
        if release.is_embedded() {
            return;
        }
        let mut count = 0;
        let stored = self.change(|state| {
            let starts = state.bad_starts.entry(release.hash().to_owned()).or_default();
            *starts += 1;
            count = *starts;
        });
        if let Err(error) = &stored {
            tracing::error!(%error, "a failed start could not be stored");
        }
        if (count >= RELEASE_BAD_STARTS_MAX || stored.is_err())
            && let Err(error) =
                self.ban_release(release, &format!("it failed to start {count} times: {reason}"))
        {
            tracing::error!(%error, "the ban could not be stored; it holds for this run");
        }
    }

    /// `release` has been running well: its failed starts are forgotten.
    pub fn good_start(&self, release: &Release) {
        if let Err(error) = self.change(|state| {
            let _ = state.bad_starts.remove(release.hash());
        }) {
            tracing::warn!(%error, "a good start could not be stored");
        }
    }
}

pub(super) fn older(release: &Release, embedded: &Release) -> bool {
    compare_versions(&release.manifest().version, &embedded.manifest().version) == Ordering::Less
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

pub(super) fn join(reasons: &[String]) -> Option<String> {
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{self, Contents, ShellFile};
    use crate::engine::Surroundings;
    use crate::engine::fetch::Remote;
    use crate::publisher::{self, Folder, Keys, Options};
    use crate::trust::{Client, MetadataFolder};
    use crate::{TARGET, disk::OsDisk};
    use staysail_protocol::manifest::UpdateSource;

    const SHELL: &[u8] = b"a newer shell";

    /// Puts the newest release of a repository into a store as good, as an app would have whose Staysail could run it.
    async fn commit_newest(
        store: &Store,
        embedded: &Release,
        repository: &std::path::Path,
        root: &[u8],
        channel: &str,
    ) -> Release {
        let url = format!("file://{}", repository.display());
        let remote = Remote::new(&Surroundings::of_this_machine(&url).unwrap());
        let kept = MetadataFolder::new(&store.folder().join("metadata"), Arc::new(OsDisk));
        let mut client = Client::new(remote, kept, root).unwrap();
        client.refresh(jiff::Timestamp::now()).await.unwrap();
        let target = client.find(&trust::target_path(channel)).await.unwrap().unwrap();
        let bytes = client.download(&target, 1 << 20).await.unwrap();
        // Its files are those that were installed, but for a shell.
        for (_, path) in store.missing(&Manifest::parse(&bytes).unwrap(), embedded, false).unwrap() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, SHELL).unwrap();
        }
        let release = store.stage(&bytes, &client.proof(&target).unwrap(), root).unwrap();
        store.commit(&release).unwrap();
        release
    }

    /// An installed app, and what its releases are made with.
    struct Installed {
        folder: tempfile::TempDir,
        keys: Keys,
        contents: Contents,
        store: Store,
        embedded: Release,
    }

    impl Installed {
        fn new(source: Option<UpdateSource>) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            let keys = Keys::create(&path("keys"), None, jiff::Timestamp::now()).unwrap();
            let (page, worker) = (path("index.html"), path("worker"));
            std::fs::write(&page, "<h1>one</h1>").unwrap();
            std::fs::write(&worker, "#!/bin/sh").unwrap();
            let manifest =
                Manifest { format: 1, version: "1.0.0".into(), protocol: (1, 1), ..Manifest::default() };
            let mut contents = Contents::new(manifest);
            contents.add_page("index.html", &page).unwrap();
            contents.add_backend(TARGET, "worker", &worker).unwrap();
            (contents.root, contents.source) = (Some(keys.root().unwrap()), source);
            bundle::attach(&worker, &path("app"), &contents).unwrap();
            let attached = bundle::read_attached(&path("app")).unwrap().unwrap();
            let store = Store::open(&path("store")).unwrap();
            let embedded = store.embed(&attached).unwrap();
            std::fs::create_dir(path("repository")).unwrap();
            Self { folder, keys, contents, store, embedded }
        }

        fn root(&self) -> Vec<u8> {
            self.keys.root().unwrap()
        }

        /// Publishes a release in a channel, and puts it into the store as good.
        async fn commit(&mut self, channel: &str, version: &str) -> Release {
            self.contents.manifest.version = version.into();
            let repository = self.folder.path().join("repository");
            let (place, now) = (Folder::open(&repository).unwrap(), jiff::Timestamp::now());
            let options = Options { channel: channel.into(), ..Options::default() };
            publisher::publish(&place, &self.keys, self.contents.clone(), &options, now).unwrap();
            drop(place);
            commit_newest(&self.store, &self.embedded, &repository, &self.root(), channel).await
        }
    }

    #[tokio::test]
    async fn a_release_that_needs_a_newer_staysail_is_passed_over_at_a_start_and_not_blamed() {
        let mut app = Installed::new(None);
        app.commit(trust::CHANNEL, "1.1.0").await;
        app.contents.manifest.minimum_shell = Some("99.0.0".into());
        app.commit(trust::CHANNEL, "1.2.0").await;
        // The one before it runs here, and starts.
        let boot = app.store.boot(&app.embedded, Some(&app.root()));
        assert_eq!(boot.release.manifest().version, "1.1.0");
        let reason = boot.fallback_reason.unwrap();
        assert!(reason.contains("version 1.2.0: it needs Staysail 99.0.0"), "{reason}");
        // In a start in which that does not come up either, the last resort is what is left.
        let passed = [boot.release.hash().to_owned()];
        assert!(app.store.boot_without(&passed, &app.embedded, Some(&app.root())).release.is_embedded());
        let state = app.store.state();
        assert!(state.banned.is_empty() && state.bad_starts.is_empty() && state.current.is_some());
    }

    #[tokio::test]
    async fn the_shell_of_the_release_before_is_started_where_nothing_else_runs_what_boots() {
        let mut app = Installed::new(None);
        let shells = |app: &Installed| {
            let root = app.root();
            let shells = app.store.newer_shells(&app.embedded, Some(&root));
            shells.map(|shell| std::fs::read(shell.path).unwrap()).collect::<Vec<_>>()
        };
        let file = app.folder.path().join("shell");
        std::fs::write(&file, SHELL).unwrap();
        let shell = ShellFile { file, name: "shell".into(), version: "99.0.0".into() };
        app.contents.shell = Some(shell);
        app.contents.manifest.minimum_shell = Some("99.0.0".into());
        app.commit(trust::CHANNEL, "1.1.0").await;
        assert_eq!(shells(&app), [SHELL], "that of what boots");
        app.commit(trust::CHANNEL, "1.1.1").await;
        assert_eq!(shells(&app), [SHELL], "both carry it");
        // Somebody published without it, and meant to.
        (app.contents.shell, app.contents.without_shell) = (None, true);
        app.commit(trust::CHANNEL, "1.2.0").await;
        assert_eq!(shells(&app), [SHELL], "that of the one before");
        app.contents.manifest.minimum_shell = None;
        app.commit(trust::CHANNEL, "1.3.0").await;
        assert!(shells(&app).is_empty(), "the installed one does");
    }

    #[tokio::test]
    async fn what_crashed_is_banned_by_whatever_rules_it_is_tried_and_what_differed_by_its_own_only() {
        let mut app = Installed::new(None);
        app.contents.manifest.shadow = Some(Box::default());
        let release = app.commit(trust::CHANNEL, "1.1.0").await;
        let mut others = release.manifest().clone();
        others.shadow = None;
        let store = Store::open(app.store.folder()).unwrap();
        store.reject_compared(&release);
        store.ban_release(&release, "an answer differs").unwrap();
        assert!(store.is_banned_content("another", release.manifest()));
        assert!(!store.is_banned_content("another", &others));
        app.store.ban_release(&release, "it ended on probation").unwrap();
        assert!(app.store.is_banned_content("another", &others));
    }

    #[tokio::test]
    async fn a_release_whose_proof_can_not_be_read_holds_the_floor_of_the_channel_the_app_was_built_for() {
        let source = UpdateSource { channel: "beta".into(), ..UpdateSource::default() };
        let mut app = Installed::new(Some(source));
        app.commit("beta", "1.1.0").await;
        let newest = app.commit("beta", "1.2.0").await;
        let floors = |app: &Installed| (app.store.state().floor, app.store.state().floor_of("beta"));
        assert_eq!(floors(&app), (0, 2));
        for name in ["state", "state.copy"] {
            std::fs::write(app.store.folder().join(name), "damaged").unwrap();
        }
        assert_eq!(floors(&app), (0, 2), "the proofs say of which channel the releases are");
        let proof = app.store.folder().join("releases").join(newest.hash()).join("proof.json");
        for bad in ["not a proof", "{}"] {
            std::fs::write(&proof, bad).unwrap();
            assert_eq!(floors(&app), (0, 2), "{bad}");
        }
        std::fs::remove_file(&proof).unwrap();
        assert_eq!(floors(&app), (0, 2), "without a proof");
        // What nothing vouches for does not start.
        let boot = app.store.boot(&app.embedded, Some(&app.root()));
        assert!(boot.release.is_embedded());
    }
}
