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

/// Whether this process has file systems of its own: what is mounted here nobody else sees, and it is gone with the process.
#[cfg(target_os = "linux")]
const MOUNTS: &str = "STAYSAIL_TEST_MOUNTS";

/// Runs a test in such a process: this program again, for this test alone. Where the system lets nobody mount anything, the
/// runner counts a test that was left out.
#[cfg(target_os = "linux")]
fn with_mounts(test: &str, body: impl Future<Output = ()>) {
    use std::io::Write;
    use std::process::{Command, Stdio};
    if std::env::var_os(MOUNTS).is_some() {
        return tokio::runtime::Runtime::new().unwrap().block_on(body);
    }
    let unshared = |ways: &[&str], program: &Path, arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(ways).arg(program).args(arguments).env(MOUNTS, "1");
        command
    };
    let may = |ways: &[&str]| {
        let script = ["-c", "mount -t tmpfs -o size=64k none /mnt"];
        let mut tried = unshared(ways, Path::new("sh"), &script);
        tried.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    // As root at once, elsewhere in a user namespace.
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let Some(ways) = ways.into_iter().find(|ways| may(ways)) else {
        // Past the capture of what tests print.
        let _ =
            writeln!(std::io::stdout(), "{test}: this system lets nobody mount a file system\n# skipped 1");
        return;
    };
    let own = std::env::current_exe().unwrap();
    let done = unshared(ways, &own, &["--exact", test, "--nocapture"]).output().unwrap();
    let [said, why] = [done.stdout, done.stderr].map(|said| String::from_utf8(said).unwrap());
    assert!(done.status.success() && said.contains("1 passed"), "{said}{why}");
}

/// Mounts something, in the process that has file systems of its own.
#[cfg(target_os = "linux")]
fn mount(options: &[&str], folder: &Path) {
    assert!(std::env::var_os(MOUNTS).is_some(), "this would be seen by everybody");
    let done = std::process::Command::new("mount").args(options).arg(folder).status().unwrap();
    assert!(done.success(), "mount {options:?} {}", folder.display());
}

/// What every start of the lab's app does when it is well: the version that boots, whose worker says so.
#[cfg(target_os = "linux")]
fn starts(app: &fixture::App, version: &str, says: &str) -> Option<staysail_update::store::ReleaseStart> {
    let (boot, start) = app.begin(&app.store());
    let reason = boot.fallback_reason;
    assert_eq!((boot.release.manifest().version.as_str(), reason), (version, None));
    let worker = std::process::Command::new(boot.release.worker().unwrap()).output().unwrap();
    assert_eq!(String::from_utf8(worker.stdout).unwrap(), format!("{says}\n"));
    assert_eq!(boot.release.page_file("index.html").unwrap().unwrap(), format!("<h1>{says}</h1>").as_bytes());
    start
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_disk_that_is_really_read_only_the_good_release_starts_and_updates_go_on_later() {
    with_mounts(
        "on_a_disk_that_is_really_read_only_the_good_release_starts_and_updates_go_on_later",
        a_really_read_only_disk(),
    );
}

#[cfg(target_os = "linux")]
async fn a_really_read_only_disk() {
    let lab = Lab::new();
    // One app that took a release over, and one that was just installed and has no store yet.
    let (app, fresh) = (lab.updated().await, lab.install(&lab.contents("1.0.0", "one")));
    for app in [&app, &fresh] {
        let folder = app.folder.path().to_str().unwrap().to_owned();
        mount(&["--bind", &folder], app.folder.path());
        mount(&["-o", "remount,bind,ro"], app.folder.path());
        let refused = std::fs::write(app.folder.path().join("x"), "").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    }
    lab.publish(lab.contents("1.2.0", "three"));
    let before = image(&app.store_folder());
    for _ in 0..5 {
        assert!(starts(&app, "1.1.0", "two").is_none() && starts(&fresh, "1.0.0", "one").is_none());
    }
    for app in [&app, &fresh] {
        let mut session = app.start(&lab.file_url());
        let reason =
            session.outcome().await.expect_err("a release was taken over on a disk that takes nothing");
        assert!(reason.to_lowercase().contains("read-only"), "{reason}");
        assert!(reason.contains(app.store_folder().to_str().unwrap()), "{reason}");
        session.engine.shut_down();
    }
    assert!(image(&app.store_folder()) == before && !fresh.store_folder().exists());
    for app in [&app, &fresh] {
        mount(&["-o", "remount,bind,rw"], app.folder.path());
        assert_eq!(app.take_over(&lab.file_url()).await, "1.2.0");
        assert!(starts(app, "1.2.0", "three").is_some());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_disk_that_is_really_full_the_good_release_starts_however_often_and_updates_go_on_with_room() {
    with_mounts(
        "on_a_disk_that_is_really_full_the_good_release_starts_however_often_and_updates_go_on_with_room",
        a_really_full_disk(),
    );
}

#[cfg(target_os = "linux")]
async fn a_really_full_disk() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let store = app.store_folder();
    std::fs::create_dir(&store).unwrap();
    mount(&["-t", "tmpfs", "-o", "size=2m,mode=0700", "none"], &store);
    lab.publish(lab.contents("1.1.0", "two"));
    assert_eq!(app.take_over(&lab.file_url()).await, "1.1.0");
    let state = app.store().state();
    // Everything that is left, to the last block.
    let ballast = std::fs::File::create(store.join("ballast")).unwrap();
    let filled = std::io::copy(&mut std::io::Read::take(std::io::repeat(1), 4 << 20), &mut &ballast);
    assert_eq!(filled.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    lab.publish(lab.contents_with("1.2.0", "three", &fixture::noise(100_000, 1)));
    for _ in 0..5 {
        // It is well, whatever can be written down of that.
        let start = starts(&app, "1.1.0", "two");
        start.iter().for_each(|start| start.is_up());
        start.iter().for_each(|start| start.ended());
        let mut session = app.start(&lab.file_url());
        let reason = session.outcome().await.expect_err("a release was taken over on a full disk");
        assert!(reason.contains("No space left") && reason.contains(store.to_str().unwrap()), "{reason}");
        session.engine.shut_down();
    }
    // A crash there counts as everywhere, and nothing else does.
    for _ in 0..3 {
        drop(starts(&app, "1.1.0", "two"));
    }
    let (boot, _) = app.begin(&app.store());
    assert_eq!(boot.release.manifest().version, "1.0.0");
    assert!(boot.fallback_reason.unwrap().contains("started 3 times"));
    assert_eq!(app.store().state().floor, state.floor);
    drop(ballast);
    std::fs::remove_file(store.join("ballast")).unwrap();
    assert_eq!(app.take_over(&lab.file_url()).await, "1.2.0");
    assert!(starts(&app, "1.2.0", "three").is_some());
}
