//! Releases that are given out in waves.

use super::fixture::{App, Lab, LabDisk, PATIENCE, Seen, Session, options};
use super::serve;
use staysail_protocol::manifest::UpdateSource;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::policy::UpdatePolicy;
use staysail_protocol::worker::UpdateWish;
use staysail_update::publisher::rollout::{self, Change, Wave};
use staysail_update::publisher::{self, Folder, Options, Published, Role, Share};
use staysail_update::store::state::{Postponed, State};
use staysail_update::trust::place_in_order;
use std::sync::Arc;

fn share(text: &str) -> Share {
    text.parse().unwrap()
}

fn publish(lab: &Lab, version: &str, rollout: Option<&str>) -> Published {
    try_publish(lab, version, rollout).unwrap()
}

fn try_publish(lab: &Lab, version: &str, rollout: Option<&str>) -> Result<Published, staysail_update::Error> {
    let options = Options { rollout: rollout.map(share), ..options() };
    lab.publish_with(lab.contents(version, version), &options)
}

fn change(lab: &Lab, version: Option<&str>, change: Change) -> Result<Wave, staysail_update::Error> {
    let place = Folder::open(&lab.repository)?;
    rollout::change(&place, &lab.keys, ("stable", version), change, None, jiff::Timestamp::now())
}

fn shown(lab: &Lab) -> (Option<String>, Vec<(String, String, bool)>) {
    let place = Folder::open(&lab.repository).unwrap();
    let shown = rollout::show(&place, &lab.keys, "stable").unwrap();
    let waves = shown.waves.into_iter().map(|wave| (wave.version, wave.share.to_string(), wave.paused));
    (shown.for_everybody, waves.collect())
}

/// An install of 1.0.0 that stands between `from` and `to` hundredths of a percent for each of these releases.
fn install(lab: &Lab, stands: &[(&Published, std::ops::Range<u16>)]) -> App {
    let app = lab.install(&lab.contents("1.0.0", "1.0.0"));
    let fits = |install: &String| {
        stands.iter().all(|(release, range)| range.contains(&place_in_order(install, &release.hash[..16])))
    };
    let install = (0..1_000_000_u32).map(|number| format!("{number:032x}")).find(fits).unwrap();
    let state = State {
        generation: 1,
        postponed: Box::new(Postponed { install: Some(install), ..Postponed::default() }),
        ..State::default()
    };
    std::fs::create_dir_all(app.store_folder()).unwrap();
    for name in ["state", "state.copy"] {
        std::fs::write(app.store_folder().join(name), state.to_bytes()).unwrap();
    }
    app
}

/// What goes live first after a look.
async fn next(session: &mut Session) -> String {
    session.engine.wish(UpdateWish::Check);
    session.outcome().await.unwrap().version
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_to_its_share_to_more_as_that_grows_and_the_others_have_what_is_for_everybody() {
    let lab = Lab::new();
    publish(&lab, "1.1.0", None);
    let wave = publish(&lab, "1.2.0", Some("5%"));
    assert_eq!(wave.sequence, 2);
    assert_eq!(shown(&lab), (Some("1.1.0".into()), vec![("1.2.0".into(), "5%".into(), false)]));
    let server = serve(&lab).await;
    let (first, last) = (install(&lab, &[(&wave, 0..500)]), install(&lab, &[(&wave, 500..2_500)]));
    let mut first = first.start(&server.url());
    assert_eq!(first.committed().await, "1.2.0");
    let mut session = last.start(&server.url());
    assert_eq!(session.committed().await, "1.1.0");

    change(&lab, Some("1.2.0"), Change::Share(share("25%"))).unwrap();
    // It hears of that as of a release: the timestamp is another one.
    assert_eq!(session.committed().await, "1.2.0");
    // Fewer again, and none: whoever has it keeps it, and takes what comes next.
    change(&lab, Some("1.2.0"), Change::Share(share("0.01%"))).unwrap();
    change(&lab, None, Change::Pause).unwrap();
    for session in [&mut first, &mut session] {
        session.engine.wish(UpdateWish::Check);
    }
    publish(&lab, "1.3.0", None);
    assert_eq!(shown(&lab), (Some("1.3.0".into()), vec![]));
    for session in [&mut first, &mut session] {
        assert_eq!(next(session).await, "1.3.0");
        assert_eq!(session.committed().await, "1.3.0");
    }
    assert_eq!(session.store.state().floor, 3);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_out_of_the_newest_wave_takes_the_one_before_and_a_finished_one_becomes_what_everybody_has() {
    let lab = Lab::new();
    publish(&lab, "1.1.0", None);
    let older = publish(&lab, "1.2.0", Some("50%"));
    let newer = publish(&lab, "1.3.0", Some("10%"));
    let apps = [
        (install(&lab, &[(&older, 0..5_000), (&newer, 0..1_000)]), "1.3.0"),
        (install(&lab, &[(&older, 0..5_000), (&newer, 1_000..10_000)]), "1.2.0"),
        (install(&lab, &[(&older, 5_000..10_000), (&newer, 0..1_000)]), "1.3.0"),
        (install(&lab, &[(&older, 5_000..10_000), (&newer, 1_000..10_000)]), "1.1.0"),
    ];
    for (app, version) in &apps {
        assert_eq!(app.take_over(&lab.file_url()).await, *version);
        let boot = app.boot(&app.store());
        assert_eq!((boot.release.channel(), boot.fallback_reason), ("stable", None), "{version}");
    }
    change(&lab, Some("1.2.0"), Change::Share(Share::WHOLE)).unwrap();
    assert_eq!(apps[3].0.take_over(&lab.file_url()).await, "1.2.0", "everybody gets it");
    publish(&lab, "1.4.0", Some("0%"));
    let waves =
        [("1.4.0", "0%"), ("1.3.0", "10%")].map(|(version, share)| (version.into(), share.into(), false));
    assert_eq!(shown(&lab), (Some("1.2.0".into()), waves.to_vec()), "it is where others look, too");
    change(&lab, Some("1.3.0"), Change::Share(Share::WHOLE)).unwrap();
    let place = Folder::open(&lab.repository).unwrap();
    publisher::resign(&place, &lab.keys, None, jiff::Timestamp::now()).unwrap();
    drop(place);
    assert_eq!(shown(&lab), (Some("1.3.0".into()), vec![("1.4.0".into(), "0%".into(), false)]));
    assert_eq!(apps[3].0.take_over(&lab.file_url()).await, "1.3.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_now_does_not_wait_for_a_wave_but_for_the_end_of_a_pause() {
    let lab = Lab::new();
    publish(&lab, "1.1.0", None);
    let first = publish(&lab, "1.2.0", Some("1%"));
    let app = install(&lab, &[(&first, 100..10_000)]);
    let mut session = app.start(&lab.file_url());
    assert_eq!(session.committed().await, "1.1.0");
    session.engine.wish(UpdateWish::Apply);
    assert_eq!(session.outcome().await.unwrap().version, "1.2.0");
    assert_eq!(session.committed().await, "1.2.0");

    // That nothing is taken shows in what is for everybody, and can not be installed here.
    let mut foreign = lab.contents("1.3.0", "1.3.0");
    let backend = foreign.manifest.backend.remove(staysail_update::TARGET).unwrap();
    foreign.manifest.backend.insert("another-machine".into(), backend);
    lab.publish(foreign);
    publish(&lab, "1.4.0", Some("1%"));
    change(&lab, Some("1.4.0"), Change::Pause).unwrap();
    session.engine.wish(UpdateWish::Apply);
    let reason = session.outcome().await.unwrap_err();
    assert!(reason.contains("version 1.3.0 can not be installed"), "{reason}");
    change(&lab, Some("1.4.0"), Change::Resume).unwrap();
    session.engine.wish(UpdateWish::Apply);
    assert_eq!(session.outcome().await.unwrap().version, "1.4.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_to_be_applied_is_left_when_its_rollout_is_paused() {
    let lab = Lab::new();
    publish(&lab, "1.1.0", None);
    let app = lab.install(&lab.contents("1.0.0", "1.0.0"));
    assert_eq!(app.take_over(&lab.file_url()).await, "1.1.0");
    let mut contents = lab.contents("1.2.0", "1.2.0");
    contents.manifest.policy = UpdatePolicy { apply: Some("custom.ready".into()), ..UpdatePolicy::default() };
    let options = Options { rollout: Some(share("100%")), ..options() };
    lab.publish_with(contents, &options).unwrap();
    let waits = |seen: &Seen| matches!(seen, Seen::Event(UpdateEvent::Waiting { .. })).then_some(());
    let mut session = app.start(&lab.file_url());
    session.wait("the wait", waits).await;
    assert!(session.store.state().staged.is_some());
    change(&lab, None, Change::Pause).unwrap();
    // It would be applied now, and at the next start, if that still were to be.
    session.host.tell("ready", true);
    session.engine.wish(UpdateWish::Check);
    let left = async {
        while session.store.state().staged.is_some() {
            let seen = session.seen.try_recv();
            assert!(!matches!(seen, Ok(Seen::Live(_))), "{seen:?}");
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, left).await.expect("what waits is left");
    session.engine.shut_down();
    change(&lab, None, Change::Resume).unwrap();
    let mut session = app.start(&lab.file_url());
    session.wait("the wait", waits).await;
    session.host.tell("ready", true);
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.2.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_has_one_number_that_outlives_starts_and_comes_last_where_it_can_not_be_kept() {
    let lab = Lab::new();
    publish(&lab, "1.1.0", None);
    publish(&lab, "1.2.0", Some("99.99%"));
    let app = lab.install(&lab.contents("1.0.0", "1.0.0"));
    let disk = Arc::<LabDisk>::default();
    *disk.refuse_once.lock().unwrap() = Some("state");
    let mut session = app.start_on_disk(&lab.file_url(), &disk);
    assert_eq!(session.outcome().await.unwrap().version, "1.1.0", "only the very last is left out");
    session.engine.shut_down();

    let app = lab.install(&lab.contents("1.0.0", "1.0.0"));
    let mut numbers = Vec::new();
    for version in ["1.3.0", "1.5.0"] {
        publish(&lab, version, None);
        publish(&lab, &version.replace(".0", ".1"), Some("0.01%"));
        // It may be the one of ten thousand.
        assert!(app.take_over(&lab.file_url()).await.starts_with(&version[..3]));
        numbers.push(app.store().state().postponed.install.unwrap());
    }
    assert!(numbers[0].len() == 32 && numbers[0] == numbers[1], "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_held_back_from_what_is_for_everybody_by_the_list_of_shares() {
    let lab = Lab::new();
    publish(&lab, "1.1.0", None);
    publish(&lab, "1.2.0", Some("100%"));
    let shares = lab.repository.join("metadata/1.rollout.json");
    let kept = std::fs::read(&shares).unwrap();
    let text = String::from_utf8(kept.clone()).unwrap();
    for damaged in [text.replace("10000", "10001"), "{}".into(), String::new()] {
        std::fs::write(&shares, damaged).unwrap();
        let app = lab.install(&lab.contents("1.0.0", "1.0.0"));
        assert_eq!(app.take_over(&lab.file_url()).await, "1.1.0");
    }
    std::fs::remove_file(&shares).unwrap();
    let app = lab.install(&lab.contents("1.0.0", "1.0.0"));
    assert_eq!(app.take_over(&lab.file_url()).await, "1.1.0");
    std::fs::write(&shares, kept).unwrap();
    assert_eq!(app.take_over(&lab.file_url()).await, "1.2.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stays_at_a_version_takes_what_fits_and_not_a_wave_that_does_not() {
    let lab = Lab::new();
    publish(&lab, "1.1.0", None);
    publish(&lab, "2.0.0", Some("100%"));
    let app = lab.install(&lab.contents("1.0.0", "1.0.0"));
    let store = app.store();
    let current = app.boot(&store).release;
    let source = UpdateSource {
        url: lab.file_url(),
        check_interval_s: 3_600,
        pin: Some("1.x".into()),
        ..UpdateSource::default()
    };
    let mut session = app.start_following(store, current, source);
    assert_eq!(session.committed().await, "1.1.0");
}

#[test]
fn what_can_not_be_given_out_in_waves_is_refused_with_nothing_changed() {
    let lab = Lab::new();
    let refused = |result: Result<Published, staysail_update::Error>, says: &str| {
        let reason = result.unwrap_err().to_string();
        assert!(reason.contains(says), "{reason}");
    };
    refused(try_publish(&lab, "1.0.0", Some("5%")), "The first release is for everybody");
    publish(&lab, "1.1.0", None);
    let mut barrier = lab.contents("1.2.0", "1.2.0");
    barrier.manifest.barrier = true;
    let options = Options { rollout: Some(share("5%")), ..options() };
    refused(lab.publish_with(barrier, &options), "a barrier is for everybody");
    let reason = change(&lab, None, Change::Pause).unwrap_err().to_string();
    assert!(reason.contains("no release is given out in waves on stable"), "{reason}");
    for number in 0..8 {
        publish(&lab, &format!("1.2.{number}"), Some("1%"));
    }
    refused(try_publish(&lab, "1.2.8", Some("1%")), "rollout_waves_max");
    let reason = change(&lab, Some("1.1.0"), Change::Pause).unwrap_err().to_string();
    assert!(
        reason.contains("version 1.1.0 is no release of stable that is given out in waves: there is 1.2.7"),
        "{reason}"
    );
    refused(try_publish(&lab, "1.2.7", None), "published already");
    change(&lab, Some("1.2.3"), Change::Share(Share::WHOLE)).unwrap();
    publish(&lab, "1.2.8", None);
    assert_eq!(shown(&lab), (Some("1.2.8".into()), vec![]));
}

#[test]
fn shares_follow_the_snapshot_keys_when_those_are_exchanged() {
    let lab = Lab::new();
    let now = jiff::Timestamp::now();
    publish(&lab, "1.1.0", None);
    publish(&lab, "1.2.0", Some("5%"));
    lab.keys
        .change(None, now, |draft| {
            draft.clear(Role::Snapshot);
            let made = lab.keys.make(Role::Snapshot, Default::default(), None)?;
            draft.add(Role::Snapshot, &made.public, &made.id);
            Ok(())
        })
        .unwrap();
    let reason = change(&lab, None, Change::Pause).unwrap_err().to_string();
    assert!(reason.contains("staysail repo renew --resign"), "{reason}");
    let place = Folder::open(&lab.repository).unwrap();
    // What must be renewed every 30 days can be all the same.
    publisher::renew(&place, &lab.keys, None, now).unwrap();
    publisher::resign(&place, &lab.keys, None, now).unwrap();
    drop(place);
    assert_eq!(change(&lab, None, Change::Pause).unwrap().share, share("5%"));
    assert_eq!(shown(&lab), (Some("1.1.0".into()), vec![("1.2.0".into(), "5%".into(), true)]));
}
