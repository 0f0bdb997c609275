//! One key at rest.

use super::signing::{Algorithm, Signing, short};
use super::{KEY_BYTES_MAX, random, refused};
use crate::publisher::metadata;
use crate::{Error, disk, hash};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Memory Argon2id uses, in KiB; costs far above this in a key file are refused.
pub const ARGON2_MEMORY_KIB: u32 = 64 << 10;
/// Passes of Argon2id over it.
pub const ARGON2_PASSES: u32 = 3;

/// What a key file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyFile {
    keytype: String,
    pub(super) scheme: String,
    pub(super) public: String,
    #[serde(flatten)]
    private: Private,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "encryption")]
enum Private {
    #[serde(rename = "none")]
    Plain { seed: String },
    #[serde(rename = "argon2id-chacha20poly1305")]
    Encrypted { memory_kib: u32, passes: u32, salt: String, nonce: String, ciphertext: String },
    /// The private key is elsewhere, and this command signs with it.
    #[serde(rename = "external")]
    External { command: Vec<String> },
}

/// How a private key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// In the file, in the clear.
    Plain,
    /// In the file, encrypted.
    Encrypted,
    /// Elsewhere; the file says how its signer is asked.
    External,
}

impl Kept {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "here, NOT encrypted",
            Self::Encrypted => "here, encrypted",
            Self::External => "with an external signer",
        }
    }
}

impl KeyFile {
    /// A new key.
    pub(super) fn new(algorithm: Algorithm, passphrase: Option<&str>) -> Result<(Self, Signing), Error> {
        let secret = Signing::generate(algorithm)?;
        let signing = Signing::new(algorithm, &secret)?;
        let text = |name: &str| signing.public[name].as_str().unwrap_or_default().to_owned();
        let public = signing.public["keyval"]["public"].as_str().unwrap_or_default().to_owned();
        let private = seal(&secret, &public, passphrase)?;
        Ok((Self { keytype: text("keytype"), scheme: text("scheme"), public, private }, signing))
    }

    /// A key that `command` signs with.
    pub(super) fn external(command: Vec<String>, scheme: &str, public: &str) -> Result<Self, Error> {
        let (key, _) = metadata::key(scheme, public)?;
        let keytype = key["keytype"].as_str().unwrap_or_default().to_owned();
        Ok(Self {
            keytype,
            scheme: scheme.into(),
            public: public.into(),
            private: Private::External { command },
        })
    }

    /// Reads a key file; `None` when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let bytes = disk::read(path, KEY_BYTES_MAX).map_err(Error::disk("reading", path))?;
        let Some(bytes) = bytes else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            refused(format!("{} is damaged ({error}); restore it from your backup", path.display()))
        })
    }

    /// Writes a new key file, which nobody else can read. What is there is never overwritten, and a full disk or an end in the
    /// middle leaves no half a key under this name.
    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        self.write_beside(path, name_new)
    }

    /// Writes a key file in the place of the one there, which stays as it is until this one is whole.
    pub(super) fn replace(&self, path: &Path) -> Result<(), Error> {
        self.write_beside(path, |whole, path| {
            fs::rename(whole, path).map_err(Error::disk("replacing", path))?;
            sync_parent(path)
        })
    }

    /// Writes a file beside `path` that nobody else can read, and has `name` give it that name.
    fn write_beside(
        &self,
        path: &Path,
        name: impl Fn(&Path, &Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        let mut salt = [0; 4];
        random(&mut salt)?;
        let mut beside = path.file_name().unwrap_or_default().to_owned();
        beside.push(format!(".{}", hash::hex(&salt)));
        let half = path.with_file_name(beside);
        let written = write_new(&half, &json).and_then(|()| name(&half, path));
        let _ = fs::remove_file(&half);
        written
    }

    /// The same key under another passphrase; `None` when the private key is elsewhere.
    ///
    /// # Errors
    /// See [`KeyFile::open`].
    pub(super) fn sealed_anew(
        &self,
        name: &str,
        passphrase: Option<&str>,
        new: Option<&str>,
    ) -> Result<Option<Self>, Error> {
        let Some(secret) = self.secret(name, passphrase)? else { return Ok(None) };
        // Also a key in the clear may be damaged, and would be so for ever once it is encrypted.
        self.open(name, passphrase)?;
        let private = seal(&secret, &self.public, new)?;
        Ok(Some(Self { private, ..self.clone() }))
    }

    /// Its public key as metadata spell it, and its id.
    pub(super) fn key(&self) -> Result<(serde_json::Value, String), Error> {
        metadata::key(&self.scheme, &self.public)
    }

    /// Whether it takes a passphrase.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.private, Private::Encrypted { .. })
    }

    /// How the private key is kept.
    pub fn kept(&self) -> Kept {
        match self.private {
            Private::Plain { .. } => Kept::Plain,
            Private::Encrypted { .. } => Kept::Encrypted,
            Private::External { .. } => Kept::External,
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`Error::Refused`] when the passphrase is wrong or missing, or the file is damaged.
    pub fn open(&self, name: &str, passphrase: Option<&str>) -> Result<Signing, Error> {
        if let Private::External { command } = &self.private {
            return Signing::external(command, &self.scheme, &self.public);
        }
        let algorithm = match self.scheme.as_str() {
            "ed25519" => Algorithm::Ed25519,
            _ => Algorithm::Ecdsa,
        };
        let secret = self.secret(name, passphrase)?.unwrap_or_default();
        let signing = Signing::new(algorithm, &secret).map_err(|_| damaged(name))?;
        if signing.public["keyval"]["public"] != *self.public {
            return Err(damaged(name));
        }
        Ok(signing)
    }

    /// The private key; `None` when it is elsewhere.
    fn secret(&self, name: &str, passphrase: Option<&str>) -> Result<Option<Vec<u8>>, Error> {
        let damaged = || damaged(name);
        let secret = match &self.private {
            Private::External { .. } => return Ok(None),
            Private::Plain { seed } => hash::unhex(seed).ok_or_else(damaged)?,
            Private::Encrypted { memory_kib, passes, salt, nonce, ciphertext } => {
                let passphrase = passphrase.ok_or_else(|| {
                    refused(format!(
                        "the {name} is encrypted; give its passphrase (--passphrase-file or STAYSAIL_KEYS_PASSPHRASE)"
                    ))
                })?;
                if *memory_kib > ARGON2_MEMORY_KIB * 16 || *passes > ARGON2_PASSES * 16 {
                    return Err(damaged());
                }
                let salt = hash::unhex(salt).ok_or_else(damaged)?;
                let cipher = cipher(passphrase, &salt, *memory_kib, *passes)?;
                let nonce: [u8; 12] =
                    hash::unhex(nonce).and_then(|n| n.try_into().ok()).ok_or_else(damaged)?;
                let ciphertext = hash::unhex(ciphertext).ok_or_else(damaged)?;
                let payload = Payload { msg: &ciphertext, aad: self.public.as_bytes() };
                cipher.decrypt(&nonce.into(), payload).map_err(|_| {
                    refused(format!("wrong passphrase for the {name} (or its file is damaged)"))
                })?
            }
        };
        Ok(Some(secret))
    }
}

fn damaged(name: &str) -> Error {
    refused(format!("the {name} is damaged; restore it from your backup"))
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    // Created with its mode: there is no moment at which others could read it.
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path).map_err(Error::disk("creating", path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::disk("writing", path))
}

/// Gives a whole file its name, unless that is taken.
fn name_new(whole: &Path, path: &Path) -> Result<(), Error> {
    let there = |error: &std::io::Error| error.kind() == std::io::ErrorKind::AlreadyExists;
    match fs::hard_link(whole, path) {
        Ok(()) => {}
        Err(error) if there(&error) => return Err(Error::disk("creating", path)(error)),
        // Sticks and some network folders know no second name for a file.
        Err(_) if fs::symlink_metadata(path).is_ok() => {
            return Err(Error::disk("creating", path)(std::io::ErrorKind::AlreadyExists.into()));
        }
        Err(_) => fs::rename(whole, path).map_err(Error::disk("creating", path))?,
    }
    sync_parent(path)
}

/// Makes what was named in a folder durable.
fn sync_parent(path: &Path) -> Result<(), Error> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => disk::sync_folder(folder).map_err(Error::disk("syncing", folder)),
        None => disk::sync_folder(Path::new(".")).map_err(Error::disk("syncing", path)),
    }
}

/// A name for a key in messages and of its file.
pub(super) fn file_name(role: &str, id: &str, folder: &Path) -> PathBuf {
    let first = folder.join(format!("{role}.key"));
    if fs::symlink_metadata(&first).is_ok() {
        folder.join(format!("{role}-{}.key", short(id)))
    } else {
        first
    }
}

fn seal(secret: &[u8], public: &str, passphrase: Option<&str>) -> Result<Private, Error> {
    let Some(passphrase) = passphrase else { return Ok(Private::Plain { seed: hash::hex(secret) }) };
    let (mut salt, mut nonce) = ([0; 16], [0; 12]);
    random(&mut salt)?;
    random(&mut nonce)?;
    let cipher = cipher(passphrase, &salt, ARGON2_MEMORY_KIB, ARGON2_PASSES)?;
    let payload = Payload { msg: secret, aad: public.as_bytes() };
    let ciphertext =
        cipher.encrypt(&nonce.into(), payload).map_err(|_| refused("a key could not be encrypted"))?;
    Ok(Private::Encrypted {
        memory_kib: ARGON2_MEMORY_KIB,
        passes: ARGON2_PASSES,
        salt: hash::hex(&salt),
        nonce: hash::hex(&nonce),
        ciphertext: hash::hex(&ciphertext),
    })
}

fn cipher(passphrase: &str, salt: &[u8], memory_kib: u32, passes: u32) -> Result<ChaCha20Poly1305, Error> {
    let bad = |error: argon2::Error| refused(format!("the passphrase can not be used: {error}"));
    let params = argon2::Params::new(memory_kib, passes, 1, Some(32)).map_err(bad)?;
    let argon = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    let mut key = [0; 32];
    argon.hash_password_into(passphrase.as_bytes(), salt, &mut key).map_err(bad)?;
    Ok(ChaCha20Poly1305::new(&key.into()))
}
