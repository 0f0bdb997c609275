//! What signs: a key of ours in memory, or a command that has one.

use super::refused;
use crate::publisher::metadata;
use crate::{Error, hash};
use ed25519_dalek::{Signer, SigningKey};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::Value;
use sigstore_types::{DerPublicKey, SignatureBytes};
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Longest time an external signer may take: somebody may have to touch a token.
pub const SIGNER_TIMEOUT_S: u64 = 300;
/// How often is looked whether a signer has ended.
const SIGNER_POLL: Duration = Duration::from_millis(5);
/// Longest answer of an external signer.
pub const SIGNER_ANSWER_BYTES_MAX: u64 = 64 << 10;

/// Kinds of keys that can be made here. Others can be brought by an external signer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519, the default.
    #[default]
    Ed25519,
    /// ECDSA with P-256 and SHA-256, which hardware tokens and cloud services know.
    Ecdsa,
}

enum Secret {
    Ed25519(Box<SigningKey>),
    Ecdsa(Box<EcdsaKeyPair>),
    External(Vec<String>),
}

/// A key that signs.
pub struct Signing {
    secret: Secret,
    /// The public key as metadata spell it.
    pub public: Value,
    /// The TUF key id.
    pub id: String,
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signing").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Signing {
    /// A key by its secret: the seed of Ed25519, PKCS #8 for ECDSA.
    pub(super) fn new(algorithm: Algorithm, secret: &[u8]) -> Result<Self, Error> {
        let (scheme, public, secret) = match algorithm {
            Algorithm::Ed25519 => {
                let seed = secret.try_into().map_err(|_| refused("the key has the wrong length"))?;
                let key = SigningKey::from_bytes(seed);
                let public = hash::hex(key.verifying_key().as_bytes());
                ("ed25519", public, Secret::Ed25519(Box::new(key)))
            }
            Algorithm::Ecdsa => {
                let key =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, secret, &SystemRandom::new())
                        .map_err(|error| refused(format!("the key can not be read: {error}")))?;
                let public = pem(key.public_key().as_ref());
                ("ecdsa-sha2-nistp256", public, Secret::Ecdsa(Box::new(key)))
            }
        };
        let (public, id) = metadata::key(scheme, &public)?;
        Ok(Self { secret, public, id })
    }

    /// A key that only `command` can use.
    pub(super) fn external(command: &[String], scheme: &str, public: &str) -> Result<Self, Error> {
        let (public, id) = metadata::key(scheme, public)?;
        Ok(Self { secret: Secret::External(command.to_vec()), public, id })
    }

    /// A new secret.
    pub(super) fn generate(algorithm: Algorithm) -> Result<Vec<u8>, Error> {
        match algorithm {
            Algorithm::Ed25519 => {
                let mut seed = vec![0; 32];
                super::random(&mut seed)?;
                Ok(seed)
            }
            Algorithm::Ecdsa => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
                    .map(|document| document.as_ref().to_vec())
                    .map_err(|error| refused(format!("no key could be made: {error}")))
            }
        }
    }

    /// The signature over `bytes`, in hexadecimal. It is verified before it is given out.
    ///
    /// # Errors
    /// [`Error::Refused`] when an external signer fails, takes too long, or signs with another key.
    pub fn sign(&self, bytes: &[u8]) -> Result<String, Error> {
        let signature = match &self.secret {
            Secret::Ed25519(key) => hash::hex(&key.sign(bytes).to_bytes()),
            Secret::Ecdsa(key) => {
                let signature = key.sign(&SystemRandom::new(), bytes);
                hash::hex(signature.map_err(|_| refused("a key could not sign"))?.as_ref())
            }
            Secret::External(command) => ask(command, &self.id, bytes)?,
        };
        let wrong =
            || refused(format!("the signer of key {} gave no signature of that key", short(&self.id)));
        let raw = hash::unhex(&signature).ok_or_else(wrong)?;
        let key: sigstore_tuf::Key = serde_json::from_value(self.public.clone()).map_err(|_| wrong())?;
        crate::crypto::install();
        key.verify(bytes, &SignatureBytes::new(raw)).map_err(|_| wrong())?;
        Ok(signature)
    }
}

/// The beginning of a key's id, enough for people.
pub fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// Runs an external signer: the bytes come on its standard input, the signature in hexadecimal on its standard output, the
/// key's id in the environment variable `STAYSAIL_KEY_ID`.
fn ask(command: &[String], id: &str, bytes: &[u8]) -> Result<String, Error> {
    ask_within(Duration::from_secs(SIGNER_TIMEOUT_S), command, id, bytes)
}

fn ask_within(limit: Duration, command: &[String], id: &str, bytes: &[u8]) -> Result<String, Error> {
    let deadline = Instant::now() + limit;
    let failed =
        |why: String| refused(format!("the signer {:?} {why}; nothing was signed", command.join(" ")));
    let [program, arguments @ ..] = command else { return Err(failed("is empty".into())) };
    let mut child = Command::new(program)
        .args(arguments)
        .env("STAYSAIL_KEY_ID", id)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("could not be started: {error}")))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (sender, answer) = mpsc::channel();
    let bytes = bytes.to_vec();
    std::thread::spawn(move || {
        // A signer that does not read everything answers what it answers.
        let _ = stdin.map(|mut stdin| stdin.write_all(&bytes));
        let mut text = String::new();
        let read = stdout.map(|stdout| stdout.take(SIGNER_ANSWER_BYTES_MAX).read_to_string(&mut text));
        let _ = sender.send(read.and_then(Result::ok).map(|_| text));
    });
    let answer = answer.recv_timeout(limit);
    let status = ended(&mut child, deadline).map_err(|error| failed(error.to_string()))?;
    match (answer, status) {
        (Err(_), _) => Err(failed(format!("did not answer within {} s", limit.as_secs()))),
        (_, None) => Err(failed(format!("did not end within {} s", limit.as_secs()))),
        (_, Some(status)) if !status.success() => Err(failed(format!("failed ({status})"))),
        (Ok(None), _) => Err(failed("gave no text".into())),
        (Ok(Some(text)), _) => Ok(text.trim().to_ascii_lowercase()),
    }
}

/// How it has ended; `None` when it had to be ended.
fn ended(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(SIGNER_POLL);
    }
}

/// A point on P-256 as PEM of its `SubjectPublicKeyInfo` (RFC 5480).
fn pem(point: &[u8]) -> String {
    const HEAD: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    DerPublicKey::new([&HEAD[..], point].concat()).to_pem()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_both_kinds_sign_and_their_ids_come_from_the_key() {
        for algorithm in [Algorithm::Ed25519, Algorithm::Ecdsa] {
            let secret = Signing::generate(algorithm).unwrap();
            let signing = Signing::new(algorithm, &secret).unwrap();
            // `sign` verifies by itself.
            signing.sign(b"message").unwrap();
            let canonical = sigstore_tuf::canonical_json::to_canonical_bytes(&signing.public).unwrap();
            assert_eq!(signing.id, hash::of(&canonical));
        }
        assert!(Signing::new(Algorithm::Ecdsa, b"no key").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn an_external_signer_is_believed_when_its_signature_fits() {
        let own = Signing::new(Algorithm::Ed25519, &[7; 32]).unwrap();
        let public = own.public["keyval"]["public"].as_str().unwrap();
        let signature = own.sign(b"message").unwrap();
        let says = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
        let asked = |script: &str, bytes: &[u8]| {
            Signing::external(&says(script), "ed25519", public)
                .unwrap()
                .sign(bytes)
                .map_err(|error| error.to_string())
        };
        let echo =
            format!("test \"$(cat)\" = message && test $STAYSAIL_KEY_ID = {} && echo {signature}", own.id);
        assert_eq!(asked(&echo, b"message").unwrap(), signature);
        assert!(asked(&echo, b"another").unwrap_err().contains("failed"));
        assert!(
            asked(&format!("echo {signature}"), b"another").unwrap_err().contains("no signature of that key")
        );
        assert!(asked("echo nonsense", b"message").unwrap_err().contains("no signature of that key"));
        assert!(asked("exit 3", b"message").unwrap_err().contains("failed"));
        // One that has answered and does not end is not waited for for ever.
        let hangs = says(&format!("echo {signature}; exec >&- sleep 1000"));
        let error = ask_within(Duration::from_millis(300), &hangs, &own.id, b"message").unwrap_err();
        assert!(error.to_string().contains("did not"), "{error}");
        let missing = Signing::external(&["/nowhere/signer".into()], "ed25519", public).unwrap();
        assert!(missing.sign(b"message").unwrap_err().to_string().contains("could not be started"));
    }
}
