//! Looking for the newest release.

use super::Chance;
use super::fetch::Remote;
use crate::lifecycle::Candidate;
use crate::policy::pin;
use crate::store::{Release, Store, compare_versions, misfit, same_content};
use crate::trust::{self, Client, MetadataFolder, Proof, Target};
use crate::{Error, TARGET, hash};
use staysail_protocol::limits;
use staysail_protocol::manifest::Manifest;
use staysail_protocol::policy::Urgency;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A release found in the repository: signed, not yet downloaded.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub candidate: Candidate,
    pub manifest: Manifest,
    pub bytes: Vec<u8>,
    pub proof: Proof,
}

/// What a look came to.
#[derive(Debug)]
pub(crate) enum Looked {
    /// The next release on the way to the newest of the channel.
    Found(Box<Found>),
    /// None was ever published on it.
    Nothing,
    /// The signed lists name no such channel; those they name.
    NoChannel(String),
}

/// A look under way. Boxed, so that the code for it is there once and not with everybody who looks.
pub(crate) type Looking<'a> = Pin<Box<dyn Future<Output = Result<Looked, Error>> + Send + 'a>>;

/// What is looked from: where the app stands.
pub(crate) struct Standpoint<'a> {
    pub store: &'a Store,
    pub root: &'a [u8],
    pub current: &'a Release,
    pub channel: &'a str,
    /// Highest sequence of the channel that was ever committed here.
    pub floor: u64,
    /// The version the app is to stay at.
    pub pinned: Option<&'a str>,
    /// What a new install's random number is made of.
    pub chance: Chance,
    /// The user wants what there is now, and not when its wave comes.
    pub early: bool,
}

/// Refreshes the metadata and gives the next release on the way to the newest of the channel: that, or a barrier before it.
pub(crate) fn look<'a>(remote: &'a Remote, from: Standpoint<'a>, now: jiff::Timestamp) -> Looking<'a> {
    Box::pin(next(remote, from, now))
}

async fn refreshed(
    remote: &Remote,
    from: &Standpoint<'_>,
    now: jiff::Timestamp,
) -> Result<Option<Client>, Error> {
    let folder =
        MetadataFolder::new(&from.store.folder().join("metadata"), Arc::clone(&from.store.inner.disk));
    let mut client = Client::new(remote.clone(), folder.clone(), from.root)?;
    if let Err(error) = client.refresh(now).await {
        // Once something was published, its absence is a failure. Before, there is nothing, which is none. Whoever was not reached
        // is not asked for it again.
        if client.has_seen_any() || !matches!(error, Error::NotThere(_)) {
            return Err(error);
        }
        if remote.lacks("metadata/timestamp.json").await {
            return Ok(None);
        }
        // Unless the very first publish came between those two looks.
        client = Client::new(remote.clone(), folder, from.root)?;
        client.refresh(now).await?;
    }
    Ok(Some(client))
}

async fn next(remote: &Remote, from: Standpoint<'_>, now: jiff::Timestamp) -> Result<Looked, Error> {
    let Some(mut client) = refreshed(remote, &from, now).await? else { return Ok(Looked::Nothing) };
    let Some(mut target) = client.find(&trust::target_path(from.channel)).await? else {
        return Ok(Looked::NoChannel(channels(&client)));
    };
    let carried = remote.network().is_carried();
    let mut withheld = BTreeSet::new();
    // A file holds what is for everybody.
    if !carried {
        withheld = wave(&mut client, &mut target, &from).await;
    }
    let mut found = read(&client, &target, from.current).await?;
    found.withheld = withheld;
    if let Some((version, path)) = barrier(&client, &target, &from) {
        let unnamed = || Error::Trust(format!("no role names {path}, which a release has to come after"));
        let before = client.find(&path).await?.ok_or_else(unnamed)?;
        let newest = found.manifest;
        let lacks = |error| match carried {
            true => Error::Refused(format!(
                "it lacks version {version}, which has to be taken before {}; have it made with that",
                newest.version
            )),
            false => error,
        };
        let withheld = found.withheld;
        found = read(&client, &before, from.current).await.map_err(lacks)?;
        found.towards = Some(newest);
        found.withheld = withheld;
    }
    if carried {
        found.manifest.deltas.clear();
    }
    let (store, current, channel) = (from.store.clone(), from.current.clone(), from.channel.to_owned());
    let weighing = from.store.blocking(move || weigh(&store, &current, carried, &channel, found));
    Ok(Looked::Found(Box::new(weighing.await?)))
}

/// The channels that the signed lists name, for people.
fn channels(client: &Client) -> String {
    let mut names = BTreeSet::new();
    if let Some(targets) = client.trusted().targets_role("targets") {
        let given = targets.delegations.iter().flat_map(|delegations| &delegations.roles);
        let paths = given.flat_map(|role| role.paths.iter().flatten()).chain(targets.targets.keys());
        names.extend(paths.filter_map(|path| trust::channel_of(path)));
    }
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Exchanges what is for everybody for the newest release in waves that this install is among. The hashes of those that are
/// not for it, or not yet.
async fn wave(client: &mut Client, newest: &mut Target, from: &Standpoint<'_>) -> BTreeSet<String> {
    let mut withheld = BTreeSet::new();
    let role = newest.roles.last().map_or("targets", String::as_str);
    let Some(list) = client.trusted().targets_role(role) else { return withheld };
    let number = |target: &Target| target.file.custom.as_ref()?.get("sequence")?.as_u64();
    let for_everybody = number(newest).unwrap_or_default();
    let waves = list.targets.iter().filter_map(|(path, file)| {
        let sequence = trust::wave_sequence(path, from.channel).filter(|number| *number > for_everybody)?;
        Some((sequence, path.clone(), file.clone()))
    });
    let mut waves: Vec<_> = waves.collect();
    if waves.is_empty() {
        return withheld;
    }
    waves.sort_by_key(|(sequence, ..)| std::cmp::Reverse(*sequence));
    let shares = match client.find(&trust::rollout_path(from.channel)).await {
        Ok(shares) => shares.and_then(|shares| shares.file.custom),
        // What is for everybody is there all the same. Nothing is known of the others, also not that they were paused.
        Err(error) => {
            tracing::warn!(%error, "the shares of releases in waves could not be had");
            return withheld;
        }
    };
    for (sequence, path, file) in waves {
        let Some(hash) = file.hashes.get("sha256").cloned() else { continue };
        let text = |name| file.custom.as_ref()?.get(name)?.as_str();
        let (version, salt) = (text("version").unwrap_or_default(), text("salt").unwrap_or_default());
        if from.pinned.is_some_and(|pinned| !pin::fits(pinned, version)) || from.store.is_banned(&hash) {
            continue;
        }
        let share = trust::share_of(shares.as_ref(), sequence);
        if share == 0 || share < trust::SHARE_WHOLE && !from.early && place(from, salt).await >= share {
            withheld.insert(hash);
            continue;
        }
        (newest.path, newest.file) = (path, file);
        break;
    }
    withheld
}

/// Where this install stands; at the end, where its number can not be kept: it would be another one the next time.
async fn place(from: &Standpoint<'_>, salt: &str) -> u16 {
    let (store, chance) = (from.store.clone(), from.chance);
    match from.store.blocking(move || store.install(chance)).await {
        Ok(install) => trust::place_in_order(&install, salt),
        Err(error) => {
            tracing::warn!(%error, "the number of this install could not be stored; it comes last");
            trust::SHARE_WHOLE - 1
        }
    }
}

/// Version and path of the barrier to be taken next, if there is one between what runs and the newest release.
fn barrier(client: &Client, newest: &Target, from: &Standpoint<'_>) -> Option<(String, String)> {
    let role = newest.roles.last().map_or("targets", String::as_str);
    let targets = &client.trusted().targets_role(role)?.targets;
    let all = targets.iter().map(|(path, file)| (path.as_str(), file.custom.as_ref()));
    let ahead =
        |version: &str| compare_versions(version, &from.current.manifest().version) == Ordering::Greater;
    // Who was beyond it once and fell back has passed it: what it changed is changed, and it is below the floor.
    let passed = |path: &str| trust::sequence_of(path).is_some_and(|sequence| sequence < from.floor);
    let (version, path) = trust::barriers(all, from.channel)
        .into_iter()
        .find(|(version, path)| ahead(version) && !passed(path))?;
    // The newest one may be a barrier itself.
    let same = targets.get(&path).is_some_and(|file| file.hashes == newest.file.hashes);
    (!same).then_some((version, path))
}

/// A release as the repository has it.
struct Read {
    manifest: Manifest,
    bytes: Vec<u8>,
    proof: Proof,
    /// The newest release, when this is a barrier before it.
    towards: Option<Manifest>,
    withheld: BTreeSet<String>,
}

async fn read(client: &Client, target: &Target, current: &Release) -> Result<Read, Error> {
    // What runs is known already: nothing has to be fetched.
    let known = target.file.hashes.get("sha256").is_some_and(|known| known == current.hash());
    let bytes = if known {
        current.manifest_bytes().to_vec()
    } else {
        client.download(target, limits::MANIFEST_BYTES_MAX as u64).await?
    };
    trust::check_target(&target.file, &bytes)?;
    Ok(Read {
        manifest: Manifest::parse(&bytes)?,
        bytes,
        proof: client.proof(target)?,
        towards: None,
        withheld: BTreeSet::new(),
    })
}

fn weigh(store: &Store, current: &Release, carried: bool, channel: &str, read: Read) -> Result<Found, Error> {
    let Read { manifest, bytes, proof, towards, withheld } = read;
    let running = &current.manifest().version;
    let urgencies = [Some(&manifest), towards.as_ref()];
    let critical = urgencies.into_iter().flatten().any(|release| is_critical(&release.urgency, running));
    let (foreign, misfit) = (foreign(&manifest, current), misfit(&manifest));
    let next_start = foreign.is_none() && misfit.is_some() && store.fits_next_start(&manifest);
    let mut candidate = Candidate {
        hash: hash::of(&bytes),
        version: manifest.version.clone(),
        sequence: manifest.sequence,
        notes: manifest.notes.clone(),
        bytes: 0,
        same_as_current: same_content(current.manifest(), &manifest),
        unusable: foreign.or(misfit.filter(|_| !next_start)),
        next_start,
        conditional: manifest.policy.has_conditions(),
        live: manifest.policy.live,
        critical,
        channel: channel.to_owned(),
        towards: towards.map(|newest| newest.version),
        given: false,
        withheld,
    };
    let banned = store.is_banned_content(&candidate.hash, &manifest);
    if candidate.hash != current.hash() && candidate.unusable.is_none() && !banned {
        let missing = store.missing(&manifest, current, carried)?;
        candidate.bytes =
            store.download_plan(&manifest, &missing, current).iter().map(|fetch| fetch.bytes()).sum();
    }
    Ok(Found { candidate, manifest, bytes, proof })
}

/// Whether a release is critical for those who run `version`.
pub(crate) fn is_critical(urgency: &Urgency, version: &str) -> bool {
    let below = |bound: &String| compare_versions(version, bound) == Ordering::Less;
    urgency.critical || urgency.critical_below.as_ref().is_some_and(below)
}

/// The barrier that has to be taken between `version` and a release.
pub(crate) fn barrier_missed<'a>(manifest: &'a Manifest, version: &str) -> Option<&'a str> {
    let barrier = manifest.after_barrier.as_deref()?;
    (compare_versions(version, barrier) == Ordering::Less).then_some(barrier)
}

/// Why no version of Staysail runs a release here, if so.
fn foreign(manifest: &Manifest, current: &Release) -> Option<String> {
    let app = &current.manifest().app;
    if manifest.app != *app {
        return Some(format!("it belongs to {}, not to {app}", manifest.app));
    }
    // A program that uses the engine alone has files and no backend; an app with one never becomes an app without.
    let alone = current.manifest().backend.is_empty();
    if !(alone && manifest.backend.is_empty()) && manifest.backend.get(TARGET).is_none_or(Vec::is_empty) {
        let available = manifest.backend.keys().cloned().collect::<Vec<_>>().join(", ");
        let others = if available.is_empty() {
            "and for no other".to_owned()
        } else {
            format!("only for {available}")
        };
        return Some(format!("it has no backend for {TARGET}, {others}"));
    }
    // Of barriers the signed list is asked: one that a manifest names may be lifted since.
    None
}
