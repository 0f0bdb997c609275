//! Which implementation of signatures, hashes and TLS is used: `ring`, for all of them (ADR 7).
//!
//! `sigstore-tuf` and `rustls` take theirs from the process; neither works without one. So whatever uses them comes
//! through here: [`trusted`] for metadata, [`http_client`] for the network.
//!
//! **Invariant:** only verifies. Nothing here can sign, and no algorithm is weaker than what `sigstore-crypto` itself
//! allows: its post-quantum ones are refused, because `ring` does not know them.

use crate::Error;
use ring::{digest, signature};
use sigstore_crypto::{CryptoProvider, Error as CryptoError, HashContext, SigningScheme};
use sigstore_tuf::TrustedMetadataSet;
use sigstore_types::HashAlgorithm;

#[derive(Debug)]
struct Ring;

struct Hash(digest::Context);

impl HashContext for Hash {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self: Box<Self>) -> Vec<u8> {
        self.0.finish().as_ref().to_vec()
    }
}

fn algorithm(scheme: SigningScheme) -> Option<&'static dyn signature::VerificationAlgorithm> {
    Some(match scheme {
        SigningScheme::Ed25519 => &signature::ED25519,
        SigningScheme::EcdsaP256Sha256 => &signature::ECDSA_P256_SHA256_ASN1,
        SigningScheme::EcdsaP256Sha384 => &signature::ECDSA_P256_SHA384_ASN1,
        SigningScheme::EcdsaP384Sha256 => &signature::ECDSA_P384_SHA256_ASN1,
        SigningScheme::EcdsaP384Sha384 => &signature::ECDSA_P384_SHA384_ASN1,
        SigningScheme::RsaPssSha256 => &signature::RSA_PSS_2048_8192_SHA256,
        SigningScheme::RsaPssSha384 => &signature::RSA_PSS_2048_8192_SHA384,
        SigningScheme::RsaPssSha512 => &signature::RSA_PSS_2048_8192_SHA512,
        SigningScheme::RsaPkcs1Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        SigningScheme::RsaPkcs1Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        SigningScheme::RsaPkcs1Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        _ => return None,
    })
}

impl CryptoProvider for Ring {
    fn hash(&self, algorithm: HashAlgorithm) -> sigstore_crypto::Result<Box<dyn HashContext>> {
        let algorithm = match algorithm {
            HashAlgorithm::Sha2256 => &digest::SHA256,
            HashAlgorithm::Sha2384 => &digest::SHA384,
            HashAlgorithm::Sha2512 => &digest::SHA512,
            other => return Err(CryptoError::UnsupportedAlgorithm(format!("{other} can not be computed"))),
        };
        Ok(Box::new(Hash(digest::Context::new(algorithm))))
    }

    fn verify_raw(
        &self,
        scheme: SigningScheme,
        public_key: &[u8],
        data: &[u8],
        signature: &[u8],
    ) -> sigstore_crypto::Result<()> {
        let algorithm = algorithm(scheme).ok_or_else(|| {
            CryptoError::UnsupportedAlgorithm(format!("signatures by {} are not known here", scheme.name()))
        })?;
        signature::UnparsedPublicKey::new(algorithm, public_key)
            .verify(data, signature)
            .map_err(|_| CryptoError::Verification(format!("{} signature invalid", scheme.name())))
    }

    /// TUF signs messages, never digests; nothing asks for this.
    fn verify_prehashed(
        &self,
        scheme: SigningScheme,
        _public_key: &[u8],
        _digest: &[u8],
        _signature: &[u8],
    ) -> sigstore_crypto::Result<()> {
        let message = format!("signatures by {} over a digest are not known here", scheme.name());
        Err(CryptoError::UnsupportedAlgorithm(message))
    }
}

/// Makes `ring` the implementation of this process, unless the program has chosen another one before.
pub(crate) fn install() {
    // An error means that there is one already.
    let _ = sigstore_crypto::install_default_provider(&Ring);
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// The beginning of all trust: a root that is known to be good.
///
/// # Errors
/// [`Error::Trust`] when it is none, or is not signed by its own keys.
pub(crate) fn trusted(root: &[u8]) -> Result<TrustedMetadataSet, Error> {
    install();
    Ok(TrustedMetadataSet::from_root(root)?)
}

/// SHA-512, in hexadecimal.
pub(crate) fn sha512(bytes: &[u8]) -> String {
    crate::hash::hex(digest::digest(&digest::SHA512, bytes).as_ref())
}

/// A client for HTTP and HTTPS, to be configured further.
pub(crate) fn http_client() -> reqwest::ClientBuilder {
    install();
    reqwest::Client::builder()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    #[test]
    fn a_signature_counts_for_its_message_key_and_scheme_alone() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = key.verifying_key().to_bytes();
        let signature = key.sign(b"message").to_bytes();
        let verify = |scheme, public: &[u8], message: &[u8], signature: &[u8]| {
            Ring.verify_raw(scheme, public, message, signature)
        };
        assert!(verify(SigningScheme::Ed25519, &public, b"message", &signature).is_ok());
        let mut other = signature;
        other[10] ^= 1;
        let stranger = SigningKey::from_bytes(&[8; 32]).verifying_key().to_bytes();
        assert!(verify(SigningScheme::Ed25519, &public, b"massage", &signature).is_err());
        assert!(verify(SigningScheme::Ed25519, &public, b"message", &other).is_err());
        assert!(verify(SigningScheme::Ed25519, &stranger, b"message", &signature).is_err());
        assert!(verify(SigningScheme::EcdsaP256Sha256, &public, b"message", &signature).is_err());
        assert!(verify(SigningScheme::MlDsa65, &public, b"message", &signature).is_err());
        assert!(
            Ring.verify_prehashed(SigningScheme::EcdsaP256Sha256, &public, &[0; 32], &signature).is_err()
        );
    }

    #[test]
    fn hashes_are_those_of_the_standard() {
        assert_eq!(crate::hash::hex(&Ring.sha256(b"abc")), crate::hash::of(b"abc"));
        assert!(crate::hash::hex(&Ring.sha384(b"abc")).starts_with("cb00753f45a35e8b"));
        assert!(crate::hash::hex(&Ring.sha512(b"abc")).starts_with("ddaf35a193617aba"));
    }
}
