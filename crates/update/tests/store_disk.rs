//! The store on a real disk: who may enter, and what somebody else put there.
#![cfg(unix)]

mod fixture;

use fixture::{Lab, files};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_this_user_enters_the_store() {
    let lab = Lab::new();
    let app = lab.updated().await;
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

/// The files below a folder with their content.
fn image(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files(folder).into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn links_that_somebody_put_into_the_store_lead_nowhere() {
    let lab = Lab::new();
    // What the links lead to is exactly what is looked for: the store of an app that has taken the same release over.
    let other = lab.updated().await;
    let elsewhere = other.store_folder();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let victim = app.folder.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    let store = app.store_folder();
    std::fs::create_dir_all(store.join("partial")).unwrap();
    for blob in files(&lab.repository.join("blobs")) {
        symlink(&victim, store.join("partial").join(blob.file_stem().unwrap())).unwrap();
    }
    std::fs::create_dir(elsewhere.join("banned")).unwrap();
    let before = image(&elsewhere);
    for folder in ["files", "backend", "releases", "metadata", "banned"] {
        symlink(elsewhere.join(folder), store.join(folder)).unwrap();
    }
    for file in ["state", "state.copy", "lock", "update.lock", "trial.lock"] {
        symlink(&victim, store.join(file)).unwrap();
    }
    assert_eq!(app.take_over(&lab.file_url()).await, "1.1.0");
    assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    assert_eq!(image(&elsewhere), before);
    let release = app.boot(&app.store()).release;
    assert_eq!(release.manifest().version, "1.1.0");
    let worker = release.worker().unwrap().canonicalize().unwrap();
    assert!(worker.starts_with(store.canonicalize().unwrap()), "{}", worker.display());
    drop(release);
    // A link to the right bytes is no file of the store either: whoever made it can change them. Nor is one above them.
    let page = files(&store.join("files")).into_iter().next().unwrap();
    let backend = files(&store.join("backend"))
        .into_iter()
        .find(|file| std::fs::read(file).unwrap().ends_with(b"two\n"))
        .unwrap();
    for linked in [page.as_path(), backend.parent().unwrap(), &store.join("backend"), &store.join("releases")]
    {
        let copy = app.folder.path().join("copy");
        std::fs::rename(linked, &copy).unwrap();
        symlink(&copy, linked).unwrap();
        let booted = app.boot(&app.store());
        assert!(booted.release.is_embedded(), "{}: {:?}", linked.display(), booted.fallback_reason);
        app.take_over(&lab.file_url()).await;
        assert!(!std::fs::symlink_metadata(linked).unwrap().is_symlink(), "{}", linked.display());
        assert_eq!(app.boot(&app.store()).release.manifest().version, "1.1.0");
        if copy.is_dir() {
            std::fs::remove_dir_all(&copy).unwrap()
        } else {
            std::fs::remove_file(&copy).unwrap()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_moved_and_linked_to_works() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let moved = app.folder.path().join("other disk");
    std::fs::create_dir(&moved).unwrap();
    symlink(&moved, app.store_folder()).unwrap();
    app.take_over(&lab.file_url()).await;
    assert!(moved.join("state").is_file());
    assert_eq!(app.boot(&app.store()).release.manifest().version, "1.1.0");
}
