//! A target: what signed metadata say of a file, and whether bytes are that file.

use crate::{Error, crypto, hash};
use sigstore_tuf::TargetFile;

/// A target as signed metadata name it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its path.
    pub path: String,
    /// Its length and hashes, and what else the publisher says of it.
    pub file: TargetFile,
    /// Delegated roles on the way to it, from the top down, each delegated by the one before.
    pub roles: Vec<String>,
}

impl Target {
    /// Checks that bytes are this target's: the length, and every hash that is known here, of which there must be one.
    ///
    /// # Errors
    /// [`Error::Tampered`].
    pub fn check(&self, bytes: &[u8]) -> Result<(), Error> {
        let wrong = |expected: &str, found: String| Error::Tampered {
            what: self.path.clone(),
            expected: expected.into(),
            found,
        };
        if self.file.length != bytes.len() as u64 {
            let expected = format!("(of {} bytes)", self.file.length);
            return Err(wrong(&expected, format!("{} bytes", bytes.len())));
        }
        let mut checked = false;
        for (name, expected) in &self.file.hashes {
            let found = match name.as_str() {
                "sha256" => hash::of(bytes),
                "sha512" => crypto::sha512(bytes),
                _ => continue,
            };
            if !found.eq_ignore_ascii_case(expected) {
                return Err(wrong(expected, found));
            }
            checked = true;
        }
        if checked { Ok(()) } else { Err(wrong("", "no hash that is known here".into())) }
    }
}
