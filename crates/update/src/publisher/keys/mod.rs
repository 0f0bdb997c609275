//! The signing keys of a repository: made, kept encrypted, exchanged.
//!
//! # Theory of operation
//! ```text
//! keys/root.json             the public trust root; built into apps and kept in version control
//! keys/roots/N.root.json     every root there ever was
//! keys/draft.root.json       the next root while it waits for signatures
//! keys/*.key                 private keys, or how an external signer is asked; root.json says which role each is for
//! keys/retired/              keys that no root trusts any more
//! keys/.gitignore            lets nothing but the public files into version control
//! ```
//! A key at rest is encrypted with ChaCha20-Poly1305 under a key made from the passphrase by Argon2id (salt and costs are
//! in the file). Without a passphrase it is plain, for tests and for keys that a vault encrypts itself.
//!
//! Every change of who may sign is a new root. It is signed by enough keys of the root before it and enough of its own
//! (section 5.3.4 and 5.3.5). Where these are not all in one folder the draft goes round: it is an ordinary metadata file
//! to which each holder adds signatures.

mod file;
mod root;
mod signing;
mod single;

pub use file::{ARGON2_MEMORY_KIB, ARGON2_PASSES, Kept, KeyFile};
pub use root::{Draft, Progress, changes};
pub use signing::{Algorithm, SIGNER_ANSWER_BYTES_MAX, SIGNER_TIMEOUT_S, Signing, short};

use super::metadata::{self, Role};
use crate::disk::{Disk, OsDisk};
use crate::{Error, crypto, disk};
use serde_json::{Value, json};
use sigstore_tuf::{Metadata, Root};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Days a root is valid: it says who may sign, and is renewed with `staysail keys renew`.
pub const ROOT_EXPIRY_DAYS: i64 = 3_650;
/// Largest key or root file.
pub const KEY_BYTES_MAX: u64 = 1 << 20;

const GITIGNORE: &str = "# Only what is public. The .key files sign releases: whoever has them is you.\n*\n!.gitignore\n!root.json\n!roots/\n!roots/*.root.json\n";

/// How many keys each role is to have, and how many of them must sign.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Keys and threshold by role; one of one where nothing is said.
    pub roles: BTreeMap<Role, (usize, usize)>,
    /// Kind of keys.
    pub algorithm: Algorithm,
}

impl Default for Plan {
    fn default() -> Self {
        Self { roles: BTreeMap::new(), algorithm: Algorithm::Ed25519 }
    }
}

/// What became of a change of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Version of the new root.
    pub version: u64,
    /// How far its signing has come. When it is complete the new root is in force.
    pub progress: Progress,
}

/// A private key found in the folder.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its file.
    pub path: PathBuf,
    /// Its id.
    pub id: String,
    /// What is in the file.
    pub file: KeyFile,
}

/// A folder of keys.
#[derive(Debug, Clone)]
pub struct Keys {
    folder: PathBuf,
}

fn refused(message: impl Into<String>) -> Error {
    Error::Refused(message.into())
}

fn random(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| refused(format!("the system gives no randomness: {error}")))
}

impl Keys {
    /// The keys in `folder`.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Makes one key for each role and the first root. With no passphrase the private keys lie there in the clear.
    ///
    /// # Errors
    /// [`Error::Refused`] when anything of a key folder is there already; disk errors.
    pub fn create(folder: &Path, passphrase: Option<&str>, now: jiff::Timestamp) -> Result<Self, Error> {
        Self::create_with(folder, &Plan::default(), passphrase, now)
    }

    /// Makes keys as planned and the first root.
    ///
    /// # Errors
    /// See [`Keys::create`]; [`Error::Refused`] for a threshold that the keys can not reach.
    pub fn create_with(
        folder: &Path,
        plan: &Plan,
        passphrase: Option<&str>,
        now: jiff::Timestamp,
    ) -> Result<Self, Error> {
        let keys = Self::at(folder);
        let there = keys.found()?.into_iter().map(|found| found.path);
        let there =
            there.chain(Some(folder.join("root.json")).filter(|path| fs::symlink_metadata(path).is_ok()));
        if let Some(path) = there.into_iter().next() {
            return Err(refused(format!(
                "{} exists already; nothing was changed. Keys are never overwritten: move the folder away first if \
                 you really want new ones (apps that pin the old root can then no longer be updated)",
                path.display()
            )));
        }
        if passphrase.is_some_and(str::is_empty) {
            return Err(refused("the passphrase is empty; nothing was written"));
        }
        let mut made = Vec::new();
        let mut first = Draft::after(&metadata::unsigned_root()?, metadata::in_days(now, ROOT_EXPIRY_DAYS))?;
        for role in Role::ALL {
            let (count, threshold) = plan.roles.get(&role).copied().unwrap_or((1, 1));
            first.set_threshold(role, threshold);
            for _ in 0..count {
                let (file, signing) = KeyFile::new(plan.algorithm, passphrase)?;
                first.add(role, &signing.public, &signing.id);
                made.push((role, file, signing));
            }
        }
        let signed = first.finish()?;
        fs::create_dir_all(folder).map_err(Error::disk("creating", folder))?;
        let ignore = folder.join(".gitignore");
        OsDisk.write(&ignore, GITIGNORE.as_bytes(), false).map_err(Error::disk("writing", &ignore))?;
        for (role, file, signing) in &made {
            file.write(&file::file_name(role.name(), &signing.id, folder))?;
        }
        let signers: Vec<_> =
            made.iter().filter(|(role, ..)| *role == Role::Root).map(|(.., signing)| signing).collect();
        keys.write_root(1, &metadata::envelope(&signed, &signers)?)?;
        Ok(keys)
    }

    /// Makes and signs the next root, the same but for its version and a new expiry.
    ///
    /// # Errors
    /// A root or key that can not be read; [`Error::Refused`] when the keys here are not enough; disk errors.
    pub fn renew(&self, passphrase: Option<&str>, now: jiff::Timestamp) -> Result<u64, Error> {
        let changed = self.change(passphrase, now, |_| Ok(()))?;
        if changed.progress.is_complete() {
            return Ok(changed.version);
        }
        Err(refused(format!(
            "the new root needs more signatures than the keys in {} can give; it waits in draft.root.json. Have the other \
             holders sign it (`staysail keys sign`)",
            self.folder.display()
        )))
    }

    /// Makes the next root with changes and signs it with the keys that are here. When that is not enough, it waits in
    /// `draft.root.json` for others.
    ///
    /// # Errors
    /// [`Error::Refused`] when a draft waits already, the change makes no sense, or no key here could be opened; disk errors.
    pub fn change(
        &self,
        passphrase: Option<&str>,
        now: jiff::Timestamp,
        change: impl FnOnce(&mut Draft) -> Result<(), Error>,
    ) -> Result<Changed, Error> {
        let envelope = self.draft(now, change)?;
        let signed = self.add_signatures(&envelope, passphrase)?;
        self.settle(&signed)
    }

    /// Makes the next root with changes and leaves it unsigned in `draft.root.json`.
    ///
    /// # Errors
    /// See [`Keys::change`].
    pub fn propose(
        &self,
        now: jiff::Timestamp,
        change: impl FnOnce(&mut Draft) -> Result<(), Error>,
    ) -> Result<Changed, Error> {
        let envelope = self.draft(now, change)?;
        self.settle(&envelope)
    }

    fn draft(
        &self,
        now: jiff::Timestamp,
        change: impl FnOnce(&mut Draft) -> Result<(), Error>,
    ) -> Result<Vec<u8>, Error> {
        let root = self.check_none_waits()?;
        let mut draft = Draft::after(&root, metadata::in_days(now, ROOT_EXPIRY_DAYS))?;
        change(&mut draft)?;
        metadata::envelope(&draft.finish()?, &[])
    }

    /// Adds the signatures of the keys here that count for a draft: those the current root trusts and those it trusts itself.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is not the root after the one here, or no key here could be opened.
    pub fn add_signatures(&self, draft: &[u8], passphrase: Option<&str>) -> Result<Vec<u8>, Error> {
        let (current, next) = self.successor(draft)?;
        let mut envelope: Value =
            serde_json::from_slice(draft).map_err(|error| refused(error.to_string()))?;
        let counts = |id: &String| {
            [&current, next.signed()]
                .iter()
                .any(|root| root.role("root").is_some_and(|role| role.keyids.contains(id)))
        };
        let (mut added, mut failure) = (0, None);
        for found in self.found()?.into_iter().filter(|found| counts(&found.id)) {
            let signature = found.open(passphrase).and_then(|signing| signing.sign(next.signed_canonical()));
            match (signature, &mut envelope["signatures"]) {
                (Ok(signature), Value::Array(signatures)) => {
                    signatures.retain(|one| one["keyid"] != *found.id);
                    signatures.push(json!({ "keyid": found.id, "sig": signature }));
                    added += 1;
                }
                (Err(error), _) => failure = failure.or(Some(error)),
                _ => return Err(refused("the draft has no list of signatures")),
            }
        }
        match failure {
            Some(error) if added == 0 => Err(error),
            _ if added == 0 => Err(refused(format!(
                "no key in {} counts for this root; nothing was signed",
                self.folder.display()
            ))),
            _ => metadata::pretty(&envelope),
        }
    }

    /// Takes a draft that others have signed: what it has of signatures joins what is known, and when there are enough the new
    /// root is in force.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is another root than the one that waits here; disk errors.
    pub fn accept(&self, draft: &[u8]) -> Result<Changed, Error> {
        self.settle(&match self.waiting_draft()? {
            None => draft.to_vec(),
            Some((_, waiting)) => join(&waiting, draft)?,
        })
    }

    fn settle(&self, envelope: &[u8]) -> Result<Changed, Error> {
        let (current, next) = self.successor(envelope)?;
        let changed = Changed { version: next.signed().version, progress: Progress::of(&current, &next) };
        let path = self.draft_path();
        if changed.progress.is_complete() {
            // By the same rules as a client, to the letter.
            crypto::trusted(&self.root()?)?.update_root(envelope)?;
            self.write_root(changed.version, envelope)?;
            OsDisk.remove(&path).map_err(Error::disk("removing", &path))?;
            self.retire(next.signed())?;
        } else {
            OsDisk.write(&path, envelope, false).map_err(Error::disk("writing", &path))?;
        }
        Ok(changed)
    }

    /// The current root, and the one after it in `draft`.
    fn successor(&self, draft: &[u8]) -> Result<(Root, Metadata<Root>), Error> {
        let current: Root = metadata::parse(&self.root()?)?;
        let next = Metadata::<Root>::from_slice(draft)?;
        if next.signed().version != current.version + 1 {
            return Err(refused(format!(
                "this is root {}, and root {} is in force here; nothing was changed",
                next.signed().version,
                current.version
            )));
        }
        crypto::install();
        for (id, key) in &next.signed().keys {
            // What is shown of a root are ids: none may stand for another key than it did.
            if current.keys.get(id) != Some(key) && key.key_id().ok().as_ref() != Some(id) {
                return Err(refused(format!(
                    "in root {} the id {id} stands for another key than the one it belongs to; nothing was signed. Ask whom \
                     you have this root from",
                    next.signed().version
                )));
            }
        }
        Ok((current, next))
    }

    fn retire(&self, root: &Root) -> Result<(), Error> {
        for found in self.found()?.into_iter().filter(|found| !root.keys.contains_key(&found.id)) {
            // Those of channels are trusted by the list of releases.
            if found.channel().is_some() {
                continue;
            }
            let folder = self.folder.join("retired");
            fs::create_dir_all(&folder).map_err(Error::disk("creating", &folder))?;
            let to = folder.join(format!("{}.key", found.id));
            fs::rename(&found.path, &to).map_err(Error::disk("moving", &found.path))?;
        }
        Ok(())
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where a root waits for signatures.
    pub fn draft_path(&self) -> PathBuf {
        self.folder.join("draft.root.json")
    }

    /// The version of the root that waits for signatures, if one does.
    ///
    /// # Errors
    /// One that can not be read.
    pub fn waiting(&self) -> Result<Option<u64>, Error> {
        Ok(self.waiting_draft()?.map(|(version, _)| version))
    }

    /// What waits, with its version. A draft of a root that is in force already is what an interruption left.
    fn waiting_draft(&self) -> Result<Option<(u64, Vec<u8>)>, Error> {
        let path = self.draft_path();
        let draft = disk::read(&path, KEY_BYTES_MAX).map_err(Error::disk("reading", &path))?;
        let Some(draft) = draft else { return Ok(None) };
        let version = metadata::parse::<Root>(&draft)?.version;
        let in_force = metadata::parse::<Root>(&self.root()?)?.version;
        Ok((version > in_force).then_some((version, draft)))
    }

    /// The root in force, when none waits to follow it: keys for a new one are made only when it can be made, too.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no root, or one waits for signatures.
    pub fn check_none_waits(&self) -> Result<Vec<u8>, Error> {
        let root = self.root()?;
        match self.waiting()? {
            None => Ok(root),
            Some(version) => Err(refused(format!(
                "root {version} waits for signatures in {}; nothing was changed. Finish it (`staysail keys sign`) or remove \
                 that file",
                self.draft_path().display()
            ))),
        }
    }

    /// The newest `root.json`.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is none.
    pub fn root(&self) -> Result<Vec<u8>, Error> {
        let path = self.folder.join("root.json");
        disk::read(&path, KEY_BYTES_MAX).map_err(Error::disk("reading", &path))?.ok_or_else(|| {
            refused(format!("there is no {}; make your keys once with `staysail keys init`", path.display()))
        })
    }

    /// Every root there ever was, by version.
    ///
    /// # Errors
    /// Disk errors.
    pub fn roots(&self) -> Result<BTreeMap<u64, Vec<u8>>, Error> {
        let newest = self.root()?;
        let version = metadata::parse::<Root>(&newest)?.version;
        let mut roots = BTreeMap::from([(version, newest)]);
        for older in 1..version {
            let path = self.folder.join(format!("roots/{older}.root.json"));
            if let Some(root) = disk::read(&path, KEY_BYTES_MAX).map_err(Error::disk("reading", &path))? {
                roots.insert(older, root);
            }
        }
        Ok(roots)
    }

    /// Every private key here.
    ///
    /// # Errors
    /// A key file that is damaged; disk errors.
    pub fn found(&self) -> Result<Vec<Found>, Error> {
        let Ok(listing) = fs::read_dir(&self.folder) else { return Ok(Vec::new()) };
        let mut paths: Vec<_> = listing.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "key"));
        paths.sort();
        let mut all = Vec::new();
        for path in paths {
            let Some(file) = KeyFile::read(&path)? else { continue };
            all.push(Found { id: file.key()?.1, path, file });
        }
        Ok(all)
    }

    /// The private keys here that the newest root trusts for `role`.
    ///
    /// # Errors
    /// See [`Keys::found`] and [`Keys::root`].
    pub fn of(&self, role: Role) -> Result<Vec<Found>, Error> {
        let root: Root = metadata::parse(&self.root()?)?;
        let ids = root.role(role.name()).map(|role| role.keyids.clone()).unwrap_or_default();
        Ok(self.found()?.into_iter().filter(|found| ids.contains(&found.id)).collect())
    }

    /// Whether a private key of `role` needs a passphrase.
    pub fn is_encrypted(&self, role: Role) -> bool {
        self.of(role).is_ok_and(|found| found.iter().any(|found| found.file.is_encrypted()))
    }

    /// Whether a private key for the role of a channel needs a passphrase.
    pub fn is_channel_encrypted(&self, channel: &str) -> bool {
        let role = super::role_of(channel);
        let its = |found: &Found| {
            let name = found.path.file_stem().unwrap_or_default().to_string_lossy();
            name.strip_prefix(&role).is_some_and(|rest| {
                rest.is_empty() || rest.strip_prefix('-').is_some_and(|id| found.id.starts_with(id))
            })
        };
        self.found().is_ok_and(|found| found.iter().any(|found| its(found) && found.file.is_encrypted()))
    }

    /// As many keys of `role` as must sign.
    ///
    /// # Errors
    /// [`Error::Refused`] when there are not enough here, or the passphrase is wrong or missing.
    pub fn signers(&self, role: Role, passphrase: Option<&str>) -> Result<Vec<Signing>, Error> {
        let root: Root = metadata::parse(&self.root()?)?;
        let trusted = root.role(role.name());
        let ids = trusted.map(|role| role.keyids.clone()).unwrap_or_default();
        let remedy = format!("have the root trust another (`staysail keys rotate {}`)", role.name());
        self.enough(role.name(), &ids, trusted.map_or(1, |role| role.threshold), passphrase, &remedy)
    }

    /// As many keys as must sign of those with these ids, for a role that the root does not know.
    pub(super) fn signers_among(
        &self,
        role: &str,
        ids: &[String],
        threshold: usize,
        passphrase: Option<&str>,
    ) -> Result<Vec<Signing>, Error> {
        let remedy = "give the channel another key (`staysail repo delegate`)";
        self.enough(role, ids, threshold, passphrase, remedy)
    }

    fn enough(
        &self,
        role: &str,
        ids: &[String],
        threshold: usize,
        passphrase: Option<&str>,
        remedy: &str,
    ) -> Result<Vec<Signing>, Error> {
        let (mut signers, mut failure) = (Vec::new(), None);
        for found in self.found()?.into_iter().filter(|found| ids.contains(&found.id)) {
            if signers.len() == threshold {
                break;
            }
            match found.open(passphrase) {
                Ok(signing) => signers.push(signing),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if signers.len() == threshold {
            return Ok(signers);
        }
        Err(failure.unwrap_or_else(|| {
            let (folder, found) = (self.folder.display(), signers.len());
            let lack = if threshold == 1 {
                format!("the {role} key is missing: no key in {folder} is one that is trusted for this role")
            } else {
                format!(
                    "the {role} role wants {threshold} signatures, and {found} of its keys are in {folder}"
                )
            };
            refused(format!("{lack}. Restore it from your backup, or {remedy}"))
        }))
    }

    fn write_root(&self, version: u64, bytes: &[u8]) -> Result<(), Error> {
        for path in [self.folder.join(format!("roots/{version}.root.json")), self.folder.join("root.json")] {
            OsDisk.write(&path, bytes, false).map_err(Error::disk("writing", &path))?;
        }
        Ok(())
    }
}

impl Found {
    /// The channel whose own key this is, by the name of its file.
    pub fn channel(&self) -> Option<&str> {
        self.path.file_stem()?.to_str()?.strip_prefix("channel-")
    }

    /// The public key as metadata spell it.
    ///
    /// # Errors
    /// [`Error::Refused`] for a damaged file.
    pub fn public(&self) -> Result<Value, Error> {
        Ok(self.file.key()?.0)
    }

    /// Opens the key.
    ///
    /// # Errors
    /// See [`KeyFile::open`].
    pub fn open(&self, passphrase: Option<&str>) -> Result<Signing, Error> {
        self.file.open(&self.name(), passphrase)
    }

    /// What messages call it.
    fn name(&self) -> String {
        format!("{} key", self.path.file_stem().unwrap_or_default().to_string_lossy())
    }
}

/// Both files' signatures on what both say.
fn join(waiting: &[u8], come: &[u8]) -> Result<Vec<u8>, Error> {
    let read = |bytes| serde_json::from_slice::<Value>(bytes).map_err(|error| refused(error.to_string()));
    let (mut waiting, come) = (read(waiting)?, read(come)?);
    if waiting["signed"] != come["signed"] {
        return Err(refused(
            "this is another root than the one that waits for signatures here; nothing was changed",
        ));
    }
    if let (Value::Array(known), Value::Array(come)) = (&mut waiting["signatures"], &come["signatures"]) {
        known.retain(|one| !come.iter().any(|other| other["keyid"] == one["keyid"]));
        known.extend(come.iter().cloned());
    }
    metadata::pretty(&waiting)
}

#[cfg(test)]
mod tests;
