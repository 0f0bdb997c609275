//! One release for several systems, put together from what was built on each.

use super::fixture::{Lab, noise};
use staysail_update::bundle::Contents;
use staysail_update::publisher::bundle::{Wanted, bundle};
use staysail_update::{Error, TARGET};
use std::path::PathBuf;

const WINDOWS: &str = "x86_64-pc-windows-msvc";
const MACOS: &str = "aarch64-apple-darwin";
const SHELL: &[u8] = b"MZ: the shell of Windows";

/// What was assembled of this version on another system.
fn assembled(lab: &Lab, version: &str, target: &str) -> Contents {
    let mut contents = lab.contents(version, "the page of that system");
    let mut backend = contents.manifest.backend.remove(TARGET).unwrap();
    backend[0].path = "worker-there".into();
    contents.manifest.backend.insert(target.into(), backend);
    contents.manifest.shell_version = Some("0.2.0".into());
    contents
}

/// What `staysail build` makes of it there.
fn built(lab: &Lab, contents: &Contents) -> PathBuf {
    lab.install_in(contents, SHELL).keep()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_built_on_other_systems_becomes_part_of_one_release() {
    let lab = Lab::new();
    let app = lab.install_in(&lab.contents("1.0.0", "one"), b"the shell here");
    let elsewhere = [WINDOWS, MACOS].map(|target| built(&lab, &assembled(&lab, "1.1.0", target)));
    let mut contents = lab.with_shell(lab.contents("1.1.0", "two"), b"the shell here", "0.2.0");
    let own_page = contents.manifest.page.clone();
    for (executable, target) in elsewhere.iter().zip([WINDOWS, MACOS]) {
        assert_eq!(contents.add_built(executable).unwrap(), [target]);
    }
    let manifest = contents.manifest.clone();
    let mut all = [MACOS, TARGET, WINDOWS];
    all.sort_unstable();
    assert_eq!(manifest.page, own_page);
    assert_eq!(manifest.backend.keys().collect::<Vec<_>>(), all);
    // On macOS the shell belongs to the signed bundle; here it is added by `publish`.
    assert_eq!(manifest.shell.keys().collect::<Vec<_>>(), [WINDOWS]);
    assert_eq!(manifest.shell[WINDOWS][0].sha256, staysail_update::hash::of(SHELL));
    let published = lab.publish(contents);
    assert_eq!(published.drops_targets, [""; 0]);
    assert_eq!(app.take_over(&lab.file_url()).await, "1.1.0");
    // For the other systems everything is there as well, as their apps would check it.
    let wanted = Wanted { channel: "stable".into(), ..Wanted::default() };
    let (own, file) = (lab.folder.path().join("own"), lab.folder.path().join("all.bundle"));
    let (root, now) = (lab.keys.root().unwrap(), jiff::Timestamp::now());
    let bundled = bundle(&lab.file_url(), &root, &wanted, &own, &file, now).await.unwrap();
    assert_eq!(bundled.targets, all);

    // One that was built here alone leaves the others where they are, and says so; it may not lose the shell by accident.
    let alone = |version: &str| lab.contents(version, version);
    let refused = lab.try_publish(alone("1.2.0")).unwrap_err().to_string();
    assert!(refused.contains(TARGET) && !refused.contains(WINDOWS), "{refused}");
    let published = lab.publish(Contents { without_shell: true, ..alone("1.2.0") });
    assert!(published.drops_shell);
    assert_eq!(published.drops_targets, [MACOS, WINDOWS]);
}

#[test]
fn what_does_not_belong_to_the_release_is_refused_by_name() {
    let lab = Lab::new();
    let there = |change: fn(&mut Contents)| {
        let mut contents = assembled(&lab, "1.1.0", WINDOWS);
        change(&mut contents);
        built(&lab, &contents)
    };
    let refused = |executable: &PathBuf, says: &str| {
        let mut contents = lab.with_shell(lab.contents("1.1.0", "two"), b"the shell here", "0.2.0");
        let before = contents.manifest.clone();
        let error = contents.add_built(executable).unwrap_err();
        assert!(matches!(&error, Error::Refused(text) if text.contains(says)), "{says}: {error}");
        assert_eq!(contents.manifest.shell, before.shell);
    };
    refused(
        &there(|contents| contents.manifest.app = "com.example.other".into()),
        "its app is \"com.example.other\"",
    );
    refused(&there(|contents| contents.manifest.version = "1.0.9".into()), "its version is \"1.0.9\"");
    refused(&there(|contents| contents.manifest.interface = "other".into()), "its interface is \"other\"");
    refused(&there(|contents| contents.manifest.protocol = (1, 2)), "another version of Staysail");
    refused(
        &there(|contents| contents.manifest.shell_version = None),
        "its shell is that of Staysail an older version",
    );
    refused(
        &there(|contents| contents.manifest.shell_version = Some("0.1.0".into())),
        "Staysail 0.1.0, the one here of 0.2.0",
    );
    refused(&built(&lab, &lab.contents("1.1.0", "here")), "has a backend for");
    let plain = lab.folder.path().join("plain");
    std::fs::write(&plain, noise(1_000, 1)).unwrap();
    refused(&plain, "has no release attached");
    // Changed since: a byte of the shell, which nothing in the bundle covers but its own hash.
    let signed = there(|_| {});
    let mut bytes = std::fs::read(&signed).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&signed, bytes).unwrap();
    refused(&signed, "its shell was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_a_backend_never_becomes_one_without() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut contents = lab.contents("1.1.0", "two");
    contents.manifest.backend.clear();
    lab.publish(contents);
    let reason = app.start(&lab.file_url()).failed().await;
    assert!(reason.contains("it has no backend for") && reason.ends_with("and for no other"), "{reason}");
}
