//! Single keys: made, noted, copied, taken over.

use super::file::file_name;
use super::{Algorithm, Error, Found, GITIGNORE, KeyFile, Keys, Signing, metadata, refused, short};
use crate::disk::{Disk, OsDisk};
use crate::publisher::{Role, lists, role_of};
use serde_json::Value;
use sigstore_tuf::Root;
use std::path::Path;

impl Keys {
    /// Makes a new key, not yet trusted for anything.
    ///
    /// # Errors
    /// Disk errors.
    pub fn make(&self, role: Role, algorithm: Algorithm, passphrase: Option<&str>) -> Result<Signing, Error> {
        let (file, signing) = KeyFile::new(algorithm, passphrase)?;
        self.keep(&file, role.name(), &signing.id)?;
        Ok(signing)
    }

    /// Makes a new key for a channel's own role, not yet trusted for anything.
    ///
    /// # Errors
    /// [`Error::Refused`] for a name that can not be a channel's; disk errors.
    pub fn make_for_channel(
        &self,
        channel: &str,
        algorithm: Algorithm,
        passphrase: Option<&str>,
    ) -> Result<Signing, Error> {
        lists::check_channel(channel)?;
        let (file, signing) = KeyFile::new(algorithm, passphrase)?;
        self.keep(&file, &role_of(channel), &signing.id)?;
        Ok(signing)
    }

    /// Removes keys that were made for a root that could not be made. What the root in force trusts stays.
    ///
    /// # Errors
    /// Disk errors.
    pub fn discard(&self, ids: &[String]) -> Result<(), Error> {
        let root: Root = metadata::parse(&self.root()?)?;
        for found in self.found()?.into_iter().filter(|found| ids.contains(&found.id)) {
            if !root.keys.contains_key(&found.id) {
                OsDisk.remove(&found.path).map_err(Error::disk("removing", &found.path))?;
            }
        }
        Ok(())
    }

    /// Notes a key that an external signer has: `command` gets what is to be signed on its standard input and answers with the
    /// signature in hexadecimal. `public` is hexadecimal for Ed25519, PEM for the others. Gives the key and its id.
    ///
    /// # Errors
    /// [`Error::Refused`] for a scheme that clients do not know, and when the key is here already; disk errors.
    pub fn add_external(
        &self,
        role: Role,
        command: Vec<String>,
        scheme: &str,
        public: &str,
    ) -> Result<(Value, String), Error> {
        let file = KeyFile::external(command, scheme, public)?;
        let (key, id) = file.key()?;
        self.check_new(&id)?;
        self.keep(&file, role.name(), &id)?;
        Ok((key, id))
    }

    /// Takes over a key file from elsewhere, still encrypted. Gives its id.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is none, or is here already; disk errors.
    pub fn import(&self, path: &Path, role: Role) -> Result<String, Error> {
        self.take_over(path, role.name())
    }

    /// Takes over the key of a channel's own role from elsewhere, still encrypted. Gives its id.
    ///
    /// # Errors
    /// See [`Keys::import`]; [`Error::Refused`] for a name that can not be a channel's.
    pub fn import_for_channel(&self, path: &Path, channel: &str) -> Result<String, Error> {
        lists::check_channel(channel)?;
        self.take_over(path, &role_of(channel))
    }

    fn take_over(&self, path: &Path, role: &str) -> Result<String, Error> {
        let file = KeyFile::read(path)?.ok_or_else(|| refused(format!("there is no {}", path.display())))?;
        let id = file.key()?.1;
        self.check_new(&id)?;
        self.keep(&file, role, &id)?;
        Ok(id)
    }

    fn check_new(&self, id: &str) -> Result<(), Error> {
        if self.found()?.iter().any(|found| found.id == id) {
            return Err(refused(format!("the key {} is here already; nothing was changed", short(id))));
        }
        Ok(())
    }

    /// Copies a private key, as it is at rest, to a file that must not exist. `id` is its id or the beginning of it.
    ///
    /// # Errors
    /// See [`Keys::one`]; disk errors.
    pub fn export(&self, id: &str, to: &Path) -> Result<Found, Error> {
        let found = self.one(id)?;
        found.file.write(to)?;
        Ok(found)
    }

    /// Has private keys open with another passphrase from now on, or with none. First all of them are opened, so that a wrong
    /// one changes nothing; those that open with the new one already, after an end in the middle, are left. Gives the keys
    /// changed. Keys of external signers have no passphrase here.
    ///
    /// # Errors
    /// [`Error::Refused`] when the passphrase is wrong or missing, or a file is damaged; disk errors.
    pub fn change_passphrase(
        &self,
        keys: Vec<Found>,
        passphrase: Option<&str>,
        new: Option<&str>,
    ) -> Result<Vec<Found>, Error> {
        let mut changed = Vec::new();
        for found in keys {
            let done = found.file.is_encrypted() == new.is_some() && found.open(new).is_ok();
            if done {
                continue;
            }
            if let Some(file) = found.file.sealed_anew(&found.name(), passphrase, new)? {
                changed.push(Found { file, ..found });
            }
        }
        for found in &changed {
            found.file.replace(&found.path)?;
        }
        Ok(changed)
    }

    /// The private key with this id, or this beginning of one.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no such key here, or there are several.
    pub fn one(&self, id: &str) -> Result<Found, Error> {
        let mut found: Vec<_> = self.found()?.into_iter().filter(|found| found.id.starts_with(id)).collect();
        found.sort_by(|one, other| one.id.cmp(&other.id));
        found.dedup_by(|one, other| one.id == other.id);
        if found.len() > 1 {
            return Err(refused(format!("{id:?} is the beginning of several keys' ids; give more of it")));
        }
        found.pop().ok_or_else(|| refused(format!("no private key {id} is in {}", self.folder.display())))
    }

    /// Writes a key into the folder, after what keeps it out of version control.
    fn keep(&self, file: &KeyFile, role: &str, id: &str) -> Result<(), Error> {
        let ignore = self.folder.join(".gitignore");
        if std::fs::symlink_metadata(&ignore).is_err() {
            OsDisk.write(&ignore, GITIGNORE.as_bytes(), false).map_err(Error::disk("writing", &ignore))?;
        }
        file.write(&file_name(role, id, &self.folder))
    }
}
