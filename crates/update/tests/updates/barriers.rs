//! Barriers: releases that everybody who is behind has to pass through.

use super::fixture::{App, Lab, Live, Seen, Session, noise, options};
use super::serve;
use staysail_protocol::manifest::UpdateSource;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::worker::UpdateWish;
use staysail_update::Error;
use staysail_update::publisher::{self, Folder, Options, Published, check};
use tempfile::tempdir;

/// Publishes a release that says its version, as a barrier or not, and lifts barriers of before.
fn publish(lab: &Lab, version: &str, barrier: bool, lifted: &[&str]) -> Result<Published, Error> {
    let mut contents = lab.contents_with(version, version, &noise(100_000, 1));
    contents.manifest.barrier = barrier;
    let lift_barriers = lifted.iter().map(|version| (*version).into()).collect();
    lab.publish_with(contents, &Options { lift_barriers, ..options() })
}

fn install(lab: &Lab, version: &str) -> App {
    lab.install(&lab.contents_with(version, version, &noise(100_000, 1)))
}

/// Versions in the order they went live, up to the commit of the last one, and the most that one of them fetched.
async fn way(session: &mut Session, last: &str) -> (Vec<String>, u64) {
    let (mut lived, mut most) = (Vec::new(), 0);
    let seen = |seen: &Seen| {
        match seen {
            Seen::Live(live) => lived.push(live.version.clone()),
            Seen::Event(UpdateEvent::Available { bytes, .. }) => most = most.max(*bytes),
            Seen::Event(UpdateEvent::Committed { version }) if version == last => return Some(()),
            _ => {}
        }
        None
    };
    session.wait("the end of the way", seen).await;
    (lived, most)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_behind_takes_every_barrier_on_the_way_by_its_deltas_and_nobody_else_does() {
    let lab = Lab::new();
    let apps = ["1.0.0", "1.2.0", "1.3.0", "1.4.0"].map(|version| install(&lab, version));
    for (version, barrier) in [("1.0.0", false), ("1.1.0", false), ("1.2.0", true), ("1.3.0", false)] {
        assert_eq!(publish(&lab, version, barrier, &[]).unwrap().after_barrier, barrier_before(version));
    }
    publish(&lab, "1.4.0", true, &[]).unwrap();
    // Far more releases than patches are made from.
    for version in ["1.5.0", "1.6.0", "1.7.0", "1.8.0", "1.9.0"] {
        assert_eq!(publish(&lab, version, false, &[]).unwrap().after_barrier.as_deref(), Some("1.4.0"));
    }
    let server = serve(&lab).await;
    let ways: [&[&str]; 4] =
        [&["1.2.0", "1.4.0", "1.9.0"], &["1.4.0", "1.9.0"], &["1.4.0", "1.9.0"], &["1.9.0"]];
    for (app, expected) in apps.iter().zip(ways) {
        let mut session = app.start(&server.url());
        let (lived, most) = way(&mut session, "1.9.0").await;
        assert_eq!(lived, expected);
        assert!(most < 5_000, "{most} bytes instead of a patch");
        session.engine.shut_down();
        let boot = app.boot(&app.store());
        assert_eq!((boot.release.manifest().version.as_str(), boot.fallback_reason), ("1.9.0", None));
    }
    // An app that was installed newer than all that passes none of them.
    let app = install(&lab, "1.9.5");
    let mut session = app.start(&server.url());
    session.engine.wish(UpdateWish::Check);
    publish(&lab, "2.0.0", true, &[]).unwrap();
    assert_eq!(way(&mut session, "2.0.0").await.0, ["2.0.0"]);
    server.stop().await;
}

fn barrier_before(version: &str) -> Option<String> {
    (version == "1.3.0").then(|| "1.2.0".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_that_proves_bad_holds_up_what_comes_after_it_until_it_is_lifted_or_replaced() {
    let lab = Lab::new();
    let apps = [install(&lab, "1.0.0"), install(&lab, "1.0.0")];
    publish(&lab, "1.1.0", true, &[]).unwrap();
    publish(&lab, "1.2.0", false, &[]).unwrap();
    for app in &apps {
        let mut session = app.start(&lab.file_url());
        session.host.fail.lock().unwrap().insert("1.1.0".into());
        assert_eq!(session.rolled_back().await.0, "1.1.0");
        session.engine.shut_down();
        // Also at the next start: it stays, and says why.
        let mut session = app.start(&lab.file_url());
        let (version, reason) = session.held().await;
        assert_eq!(version, "1.2.0");
        assert!(
            reason.contains("version 1.1.0 has to be taken before 1.2.0, and proved bad here"),
            "{reason}"
        );
        session.engine.shut_down();
        assert_eq!(app.boot(&app.store()).release.manifest().version, "1.0.0");
    }
    let refused = publish(&lab, "1.3.0", false, &["1.2.0"]).unwrap_err().to_string();
    assert!(refused.contains("1.2.0 is no barrier of stable: there are 1.1.0"), "{refused}");
    // Replaced: another one takes its place.
    publish(&lab, "1.3.0", true, &["1.1.0"]).unwrap();
    publish(&lab, "1.4.0", false, &[]).unwrap();
    let mut session = apps[0].start(&lab.file_url());
    assert_eq!(way(&mut session, "1.4.0").await.0, ["1.3.0", "1.4.0"]);
    session.engine.shut_down();
    // Lifted: there is none any more.
    publish(&lab, "1.5.0", false, &["1.3.0"]).unwrap();
    let mut session = apps[1].start(&lab.file_url());
    assert_eq!(way(&mut session, "1.5.0").await.0, ["1.5.0"]);
    session.engine.shut_down();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_return_to_older_content_lies_beyond_the_barrier_like_any_release() {
    let lab = Lab::new();
    let (behind, passed) = (install(&lab, "1.0.0"), install(&lab, "1.0.0"));
    publish(&lab, "1.1.0", true, &[]).unwrap();
    assert_eq!(passed.take_over(&lab.file_url()).await, "1.1.0");
    // The content of 1.0.0 under a higher number.
    lab.publish(lab.contents_with("1.2.0", "1.0.0", &noise(100_000, 1)));
    let mut session = passed.start(&lab.file_url());
    assert_eq!(way(&mut session, "1.2.0").await.0, ["1.2.0"]);
    session.engine.shut_down();
    let mut session = behind.start(&lab.file_url());
    assert_eq!(way(&mut session, "1.2.0").await.0, ["1.1.0", "1.2.0"]);
    session.engine.shut_down();
    assert_eq!(Live::of(&behind.boot(&behind.store()).release).index, b"<h1>1.0.0</h1>");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_fell_back_behind_a_barrier_does_not_jump_to_what_was_staged_beyond_it() {
    let lab = Lab::new();
    let app = install(&lab, "1.0.0");
    publish(&lab, "1.1.0", true, &[]).unwrap();
    assert_eq!(app.take_over(&lab.file_url()).await, "1.1.0");
    publish(&lab, "1.2.0", false, &[]).unwrap();
    let mut session = app.start(&lab.file_url());
    session.engine.wish(UpdateWish::Defer { seconds: 3_600 });
    session
        .wait("staging", |seen| matches!(seen, Seen::Event(UpdateEvent::Staged { .. })).then_some(()))
        .await;
    session.engine.shut_down();
    // It does not start any more, twice: what was installed starts.
    let store = app.store();
    let barrier = app.boot(&store).release;
    (0..2).for_each(|_| store.bad_start(&barrier, "it crashes"));
    let mut session = app.start(&lab.file_url());
    assert!(session.booted.is_embedded() && session.store.state().staged.is_some());
    assert_eq!(session.held().await.0, "1.2.0");
    session.engine.shut_down();
}

#[tokio::test(flavor = "multi_thread")]
async fn lifting_an_older_barrier_leaves_the_way_over_the_younger_ones_open() {
    let lab = Lab::new();
    let app = install(&lab, "1.0.0");
    publish(&lab, "1.1.0", true, &[]).unwrap();
    publish(&lab, "1.2.0", true, &[]).unwrap();
    publish(&lab, "1.3.0", false, &["1.1.0"]).unwrap();
    let mut session = app.start(&lab.file_url());
    assert_eq!(way(&mut session, "1.3.0").await.0, ["1.2.0", "1.3.0"]);
    session.engine.shut_down();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_fell_back_from_beyond_a_barrier_need_not_pass_it_again() {
    let lab = Lab::new();
    let app = install(&lab, "1.0.0");
    publish(&lab, "1.1.0", true, &[]).unwrap();
    publish(&lab, "1.2.0", false, &[]).unwrap();
    let mut session = app.start(&lab.file_url());
    assert_eq!(way(&mut session, "1.2.0").await.0, ["1.1.0", "1.2.0"]);
    session.engine.shut_down();
    let store = app.store();
    for version in ["1.2.0", "1.1.0"] {
        let release = app.boot(&store).release;
        assert_eq!(release.manifest().version, version);
        (0..2).for_each(|_| store.bad_start(&release, "it crashes"));
    }
    publish(&lab, "1.3.0", false, &[]).unwrap();
    let mut session = app.start(&lab.file_url());
    assert!(session.booted.is_embedded());
    assert_eq!(way(&mut session, "1.3.0").await.0, ["1.3.0"]);
    session.engine.shut_down();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_on_the_way_to_a_version_to_stay_at_is_passed() {
    let lab = Lab::new();
    let app = install(&lab, "1.0.0");
    publish(&lab, "1.1.0", true, &[]).unwrap();
    publish(&lab, "1.2.3", false, &[]).unwrap();
    let store = app.store();
    let current = app.boot(&store).release;
    let source = UpdateSource { url: lab.file_url(), pin: Some("1.2.x".into()), ..UpdateSource::default() };
    let mut session = app.start_following(store, current, source);
    assert_eq!(way(&mut session, "1.2.3").await.0, ["1.1.0", "1.2.3"]);
    session.engine.shut_down();
}

#[tokio::test(flavor = "multi_thread")]
async fn barriers_of_a_channel_move_along_to_the_role_it_is_given_to_which_signs_new_ones() {
    let lab = Lab::new();
    let app = install(&lab, "1.0.0");
    publish(&lab, "1.1.0", true, &[]).unwrap();
    let key = lab.keys.make_for_channel("stable", Default::default(), None).unwrap();
    let place = Folder::open(&lab.repository).unwrap();
    publisher::delegate(&place, &lab.keys, "stable", key, None, jiff::Timestamp::now()).unwrap();
    drop(place);
    publish(&lab, "1.2.0", true, &[]).unwrap();
    publish(&lab, "1.3.0", false, &[]).unwrap();
    let server = serve(&lab).await;
    let mut session = app.start(&server.url());
    assert_eq!(way(&mut session, "1.3.0").await.0, ["1.1.0", "1.2.0", "1.3.0"]);
    session.engine.shut_down();
    // `staysail repo check` reads them as an app does.
    let (own, root) = (tempdir().unwrap(), lab.keys.root().unwrap());
    let report = check::check(&server.url(), &root, own.path(), true, jiff::Timestamp::now()).await.unwrap();
    let found: Vec<_> = report.releases.iter().map(|one| (one.path.as_str(), one.version.as_str())).collect();
    let expected = [
        ("releases/stable.json", "1.3.0"),
        ("releases/stable.1.json", "1.1.0"),
        ("releases/stable.2.json", "1.2.0"),
    ];
    assert_eq!(found, expected);
    server.stop().await;
}
