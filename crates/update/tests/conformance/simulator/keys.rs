//! Keys of all kinds the TUF specification names.

use ed25519_dalek::Signer as _;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, KeyPair, RsaKeyPair};
use serde_json::{Value, json};
use staysail_update::hash;
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ed25519,
    Ecdsa,
    /// Always the same key: `ring` makes none, and only tests know this one.
    Rsa,
}

#[derive(Clone)]
enum Secret {
    Ed25519(Arc<ed25519_dalek::SigningKey>),
    Ecdsa(Arc<EcdsaKeyPair>),
    Rsa(Arc<RsaKeyPair>),
}

#[derive(Clone)]
pub struct Signer {
    pub id: String,
    pub public: Value,
    secret: Secret,
}

impl Signer {
    pub fn new(kind: Kind, seed: u8) -> Self {
        let (keytype, scheme, public, secret) = match kind {
            Kind::Ed25519 => {
                let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
                let public = hash::hex(key.verifying_key().as_bytes());
                ("ed25519", "ed25519", public, Secret::Ed25519(Arc::new(key)))
            }
            Kind::Ecdsa => {
                let (kind, random) = (&signature::ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
                let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
                let key = EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).unwrap();
                let public = pem(key.public_key().as_ref());
                ("ecdsa", "ecdsa-sha2-nistp256", public, Secret::Ecdsa(Arc::new(key)))
            }
            Kind::Rsa => {
                let key = RsaKeyPair::from_pkcs8(include_bytes!("rsa-for-tests.pk8")).unwrap();
                let public = include_str!("rsa-for-tests.pem").to_owned();
                ("rsa", "rsassa-pss-sha256", public, Secret::Rsa(Arc::new(key)))
            }
        };
        let public = json!({ "keytype": keytype, "scheme": scheme, "keyval": { "public": public } });
        let id = hash::of(&sigstore_tuf::canonical_json::to_canonical_bytes(&public).unwrap());
        Self { id, public, secret }
    }

    /// The same key under another id.
    pub fn alias(&self, id: &str) -> Self {
        Self { id: id.into(), ..self.clone() }
    }

    pub fn sign(&self, bytes: &[u8]) -> String {
        let random = SystemRandom::new();
        match &self.secret {
            Secret::Ed25519(key) => hash::hex(&key.sign(bytes).to_bytes()),
            Secret::Ecdsa(key) => hash::hex(key.sign(&random, bytes).unwrap().as_ref()),
            Secret::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&signature::RSA_PSS_SHA256, &random, bytes, &mut signature).unwrap();
                hash::hex(&signature)
            }
        }
    }
}

/// A point on P-256 as `SubjectPublicKeyInfo` in PEM.
fn pem(point: &[u8]) -> String {
    const HEAD: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let der = [&HEAD[..], point].concat();
    let mut out = String::from("-----BEGIN PUBLIC KEY-----\n");
    // 91 bytes: 30 whole groups of three and one byte more.
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let mut bits = [0; 3];
            bits[..group.len()].copy_from_slice(group);
            let bits = u32::from_be_bytes([0, bits[0], bits[1], bits[2]]);
            for at in 0..4 {
                let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
                out.push(if at <= group.len() { char::from(digit) } else { '=' });
            }
        }
        out.push('\n');
    }
    out + "-----END PUBLIC KEY-----\n"
}
