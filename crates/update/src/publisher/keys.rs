//! The signing keys of a repository: made, kept encrypted, read.
//!
//! # Theory of operation
//! ```text
//! keys/root.json             the public trust root; built into apps and kept in version control
//! keys/roots/N.root.json     every root there ever was
//! keys/{root,targets}.key    offline keys: keep them away from the build server
//! keys/{snapshot,timestamp}.key  online keys: they only say what is newest
//! keys/.gitignore            lets nothing but the public files into version control
//! ```
//! A key at rest is encrypted with ChaCha20-Poly1305 under a key made from the passphrase by Argon2id (salt and costs are
//! in the file). Without a passphrase it is plain, for tests and for keys that a vault encrypts itself.

use super::metadata::{self, Role};
use crate::disk::{Disk, OsDisk};
use crate::{Error, disk, hash};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Days a root is valid: it says who may sign, and is renewed with `staysail keys renew`.
pub const ROOT_EXPIRY_DAYS: i64 = 3_650;
/// Largest key or root file.
pub const KEY_BYTES_MAX: u64 = 1 << 20;
/// Memory Argon2id uses, in KiB; costs above this in a key file are refused.
pub const ARGON2_MEMORY_KIB: u32 = 64 << 10;
/// Passes of Argon2id over it.
pub const ARGON2_PASSES: u32 = 3;

const GITIGNORE: &str = "# Only what is public. The .key files sign releases: whoever has them is you.\n*\n!.gitignore\n!root.json\n!roots/\n!roots/*.root.json\n";

#[derive(Serialize, Deserialize)]
struct KeyFile {
    keytype: String,
    scheme: String,
    public: String,
    #[serde(flatten)]
    private: Private,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "encryption")]
enum Private {
    #[serde(rename = "none")]
    Plain { seed: String },
    #[serde(rename = "argon2id-chacha20poly1305")]
    Encrypted { memory_kib: u32, passes: u32, salt: String, nonce: String, ciphertext: String },
}

/// A key that signs for a role.
pub struct Signing {
    key: SigningKey,
    /// The TUF key id.
    pub id: String,
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signing").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Signing {
    /// The signature over `bytes`, in hexadecimal.
    pub fn sign(&self, bytes: &[u8]) -> String {
        hash::hex(&self.key.sign(bytes).to_bytes())
    }

    fn new(seed: [u8; 32]) -> Result<Self, Error> {
        let key = SigningKey::from_bytes(&seed);
        let id = metadata::public_key(&hash::hex(key.verifying_key().as_bytes()))?.1;
        Ok(Self { key, id })
    }
}

/// A folder of keys.
#[derive(Debug, Clone)]
pub struct Keys {
    folder: PathBuf,
}

fn refused(message: impl Into<String>) -> Error {
    Error::Refused(message.into())
}

impl Keys {
    /// The keys in `folder`.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Makes all keys and the first root. With no passphrase the private keys lie there in the clear.
    ///
    /// # Errors
    /// [`Error::Refused`] when anything of a key folder is there already; disk errors.
    pub fn create(folder: &Path, passphrase: Option<&str>, now: jiff::Timestamp) -> Result<Self, Error> {
        let keys = Self::at(folder);
        let names =
            Role::ALL.iter().map(|role| format!("{}.key", role.name())).chain(["root.json".to_owned()]);
        for name in names {
            if fs::symlink_metadata(folder.join(&name)).is_ok() {
                return Err(refused(format!(
                    "{} exists already; nothing was changed. Keys are never overwritten: move the folder away first if \
                     you really want new ones (apps that pin the old root can then no longer be updated)",
                    folder.join(&name).display()
                )));
            }
        }
        if passphrase.is_some_and(str::is_empty) {
            return Err(refused("the passphrase is empty; nothing was written"));
        }
        fs::create_dir_all(folder).map_err(Error::disk("creating", folder))?;
        let mut signers = BTreeMap::new();
        for role in Role::ALL {
            let mut seed = [0; 32];
            random(&mut seed)?;
            let signing = Signing::new(seed)?;
            keys.write_key(role, &seed, &signing, passphrase)?;
            signers.insert(role, signing);
        }
        let public: BTreeMap<Role, String> = signers
            .iter()
            .map(|(role, signing)| (*role, hash::hex(signing.key.verifying_key().as_bytes())))
            .collect();
        let signed = metadata::root(1, metadata::in_days(now, ROOT_EXPIRY_DAYS), &public)?;
        keys.write_root(1, &metadata::envelope(&signed, &[&signers[&Role::Root]])?)?;
        let ignore = folder.join(".gitignore");
        OsDisk.write(&ignore, GITIGNORE.as_bytes(), false).map_err(Error::disk("writing", &ignore))?;
        Ok(keys)
    }

    /// Makes the next root, the same but for its version and a new expiry.
    ///
    /// # Errors
    /// A root or key that can not be read; disk errors.
    pub fn renew(&self, passphrase: Option<&str>, now: jiff::Timestamp) -> Result<u64, Error> {
        let root = self.root()?;
        let mut envelope: serde_json::Value = serde_json::from_slice(&root)
            .map_err(|error| refused(format!("root.json can not be read: {error}")))?;
        let version = metadata::parse::<sigstore_tuf::Root>(&root)?.version + 1;
        let mut signed = envelope["signed"].take();
        signed["version"] = version.into();
        signed["expires"] = metadata::time(metadata::in_days(now, ROOT_EXPIRY_DAYS)).into();
        let signer = self.signing(Role::Root, passphrase)?;
        self.write_root(version, &metadata::envelope(&signed, &[&signer])?)?;
        Ok(version)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
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
        let version = metadata::parse::<sigstore_tuf::Root>(&newest)?.version;
        let mut roots = BTreeMap::from([(version, newest)]);
        for older in 1..version {
            let path = self.folder.join(format!("roots/{older}.root.json"));
            if let Some(root) = disk::read(&path, KEY_BYTES_MAX).map_err(Error::disk("reading", &path))? {
                roots.insert(older, root);
            }
        }
        Ok(roots)
    }

    /// Whether the private key of `role` needs a passphrase; `None` when it is not there.
    pub fn is_encrypted(&self, role: Role) -> Option<bool> {
        Some(matches!(self.read_key(role).ok()?.private, Private::Encrypted { .. }))
    }

    /// The private key of `role`.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is missing, or the passphrase is wrong or missing.
    pub fn signing(&self, role: Role, passphrase: Option<&str>) -> Result<Signing, Error> {
        let file = self.read_key(role)?;
        let unreadable =
            || refused(format!("the {} key is damaged; restore it from your backup", role.name()));
        let seed = match &file.private {
            Private::Plain { seed } => hash::unhex(seed).ok_or_else(unreadable)?,
            Private::Encrypted { memory_kib, passes, salt, nonce, ciphertext } => {
                let passphrase = passphrase.ok_or_else(|| {
                    refused(format!(
                        "the {} key is encrypted; give its passphrase (--passphrase-file or STAYSAIL_KEYS_PASSPHRASE)",
                        role.name()
                    ))
                })?;
                if *memory_kib > ARGON2_MEMORY_KIB * 16 || *passes > ARGON2_PASSES * 16 {
                    return Err(unreadable());
                }
                let salt = hash::unhex(salt).ok_or_else(unreadable)?;
                let cipher = cipher(passphrase, &salt, *memory_kib, *passes)?;
                let nonce: [u8; 12] =
                    hash::unhex(nonce).and_then(|n| n.try_into().ok()).ok_or_else(unreadable)?;
                let ciphertext = hash::unhex(ciphertext).ok_or_else(unreadable)?;
                let payload = Payload { msg: &ciphertext, aad: file.public.as_bytes() };
                cipher.decrypt(&nonce.into(), payload).map_err(|_| {
                    refused(format!("wrong passphrase for the {} key (or its file is damaged)", role.name()))
                })?
            }
        };
        let signing = Signing::new(seed.try_into().map_err(|_| unreadable())?)?;
        if hash::hex(signing.key.verifying_key().as_bytes()) != file.public {
            return Err(unreadable());
        }
        Ok(signing)
    }

    fn read_key(&self, role: Role) -> Result<KeyFile, Error> {
        let path = self.folder.join(format!("{}.key", role.name()));
        let bytes = disk::read(&path, KEY_BYTES_MAX).map_err(Error::disk("reading", &path))?.ok_or_else(|| {
            refused(format!(
                "the {} key is missing ({}); restore it from your backup, or make keys with `staysail keys init`",
                role.name(),
                path.display()
            ))
        })?;
        serde_json::from_slice(&bytes).map_err(|error| {
            refused(format!("{} is damaged ({error}); restore it from your backup", path.display()))
        })
    }

    fn write_key(
        &self,
        role: Role,
        seed: &[u8; 32],
        signing: &Signing,
        passphrase: Option<&str>,
    ) -> Result<(), Error> {
        let public = hash::hex(signing.key.verifying_key().as_bytes());
        let private = match passphrase {
            None => Private::Plain { seed: hash::hex(seed) },
            Some(passphrase) => {
                let (mut salt, mut nonce) = ([0; 16], [0; 12]);
                random(&mut salt)?;
                random(&mut nonce)?;
                let cipher = cipher(passphrase, &salt, ARGON2_MEMORY_KIB, ARGON2_PASSES)?;
                let payload = Payload { msg: &seed[..], aad: public.as_bytes() };
                let ciphertext = cipher
                    .encrypt(&nonce.into(), payload)
                    .map_err(|_| refused("a key could not be encrypted"))?;
                Private::Encrypted {
                    memory_kib: ARGON2_MEMORY_KIB,
                    passes: ARGON2_PASSES,
                    salt: hash::hex(&salt),
                    nonce: hash::hex(&nonce),
                    ciphertext: hash::hex(&ciphertext),
                }
            }
        };
        let file = KeyFile { keytype: "ed25519".into(), scheme: "ed25519".into(), public, private };
        let path = self.folder.join(format!("{}.key", role.name()));
        // Created with its mode: there is no moment at which others could read it.
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let mut json = serde_json::to_vec_pretty(&file).unwrap_or_default();
        json.push(b'\n');
        let mut file = options.open(&path).map_err(Error::disk("creating", &path))?;
        file.write_all(&json).and_then(|()| file.sync_all()).map_err(Error::disk("writing", &path))
    }

    fn write_root(&self, version: u64, bytes: &[u8]) -> Result<(), Error> {
        for path in [self.folder.join(format!("roots/{version}.root.json")), self.folder.join("root.json")] {
            OsDisk.write(&path, bytes, false).map_err(Error::disk("writing", &path))?;
        }
        Ok(())
    }
}

fn random(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| refused(format!("the system gives no randomness: {error}")))
}

fn cipher(passphrase: &str, salt: &[u8], memory_kib: u32, passes: u32) -> Result<ChaCha20Poly1305, Error> {
    let bad = |error: argon2::Error| refused(format!("the passphrase can not be used: {error}"));
    let params = argon2::Params::new(memory_kib, passes, 1, Some(32)).map_err(bad)?;
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut key = [0; 32];
    argon.hash_password_into(passphrase.as_bytes(), salt, &mut key).map_err(bad)?;
    Ok(ChaCha20Poly1305::new(&key.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encrypted_keys_open_with_their_passphrase_only_and_are_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let now = jiff::Timestamp::now();
        let keys = Keys::create(&path, Some("correct horse"), now).unwrap();
        assert_eq!(keys.is_encrypted(Role::Targets), Some(true));
        let signing = keys.signing(Role::Targets, Some("correct horse")).unwrap();
        assert_eq!(signing.sign(b"x").len(), 128);
        for wrong in [None, Some("wrong")] {
            let error = keys.signing(Role::Targets, wrong).unwrap_err();
            assert!(matches!(&error, Error::Refused(text) if text.contains("passphrase")), "{error}");
        }
        let before = fs::read(path.join("root.key")).unwrap();
        assert!(matches!(Keys::create(&path, None, now), Err(Error::Refused(_))));
        assert_eq!(fs::read(path.join("root.key")).unwrap(), before);
        assert!(!String::from_utf8(before).unwrap().contains("seed"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(path.join("root.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_renewed_root_is_accepted_by_who_pins_the_first_one() {
        let folder = tempfile::tempdir().unwrap();
        let now = jiff::Timestamp::now();
        let keys = Keys::create(&folder.path().join("keys"), None, now).unwrap();
        let first = keys.root().unwrap();
        assert_eq!(keys.renew(None, now).unwrap(), 2);
        let mut trusted = crate::crypto::trusted(&first).unwrap();
        trusted.update_root(&keys.root().unwrap()).unwrap();
        assert_eq!(keys.roots().unwrap().into_keys().collect::<Vec<_>>(), [1, 2]);
    }
}
