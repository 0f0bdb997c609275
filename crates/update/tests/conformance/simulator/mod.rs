//! A TUF repository in memory that can be made to say anything, and a client of it.
//!
//! Roles are kept as JSON and changed as the test likes; [`Simulator::publish`] raises the version, signs and serves. The client
//! is the `tuf_client` example, run as it is.

#![allow(dead_code, reason = "every test file uses its own part")]

mod keys;

#[path = "../../../examples/tuf_client.rs"]
#[allow(dead_code, reason = "its main function is not called here")]
pub mod tuf_client;

pub use keys::{Kind, Signer};

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

pub const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// A time as metadata spell it, so many days from now.
pub fn in_days(days: i64) -> String {
    staysail_update::publisher::metadata::time(now_in_days(days))
}

pub fn now_in_days(days: i64) -> jiff::Timestamp {
    jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days)
}

/// What the repository is made of.
pub struct Repository {
    /// The signed part of each role, as it will be published next.
    pub roles: BTreeMap<String, Value>,
    /// Every published version of each role, from 1.
    pub published: BTreeMap<String, Vec<Vec<u8>>>,
    pub signers: BTreeMap<String, Vec<Signer>>,
    /// Target path to what is served for it.
    pub artifacts: BTreeMap<String, Vec<u8>>,
    /// Role and version of each request for metadata.
    pub metadata_requests: Vec<(String, Option<u64>)>,
    /// Path of each request for a target, as it came.
    pub target_requests: Vec<String>,
    /// Whether snapshot and timestamp pin lengths and hashes, too.
    pub pin_hashes: bool,
    next_seed: u8,
}

impl Repository {
    fn new() -> Self {
        let mut new = Self {
            roles: BTreeMap::new(),
            published: BTreeMap::new(),
            signers: BTreeMap::new(),
            artifacts: BTreeMap::new(),
            metadata_requests: Vec::new(),
            target_requests: Vec::new(),
            pin_hashes: false,
            next_seed: 0,
        };
        for role in TOP_LEVEL {
            let signed =
                json!({ "_type": role, "spec_version": "1.0.31", "version": 0, "expires": in_days(30) });
            new.roles.insert(role.into(), signed);
        }
        new.role("root")["consistent_snapshot"] = true.into();
        new.role("root")["keys"] = json!({});
        new.role("root")["roles"] = json!({});
        new.role("timestamp")["meta"] = json!({});
        new.role("snapshot")["meta"] = json!({});
        new.role("targets")["targets"] = json!({});
        for role in TOP_LEVEL {
            new.role("root")["roles"][role] = json!({ "keyids": [], "threshold": 1 });
            new.add_key(role, Kind::Ed25519);
        }
        new.publish(&["root", "targets", "snapshot", "timestamp"]);
        new
    }

    pub fn role(&mut self, role: &str) -> &mut Value {
        self.roles.get_mut(role).unwrap_or_else(|| panic!("no role {role}"))
    }

    pub fn new_signer(&mut self, kind: Kind) -> Signer {
        self.next_seed += 1;
        Signer::new(kind, self.next_seed)
    }

    /// Trusts a key for a top-level role, without signing with it.
    pub fn trust(&mut self, role: &str, signer: &Signer) {
        let root = self.role("root");
        root["keys"][&signer.id] = signer.public.clone();
        root["roles"][role]["keyids"].as_array_mut().unwrap().push(signer.id.clone().into());
    }

    pub fn add_key(&mut self, role: &str, kind: Kind) -> Signer {
        let signer = self.new_signer(kind);
        self.trust(role, &signer);
        self.signers.entry(role.into()).or_default().push(signer.clone());
        signer
    }

    /// Exchanges all keys of a top-level role.
    pub fn rotate(&mut self, role: &str) {
        self.role("root")["roles"][role]["keyids"] = json!([]);
        self.signers.insert(role.into(), Vec::new());
        for _ in 0..self.role("root")["roles"][role]["threshold"].as_u64().unwrap() {
            self.add_key(role, Kind::Ed25519);
        }
    }

    /// Publishes the next version of each of these roles, in this order, and pins it in the one above.
    pub fn publish(&mut self, roles: &[&str]) {
        for role in roles {
            let published = self.published.entry((*role).into()).or_default();
            let version = published.len() as u64 + 1;
            self.role(role)["version"] = version.into();
            let bytes = self.sign(role);
            self.published.get_mut(*role).unwrap().push(bytes);
            self.pin(role, version);
        }
    }

    pub fn sign(&mut self, role: &str) -> Vec<u8> {
        let signed = self.role(role).clone();
        let canonical = sigstore_tuf::canonical_json::to_canonical_bytes(&signed).unwrap();
        let signatures: Vec<_> = self.signers[role]
            .iter()
            .map(|signer| json!({ "keyid": signer.id, "sig": signer.sign(&canonical) }))
            .collect();
        serde_json::to_vec(&json!({ "signatures": signatures, "signed": signed })).unwrap()
    }

    fn pin(&mut self, role: &str, version: u64) {
        let mut pin = json!({ "version": version });
        if self.pin_hashes {
            let bytes = self.published[role].last().unwrap();
            pin["length"] = bytes.len().into();
            pin["hashes"] = json!({ "sha256": staysail_update::hash::of(bytes) });
        }
        match role {
            "root" | "timestamp" => {}
            "snapshot" => self.role("timestamp")["meta"]["snapshot.json"] = pin,
            _ => self.role("snapshot")["meta"][format!("{role}.json")] = pin,
        }
    }

    /// Forgets every published version of a role: the next one is number 1 again.
    pub fn start_over(&mut self, role: &str) {
        self.published.remove(role);
    }

    /// Changes the last published file of a role behind its signatures.
    pub fn tamper(&mut self, role: &str, change: impl FnOnce(&mut Value)) {
        let last = self.published.get_mut(role).unwrap().last_mut().unwrap();
        let mut value = serde_json::from_slice(last).unwrap();
        change(&mut value);
        *last = serde_json::to_vec(&value).unwrap();
    }

    /// Names a target in a targets role and serves it.
    pub fn add_target(&mut self, role: &str, path: &str, content: &[u8]) {
        let hash = staysail_update::hash::of(content);
        self.role(role)["targets"][path] = json!({ "length": content.len(), "hashes": { "sha256": hash } });
        self.artifacts.insert(path.into(), content.into());
    }

    /// Lets `delegator` delegate to `role`, which gets a key of its own there.
    pub fn delegate(&mut self, delegator: &str, role: &str, terms: Value) {
        if !self.roles.contains_key(role) {
            let signed = json!({
                "_type": "targets", "spec_version": "1.0.31", "version": 0, "expires": in_days(30), "targets": {},
            });
            self.roles.insert(role.into(), signed);
        }
        let signer = self.new_signer(Kind::Ed25519);
        let delegator = self.role(delegator);
        if delegator["delegations"].is_null() {
            delegator["delegations"] = json!({ "keys": {}, "roles": [] });
        }
        delegator["delegations"]["keys"][&signer.id] = signer.public.clone();
        let mut delegation =
            json!({ "name": role, "keyids": [signer.id], "threshold": 1, "terminating": false });
        for (name, value) in terms.as_object().unwrap() {
            delegation[name] = value.clone();
        }
        delegator["delegations"]["roles"].as_array_mut().unwrap().push(delegation);
        self.signers.entry(role.into()).or_default().push(signer);
    }

    fn answer(&mut self, path: &str) -> Option<Vec<u8>> {
        if let Some(file) = path.strip_prefix("/metadata/") {
            let file = file.strip_suffix(".json")?;
            let consistent = self.role("root")["consistent_snapshot"] == true;
            let (version, role) = match file.split_once('.') {
                Some((version, role)) if role == "root" || (consistent && file != "timestamp") => {
                    (Some(version.parse().ok()?), role)
                }
                _ => (None, file),
            };
            self.metadata_requests.push((role.into(), version));
            let versions = self.published.get(&plain(role))?;
            return match version {
                None => versions.last().cloned(),
                Some(version) => versions.get(usize::try_from(version).ok()?.checked_sub(1)?).cloned(),
            };
        }
        let path = path.strip_prefix("/targets/")?;
        self.target_requests.push(path.into());
        let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
        let (_hash, name) = name.split_once('.')?;
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        self.artifacts.get(&plain(&path)).cloned()
    }
}

/// Undoes the escapes of an address.
fn plain(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        match (first, tail.get(..2)) {
            (b'%', Some(two)) => {
                out.push(u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap());
                rest = &tail[2..];
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).unwrap()
}

/// A repository that is served, and a client's folders.
pub struct Simulator {
    repository: Arc<Mutex<Repository>>,
    url: String,
    folder: tempfile::TempDir,
}

impl Simulator {
    pub fn new() -> Self {
        let repository = Arc::new(Mutex::new(Repository::new()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = Arc::clone(&repository);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&served);
                std::thread::spawn(move || serve(stream, &served));
            }
        });
        // In memory where there is such a thing: these tests sync thousands of files.
        let memory = std::path::Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        Self { repository, url, folder }
    }

    /// With a client that has the first root.
    pub fn with_client() -> Self {
        let simulator = Self::new();
        simulator.init().unwrap();
        simulator
    }

    pub fn repository(&self) -> MutexGuard<'_, Repository> {
        self.repository.lock().unwrap()
    }

    pub fn metadata_dir(&self) -> PathBuf {
        self.folder.path().join("metadata")
    }

    pub fn target_dir(&self) -> PathBuf {
        self.folder.path().join("targets")
    }

    /// Runs the client; `Err` is exit code 1.
    fn run(&self, words: &[&str]) -> Result<(), String> {
        let metadata_dir = self.metadata_dir();
        let words = [&["--metadata-dir", metadata_dir.to_str().unwrap()], words].concat();
        let arguments = tuf_client::read(words.into_iter().map(str::to_owned))?;
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(tuf_client::run(arguments))
    }

    pub fn init(&self) -> Result<(), String> {
        let first = self.repository().published["root"][0].clone();
        self.init_with(&first)
    }

    pub fn init_with(&self, root: &[u8]) -> Result<(), String> {
        let file = self.folder.path().join("initial_root.json");
        std::fs::write(&file, root).unwrap();
        self.run(&["init", file.to_str().unwrap()])
    }

    pub fn refresh(&self) -> Result<(), String> {
        self.refresh_in(0)
    }

    /// Refreshes by a clock that stands so many days ahead.
    pub fn refresh_in(&self, days: i64) -> Result<(), String> {
        let metadata = format!("{}/metadata/", self.url);
        self.run(&["--metadata-url", &metadata, "--time", &now_in_days(days).to_string(), "refresh"])
    }

    pub fn download(&self, names: &[&str]) -> Result<(), String> {
        self.download_in(0, names)
    }

    pub fn download_in(&self, days: i64, names: &[&str]) -> Result<(), String> {
        let (metadata, targets) = (format!("{}/metadata", self.url), format!("{}/targets/", self.url));
        let (folder, time) = (self.target_dir(), now_in_days(days).to_string());
        let mut words = vec!["--metadata-url", &metadata, "--target-base-url", &targets];
        words.extend(["--target-dir", folder.to_str().unwrap(), "--time", &time]);
        words.extend(names.iter().flat_map(|name| ["--target-name", name]));
        self.run(&[words, vec!["download"]].concat())
    }

    /// Role and version of everything the client trusts, sorted.
    pub fn trusted(&self) -> Vec<(String, u64)> {
        let mut found: Vec<_> = std::fs::read_dir(self.metadata_dir())
            .unwrap()
            .filter_map(|entry| {
                let path = entry.unwrap().path();
                let role = path.file_name().unwrap().to_str().unwrap().strip_suffix(".json")?.to_owned();
                let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                Some((role, file["signed"]["version"].as_u64().unwrap()))
            })
            .collect();
        found.sort();
        found
    }

    pub fn version(&self, role: &str) -> Option<u64> {
        self.trusted().into_iter().find(|(name, _)| name == role).map(|(_, version)| version)
    }

    /// Contents of all downloaded targets, sorted.
    pub fn downloaded(&self) -> Vec<Vec<u8>> {
        let Ok(listing) = std::fs::read_dir(self.target_dir()) else { return Vec::new() };
        let mut found: Vec<_> = listing.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
        found.sort();
        found
    }
}

fn serve(stream: TcpStream, repository: &Mutex<Repository>) {
    let mut reader = BufReader::new(&stream);
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let answer = repository.lock().unwrap().answer(path);
    let (status, body) = answer.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let _ = (&stream).write_all(head.as_bytes()).and_then(|()| (&stream).write_all(&body));
}
