//! What comes from a release server or lies at the end of an executable.

use sha2::{Digest, Sha256};
use staysail_protocol::manifest::{Manifest, check_path};
use staysail_update::Archive;
use staysail_update::bundle::read_attached;
use staysail_update::pack;

/// A release manifest.
pub fn manifest(bytes: &[u8]) -> bool {
    let Ok(manifest) = Manifest::parse(bytes) else { return false };
    for file in manifest.files() {
        assert!(check_path(&file.path).is_ok() && file.sha256.len() == 64 && file.blob.sha256.len() == 64);
        let path = std::path::Path::new(&file.path);
        let plain = |part| matches!(part, std::path::Component::Normal(_));
        assert!(path.components().all(plain), "{path:?} leads out of its folder");
    }
    let again =
        Manifest::parse(&manifest.to_bytes()).expect("a manifest that was read can be written and read");
    assert_eq!(
        (&again.page, &again.backend, &again.deltas),
        (&manifest.page, &manifest.backend, &manifest.deltas)
    );
    assert_eq!(
        (&again.app, &again.version, again.sequence),
        (&manifest.app, &manifest.version, manifest.sequence)
    );
    true
}

/// A compressed file or a patch: announced size and length of the old file (2 bytes each), old file, the rest.
pub fn delta(bytes: &[u8]) -> bool {
    let Some(([low, high, old_low, old_high], rest)) = bytes.split_first_chunk::<4>() else { return false };
    let size = u64::from(u16::from_le_bytes([*low, *high]));
    let old_length = usize::from(u16::from_le_bytes([*old_low, *old_high]));
    let (old, packed) = rest.split_at(old_length.min(rest.len()));
    let methods = [pack::PATCH_FROM, pack::CODE_AWARE];
    let applied = methods.map(|method| pack::apply_delta(method, old, packed, size));
    for found in applied.iter().chain([&pack::decompress(packed, size)]) {
        assert!(
            found.as_ref().map_or(true, |content| content.len() as u64 == size),
            "not the announced size"
        );
    }
    // And the way there: any two files make a patch that leads from one to the other, and never to more than announced.
    if old.len() + packed.len() < 512 {
        let plain = pack::diff(old, packed).expect("memory to compress in");
        let code = staysail_delta::diff(old, packed).expect("memory to compress in");
        for (method, patch) in methods.into_iter().zip([plain, code]) {
            let patch = patch.expect("small files are within the limits");
            assert_eq!(pack::apply_delta(method, old, &patch, packed.len() as u64).as_deref(), Ok(packed));
            if !packed.is_empty() {
                assert!(pack::apply_delta(method, old, &patch, packed.len() as u64 - 1).is_err());
            }
        }
    }
    applied.iter().any(Result::is_ok)
}

/// A release attached to an executable. A first byte of 0: the file as it is. Otherwise what follows is length of the
/// index (2 bytes), blobs and index, and gets a trailer that fits: what lies behind the hash is reached, too.
pub fn bundle(bytes: &[u8]) -> bool {
    let Some((kind, rest)) = bytes.split_first() else { return false };
    let file = if *kind == 0 { rest.to_vec() } else { with_trailer(rest) };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("app");
    std::fs::write(&path, file).expect("a temporary file");
    let Ok(Some(attached)) = read_attached(&path) else { return false };
    let files = attached.manifest.files();
    for entry in files.take(8) {
        if let Ok(Some(content)) = attached.content(entry) {
            assert_eq!(content.len() as u64, entry.size);
            let hash: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hash, entry.sha256, "content that is not what was released was handed out");
        }
    }
    true
}

/// A repository in one file. A first byte of 0: the file as it is. Otherwise what follows is length of the index (2 bytes),
/// index and files, and gets a head that fits: what lies behind the hash is reached, too.
pub fn archive(bytes: &[u8]) -> bool {
    let Some((kind, rest)) = bytes.split_first() else { return false };
    let file = if *kind == 0 { rest.to_vec() } else { with_head(rest) };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("archive");
    std::fs::write(&path, &file).expect("a temporary file");
    let Ok(archive) = Archive::open(&path) else { return false };
    let mut total = 0;
    for (name, size) in archive.files() {
        let content = archive.read(name).expect("a file that was just read").expect("a name that is listed");
        assert_eq!(content.len() as u64, size);
        total += size;
    }
    assert!(total < file.len() as u64, "more was read than is there");
    true
}

fn with_head(rest: &[u8]) -> Vec<u8> {
    let Some(([low, high], rest)) = rest.split_first_chunk::<2>() else { return Vec::new() };
    let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let mut head = b"STAYSAIL-ARCHIVE".to_vec();
    head.extend_from_slice(&1_u32.to_le_bytes());
    head.extend_from_slice(&(length as u64).to_le_bytes());
    head.extend_from_slice(&Sha256::digest(&rest[..length]));
    [&head[..], rest].concat()
}

fn with_trailer(rest: &[u8]) -> Vec<u8> {
    const MAGIC: &[u8] = b"STAYSAIL-RELEASE";
    let Some(([low, high], payload)) = rest.split_first_chunk::<2>() else { return Vec::new() };
    let index = u64::from(u16::from_le_bytes([*low, *high]));
    let mut trailer = MAGIC.to_vec();
    trailer.extend_from_slice(&1_u32.to_le_bytes());
    trailer.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    trailer.extend_from_slice(&index.to_le_bytes());
    let hash = Sha256::new().chain_update(payload).chain_update(&trailer).finalize();
    [payload, &trailer, &hash, MAGIC].concat()
}
