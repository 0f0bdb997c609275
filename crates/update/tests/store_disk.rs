//! The store on a real disk: who may enter, and what somebody else put there.
#![cfg(unix)]

mod fixture;

use fixture::{Lab, files};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_this_user_enters_the_store() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let mut session = app.start(&lab.file_url());
    session.committed().await;
    session.engine.shut_down();
    let store = app.store_folder();
    let made = files(&store);
    assert!(made.len() > 8, "{made:?}");
    for file in made {
        let folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(&store));
        for folder in folders {
            assert_eq!(mode(folder) & 0o077, 0, "{}", folder.display());
        }
        let is_lock = file.extension().is_some_and(|ending| ending == "lock")
            || file.ends_with("lock")
            || file.ends_with("in-use");
        assert!(is_lock || mode(&file) & 0o077 == 0, "{}: {:o}", file.display(), mode(&file));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_somebody_put_into_the_store_lead_nowhere() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let elsewhere = app.folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let victim = app.folder.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    let store = app.store_folder();
    std::fs::create_dir_all(store.join("partial")).unwrap();
    for blob in files(&lab.repository.join("blobs")) {
        symlink(&victim, store.join("partial").join(blob.file_stem().unwrap())).unwrap();
    }
    for folder in ["files", "backend", "releases", "metadata", "banned"] {
        symlink(&elsewhere, store.join(folder)).unwrap();
    }
    for file in ["state", "state.copy", "lock", "update.lock", "trial.lock"] {
        symlink(&victim, store.join(file)).unwrap();
    }
    let mut session = app.start(&lab.file_url());
    assert_eq!(session.committed().await, "1.1.0");
    session.engine.shut_down();
    assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
    assert_eq!(app.boot(&app.store()).release.manifest().version, "1.1.0");
    // A link to the right bytes is no file of the store either: whoever made it can change them.
    let page = files(&store.join("files")).into_iter().next().unwrap();
    let copy = elsewhere.join("copy");
    std::fs::rename(&page, &copy).unwrap();
    symlink(&copy, &page).unwrap();
    let booted = app.boot(&app.store());
    assert!(booted.release.is_embedded(), "{:?}", booted.fallback_reason);
    let mut session = app.start(&lab.file_url());
    session.committed().await;
    session.engine.shut_down();
    assert!(std::fs::symlink_metadata(&page).unwrap().is_file());
    assert_eq!(app.boot(&app.store()).release.manifest().version, "1.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_moved_and_linked_to_works() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let moved = app.folder.path().join("other disk");
    std::fs::create_dir(&moved).unwrap();
    symlink(&moved, app.store_folder()).unwrap();
    let mut session = app.start(&lab.file_url());
    session.committed().await;
    session.engine.shut_down();
    assert!(moved.join("state").is_file());
    assert_eq!(app.boot(&app.store()).release.manifest().version, "1.1.0");
}
