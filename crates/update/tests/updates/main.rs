//! Releases published by the real publisher, served by the real server, applied by the real engine to a host.

mod barriers;
mod channels;
#[path = "../fixture/mod.rs"]
mod fixture;
mod modules;
mod shells;
mod standalone;
mod starts;
mod targets;
mod waves;

use fixture::{Lab, LabDisk, Live, Seen, noise};
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::policy::{Live as When, UpdatePolicy, Urgency};
use staysail_protocol::shadow::ShadowRules;
use staysail_protocol::worker::UpdateWish;
use staysail_server::{Options, Running};
use staysail_update::TARGET;
use staysail_update::engine::{NotApplied, trouble::Trouble};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

async fn serve(lab: &Lab) -> Running {
    let options = Options { repository: lab.repository.clone(), listen: "127.0.0.1:0".into(), token: None };
    staysail_server::start(options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_release_goes_live_while_the_app_runs_and_starts_next_time() {
    let lab = Lab::new();
    let ballast = noise(200_000, 1);
    let app = lab.install(&lab.contents_with("1.0.0", "one", &ballast));
    lab.publish(lab.contents_with("1.0.0", "one", &ballast));
    let server = serve(&lab).await;
    let mut session = app.start(&server.url());
    assert_eq!(Live::of(&session.booted).version, "1.0.0");

    let published = lab.publish(lab.contents_with("1.1.0", "two", &ballast));
    assert_eq!((published.sequence, published.deltas), (2, 1));
    let mut steps = Vec::new();
    let live = session
        .wait("release", |seen| {
            match seen {
                Seen::Event(UpdateEvent::Available { version, bytes, .. }) => {
                    // The manifest names a patch of the worker: far less than the 200 kB of the whole.
                    assert!(version == "1.1.0" && *bytes < 2_000, "{version} {bytes}");
                    steps.push("available");
                }
                Seen::Event(UpdateEvent::Progress { bytes, total, .. }) => {
                    assert!(bytes <= total);
                    steps.push("progress");
                }
                Seen::Event(UpdateEvent::Staged { .. }) => steps.push("staged"),
                Seen::Event(other) => panic!("{other:?}"),
                Seen::Live(live) => return Some(live.clone()),
            }
            None
        })
        .await;
    steps.dedup();
    assert_eq!(steps, ["available", "progress", "staged"]);
    assert_eq!(live.index, b"<h1>two</h1>");
    assert!(live.worker.starts_with(b"#!/bin/sh\necho two\n") && live.worker.ends_with(&ballast));
    assert_eq!(session.committed().await, "1.1.0");

    session.engine.shut_down();
    let boot = app.boot(&app.store());
    assert_eq!((Live::of(&boot.release), boot.fallback_reason), (live, None));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_releases_in_a_row_each_go_live_once_from_a_folder_too() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "0"));
    let mut session = app.start(&lab.file_url());
    for number in 1..=10 {
        lab.publish(lab.contents(&format!("1.0.{number}"), &number.to_string()));
        session.engine.wish(UpdateWish::Check);
        assert_eq!(session.committed().await, format!("1.0.{number}"));
    }
    let boot = app.boot(&app.store());
    assert_eq!(boot.release.manifest().sequence, 10);
    // Old releases are collected: the current one and the one before remain.
    let releases = std::fs::read_dir(app.store_folder().join("releases")).unwrap().count();
    assert!(releases <= 3, "{releases}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_fails_is_banned_and_the_next_one_is_taken() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let server = serve(&lab).await;
    for (version, next, at_switch) in [("1.1.0", "1.2.0", false), ("1.3.0", "1.4.0", true)] {
        let mut session = app.start(&server.url());
        let list = if at_switch { &session.host.refuse } else { &session.host.fail };
        list.lock().unwrap().insert(version.into());
        let before = app.boot(&session.store).release.manifest().version.clone();
        let content = format!("bad {version}");
        let bad = lab.publish(lab.contents(version, &content));
        let (rolled_back, reason) = session.rolled_back().await;
        assert_eq!(rolled_back, version);
        assert!(!reason.is_empty());
        // By the time it is reported it is banned, on disk, and not what boots.
        assert!(app.store().is_banned(&bad.hash));
        assert_eq!(app.boot(&app.store()).release.manifest().version, before);
        session.engine.shut_down();

        // A new start does not try it again, though it is still the newest: the next thing that happens is the fix.
        let mut session = app.start(&server.url());
        session.engine.wish(UpdateWish::Check);
        // Nor does it try the same content under a higher number.
        lab.publish(lab.contents(&version.replace(".0", ".5"), &content));
        session.engine.wish(UpdateWish::Check);
        lab.publish(lab.contents(next, &format!("fixed {version}")));
        let first = session.outcome().await.unwrap();
        assert_eq!(first.version, next);
        assert_eq!(session.committed().await, next);
        session.engine.shut_down();
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_could_not_be_switched_to_for_no_fault_of_its_own_is_tried_again() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut session = app.start(&lab.file_url());
    session.host.busy.lock().unwrap().insert("1.1.0".into());
    let published = lab.publish(lab.contents("1.1.0", "two"));
    session.engine.wish(UpdateWish::Check);
    session
        .wait("the postponement", |seen| {
            matches!(seen, Seen::Event(UpdateEvent::Failed { .. })).then_some(())
        })
        .await;
    assert!(!app.store().is_banned(&published.hash));
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_release_waits_until_the_app_wishes_it() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut session = app.start(&lab.file_url());
    session.engine.wish(UpdateWish::Defer { seconds: 3_600 });
    lab.publish(lab.contents("1.1.0", "two"));
    session.engine.wish(UpdateWish::Check);
    session
        .wait("staging", |seen| matches!(seen, Seen::Event(UpdateEvent::Staged { .. })).then_some(()))
        .await;
    session.engine.wish(UpdateWish::Apply);
    assert_eq!(session.outcome().await.unwrap().version, "1.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_user_puts_off_stays_put_off_over_starts_and_is_applied_afterwards_without_network() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut session = app.start(&lab.file_url());
    session.engine.wish(UpdateWish::Defer { seconds: 3_600 });
    lab.publish(lab.contents("1.1.0", "two"));
    session.engine.wish(UpdateWish::Check);
    session
        .wait("staging", |seen| matches!(seen, Seen::Event(UpdateEvent::Staged { .. })).then_some(()))
        .await;
    session.engine.shut_down();
    std::fs::remove_dir_all(&lab.repository).unwrap();
    // The first thing anybody hears of it is that it waits.
    let mut session = app.start(&lab.file_url());
    let reason = session
        .wait("the wait", |seen| match seen {
            Seen::Live(_) => Some("it is live".to_owned()),
            Seen::Event(UpdateEvent::Waiting { reason, .. }) => Some(reason.clone()),
            _ => None,
        })
        .await;
    assert_eq!(reason, "the user said later");
    session.engine.wish(UpdateWish::Apply);
    assert_eq!(session.committed().await, "1.1.0");
    assert_eq!(session.store.state().postponed.later_s, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_installed_content_published_as_it_is_changes_nothing() {
    let lab = Lab::new();
    let contents = lab.contents("1.0.0", "one");
    let app = lab.install(&contents);
    lab.publish(contents);
    let mut session = app.start(&lab.file_url());
    // The next release is the first thing anybody hears of.
    session.engine.wish(UpdateWish::Check);
    lab.publish(lab.contents("1.1.0", "two"));
    session.engine.wish(UpdateWish::Check);
    let first = session.wait("event", |seen| Some(seen.clone())).await;
    assert!(
        matches!(first, Seen::Event(UpdateEvent::Available { ref version, .. }) if version == "1.1.0"),
        "{first:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_during_probation_counts_and_the_second_one_bans() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let published = lab.publish(lab.contents("1.1.0", "two"));
    for crash in 1..=2 {
        let store = app.store();
        let current = app.boot(&store).release;
        assert_eq!(current.manifest().version, "1.0.0", "an unproven release never boots");
        let mut session = app.start_from(store, current, &lab.file_url());
        session.host.hang.lock().unwrap().insert("1.1.0".into());
        session.wait("switch", |seen| matches!(seen, Seen::Live(_)).then_some(())).await;
        // The process is gone without a word: neither `shut_down` nor a drop.
        std::mem::forget(session);
        assert_eq!(app.store().state().trials.get(&published.hash), Some(&crash));
        release_locks(&app);
    }
    let boot = app.boot(&app.store());
    assert_eq!(boot.release.manifest().version, "1.0.0");
    assert!(boot.fallback_reason.unwrap().contains("never tried again"));
    assert!(app.store().is_banned(&published.hash));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_could_not_begin_leaves_the_crash_before_it_on_record() {
    for refused in ["state", "state.copy"] {
        let lab = Lab::new();
        let app = lab.install(&lab.contents("1.0.0", "one"));
        let published = lab.publish(lab.contents("1.1.0", "two"));
        let mut session = app.start(&lab.file_url());
        session.host.hang.lock().unwrap().insert("1.1.0".into());
        session.wait("switch", |seen| matches!(seen, Seen::Live(_)).then_some(())).await;
        std::mem::forget(session);
        release_locks(&app);
        // What was staged is applied again, but the disk refuses one write of what is remembered of it.
        let disk = Arc::new(LabDisk { refuse_once: Mutex::new(Some(refused)), ..LabDisk::default() });
        let mut session = app.start_on_disk(&lab.file_url(), &disk);
        let reason = session.failed().await;
        assert!(reason.contains("could not be put on trial"), "{reason}");
        assert_eq!(app.store().state().trials.get(&published.hash), Some(&1), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_could_not_be_stored_is_told_as_that_and_not_as_a_commit() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let disk = Arc::new(LabDisk::default());
    let mut session = app.start_on_disk(&lab.file_url(), &disk);
    let full = Arc::clone(&disk);
    session.host.at_next_probation(move || *full.room.lock().unwrap() = Some(0));
    let UpdateEvent::Failed { reason } = session.verdict().await else { panic!("it is told to be stored") };
    assert!(reason.contains("is good, but that could not be stored"), "{reason}");
    *disk.room.lock().unwrap() = None;
    lab.publish(lab.contents("1.2.0", "three"));
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.2.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_could_not_be_stored_is_told() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let disk = Arc::new(LabDisk::default());
    let mut session = app.start_on_disk(&lab.file_url(), &disk);
    session.host.fail.lock().unwrap().insert("1.1.0".into());
    session.host.at_next_probation(move || *disk.room.lock().unwrap() = Some(0));
    let told = session.verdict().await;
    let UpdateEvent::Failed { reason } = told else { panic!("{told:?}") };
    assert!(reason.contains("not tried again") && reason.contains("could not be stored"), "{reason}");
    session.rolled_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_floor_that_could_not_be_stored_is_told() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.0.0", "one"));
    let disk = Arc::new(LabDisk { refuse_once: Mutex::new(Some("state")), ..LabDisk::default() });
    let mut session = app.start_on_disk(&lab.file_url(), &disk);
    let reason = session.failed().await;
    assert!(reason.contains("the floor it raises could not be stored"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_removed_is_told_and_the_release_is_committed() {
    let lab = Lab::new();
    let app = lab.updated().await;
    lab.publish(lab.contents("1.2.0", "three"));
    lab.publish(lab.contents("1.3.0", "four"));
    let disk = Arc::new(LabDisk::default());
    let mut session = app.start_on_disk(&lab.file_url(), &disk);
    session.host.at_next_probation(move || disk.keep_all.store(true, Ordering::SeqCst));
    let reason = session.failed().await;
    assert!(reason.contains("could not be removed"), "{reason}");
    assert_eq!(session.committed().await, "1.3.0");
}

/// Time stands still while something is done, and jumps when everybody waits.
#[tokio::test(start_paused = true)]
async fn a_probation_without_end_leads_back_to_the_release_before_and_only_then_is_that_told() {
    for (refused, rolled_back) in [("none", true), ("1.0.0", false)] {
        let lab = Lab::new();
        let app = lab.install(&lab.contents("1.0.0", "one"));
        let published = lab.publish(lab.contents("1.1.0", "two"));
        let mut session = app.start(&lab.file_url());
        session.host.hang.lock().unwrap().insert("1.1.0".into());
        session.host.refuse.lock().unwrap().insert(refused.into());
        let mut live = Vec::new();
        let told = loop {
            match session.seen.recv().await.unwrap() {
                Seen::Live(release) => live.push(release.version),
                Seen::Event(told @ (UpdateEvent::RolledBack { .. } | UpdateEvent::Failed { .. })) => {
                    break told;
                }
                Seen::Event(_) => {}
            }
        };
        assert!(app.store().is_banned(&published.hash));
        match told {
            UpdateEvent::RolledBack { version, to, reason } if rolled_back => {
                assert_eq!((version.as_str(), to.as_str()), ("1.1.0", "1.0.0"));
                assert!(reason.contains("no verdict"), "{reason}");
                assert_eq!(live, ["1.1.0", "1.0.0"]);
            }
            UpdateEvent::Failed { reason } if !rolled_back => {
                assert!(reason.contains("it never said hello") && reason.contains("runs on"), "{reason}");
                assert_eq!(live, ["1.1.0"]);
            }
            told => panic!("{told:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_release_may_have_the_name_of_a_leftover() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut contents = lab.contents("1.1.0", "two");
    let file = lab.folder.path().join("words.tmp");
    std::fs::write(&file, "words").unwrap();
    contents.add_backend(TARGET, "words.tmp", &file).unwrap();
    lab.publish(contents);
    // What is left over is removed with the commit.
    let leftover = app.store_folder().join("metadata/.root.json.1-1.tmp");
    std::fs::create_dir_all(leftover.parent().unwrap()).unwrap();
    std::fs::write(&leftover, "half").unwrap();
    app.take_over(&lab.file_url()).await;
    assert!(!leftover.exists());
    let boot = app.boot(&app.store());
    assert_eq!((boot.release.manifest().version.as_str(), boot.fallback_reason), ("1.1.0", None));
}

/// A dead process holds no locks; here it is still alive, so its lock file is put aside.
fn release_locks(app: &fixture::App) {
    std::fs::remove_file(app.store_folder().join("trial.lock")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_end_during_probation_does_not_count() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    for _ in 0..3 {
        let mut session = app.start(&lab.file_url());
        session.host.hang.lock().unwrap().insert("1.1.0".into());
        session.wait("switch", |seen| matches!(seen, Seen::Live(_)).then_some(())).await;
        session.engine.shut_down();
        assert!(app.store().state().trials.is_empty());
    }
    let mut session = app.start(&lab.file_url());
    assert_eq!(session.committed().await, "1.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_a_store_and_both_go_live() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents_with("1.0.0", "one", &noise(100_000, 1)));
    let server = serve(&lab).await;
    let (mut a, mut b) = (app.start(&server.url()), app.start(&server.url()));
    for number in 1..=3 {
        let version = format!("1.{number}.0");
        lab.publish(lab.contents_with(&version, &version, &noise(100_000, 1 + number)));
        let (in_a, in_b) = tokio::join!(a.committed(), b.committed());
        assert_eq!((in_a, in_b), (version.clone(), version));
    }
    assert_eq!(app.boot(&app.store()).release.manifest().version, "1.3.0");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_repository_is_no_failure_and_one_that_lost_its_timestamp_is() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut session = app.start(&lab.file_url());
    session.engine.wish(UpdateWish::Check);
    lab.publish(lab.contents("1.1.0", "two"));
    session.engine.wish(UpdateWish::Check);
    let first = session.wait("event", |seen| Some(seen.clone())).await;
    assert!(matches!(first, Seen::Event(UpdateEvent::Available { .. })), "{first:?}");
    session.committed().await;
    std::fs::remove_file(lab.repository.join("metadata/timestamp.json")).unwrap();
    session.engine.wish(UpdateWish::Check);
    assert!(session.failed().await.contains("timestamp"));
}

#[tokio::test(flavor = "multi_thread")]
async fn older_metadata_are_refused_for_ever_once_newer_ones_were_seen() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let timestamp = lab.repository.join("metadata/timestamp.json");
    let old = std::fs::read(&timestamp).unwrap();
    lab.publish(lab.contents("1.2.0", "three"));
    assert_eq!(app.take_over(&lab.file_url()).await, "1.2.0");
    std::fs::write(&timestamp, old).unwrap();
    // With the remembered metadata the roll-back is refused ...
    let mut session = app.start(&lab.file_url());
    let reason = session.failed().await;
    assert!(reason.contains("rollback") || reason.contains("version"), "{reason}");
    session.engine.shut_down();
    // ... and without them the floor of the sequence stands: the next thing that happens is a newer release.
    std::fs::remove_dir_all(app.store_folder().join("metadata")).unwrap();
    let session = app.start(&lab.file_url());
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.booted.manifest().version, "1.2.0");
    session.engine.shut_down();
    assert_eq!(app.store().state().floor, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_keeps_the_floor_and_the_bans() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    lab.publish(lab.contents("1.1.0", "two"));
    let mut session = app.start(&lab.file_url());
    session.committed().await;
    session.host.fail.lock().unwrap().insert("1.2.0".into());
    let bad = lab.publish(lab.contents("1.2.0", "bad"));
    session.engine.wish(UpdateWish::Check);
    session.rolled_back().await;
    session.engine.shut_down();
    for name in ["state", "state.copy"] {
        std::fs::write(app.store_folder().join(name), "damaged").unwrap();
    }
    let boot = app.boot(&app.store());
    assert_eq!(boot.release.manifest().version, "1.0.0", "what was committed is not known any more");
    assert!(boot.fallback_reason.unwrap().contains("damaged"));
    assert!(app.store().is_banned(&bad.hash));
    assert!(app.store().state().floor >= 1);
    // The bad one is the newest still, and is not taken; the next one is.
    lab.publish(lab.contents("1.3.0", "fixed"));
    let mut session = app.start(&lab.file_url());
    assert_eq!(session.outcome().await.unwrap().version, "1.3.0");
}

/// A release with conditions, and a host that tells facts: nothing happens before they hold.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_waits_for_its_conditions_and_the_user_decides_beside_them() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut session = app.start(&lab.file_url());
    let policy = UpdatePolicy { apply: Some("custom.ready && hour >= 0".into()), ..UpdatePolicy::default() };
    let publish = |version: &str, policy: &UpdatePolicy, urgency: Urgency| {
        let mut contents = lab.contents(version, version);
        contents.manifest.policy = policy.clone();
        contents.manifest.urgency = urgency;
        lab.publish(contents)
    };
    let waits = |version: &'static str| {
        move |seen: &Seen| match seen {
            Seen::Event(UpdateEvent::Waiting { version: waits, reason }) => {
                assert_eq!(waits, version);
                Some(reason.clone())
            }
            Seen::Live(live) => panic!("{live:?} went live"),
            _ => None,
        }
    };
    // Nobody says anything of `ready`: unknown, which is not true.
    publish("1.1.0", &policy, Urgency::default());
    session.engine.wish(UpdateWish::Check);
    let reason = session.wait("the wait", waits("1.1.0")).await;
    assert!(reason.contains("can not be told") && reason.contains("custom.ready"), "{reason}");
    // False, seen by the next look.
    session.host.tell("ready", false);
    session.engine.wish(UpdateWish::Check);
    let reason = session.wait("the wait", waits("1.1.0")).await;
    assert!(reason.contains("does not hold"), "{reason}");
    // True.
    session.host.tell("ready", true);
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.1.0");

    // Skipped: the wish is heard while it waits, and remembered by the next start.
    session.host.tell("ready", false);
    publish("1.2.0", &policy, Urgency::default());
    session.engine.wish(UpdateWish::Check);
    session.wait("the wait", waits("1.2.0")).await;
    session.engine.wish(UpdateWish::Skip { version: "1.2.0".into() });
    let skipped = |seen: &Seen| matches!(seen, Seen::Event(UpdateEvent::Skipped { .. })).then_some(());
    session.wait("the skip", skipped).await;
    assert!(session.store.state().postponed.skipped.contains("1.2.0"));
    session.engine.shut_down();
    let mut session = app.start(&lab.file_url());
    session.host.tell("ready", true);
    session.engine.wish(UpdateWish::Check);
    // What comes after it is taken, and nothing of it was seen before.
    publish("1.3.0", &policy, Urgency::default());
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.outcome().await.unwrap().version, "1.3.0");
    assert_eq!(session.committed().await, "1.3.0");
    assert!(session.store.state().postponed.skipped.is_empty());

    // Now: whatever the conditions say.
    session.host.tell("ready", false);
    publish("1.4.0", &policy, Urgency::default());
    session.engine.wish(UpdateWish::Check);
    session.wait("the wait", waits("1.4.0")).await;
    session.engine.wish(UpdateWish::Apply);
    assert_eq!(session.committed().await, "1.4.0");
    // Critical for what runs: at once.
    let urgency = Urgency { critical_below: Some("1.4.1".into()), ..Urgency::default() };
    publish("1.5.0", &policy, urgency);
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.5.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_with_rules_for_it_is_tried_before_it_is_on_trial() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut session = app.start(&lab.file_url());
    let publish = |version: &str, tried: bool| {
        let mut contents = lab.contents(version, version);
        contents.manifest.shadow = tried.then(Box::default);
        lab.publish(contents).hash
    };
    let reject = |version: &str, why: NotApplied| {
        session.host.rejected.lock().unwrap().insert(version.to_owned(), why);
    };
    reject("1.1.0", NotApplied::AtFault("3 of 40 calls were answered otherwise".into()));
    reject("1.2.0", NotApplied::NotNow("too few calls".into()));

    let banned = publish("1.1.0", true);
    session.engine.wish(UpdateWish::Check);
    let (version, reason) = session.rolled_back().await;
    assert!(version == "1.1.0" && reason.contains("answered otherwise"), "{reason}");
    assert!(session.store.is_banned(&banned));
    assert_eq!(session.engine.troubles()[&Trouble::ShadowFailed], 1);

    // The same by the same rules under another number is not tried again, by rules of its own it is.
    let again = |version: &str, share: f64| {
        let mut contents = lab.contents(version, "1.1.0");
        contents.manifest.shadow = Some(Box::new(ShadowRules { share, ..ShadowRules::default() }));
        lab.publish(contents)
    };
    again("1.1.1", ShadowRules::default().share);
    session.engine.wish(UpdateWish::Check);
    again("1.1.2", 0.5);
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.1.2");

    let waits = publish("1.2.0", true);
    session.engine.wish(UpdateWish::Check);
    assert!(session.failed().await.contains("too few calls"));
    assert!(!session.store.is_banned(&waits));
    assert_eq!(*session.host.tried.lock().unwrap(), ["1.1.0", "1.1.2", "1.2.0"]);
    assert!(session.store.state().trials.is_empty(), "what was only tried counts for nothing");
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.outcome().await.unwrap().version, "1.2.0");
    assert_eq!(session.committed().await, "1.2.0");

    publish("1.3.0", false);
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.3.0");
    assert_eq!(*session.host.tried.lock().unwrap(), ["1.1.0", "1.1.2", "1.2.0", "1.2.0"]);
}

/// Neither is applied before its moment; the launch they waited for takes them without the network.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_waits_for_the_next_load_or_launch_and_the_launch_needs_no_network() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let publish = |version: &str, live| {
        let mut contents = lab.contents(version, version);
        contents.manifest.policy.live = live;
        lab.publish(contents)
    };
    let waits = |seen: &Seen| match seen {
        Seen::Event(UpdateEvent::Waiting { reason, .. }) => Some(reason.clone()),
        Seen::Live(live) => panic!("{live:?} went live"),
        _ => None,
    };
    let mut session = app.start(&lab.file_url());
    assert!(session.engine.page_loads().is_none());
    publish("1.1.0", When::NextLoad);
    session.engine.wish(UpdateWish::Check);
    assert!(session.wait("the wait", waits).await.contains("next loaded"));
    // The load goes on once it is live.
    let load = session.engine.page_loads().expect("it waits for a load");
    assert!(load.await.is_err());
    assert_eq!(session.outcome().await.unwrap().version, "1.1.0");
    assert!(session.engine.page_loads().is_none());
    assert_eq!(session.committed().await, "1.1.0");

    publish("1.2.0", When::NextLaunch);
    session.engine.wish(UpdateWish::Check);
    assert!(session.wait("the wait", waits).await.contains("next started"));
    assert!(session.engine.page_loads().is_none());
    session.engine.shut_down();
    let mut session = app.start("http://127.0.0.1:9");
    assert_eq!(session.outcome().await.unwrap().version, "1.2.0");
    assert_eq!(session.committed().await, "1.2.0");
}
