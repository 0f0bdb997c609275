//! The releases of a simulated app, and its repository as it was on each day. Made once, the same in every process.
//!
//! Signed here, with keys that are no secret, and not by the publisher of `staysail-update`: what is written after the
//! TUF specification (1.0.33) must be understood by the client whoever wrote it.

use crate::chance::Chance;
use crate::terms::Terms;
use crate::waves::For;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use staysail_protocol::assets::Group;
use staysail_protocol::manifest::{Blob, Delta, FileEntry, Manifest, UpdateSource};
use staysail_protocol::policy::Live;
use staysail_update::archive::{self, Archive, Entry};
use staysail_update::bundle::{self, Attached, Contents};
use staysail_update::{TARGET, hash, pack};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Days on which something was published, and the one before.
pub const DAYS: usize = 6;
/// The beginning of simulated time.
pub const EPOCH: &str = "2026-01-01T00:00:00Z";
/// Metadata of a day expire this late.
pub(crate) const EXPIRES: &str = "2026-01-31T00:00:00Z";
/// The beginning of time where there are conditions: 37 hours later clocks change in Berlin.
pub(crate) const EPOCH_OF_TERMS: &str = "2026-03-27T12:00:00Z";
/// After all the days that releases may be postponed there.
pub(crate) const EXPIRES_OF_TERMS: &str = "2026-07-31T00:00:00Z";
/// Worlds whose releases have conditions, each with others.
const WORLDS_OF_TERMS: usize = 8;
/// Worlds whose releases have their moments to go live at, each release in each of them another one.
const WORLDS_OF_MOMENTS: usize = MOMENTS.len();
/// When releases go live.
const MOMENTS: [Live; 3] = [Live::NextLoad, Live::NextLaunch, Live::Now];
/// The channel the app is built to follow.
pub const OWN: &str = "stable";
const ROOT_EXPIRES: &str = "2036-01-01T00:00:00Z";

/// What is known of a release.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its version.
    pub version: String,
    /// Its sequence.
    pub sequence: u64,
    /// Whether it works.
    pub good: bool,
    /// Releases of the same content share this.
    pub content: u32,
    /// Content of each page file, by its path.
    pub page: BTreeMap<String, Vec<u8>>,
    /// The worker.
    pub worker: Vec<u8>,
    /// Content of each file of its asset group, by its path.
    pub group: BTreeMap<String, Vec<u8>>,
    /// When it is taken.
    pub terms: Terms,
    /// Its channel; none has what was installed.
    pub channel: &'static str,
    /// The days on which nobody jumps over it.
    pub barrier: Range<usize>,
    /// For whom it is on each day.
    pub given: [For; DAYS],
    /// When it goes live.
    pub live: Live,
}

/// What releases are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// They are taken as they come.
    Plain,
    /// They have conditions and asset groups, and a user has wishes.
    Terms,
    /// They are on two channels, with barriers and asset groups, and a user chooses what is followed, and how fast it comes.
    Channels,
    /// They come in waves, and a user says now.
    Waves,
    /// As in the plain one, and what runs takes the app down at its start, or is seen not to come up, often in a row.
    Starts,
    /// They go live at once, at the next load of a page or at the next launch, and a window loads its page now and then.
    Moments,
}

impl Setting {
    /// All of them; the place in here is the number.
    pub const ALL: [Self; 6] =
        [Self::Plain, Self::Terms, Self::Channels, Self::Waves, Self::Starts, Self::Moments];

    /// Whether releases have conditions, or are put off, so that it takes days until one is overdue.
    pub fn has_terms(self) -> bool {
        matches!(self, Self::Terms | Self::Channels | Self::Waves)
    }
}

/// The files of a repository.
pub type Files = BTreeMap<String, Arc<Vec<u8>>>;

/// Everything that is the same for all schedules.
#[derive(Debug)]
pub struct World {
    /// The repository on each day; nothing was published on day 0.
    pub days: Vec<Files>,
    /// Releases by the hash of their manifest.
    pub releases: BTreeMap<String, Known>,
    /// What the app was installed with.
    pub attached: Attached,
    /// Its hash.
    pub embedded: String,
    /// The pinned root.
    pub root: Vec<u8>,
    /// Hash of the newest release, a good one.
    pub newest: String,
    /// Hash of the newest release of each day, on the app's own channel.
    pub of_day: Vec<String>,
    /// The same of the other channel, where there is one.
    pub other_of_day: Vec<Option<String>>,
    /// The beginning of time.
    pub epoch: jiff::Timestamp,
    /// Hashes of the releases that a blob belongs to, by its path; those of groups belong to none.
    pub downloads: BTreeMap<String, Vec<String>>,
    /// The repository of somebody who has no key that counts.
    pub forged: Files,
    /// The repository of each day as one file, where somebody has them.
    pub(crate) archives: Vec<OnceLock<Archive>>,
}

pub(crate) struct Keys {
    key: SigningKey,
    pub public: Value,
    pub id: String,
}

pub(crate) fn key(number: u8) -> Keys {
    let key = SigningKey::from_bytes(&[number; 32]);
    let public = hash::hex(key.verifying_key().as_bytes());
    let public = json!({ "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": public } });
    let id = hash::of(public.to_string().as_bytes());
    Keys { key, public, id }
}

/// Signs. serde_json writes objects in the order of their names and without spaces: all of ours are canonical.
pub(crate) fn envelope(signed: &Value, keys: &[&Keys]) -> Vec<u8> {
    let canonical = signed.to_string();
    let signature = |keys: &&Keys| json!({ "keyid": keys.id, "sig": hash::hex(&keys.key.sign(canonical.as_bytes()).to_bytes()) });
    let signatures: Vec<Value> = keys.iter().map(signature).collect();
    json!({ "signatures": signatures, "signed": signed }).to_string().into_bytes()
}

pub(crate) fn root(version: u64, keys: &Keys, signers: &[&Keys]) -> Vec<u8> {
    let role = json!({ "keyids": [keys.id], "threshold": 1 });
    let signed = json!({
        "_type": "root", "spec_version": "1.0.33", "version": version, "expires": ROOT_EXPIRES,
        "consistent_snapshot": true, "keys": { keys.id.clone(): keys.public },
        "roles": { "root": role, "targets": role, "snapshot": role, "timestamp": role },
    });
    envelope(&signed, signers)
}

pub(crate) fn pin(version: u64, bytes: &[u8]) -> Value {
    json!({ "version": version, "length": bytes.len(), "hashes": { "sha256": hash::of(bytes) } })
}

fn file(path: &str, content: &[u8], executable: bool, blobs: &mut BTreeMap<String, Vec<u8>>) -> FileEntry {
    let packed = pack::compress(content, 3).expect("memory can be compressed");
    let blob = Blob { sha256: hash::of(&packed), size: packed.len() as u64 };
    blobs.insert(blob.sha256.clone(), packed);
    FileEntry { path: path.into(), sha256: hash::of(content), size: content.len() as u64, executable, blob }
}

/// A release, and the blobs it consists of.
pub(crate) struct Made {
    pub manifest: Manifest,
    pub known: Known,
    pub blobs: BTreeMap<String, Vec<u8>>,
}

/// What a release is made of.
#[derive(Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub version: &'a str,
    pub sequence: u64,
    pub content: u32,
    pub page: u64,
    /// Whether it has an asset group.
    pub group: bool,
    /// When it goes live.
    pub live: Live,
}

pub(crate) fn make(plan: Plan<'_>, worker: &[u8], terms: Option<Terms>) -> Made {
    let Plan { version, sequence, content, page, group: has_group, live } = plan;
    let mut blobs = BTreeMap::new();
    let files = BTreeMap::from([
        ("index.html".to_owned(), Chance::new(page).noise(600)),
        ("same.css".to_owned(), b"h1 { color: teal }".repeat(4)),
    ]);
    let mut manifest = Manifest {
        format: 1,
        app: "com.example.simulated".into(),
        name: "Simulated".into(),
        version: version.into(),
        sequence,
        protocol: (1, 1),
        page: files.iter().map(|(path, content)| file(path, content, false, &mut blobs)).collect(),
        backend: BTreeMap::from([(TARGET.to_owned(), vec![file("worker", worker, true, &mut blobs)])]),
        ..Manifest::default()
    };
    let mut group = BTreeMap::new();
    if has_group {
        group.insert("maps/own.bin".to_owned(), Chance::new(1_000 + page).noise(900));
        group.insert("maps/same.bin".to_owned(), Chance::new(1_000).noise(900));
        let files = group.iter().map(|(path, content)| file(path, content, false, &mut blobs)).collect();
        manifest.groups.insert("maps".into(), Group { files, ..Group::default() });
    }
    if let Some(terms) = &terms {
        (manifest.policy, manifest.urgency) = (terms.policy(), terms.urgency().clone());
    }
    manifest.policy.live = live;
    let (good, terms) = (content != BAD, terms.unwrap_or_default());
    let (version, page, worker) = (version.to_owned(), files, worker.to_vec());
    let channel = if sequence > 0 { OWN } else { "" };
    let known = Known {
        version,
        sequence,
        good,
        content,
        page,
        worker,
        group,
        terms,
        channel,
        barrier: 0..0,
        given: [For::All; DAYS],
        live,
    };
    Made { manifest, known, blobs }
}

/// Number of the content that does not work.
pub(crate) const BAD: u32 = 2;

impl World {
    /// The world in which releases are taken as they come.
    pub fn get() -> &'static Self {
        Self::of(Setting::Plain, 0)
    }

    /// The world of a scenario.
    pub fn of(setting: Setting, scenario: u64) -> &'static Self {
        static WORLDS: [OnceLock<World>; 3 + WORLDS_OF_TERMS + WORLDS_OF_MOMENTS] =
            [const { OnceLock::new() }; 3 + WORLDS_OF_TERMS + WORLDS_OF_MOMENTS];
        let among = |worlds: usize| (scenario % worlds as u64) as usize;
        let number = match setting {
            Setting::Plain | Setting::Starts => 0,
            Setting::Terms => 1 + among(WORLDS_OF_TERMS),
            Setting::Channels => 1 + WORLDS_OF_TERMS,
            Setting::Waves => 2 + WORLDS_OF_TERMS,
            Setting::Moments => 3 + WORLDS_OF_TERMS + among(WORLDS_OF_MOMENTS),
        };
        WORLDS[number].get_or_init(|| {
            crate::signatures::install();
            match setting {
                Setting::Channels => crate::channels::build(),
                Setting::Waves => crate::waves::build(),
                Setting::Plain | Setting::Terms | Setting::Starts => Self::build(number, |_| Live::Now),
                Setting::Moments => Self::build(0, |sequence| {
                    MOMENTS[(sequence as usize + among(MOMENTS.len())) % MOMENTS.len()]
                }),
            }
        })
    }

    /// What is known of a release; nothing of one this world does not have.
    pub fn known(&self, hash: &str) -> Option<&Known> {
        self.releases.get(hash)
    }

    /// Whether there are several channels.
    pub fn has_channels(&self) -> bool {
        self.other_of_day.iter().any(Option::is_some)
    }

    /// The newest release of a channel on a day.
    pub fn newest_on(&self, channel: &str, day: usize) -> Option<&String> {
        if channel == OWN { self.of_day.get(day) } else { self.other_of_day.get(day)?.as_ref() }
    }

    /// The repository of a day as one file.
    pub fn archive(&self, day: usize) -> Archive {
        let make = || archived(&self.days[day]);
        self.archives[day].get_or_init(make).clone()
    }

    /// The world in which releases have the terms of this number, none for 0, and go live when `live` says for their sequence.
    fn build(number: usize, live: impl Fn(u64) -> Live) -> Self {
        let mut worker = Chance::new(1).noise(1_500);
        let (first, second) = (key(1), key(2));
        let pinned = root(1, &first, &[&first]);
        let (epoch, expires) =
            if number == 0 { (EPOCH, EXPIRES) } else { (EPOCH_OF_TERMS, EXPIRES_OF_TERMS) };
        let mut chance = Chance::new(0x7E12 + number as u64);
        let mut terms = || (number > 0).then(|| Terms::chosen(&mut chance));
        let plan =
            Plan { version: "1.0.0", sequence: 0, content: 0, page: 10, group: number > 0, live: Live::Now };
        let installed = make(plan, &worker, terms());
        let attached = attach(&installed, &pinned);
        let embedded = hash::of(&installed.manifest.to_bytes());

        let mut releases = BTreeMap::from([(embedded.clone(), installed.known.clone())]);
        let (mut files, mut downloads) = (Files::new(), BTreeMap::<_, Vec<_>>::new());
        // What was installed has files that are fetched, too.
        for entry in installed.manifest.group_files() {
            let blob = &entry.blob.sha256;
            files.insert(blob_path(blob), Arc::new(installed.blobs[blob].clone()));
        }
        let (mut days, mut of_day) = (vec![files.clone()], vec![embedded.clone()]);
        let plan: [(&str, u32, u64, bool); DAYS - 1] = [
            // Version, content, page, whether the worker changes.
            ("1.1.0", 1, 11, false),
            ("1.2.0", BAD, 12, true),
            ("1.3.0", 3, 13, true),
            // The bad content again, under another number.
            ("1.4.0", BAD, 12, true),
            ("1.5.0", 5, 15, true),
        ];
        let mut workers = vec![worker.clone()];
        for (day, (version, content, page, changes)) in plan.into_iter().enumerate() {
            let sequence = day as u64 + 1;
            let old = worker.clone();
            if changes {
                let bad = if content == BAD {
                    releases.values().find(|known: &&Known| known.content == BAD)
                } else {
                    None
                };
                worker = bad.map_or_else(|| edited(&worker, sequence), |bad| bad.worker.clone());
            }
            // That everybody comes to the last one must follow from days and quiet, not from its urgency.
            let terms = if sequence as usize == DAYS - 1 { terms().map(Terms::patient) } else { terms() };
            let live = live(sequence);
            let plan = Plan { version, sequence, content, page, group: number > 0, live };
            let mut made = make(plan, &worker, terms);
            [&old, &workers[0]].into_iter().for_each(|old| made.patched_from(old, &worker));
            workers.push(worker.clone());
            // From the third day on other keys sign, and everybody has to follow the root.
            let signer = if sequence < 3 { &first } else { &second };
            if sequence == 3 {
                let rotated = root(2, &second, &[&first, &second]);
                files.insert("metadata/2.root.json".into(), Arc::new(rotated));
            }
            let newest = publish(&mut files, &made, sequence, (signer, expires));
            for blob in downloaded(&made) {
                downloads.entry(blob_path(blob)).or_default().push(newest.clone());
            }
            releases.insert(newest.clone(), made.known);
            of_day.push(newest);
            days.push(files.clone());
        }
        Self {
            forged: forged(expires),
            newest: of_day[DAYS - 1].clone(),
            epoch: epoch.parse().expect("a time"),
            archives: no_archives(),
            other_of_day: vec![None; DAYS],
            root: pinned,
            days,
            releases,
            attached,
            embedded,
            of_day,
            downloads,
        }
    }
}

impl Made {
    /// Has a patch of the worker, if it changes.
    pub fn patched_from(&mut self, old: &[u8], worker: &[u8]) {
        if old == worker {
            return;
        }
        let patch = pack::diff(old, worker).ok().flatten().expect("small files have a patch");
        let blob = Blob { sha256: hash::of(&patch), size: patch.len() as u64 };
        self.blobs.insert(blob.sha256.clone(), patch);
        let (from, to, method) = (hash::of(old), hash::of(worker), pack::PATCH_FROM.into());
        self.manifest.deltas.push(Delta { from, to, method, blob });
    }
}

pub(crate) fn no_archives() -> Vec<OnceLock<Archive>> {
    (0..DAYS).map(|_| OnceLock::new()).collect()
}

pub(crate) fn blob_path(blob: &str) -> String {
    format!("blobs/{blob}.zst")
}

/// Blobs that come with a release: not those of groups.
pub(crate) fn downloaded(made: &Made) -> impl Iterator<Item = &String> {
    let groups: Vec<&String> = made.manifest.group_files().map(|entry| &entry.blob.sha256).collect();
    made.blobs.keys().filter(move |blob| !groups.contains(blob))
}

/// A repository in which everything is right but the keys.
pub(crate) fn forged(expires: &str) -> Files {
    let plan = Plan { version: "9.9.9", sequence: 99, content: 9, page: 99, group: false, live: Live::Now };
    let made = make(plan, b"somebody else's", None);
    let mut files = Files::new();
    publish(&mut files, &made, 99, (&key(9), expires));
    files
}

/// A repository as one file. Its name is gone at once, as with a stick that was pulled out after it was opened.
fn archived(files: &Files) -> Archive {
    let entry = |(path, bytes): (&String, &Arc<Vec<u8>>)| Entry {
        path: path.clone(),
        size: bytes.len() as u64,
        sha256: hash::of(bytes),
    };
    let mut bytes = Vec::new();
    let entries: Vec<Entry> = files.iter().map(entry).collect();
    archive::write_head(&mut bytes, &entries).expect("memory can be written");
    files.values().for_each(|file| bytes.extend_from_slice(file));
    let place = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    std::fs::write(place.path(), bytes).expect("a temporary file can be written");
    Archive::open(place.path()).expect("what was just written is an archive")
}

/// A worker with a small change.
pub(crate) fn edited(worker: &[u8], sequence: u64) -> Vec<u8> {
    let mut worker = worker.to_vec();
    let at = (sequence as usize * 131) % (worker.len() - 40);
    worker.splice(at..at + 20, Chance::new(sequence).noise(30));
    worker
}

/// Adds a release to a repository's files. Gives its hash.
fn publish(files: &mut Files, made: &Made, sequence: u64, (signer, expires): (&Keys, &str)) -> String {
    let (name, target) = put(files, made, "stable.json");
    let targets = json!({ "targets": { "releases/stable.json": target } });
    sign(files, sequence, &[("targets", signer, targets)], (signer, expires));
    name
}

/// Adds the files of a release. Gives its hash, and how a role names its manifest.
pub(crate) fn put(files: &mut Files, made: &Made, path: &str) -> (String, Value) {
    for (name, blob) in &made.blobs {
        files.insert(blob_path(name), Arc::new(blob.clone()));
    }
    let manifest = made.manifest.to_bytes();
    let name = hash::of(&manifest);
    let custom = json!({ "version": made.manifest.version });
    let target = json!({ "length": manifest.len(), "hashes": { "sha256": name }, "custom": custom });
    files.insert(format!("targets/releases/{name}.{path}"), Arc::new(manifest));
    (name, target)
}

/// Signs what roles list, each with its key, and by `signer` which of them belong together.
pub(crate) fn sign(
    files: &mut Files,
    version: u64,
    roles: &[(&str, &Keys, Value)],
    (signer, expires): (&Keys, &str),
) {
    let signed = |name: &str, key: &Keys, content: Value| {
        let mut signed = json!({
            "_type": name, "spec_version": "1.0.33", "version": version, "expires": expires,
        });
        signed.as_object_mut().zip(content.as_object()).into_iter().for_each(|(signed, content)| {
            signed.extend(content.clone());
        });
        envelope(&signed, &[key])
    };
    let mut pins = json!({});
    for (name, key, content) in roles {
        let list = signed("targets", key, content.clone());
        pins[format!("{name}.json")] = pin(version, &list);
        files.insert(format!("metadata/{version}.{name}.json"), Arc::new(list));
    }
    let snapshot = signed("snapshot", signer, json!({ "meta": pins }));
    let timestamp =
        signed("timestamp", signer, json!({ "meta": { "snapshot.json": pin(version, &snapshot) } }));
    files.insert(format!("metadata/{version}.snapshot.json"), Arc::new(snapshot));
    files.insert("metadata/timestamp.json".into(), Arc::new(timestamp));
}

/// Attaches a release to a file, which stays readable after it was removed.
pub(crate) fn attach(made: &Made, root: &[u8]) -> Attached {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let (shell, executable) = (folder.path().join("shell"), folder.path().join("app"));
    let contents = Contents {
        manifest: made.manifest.clone(),
        blobs: made.blobs.clone(),
        // Then files of groups are not attached.
        source: Some(UpdateSource { url: "simulated://".into(), ..UpdateSource::default() }),
        root: Some(root.to_vec()),
        shell: None,
        without_shell: false,
    };
    std::fs::write(&shell, "a shell").expect("a temporary file can be written");
    bundle::attach(&shell, &executable, &contents).expect("the release can be attached");
    bundle::read_attached(&executable).ok().flatten().expect("what was attached can be read")
}
