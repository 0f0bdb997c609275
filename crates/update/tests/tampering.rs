//! Issue 2, "Must be shown" 4: whatever byte is changed on the way or on the disk, it is never applied and never shown.

mod fixture;

use fixture::{App, Lab, LabDisk, Live, files, noise};
use staysail_update::Store;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Every byte of a small file, a sample of a large one, always with both ends. With `STAYSAIL_TEST_EVERY_BYTE=1` all
/// files up to 4 kB count as small.
fn places(length: usize) -> Vec<usize> {
    let thorough = std::env::var_os("STAYSAIL_TEST_EVERY_BYTE").is_some();
    let (whole, sample) = if thorough { (4_096, 512) } else { (800, 200) };
    if length <= whole {
        return (0..length).collect();
    }
    (0..length).step_by(length.div_ceil(sample)).chain([length - 1]).collect()
}

/// A copy of the repository in which single files can be spoilt.
struct Spoilt {
    folder: tempfile::TempDir,
}

impl Spoilt {
    fn copy(repository: &Path) -> Self {
        let folder = tempfile::tempdir_in(repository.parent().unwrap()).unwrap();
        for file in files(repository) {
            let to = folder.path().join(file.strip_prefix(repository).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(file, to).unwrap();
        }
        Self { folder }
    }

    fn url(&self) -> String {
        format!("file://{}", self.folder.path().display())
    }
}

/// One attempt of a fresh installation to update from `url`.
async fn attempt(app: &App, url: &str) -> (Store, Result<Live, String>) {
    let folder = tempfile::tempdir_in(app.folder.path()).unwrap().keep();
    let store = Store::open_on(&folder, Arc::new(LabDisk::default())).unwrap();
    let mut session = app.start_on(store.clone(), url);
    let outcome = session.outcome().await;
    session.engine.shut_down();
    (store, outcome)
}

/// Nothing but the installed release boots, nothing is staged.
fn untouched(app: &App, store: &Store) {
    let state = store.state();
    assert_eq!((state.staged, state.current), (None, None));
    assert!(app.boot(store).release.is_embedded());
    std::fs::remove_dir_all(store.folder()).ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_byte_on_the_way_is_refused_and_nothing_of_it_stays() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents_with("1.0.0", "one", &noise(20_000, 1)));
    let first = lab.keys.root().unwrap();
    lab.keys.renew(None, jiff::Timestamp::now()).unwrap();
    assert_ne!(first, lab.keys.root().unwrap());
    // The app pins the first root, so the second one is on its way, too. No release before: no deltas.
    let app = App { root: first, ..app };
    lab.publish(lab.contents_with("1.1.0", "two", &noise(20_000, 2)));
    let good = attempt(&app, &lab.file_url()).await.1.expect("the untouched repository is fine");
    assert_eq!(good.index, b"<h1>two</h1>");

    let spoilt = Spoilt::copy(&lab.repository);
    let mut flips = 0;
    for file in files(spoilt.folder.path()) {
        let name = file.strip_prefix(spoilt.folder.path()).unwrap().to_str().unwrap().to_owned();
        // The lock is nobody's business, the pinned root comes with the app, what is the same is not fetched, and what has
        // a name for tough is not ours to fetch.
        if name.starts_with('.') || name == "metadata/1.root.json" || name.contains(".releases/") {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        let same = unzip(&file).is_some_and(|content| content == b"h1 { color: teal }");
        if same {
            continue;
        }
        for at in places(bytes.len()) {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            std::fs::write(&file, &bad).unwrap();
            let (store, outcome) = attempt(&app, &spoilt.url()).await;
            assert!(outcome.is_err(), "byte {at} of {name}: {outcome:?}");
            untouched(&app, &store);
            flips += 1;
        }
        std::fs::write(&file, &bytes).unwrap();
    }
    assert!(flips > 1_500, "{flips}");
    let good = attempt(&app, &spoilt.url()).await.1;
    assert!(good.is_ok(), "the copy itself is fine: {good:?}");
}

fn unzip(file: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(file).unwrap();
    staysail_update::pack::decompress(&bytes, 18).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_delta_is_refused_and_the_whole_file_fetched_instead() {
    let lab = Lab::new();
    let contents = lab.contents_with("1.0.0", "one", &noise(50_000, 1));
    let app = lab.install(&contents);
    lab.publish(contents);
    let before = files(&lab.repository.join("blobs"));
    let published = lab.publish(lab.contents_with("1.1.0", "two", &noise(50_000, 1)));
    assert_eq!(published.deltas, 1);
    let spoilt = Spoilt::copy(&lab.repository);
    let delta: PathBuf = files(&lab.repository.join("blobs"))
        .into_iter()
        .filter(|file| !before.contains(file))
        .find(|file| std::fs::metadata(file).unwrap().len() == published.delta_bytes)
        .unwrap();
    let delta = spoilt.folder.path().join(delta.strip_prefix(&lab.repository).unwrap());
    let bytes = std::fs::read(&delta).unwrap();
    for at in places(bytes.len()) {
        let mut bad = bytes.clone();
        bad[at] ^= 0x80;
        std::fs::write(&delta, &bad).unwrap();
        let live = attempt(&app, &spoilt.url()).await.1.unwrap();
        assert!(
            live.worker.starts_with(b"#!/bin/sh\necho two\n") && live.worker.ends_with(&noise(50_000, 1))
        );
    }
    std::fs::remove_file(&delta).unwrap();
    assert!(attempt(&app, &spoilt.url()).await.1.is_ok(), "a delta that is gone does no harm either");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_on_the_disk_is_never_handed_out() {
    let lab = Lab::new();
    let app = lab.updated().await;
    let good = Live::of(&app.boot(&app.store()).release);
    assert_eq!(good.version, "1.1.0");
    let installed = Live::of(&app.boot(&Store::open(&app.folder.path().join("other")).unwrap()).release);

    // What a start depends on. (`in-use` and the other locks are empty; `metadata` only matters to the network.)
    let parts =
        ["files", "backend", "releases", "state", "state.copy"].map(|part| app.store_folder().join(part));
    let mut flips = 0;
    for file in parts.iter().flat_map(|part| if part.is_dir() { files(part) } else { vec![part.clone()] }) {
        let bytes = std::fs::read(&file).unwrap();
        for at in places(bytes.len()).into_iter().step_by(if bytes.len() > 1_000 { 7 } else { 1 }) {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            std::fs::write(&file, &bad).unwrap();
            let live = Live::of(&app.boot(&app.store()).release);
            assert!(live == good || live == installed, "byte {at} of {}: {live:?}", file.display());
            // A file that was found out is removed; give it back for the next round.
            std::fs::write(&file, &bytes).unwrap();
            flips += 1;
        }
        for cut in [0, bytes.len() / 2, bytes.len().saturating_sub(1)] {
            std::fs::write(&file, &bytes[..cut]).unwrap();
            let live = Live::of(&app.boot(&app.store()).release);
            assert!(live == good || live == installed, "{} cut at {cut}", file.display());
            std::fs::write(&file, &bytes).unwrap();
        }
    }
    assert!(flips > 500, "{flips}");
    assert_eq!(Live::of(&app.boot(&app.store()).release), good);
}

/// Somebody who can write the disk and knows every format, but has no key.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_release_that_fits_together_does_not_boot_without_a_signature() {
    let lab = Lab::new();
    let app = lab.updated().await;

    // A second publisher with keys of his own makes a whole, well-formed release.
    let evil = Lab::new();
    let his = evil.install(&evil.contents("1.0.0", "one"));
    evil.publish(evil.contents("9.9.9", "evil"));
    let mut session = his.start(&evil.file_url());
    session.committed().await;
    session.engine.shut_down();
    let forged = his.store().state().current.unwrap();
    let (ours, theirs) = (app.store_folder(), his.store_folder());
    for file in files(&theirs) {
        let to = ours.join(file.strip_prefix(&theirs).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(&file, to).unwrap();
    }
    assert_eq!(app.store().state().current.as_ref(), Some(&forged), "the state is his now");
    let boot = app.boot(&app.store());
    assert_eq!(boot.release.manifest().version, "1.0.0", "his proof leads to his root");
    assert!(boot.fallback_reason.unwrap().contains("signed metadata"));

    // With the genuine proof beside the forged manifest, too.
    let genuine = files(&ours.join("releases"))
        .into_iter()
        .find(|file| file.ends_with("proof.json") && !file.to_string_lossy().contains(&forged))
        .unwrap();
    std::fs::copy(genuine, ours.join("releases").join(&forged).join("proof.json")).unwrap();
    let boot = app.boot(&app.store());
    assert_eq!(boot.release.manifest().version, "1.0.0");
    assert!(boot.fallback_reason.unwrap().contains("not what was released"));
}

#[test]
fn a_page_file_that_changes_under_a_running_app_is_an_error_and_the_worker_too() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        app.take_over(&lab.file_url()).await;
    });
    let release = app.boot(&app.store()).release;
    let worker = release.worker().unwrap();
    std::fs::write(&worker, "#!/bin/sh\necho evil\n").unwrap();
    assert!(matches!(release.worker(), Err(staysail_update::Error::Tampered { .. })));
    for file in files(&app.store_folder().join("files")) {
        std::fs::write(file, "<h1>evil</h1>").unwrap();
    }
    assert!(matches!(release.page_file("index.html"), Err(staysail_update::Error::Tampered { .. })));
    // The style sheet is in the installed release, too: it heals.
    assert_eq!(release.page_file("same.css").unwrap().unwrap(), b"h1 { color: teal }");
    assert_eq!(release.page_file("../../../etc/passwd").unwrap(), None);

    // What was lost is fetched again at the next start.
    runtime.block_on(async {
        let mut session = app.start(&lab.file_url());
        assert_eq!(session.outcome().await.unwrap().index, b"<h1>two</h1>");
        session.committed().await;
        session.engine.shut_down();
    });
    assert_eq!(Live::of(&app.boot(&app.store()).release).index, b"<h1>two</h1>");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_what_was_there_and_a_freed_one_updates() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let mut refused = 0;
    for room in (0..40_000).step_by(400) {
        let folder = app.folder.path().join(format!("store-{room}"));
        let disk = Arc::new(LabDisk::default());
        let store = Store::open_on(&folder, Arc::clone(&disk) as Arc<_>).unwrap();
        *disk.room.lock().unwrap() = Some(room);
        let mut session = app.start_on(store.clone(), &lab.file_url());
        assert_eq!(Live::of(&session.booted).index, b"<h1>one</h1>", "the last resort needs no disk");
        match session.outcome().await {
            Ok(live) => assert_eq!(live.index, b"<h1>two</h1>"),
            Err(_) => refused += 1,
        }
        session.engine.shut_down();
        // Space again: the same store updates.
        *disk.room.lock().unwrap() = None;
        let mut session = app.start_on(store, &lab.file_url());
        session.engine.wish(staysail_protocol::worker::UpdateWish::Check);
        if session.booted.manifest().version == "1.0.0" {
            session.committed().await;
        }
        session.engine.shut_down();
        assert_eq!(
            app.boot(&Store::open(&folder).unwrap()).release.manifest().version,
            "1.1.0",
            "room {room}"
        );
    }
    assert!(refused > 10, "{refused}");
}
