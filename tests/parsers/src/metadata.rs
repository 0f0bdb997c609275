//! Signed metadata: one file of a good chain exchanged for any bytes, or for anything at all with a good signature.

use serde_json::Value;
use sigstore_tuf::{Metadata, Root, Snapshot, Targets, Timestamp};
use staysail_protocol::manifest::Manifest;
use staysail_update::TARGET;
use staysail_update::bundle::Contents;
use staysail_update::publisher::keys::{Algorithm, Signing};
use staysail_update::publisher::{self, Folder, Keys, Options, Role, metadata as written};
use staysail_update::trust::{Delegated, Proof, SHARE_WHOLE, place_in_order, share_of};
use std::sync::LazyLock;

/// A repository whose channel has a role of its own, with the keys to it.
struct Genuine {
    root: Vec<u8>,
    proof: Proof,
    hash: String,
    signers: [Vec<Signing>; 5],
}

static GENUINE: LazyLock<Genuine> = LazyLock::new(genuine);

fn genuine() -> Genuine {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (now, repository) = (jiff::Timestamp::now(), folder.path().join("repository"));
    let keys = Keys::create(&folder.path().join("keys"), None, now).expect("keys");
    std::fs::create_dir(&repository).expect("a folder");
    let place = Folder::open(&repository).expect("a repository");
    let page = folder.path().join("index.html");
    std::fs::write(&page, "page").expect("a file");
    let manifest = Manifest {
        format: 1,
        app: "com.example.fuzz".into(),
        name: "Fuzz".into(),
        version: "1.0.0".into(),
        protocol: (1, 1),
        ..Manifest::default()
    };
    let mut contents = Contents::new(manifest);
    contents.add_page("index.html", &page).expect("a page");
    contents.add_backend(TARGET, "worker", &page).expect("a backend");
    let options = Options { channel: "stable".into(), ..Options::default() };
    let published = publisher::publish(&place, &keys, contents, &options, now).expect("a release");
    let team = keys.make_for_channel("stable", Algorithm::Ed25519, None).expect("a key");
    let team_id = team.id.clone();
    publisher::delegate(&place, &keys, "stable", team, None, now).expect("a role");
    let root = keys.root().expect("a root");
    keys.renew(None, now).expect("another root");
    let file =
        |name: &str| std::fs::read(repository.join("metadata").join(name)).expect("a file of metadata");
    let signers = |role| keys.signers(role, None).expect("keys");
    Genuine {
        proof: Proof {
            path: staysail_update::trust::target_path("stable"),
            roots: vec![keys.root().expect("a root")],
            timestamp: file("timestamp.json"),
            snapshot: file("2.snapshot.json"),
            targets: file("2.targets.json"),
            delegated: vec![Delegated {
                role: "channel-stable".into(),
                metadata: file("1.channel-stable.json"),
            }],
        },
        signers: [
            signers(Role::Root),
            signers(Role::Timestamp),
            signers(Role::Snapshot),
            signers(Role::Targets),
            vec![keys.one(&team_id).and_then(|team| team.open(None)).expect("a key")],
        ],
        hash: published.hash,
        root,
    }
}

/// The first byte says which file of the chain is exchanged, and for what: for the bytes that follow (below 64); for the genuine
/// one with bytes changed (below 128: place, 2 bytes, and value, one after the other); for what follows, signed here (from 128
/// on), so that what lies behind the signature is reached, too.
pub fn metadata(bytes: &[u8]) -> bool {
    let Some((kind, rest)) = bytes.split_first() else { return false };
    let (which, forged) = (usize::from(kind & 63) % 5, *kind < 128);
    let file = match kind {
        0..64 => Some(rest.to_vec()),
        64..128 => Some(edited(which, rest)),
        128.. => sign(which, rest),
    };
    let Some(file) = file else { return false };
    let mut proof = GENUINE.proof.clone();
    match which {
        0 => proof.roots = vec![file.clone()],
        1 => proof.timestamp.clone_from(&file),
        2 => proof.snapshot.clone_from(&file),
        3 => proof.targets.clone_from(&file),
        _ => proof.delegated[0].metadata.clone_from(&file),
    }
    let verified = proof.verify(&GENUINE.root);
    if let (true, Ok(target)) = (forged, &verified) {
        assert_eq!(target.hashes.get("sha256"), Some(&GENUINE.hash), "another release without its signature");
    }
    match which {
        0 => Metadata::<Root>::from_slice(&file).is_ok(),
        1 => Metadata::<Timestamp>::from_slice(&file).is_ok(),
        2 => Metadata::<Snapshot>::from_slice(&file).is_ok(),
        _ => Metadata::<Targets>::from_slice(&file).is_ok_and(|targets| shares(targets.signed())),
    }
}

/// Whatever is said of a release in waves, its share and an install's place in it are within bounds.
fn shares(targets: &Targets) -> bool {
    for custom in targets.targets.values().filter_map(|target| target.custom.as_ref()) {
        for sequence in [0, 2, u64::MAX] {
            assert!(share_of(Some(custom), sequence) <= SHARE_WHOLE, "{custom}");
        }
        let salt = custom.get("salt").and_then(Value::as_str).unwrap_or_default();
        assert!(place_in_order("00000000000000000000000000000000", salt) < SHARE_WHOLE, "{salt}");
    }
    true
}

fn edited(which: usize, edits: &[u8]) -> Vec<u8> {
    let proof = &GENUINE.proof;
    let files =
        [&proof.roots[0], &proof.timestamp, &proof.snapshot, &proof.targets, &proof.delegated[0].metadata];
    let mut file = files[which].clone();
    for edit in edits.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % file.len();
        file[place] = edit[2];
    }
    file
}

fn sign(which: usize, signed: &[u8]) -> Option<Vec<u8>> {
    let signed: Value = serde_json::from_slice(signed).ok()?;
    let signers: Vec<&Signing> = GENUINE.signers[which].iter().collect();
    written::envelope(&signed, &signers).ok()
}

/// The genuine files, each as it is and as its signed part.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let proof = &GENUINE.proof;
    let files = [
        ("root", "root-signed", &proof.roots[0]),
        ("timestamp", "timestamp-signed", &proof.timestamp),
        ("snapshot", "snapshot-signed", &proof.snapshot),
        ("targets", "targets-signed", &proof.targets),
        ("delegated", "delegated-signed", &proof.delegated[0].metadata),
    ];
    let mut seeds = vec![("untouched", vec![64]), ("edited", vec![68, 100, 0, b'x', 9, 1, b'}'])];
    let mut waves: Value = serde_json::from_slice(&proof.delegated[0].metadata).expect("metadata are JSON");
    let list = &mut waves["signed"]["targets"];
    list["releases/stable.wave-2.json"] = list["releases/stable.json"].clone();
    list["releases/stable.wave-2.json"]["custom"]["salt"] = "0123456789abcdef".into();
    let said =
        serde_json::json!({ "waves": { "2": { "share": 500, "paused": false }, "3": { "share": 10_001 } } });
    list["rollouts/stable.json"] = serde_json::json!({ "length": 2, "hashes": {}, "custom": said });
    seeds.push(("waves-signed", [&[132], waves["signed"].to_string().as_bytes()].concat()));
    for (number, (name, signed, file)) in (0_u8..).zip(files) {
        let value: Value = serde_json::from_slice(file).expect("metadata are JSON");
        seeds.push((name, [&[number], file.as_slice()].concat()));
        seeds.push((signed, [&[128 + number], value["signed"].to_string().as_bytes()].concat()));
    }
    seeds
}
