//! Signatures, each verified once: thousands of schedules ask about the same few.

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256, Sha384, Sha512};
use sigstore_crypto::{CryptoProvider, Error, HashContext, SigningScheme};
use sigstore_types::HashAlgorithm;
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    static KNOWN: RefCell<HashMap<[u8; 32], bool>> = RefCell::default();
}

#[derive(Debug)]
struct Remembering;

enum Hash {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl HashContext for Hash {
    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(data),
            Self::Sha384(hash) => hash.update(data),
            Self::Sha512(hash) => hash.update(data),
        }
    }

    fn finalize(self: Box<Self>) -> Vec<u8> {
        match *self {
            Self::Sha256(hash) => hash.finalize().to_vec(),
            Self::Sha384(hash) => hash.finalize().to_vec(),
            Self::Sha512(hash) => hash.finalize().to_vec(),
        }
    }
}

fn verify(public: &[u8], data: &[u8], signature: &[u8]) -> Option<()> {
    let public = VerifyingKey::from_bytes(public.try_into().ok()?).ok()?;
    public.verify_strict(data, &Signature::from_slice(signature).ok()?).ok()
}

impl CryptoProvider for Remembering {
    fn hash(&self, algorithm: HashAlgorithm) -> sigstore_crypto::Result<Box<dyn HashContext>> {
        Ok(Box::new(match algorithm {
            HashAlgorithm::Sha2256 => Hash::Sha256(Sha256::new()),
            HashAlgorithm::Sha2384 => Hash::Sha384(Sha384::new()),
            HashAlgorithm::Sha2512 => Hash::Sha512(Sha512::new()),
            other => return Err(Error::UnsupportedAlgorithm(other.to_string())),
        }))
    }

    fn verify_raw(
        &self,
        scheme: SigningScheme,
        public_key: &[u8],
        data: &[u8],
        signature: &[u8],
    ) -> sigstore_crypto::Result<()> {
        if scheme != SigningScheme::Ed25519 {
            return Err(Error::UnsupportedAlgorithm(scheme.name().into()));
        }
        let mut key = Sha256::new();
        for part in [public_key, signature, data] {
            key.update((part.len() as u64).to_le_bytes());
            key.update(part);
        }
        let valid = KNOWN.with_borrow_mut(|known| {
            *known
                .entry(key.finalize().into())
                .or_insert_with(|| verify(public_key, data, signature).is_some())
        });
        if valid { Ok(()) } else { Err(Error::Verification("signature invalid".into())) }
    }

    fn verify_prehashed(
        &self,
        scheme: SigningScheme,
        _public_key: &[u8],
        _digest: &[u8],
        _signature: &[u8],
    ) -> sigstore_crypto::Result<()> {
        Err(Error::UnsupportedAlgorithm(scheme.name().into()))
    }
}

/// Takes the place of the product's implementation, which leaves one alone that is there already.
pub(crate) fn install() {
    // An error means that it is there from before.
    let _ = sigstore_crypto::install_default_provider(&Remembering);
}
