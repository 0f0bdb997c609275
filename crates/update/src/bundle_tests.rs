//! What is attached is read back, and nothing that was changed is.

use super::*;

fn contents(folder: &Path) -> Contents {
    fs::write(folder.join("index.html"), "<h1>Hello</h1>").unwrap();
    fs::write(folder.join("worker"), b"\x7fELF not really").unwrap();
    let manifest = Manifest { format: 1, app: "com.example.a".into(), ..Manifest::default() };
    let mut contents = Contents::new(manifest);
    contents.add_page("index.html", &folder.join("index.html")).unwrap();
    contents.add_backend(crate::TARGET, "worker", &folder.join("worker")).unwrap();
    contents.source = Some(UpdateSource {
        url: "https://example.com".into(),
        check_interval_s: 60,
        ..UpdateSource::default()
    });
    contents.root = Some(b"{}".to_vec());
    contents
}

#[test]
fn what_was_attached_is_read_back_and_the_shell_is_still_its_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let (shell, out) = (folder.path().join("shell"), folder.path().join("out/app"));
    fs::write(&shell, "the shell").unwrap();
    assert!(read_attached(&shell).unwrap().is_none());
    let contents = contents(folder.path());
    attach(&shell, &out, &contents).unwrap();
    assert!(fs::read(&out).unwrap().starts_with(b"the shell"));
    let attached = read_attached(&out).unwrap().unwrap();
    assert_eq!(attached.manifest, contents.manifest);
    assert_eq!(attached.shell, Some(hash::of(b"the shell")));
    assert_eq!(attached.shell_content().unwrap(), b"the shell");
    assert_eq!((attached.source.clone(), attached.root.clone()), (contents.source, contents.root));
    assert_eq!(attached.content(&contents.manifest.page[0]).unwrap().unwrap(), b"<h1>Hello</h1>");
    // An installer may replace the file meanwhile.
    fs::remove_file(&out).unwrap();
    assert!(attached.content(&contents.manifest.backend[crate::TARGET][0]).unwrap().is_some());
}

#[test]
fn every_flipped_byte_of_the_attached_release_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (shell, out) = (folder.path().join("shell"), folder.path().join("app"));
    fs::write(&shell, "the shell").unwrap();
    attach(&shell, &out, &contents(folder.path())).unwrap();
    let good = fs::read(&out).unwrap();
    for at in "the shell".len()..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&out, &bad).unwrap();
        let read = read_attached(&out);
        assert!(matches!(read, Err(Error::CorruptBundle { .. })), "byte {at}: {read:?}");
    }
    // The shell before it is no part of it; it is not handed out either.
    fs::write(&out, [b"The shell", &good["the shell".len()..]].concat()).unwrap();
    assert!(read_attached(&out).unwrap().unwrap().shell_content().is_none());
    for cut in [1, TRAILER, good.len() - 20] {
        fs::write(&out, &good[..good.len() - cut]).unwrap();
        assert!(!matches!(read_attached(&out), Ok(Some(_))), "cut {cut}");
    }
}

/// Found by reading for the fuzz target `bundle`: an offset near the largest number overflowed, and a huge length was
/// asked for as memory before it was seen that the file is not as long.
#[test]
fn a_blob_that_would_lie_outside_of_the_bundle_is_refused_however_well_it_is_hashed() {
    let folder = tempfile::tempdir().unwrap();
    let (shell, out) = (folder.path().join("shell"), folder.path().join("app"));
    fs::write(&shell, "the shell").unwrap();
    attach(&shell, &out, &contents(folder.path())).unwrap();
    let good = fs::read(&out).unwrap();
    let number = |at: usize| u64::from_le_bytes(good[good.len() - TRAILER + at..][..8].try_into().unwrap());
    let (payload, index_length) = (number(20) as usize, number(28) as usize);
    let start = good.len() - TRAILER - payload;
    let index_start = start + payload - index_length;
    for place in [(u64::MAX, 1), (0, u64::MAX), (0, 1 << 40), (payload as u64, 1)] {
        let mut index: Index = serde_json::from_slice(&good[index_start..][..index_length]).unwrap();
        index.blobs.values_mut().for_each(|blob| *blob = place);
        let index = serde_json::to_vec(&index).unwrap();
        let blobs = &good[start..index_start];
        let mut trailer = MAGIC.to_vec();
        trailer.extend_from_slice(&FORMAT.to_le_bytes());
        trailer.extend_from_slice(&((blobs.len() + index.len()) as u64).to_le_bytes());
        trailer.extend_from_slice(&(index.len() as u64).to_le_bytes());
        let hash = Sha256::new().chain_update(blobs).chain_update(&index).chain_update(&trailer).finalize();
        fs::write(&out, [blobs, &index, &trailer, &hash[..], MAGIC].concat()).unwrap();
        let read = read_attached(&out);
        assert!(
            matches!(&read, Err(Error::CorruptBundle { reason, .. }) if reason.contains("outside")),
            "{read:?}"
        );
    }
}

#[test]
fn in_a_macos_bundle_the_release_lies_among_the_resources() {
    let folder = tempfile::tempdir().unwrap();
    let shell = folder.path().join("shell");
    fs::write(&shell, "the shell").unwrap();
    let out = folder.path().join("A.app/Contents/MacOS/a");
    attach(&shell, &out, &contents(folder.path())).unwrap();
    assert_eq!(fs::read(&out).unwrap(), b"the shell");
    assert!(read_attached(&out).unwrap().is_some());
}
