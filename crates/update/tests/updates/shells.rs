//! Releases made for other versions of Staysail, and what a release said of looks before another took its place.

use super::fixture::{Lab, Seen};
use staysail_protocol::PROTOCOL_VERSION;
use staysail_protocol::limits::POLICY_PAUSE_S;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::worker::UpdateWish;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_release_for_a_newer_staysail_is_told_not_fetched_and_not_blamed() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut session = app.start(&lab.file_url());
    let newer = (PROTOCOL_VERSION + 1, PROTOCOL_VERSION + 2);
    for (version, protocol, minimum, part) in [
        ("1.1.0", newer, None, "its backend speaks protocol"),
        ("1.2.0", (PROTOCOL_VERSION, PROTOCOL_VERSION), Some("99.0.0"), "it needs Staysail 99.0.0"),
    ] {
        let mut contents = lab.contents(version, version);
        contents.manifest.protocol = protocol;
        contents.manifest.minimum_shell = minimum.map(Into::into);
        let published = lab.publish(contents);
        session.engine.wish(UpdateWish::Check);
        let reason = session
            .wait("the refusal", |seen| match seen {
                Seen::Event(UpdateEvent::Failed { reason }) => Some(reason.clone()),
                other => panic!("{other:?}"),
            })
            .await;
        assert!(reason.contains(version) && reason.contains(part), "{reason}");
        assert!(reason.contains("install the app again"), "{reason}");
        assert!(!app.store().is_banned(&published.hash));
    }
    // One that an older and a newer Staysail run is taken.
    let mut contents = lab.contents("1.3.0", "for both");
    contents.manifest.protocol = (PROTOCOL_VERSION, PROTOCOL_VERSION + 1);
    contents.manifest.minimum_shell = Some("0.0.1".into());
    lab.publish(contents);
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.3.0");
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_what_a_release_said_of_looks_ends_when_another_took_its_place() {
    let lab = Lab::new();
    let mut contents = lab.contents("1.0.0", "one");
    contents.manifest.policy.check = Some("custom.never".into());
    let app = lab.install(&contents);
    lab.publish(lab.contents("1.1.0", "two"));
    let mut session = app.start(&lab.file_url());
    session.host.tell("never", false);
    let asked = |session: &super::fixture::Session| session.host.asked.lock().unwrap().len();
    let pause = Duration::from_secs(POLICY_PAUSE_S);
    tokio::time::sleep(pause * 3).await;
    // Nothing was found: it asks again and again whether it may look.
    assert!(asked(&session) >= 3, "{}", asked(&session));
    session.engine.wish(UpdateWish::Check);
    assert_eq!(session.committed().await, "1.1.0");
    let by_then = asked(&session);
    tokio::time::sleep(pause * 10).await;
    assert_eq!(asked(&session), by_then, "nobody waits any more");
    session.engine.shut_down();
}
