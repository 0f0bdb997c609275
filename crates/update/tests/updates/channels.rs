//! Channels followed and versions stayed at, by the user's choice and by the operator's.

use super::fixture::{App, Lab, LabDisk, Seen, Session, options};
use super::serve;
use staysail_protocol::manifest::UpdateSource;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::policy::Urgency;
use staysail_protocol::worker::UpdateWish;
use staysail_update::engine::trouble::Trouble;
use staysail_update::publisher::{self, Folder, Options};
use std::sync::Arc;

fn publish(lab: &Lab, channel: &str, version: &str) {
    let options = Options { channel: channel.into(), ..options() };
    lab.publish_with(lab.contents(version, version), &options).unwrap();
}

fn follow(channel: Option<&str>) -> UpdateWish {
    UpdateWish::Follow { channel: channel.map(Into::into) }
}

fn pin(version: Option<&str>) -> UpdateWish {
    UpdateWish::Pin { version: version.map(Into::into) }
}

async fn following(session: &mut Session) -> (String, Option<String>) {
    session
        .wait("the choice", |seen| match seen {
            Seen::Event(UpdateEvent::Following { channel, pinned }) => {
                Some((channel.clone(), pinned.clone()))
            }
            _ => None,
        })
        .await
}

fn source(lab: &Lab, channel: &str, pin: Option<&str>) -> UpdateSource {
    let (url, pin) = (lab.file_url(), pin.map(Into::into));
    UpdateSource { url, check_interval_s: 3_600, channel: channel.into(), pin, ..UpdateSource::default() }
}

fn start(app: &App, source: UpdateSource) -> Session {
    let store = app.store();
    let current = app.boot(&store).release;
    app.start_following(store, current, source)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_changes_the_channel_while_the_app_runs_and_back_without_a_step_back() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    publish(&lab, "stable", "1.0.0");
    publish(&lab, "stable", "1.1.0");
    // Signed by a key of its own, like a team's.
    let key = lab.keys.make_for_channel("beta", Default::default(), None).unwrap();
    let place = Folder::open(&lab.repository).unwrap();
    publisher::delegate(&place, &lab.keys, "beta", key, None, jiff::Timestamp::now()).unwrap();
    drop(place);
    publish(&lab, "beta", "2.0.0-beta.1");
    let server = serve(&lab).await;
    let mut session = app.start(&server.url());
    assert_eq!(session.committed().await, "1.1.0");
    session.engine.wish(follow(Some("beta")));
    assert_eq!(following(&mut session).await, ("beta".into(), None));
    // Its sequence is lower, its version higher.
    assert_eq!(session.committed().await, "2.0.0-beta.1");
    session.engine.shut_down();
    let floors = |app: &App| (app.store().state().floor, app.store().state().floor_of("beta"));
    assert_eq!(floors(&app), (2, 1));

    // Remembered over starts, also what vouches for what runs.
    let boot = app.boot(&app.store());
    assert_eq!((boot.release.channel(), boot.fallback_reason), ("beta", None));
    let mut session = app.start(&server.url());
    assert_eq!(following(&mut session).await, ("beta".into(), None));
    publish(&lab, "stable", "1.2.0");
    publish(&lab, "beta", "2.0.0-beta.2");
    assert_eq!(session.outcome().await.unwrap().version, "2.0.0-beta.2");
    assert_eq!(session.committed().await, "2.0.0-beta.2");

    // Back: what is lower there is not taken, and that is said; what passes it is.
    session.engine.wish(follow(None));
    assert_eq!(following(&mut session).await.0, "stable");
    let (version, reason) = session.held().await;
    assert_eq!(version, "1.2.0");
    assert!(
        reason.contains("the channel stable is at version 1.2.0; version 2.0.0-beta.2 stays"),
        "{reason}"
    );
    publish(&lab, "stable", "2.0.0");
    assert_eq!(session.committed().await, "2.0.0");
    session.engine.shut_down();
    assert_eq!(floors(&app), (4, 2));
    assert_eq!(app.store().state().chosen, Default::default());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_the_repository_does_not_name_is_told_and_the_apps_own_goes_on() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "1.0.0"));
    publish(&lab, "stable", "1.0.0");
    publish(&lab, "beta", "1.0.0");
    let mut session = app.start(&lab.file_url());
    session.engine.wish(follow(Some("nightly")));
    let reason = session.failed().await;
    assert!(
        reason.contains("there is no channel nightly, only beta, stable; stable is followed"),
        "{reason}"
    );
    assert_eq!(session.engine.troubles()[&Trouble::ChannelGone], 1);
    publish(&lab, "stable", "1.1.0");
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.1.0");
    assert_eq!(session.store.state().chosen, Default::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_state_keeps_the_floor_of_each_channel() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    publish(&lab, "stable", "1.1.0");
    for number in 1..=5 {
        publish(&lab, "beta", &format!("2.0.0-beta.{number}"));
    }
    let mut session = app.start(&lab.file_url());
    session.committed().await;
    session.engine.wish(follow(Some("beta")));
    session.committed().await;
    session.engine.shut_down();
    for name in ["state", "state.copy"] {
        std::fs::write(app.store_folder().join(name), "damaged").unwrap();
    }
    let state = app.store().state();
    assert_eq!((state.floor, state.floor_of("beta")), (1, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_stays_at_the_version_the_user_chose_over_starts_until_it_may_go_on() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.4.0", "one"));
    let mut session = app.start(&lab.file_url());
    session.engine.wish(pin(Some("1.4.x")));
    assert_eq!(following(&mut session).await, ("stable".into(), Some("1.4.x".into())));
    publish(&lab, "stable", "1.4.1");
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.4.1");
    let mut urgent = lab.contents("1.5.0", "urgent");
    urgent.manifest.urgency = Urgency { critical: true, ..Urgency::default() };
    lab.publish(urgent);
    session.engine.wish(UpdateWish::Check);
    let told = ("1.5.0".to_owned(), "the app is to stay at 1.4.x; it is critical".to_owned());
    assert_eq!(session.held().await, told);
    session.engine.shut_down();
    let mut session = app.start(&lab.file_url());
    assert_eq!(session.held().await, told);
    // "Now" is no word on where to stay.
    session.engine.wish(UpdateWish::Apply);
    session.engine.wish(pin(None));
    assert_eq!(following(&mut session).await.1, None);
    assert_eq!(session.committed().await, "1.5.0");
    session.engine.shut_down();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_channel_and_version_count_until_the_user_chooses_others() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    publish(&lab, "stable", "1.9.0");
    publish(&lab, "beta", "2.0.0");
    let mut session = start(&app, source(&lab, "beta", Some("1.x")));
    assert_eq!(session.held().await.0, "2.0.0");
    session.engine.wish(follow(Some("stable")));
    assert_eq!(session.committed().await, "1.9.0");
    session.engine.wish(pin(None));
    following(&mut session).await;
    session.engine.wish(follow(None));
    assert_eq!(session.committed().await, "2.0.0");
    session.engine.shut_down();
    // What was chosen outlives the start: no version to stay at, whatever the operator says.
    let mut session = start(&app, source(&lab, "beta", Some("1.x")));
    publish(&lab, "beta", "2.1.0");
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "2.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_and_can_not_be_stored_is_told_counted_and_holds_until_the_app_ends() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    publish(&lab, "beta", "2.0.0");
    let disk = Arc::<LabDisk>::default();
    let mut session = app.start_on_disk(&lab.file_url(), &disk);
    for (wish, part) in [
        (UpdateWish::Skip { version: "3.0.0".into() }, "what the user skips could not be stored"),
        (follow(Some("beta")), "the channel or version that was chosen could not be stored"),
    ] {
        *disk.refuse_once.lock().unwrap() = Some("state");
        session.engine.wish(wish);
        let reason = session.failed().await;
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(session.engine.troubles()[&Trouble::ChoiceNotStored], 2);
    assert_eq!(session.committed().await, "2.0.0");
}
