//! A repository in one file: applied without network as any release is, and refused for everything a repository is refused for.

mod fixture;

use fixture::{App, Lab, Seen, Session};
use staysail_protocol::manifest::UpdateSource;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::policy::UpdatePolicy;
use staysail_protocol::worker::UpdateWish;
use staysail_update::archive::{Archive, Entry, write_head};
use staysail_update::publisher::bundle::{Bundled, Wanted, bundle};
use staysail_update::publisher::{self, Folder};
use staysail_update::{Error, Release, Store, TARGET, hash};
use std::path::{Path, PathBuf};

fn days(days: i64) -> jiff::Timestamp {
    jiff::Timestamp::now() + jiff::SignedDuration::from_hours(days * 24)
}

async fn bundled(lab: &Lab, name: &str, targets: &[&str]) -> Result<(PathBuf, Bundled), Error> {
    let targets = targets.iter().map(|one| (*one).into()).collect();
    bundled_as(lab, name, Wanted { targets, ..Wanted::default() }).await
}

async fn bundled_as(lab: &Lab, name: &str, wanted: Wanted) -> Result<(PathBuf, Bundled), Error> {
    let (own, out) = (tempfile::tempdir().unwrap(), lab.folder.path().join(name));
    let (root, wanted) = (lab.keys.root().unwrap(), Wanted { channel: "stable".into(), ..wanted });
    let made = bundle(&lab.file_url(), &root, &wanted, own.path(), &out, jiff::Timestamp::now()).await?;
    Ok((out, made))
}

/// The same files with one of them changed, by somebody who knows how an archive is written.
fn forge(from: &Path, part: &str, change: impl Fn(&mut Vec<u8>)) -> Archive {
    let archive = Archive::open(from).unwrap();
    let files: Vec<_> = archive
        .files()
        .map(|(path, _)| {
            let mut bytes = archive.read(path).unwrap().unwrap();
            if path.contains(part) {
                change(&mut bytes);
            }
            (path.to_owned(), bytes)
        })
        .collect();
    let entry = |(path, bytes): &(String, Vec<u8>)| Entry {
        path: path.clone(),
        size: bytes.len() as u64,
        sha256: hash::of(bytes),
    };
    let mut out = Vec::new();
    write_head(&mut out, &files.iter().map(entry).collect::<Vec<_>>()).unwrap();
    files.iter().for_each(|(_, bytes)| out.extend_from_slice(bytes));
    let path = from.with_extension("forged");
    std::fs::write(&path, out).unwrap();
    Archive::open(&path).unwrap()
}

async fn failed_with(session: &mut Session, part: &str) -> String {
    session
        .wait(part, |seen| match seen {
            Seen::Event(UpdateEvent::Failed { reason }) if reason.contains(part) => Some(reason.clone()),
            _ => None,
        })
        .await
}

/// An app on a machine without network.
fn offline(lab: &Lab, app: &App) -> Session {
    app.start(&format!("file://{}/nowhere", lab.folder.path().display()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_from_a_file_goes_live_without_network_and_starts_next_time() {
    for own_key in [false, true] {
        let lab = Lab::new();
        let app = lab.install(&lab.contents("1.0.0", "one"));
        lab.publish(lab.contents("1.1.0", "two"));
        // Keys change meanwhile, and the channel may have one of its own.
        lab.keys.renew(None, jiff::Timestamp::now()).unwrap();
        if own_key {
            let key = lab.keys.make_for_channel("stable", Default::default(), None).unwrap();
            let place = Folder::open(&lab.repository).unwrap();
            publisher::delegate(&place, &lab.keys, "stable", key, None, jiff::Timestamp::now()).unwrap();
        }
        lab.publish(lab.contents("1.2.0", "three"));
        let (file, made) = bundled(&lab, "a.bundle", &[]).await.unwrap();
        assert_eq!((made.version.as_str(), made.targets.as_slice()), ("1.2.0", &[TARGET.to_owned()][..]));
        assert!(made.expires > days(29) && made.expires < days(31), "{}", made.expires);
        assert_eq!(made.bytes, std::fs::metadata(&file).unwrap().len());
        std::fs::remove_dir_all(&lab.repository).unwrap();
        let mut session = offline(&lab, &app);
        session.engine.apply_archive(Archive::open(&file).unwrap());
        assert_eq!(session.committed().await, "1.2.0");
        session.engine.apply_archive(Archive::open(&file).unwrap());
        let reason = failed_with(&mut session, "a.bundle").await;
        assert!(reason.contains("nothing newer than version 1.2.0"), "{reason}");
        session.engine.shut_down();
        assert_eq!(app.boot(&app.store()).release.manifest().version, "1.2.0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asset_groups_come_along_in_the_file_because_nothing_can_be_fetched_later() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut contents = lab.contents("1.1.0", "two");
    let map = lab.folder.path().join("map");
    std::fs::write(&map, "here be dragons").unwrap();
    contents.add_to_group("maps", "maps/a.bin", &map).unwrap();
    lab.publish(contents);
    let (file, _) = bundled(&lab, "a.bundle", &[]).await.unwrap();
    std::fs::remove_dir_all(&lab.repository).unwrap();
    let mut session = offline(&lab, &app);
    session.engine.apply_archive(Archive::open(&file).unwrap());
    assert_eq!(session.committed().await, "1.1.0");
    session.engine.shut_down();
    let release = app.boot(&app.store()).release;
    let (_, entry) = release.on_demand("maps/a.bin").unwrap();
    assert_eq!(release.group_file(entry).unwrap().unwrap(), b"here be dragons");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_a_file_wants_it_now_whatever_was_skipped_and_whatever_conditions_say() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut contents = lab.contents("1.1.0", "two");
    contents.manifest.policy = UpdatePolicy {
        download: Some("false".into()),
        apply: Some("custom.never".into()),
        ..UpdatePolicy::default()
    };
    lab.publish(contents);
    let (file, _) = bundled(&lab, "wanted.bundle", &[]).await.unwrap();
    let mut session = offline(&lab, &app);
    session.engine.wish(UpdateWish::Skip { version: "1.1.0".into() });
    session.engine.apply_archive(Archive::open(&file).unwrap());
    assert_eq!(session.committed().await, "1.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_release_from_a_file_is_rolled_back_and_never_tried_again() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let (file, _) = bundled(&lab, "a.bundle", &[]).await.unwrap();
    let mut session = offline(&lab, &app);
    session.host.fail.lock().unwrap().insert("1.1.0".into());
    session.engine.apply_archive(Archive::open(&file).unwrap());
    assert_eq!(session.rolled_back().await, ("1.1.0".into(), "it crashed".into()));
    session.engine.apply_archive(Archive::open(&file).unwrap());
    failed_with(&mut session, "proved bad").await;
    session.engine.shut_down();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_not_signed_is_applied_from_a_file_however_well_it_is_written() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let (file, _) = bundled(&lab, "a.bundle", &[]).await.unwrap();
    for (part, says) in [
        ("blobs/", "is not what was released"),
        ("timestamp.json", "the signed metadata was refused"),
        ("targets/releases", "is not what was released"),
    ] {
        let mut session = offline(&lab, &app);
        let forged = forge(&file, part, |bytes| {
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
        });
        session.engine.apply_archive(forged);
        failed_with(&mut session, says).await;
        session.engine.shut_down();
        assert_eq!(app.boot(&app.store()).release.manifest().version, "1.0.0", "{part}");
    }
}

/// What a check says, with everything that this app has seen so far.
async fn said(store: &Store, file: &Path, root: &[u8], installed: &Release, now: jiff::Timestamp) -> String {
    let checked = Archive::open(file).unwrap().check(store, root, installed, now).await;
    let version = checked.map(|fit| fit.version + if fit.next_start { ", at the next start" } else { "" });
    version.unwrap_or_else(|error| {
        let error = error.to_string();
        assert!(error.starts_with(&file.display().to_string()), "{error}");
        assert!(error.ends_with("nothing was changed"), "{error}");
        error
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_file_can_not_be_applied_is_known_before_anything_is_shown() {
    let (lab, others) = (Lab::new(), Lab::new());
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let now = jiff::Timestamp::now();
    lab.publish(lab.contents("1.1.0", "two"));
    let (older, _) = bundled(&lab, "older.bundle", &[]).await.unwrap();
    lab.publish(lab.contents("1.2.0", "three"));
    let (newer, _) = bundled(&lab, "newer.bundle", &[TARGET]).await.unwrap();
    others.publish(others.contents("9.0.0", "theirs"));
    let (theirs, _) = bundled(&others, "theirs.bundle", &[]).await.unwrap();
    let (store, root) = (app.store(), lab.keys.root().unwrap());
    let installed = app.boot(&store).release;

    let said = |file, now| said(&store, file, &root, &installed, now);
    assert!(said(&theirs, now).await.contains("other keys than this app trusts"));
    assert!(said(&newer, days(31)).await.contains("counts no more"));
    assert_eq!(said(&older, now).await, "1.1.0");
    assert_eq!(said(&newer, now).await, "1.2.0");
    assert!(said(&older, now).await.contains("is older than what this app has seen"));
    let mut session = offline(&lab, &app);
    session.engine.apply_archive(Archive::open(&newer).unwrap());
    assert_eq!(session.committed().await, "1.2.0");
    session.engine.shut_down();
    assert!(said(&newer, now).await.contains("version 1.2.0, which is not newer"));
    let mut contents = lab.contents("1.3.0", "four");
    contents.manifest.minimum_shell = Some("99.0.0".into());
    lab.publish(lab.with_shell(contents, b"newer", "99.0.0"));
    let (waits, _) = bundled(&lab, "waits.bundle", &[]).await.unwrap();
    assert_eq!(said(&waits, now).await, "1.3.0, at the next start");
    let mut contents = lab.contents("1.0.0", "another");
    contents.manifest.app = "com.example.other".into();
    let other = lab.install(&contents);
    let (store, installed) = (other.store(), other.boot(&other.store()).release);
    let checked = Archive::open(&newer).unwrap().check(&store, &root, &installed, now).await;
    assert!(
        checked.unwrap_err().to_string().contains("belongs to com.example.lab, not to com.example.other")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_does_not_go_past_the_version_to_stay_at_and_the_refusal_names_it() {
    let lab = Lab::new();
    let mut contents = lab.contents("1.0.0", "one");
    let apps = [None, Some("1.0.x")].map(|pin: Option<&str>| {
        let pin = pin.map(Into::into);
        contents.source = Some(UpdateSource { url: lab.file_url(), pin, ..UpdateSource::default() });
        lab.install(&contents)
    });
    lab.publish(lab.contents("1.1.0", "two"));
    let (file, _) = bundled(&lab, "a.bundle", &[]).await.unwrap();
    std::fs::remove_dir_all(&lab.repository).unwrap();
    let refusal = "holds version 1.1.0, and this app is to stay at 1.0.x (pin): lift that first";
    // Chosen by the user, and by who built the app.
    for (app, built_with) in apps.iter().zip([None, Some("1.0.x".to_owned())]) {
        let store = app.store();
        let installed = app.boot(&store).release;
        let source = UpdateSource { url: lab.file_url(), pin: built_with.clone(), ..UpdateSource::default() };
        let mut session = app.start_following(store.clone(), installed.clone(), source);
        if built_with.is_none() {
            session.engine.wish(UpdateWish::Pin { version: Some("1.0.x".into()) });
            following(&mut session, Some("1.0.x")).await;
        }
        let now = jiff::Timestamp::now();
        let refused = said(&store, &file, &app.root, &installed, now).await;
        assert!(refused.contains(refusal), "{refused}");
        // An app that was handed it all the same says so, too.
        session.engine.apply_archive(Archive::open(&file).unwrap());
        assert_eq!(session.held().await, ("1.1.0".into(), "the app is to stay at 1.0.x".into()));
        session.engine.wish(UpdateWish::Pin { version: None });
        following(&mut session, None).await;
        assert_eq!(said(&store, &file, &app.root, &installed, now).await, "1.1.0");
        session.engine.apply_archive(Archive::open(&file).unwrap());
        assert_eq!(session.committed().await, "1.1.0");
        session.engine.shut_down();
    }
}

/// The version to stay at is now this one.
async fn following(session: &mut Session, wanted: Option<&str>) {
    session
        .wait("the choice", |seen| match seen {
            Seen::Event(UpdateEvent::Following { pinned, .. }) => (pinned.as_deref() == wanted).then_some(()),
            _ => None,
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_this_machines_backend_says_so_and_none_is_made_for_a_target_there_is_not() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut contents = lab.contents("1.1.0", "two");
    let elsewhere = lab.folder.path().join("elsewhere");
    std::fs::write(&elsewhere, "for another machine").unwrap();
    contents.add_backend("other-machine", "worker", &elsewhere).unwrap();
    lab.publish(contents);
    let error = bundled(&lab, "none.bundle", &["mars"]).await.unwrap_err().to_string();
    assert!(error.contains("no backend for mars, only for") && error.contains("other-machine"), "{error}");
    assert!(!lab.folder.path().join("none.bundle").exists());
    let (both, _) = bundled(&lab, "both.bundle", &[]).await.unwrap();
    let (other, _) = bundled(&lab, "other.bundle", &["other-machine"]).await.unwrap();
    let (store, root) = (app.store(), lab.keys.root().unwrap());
    let installed = app.boot(&store).release;
    let now = jiff::Timestamp::now();
    assert!(said(&store, &other, &root, &installed, now).await.contains(&format!("--target {TARGET}")));
    assert_eq!(said(&store, &both, &root, &installed, now).await, "1.1.0");
    let sizes = [&both, &other].map(|file| std::fs::metadata(file).unwrap().len());
    assert!(sizes[0] > sizes[1], "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_holds_the_barriers_before_its_release_which_are_taken_from_it_one_after_the_other() {
    let lab = Lab::new();
    let apps = [(); 2].map(|()| lab.install(&lab.contents("1.0.0", "one")));
    let mut barrier = lab.contents("1.1.0", "two");
    barrier.manifest.barrier = true;
    lab.publish(barrier);
    lab.publish(lab.contents("1.2.0", "three"));
    let (file, made) = bundled(&lab, "whole.bundle", &[]).await.unwrap();
    assert_eq!(made.barriers, ["1.1.0"]);
    let from = Some("1.1.0".into());
    let (short, made) = bundled_as(&lab, "short.bundle", Wanted { from, ..Wanted::default() }).await.unwrap();
    assert_eq!(made.barriers, [""; 0]);
    std::fs::remove_dir_all(&lab.repository).unwrap();
    std::fs::create_dir(&lab.repository).unwrap();

    let store = apps[0].store();
    let installed = apps[0].boot(&store).release;
    let archive = Archive::open(&short).unwrap();
    let refused = archive.check_now(&store, &apps[0].root, &installed).await.unwrap_err().to_string();
    assert!(refused.contains("it lacks version 1.1.0, which has to be taken before 1.2.0"), "{refused}");
    for (app, files) in apps.iter().zip([vec![&file], vec![&file, &short]]) {
        let mut session = app.start(&lab.file_url());
        session.engine.apply_archive(Archive::open(files[0]).unwrap());
        assert_eq!(session.committed().await, "1.1.0");
        assert_eq!(session.committed().await, "1.2.0");
        session.engine.shut_down();
        let (store, root) = (app.store(), &app.root);
        // Whoever is past the barrier misses nothing in the shorter file.
        let current = app.boot(&store).release;
        let said = Archive::open(files.last().unwrap()).unwrap();
        let said = said.check_now(&store, root, &current).await.unwrap_err().to_string();
        assert!(said.contains("not newer"), "{said}");
    }
}
