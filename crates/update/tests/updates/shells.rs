//! Releases made for other versions of Staysail, those that bring one along, and what a release said of looks before another took its place.

use super::fixture::{Lab, Seen, noise};
use staysail_protocol::PROTOCOL_VERSION;
use staysail_protocol::limits::POLICY_PAUSE_S;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::worker::UpdateWish;
use staysail_update::bundle::Contents;
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

#[tokio::test(flavor = "multi_thread")]
async fn the_shell_of_a_release_is_started_in_place_of_the_installed_one_as_long_as_nothing_is_wrong_with_it()
{
    let lab = Lab::new();
    let installed = noise(100_000, 1);
    let app = lab.install_in(&lab.contents("1.0.0", "one"), &installed);
    // It carries what is installed: nothing is fetched for it, and nothing is started.
    lab.publish(lab.with_shell(lab.contents("1.1.0", "two"), &installed, "0.1.0"));
    assert_eq!(app.take_over(&lab.file_url()).await, "1.1.0");
    assert_eq!(app.newer_shell(), None);

    let another = [&installed[..], b"and more"].concat();
    let carrying = |version: &str| lab.with_shell(lab.contents(version, version), &another, "0.2.0");
    lab.publish(carrying("1.2.0"));
    let mut session = app.start(&lab.file_url());
    let bytes = session
        .wait("the release", |seen| match seen {
            Seen::Event(UpdateEvent::Available { bytes, .. }) => Some(*bytes),
            _ => None,
        })
        .await;
    // The installed executable begins with what the patch is made from.
    assert!(bytes < 5_000, "{bytes}");
    assert_eq!(session.committed().await, "1.2.0");
    session.engine.shut_down();
    let shell = app.newer_shell().unwrap();
    assert_eq!(
        (std::fs::read(&shell.path).unwrap(), shell.version.as_deref()),
        (another.clone(), Some("0.2.0"))
    );
    assert!(shell.path.ends_with("lab"), "{shell:?}");

    // The next release carries it on: it is in the repository, with its patches, and on this machine.
    let before = std::fs::read_dir(lab.repository.join("blobs")).unwrap().count();
    let published = lab.publish(carrying("1.3.0"));
    let blobs = std::fs::read_dir(lab.repository.join("blobs")).unwrap().count() - before;
    assert!(blobs <= 4, "page, worker and their patches, but {blobs}");
    assert!(published.update_bytes.unwrap() < 5_000, "{published:?}");
    assert_eq!(app.take_over(&lab.file_url()).await, "1.3.0");
    assert_eq!(app.newer_shell().as_ref(), Some(&shell));

    // What the user reinstalls counts more than an older release, whatever that carries.
    let newer = lab.install_in(&lab.contents("2.0.0", "new"), &installed);
    std::fs::copy(&newer.executable, &app.executable).unwrap();
    assert_eq!(app.newer_shell(), None);
    std::fs::copy(&lab.install_in(&lab.contents("1.0.0", "one"), &another).executable, &app.executable)
        .unwrap();
    assert_eq!(app.newer_shell(), None, "that is the installed one now");
    std::fs::copy(&lab.install_in(&lab.contents("1.0.0", "one"), &installed).executable, &app.executable)
        .unwrap();
    assert_eq!(app.newer_shell().as_ref(), Some(&shell));

    // A damaged one is none, and goes; the release starts in the installed shell.
    std::fs::write(&shell.path, "damaged").unwrap();
    assert_eq!(app.newer_shell(), None);
    assert!(!shell.path.exists());
    assert_eq!(app.boot(&app.store()).release.manifest().version, "1.3.0");
    // With the next release it is fetched again.
    lab.publish(carrying("1.4.0"));
    assert_eq!(app.take_over(&lab.file_url()).await, "1.4.0");
    assert_eq!(app.newer_shell().as_ref(), Some(&shell));

    // Without a shell the installed one is what runs next: whoever publishes must have said so.
    let none = lab.contents("1.4.1", "none");
    let refused = lab.try_publish(none.clone()).unwrap_err().to_string();
    assert!(refused.contains("return to the one they were installed with"), "{refused}");
    assert!(lab.publish(Contents { without_shell: true, ..none }).drops_shell);
    assert_eq!(app.take_over(&lab.file_url()).await, "1.4.1");
    assert_eq!(app.newer_shell(), None);
    assert!(!lab.publish(carrying("1.4.2")).drops_shell);
    assert_eq!(app.take_over(&lab.file_url()).await, "1.4.2");
    assert_eq!(app.newer_shell().as_ref(), Some(&shell));

    // A banned one is none, and is not fetched again either.
    app.store().ban(&shell.sha256, "it hangs").unwrap();
    assert_eq!(app.newer_shell(), None);
    lab.publish(carrying("1.5.0"));
    assert_eq!(app.take_over(&lab.file_url()).await, "1.5.0");
    assert_eq!(app.newer_shell(), None);
    assert!(!shell.path.exists(), "nobody needs it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_brings_the_staysail_it_needs_waits_for_the_next_start() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut contents = lab.contents("1.1.0", "two");
    contents.manifest.minimum_shell = Some("99.0.0".into());
    let refused =
        lab.try_publish(lab.with_shell(contents.clone(), b"newer", "98.0.0")).unwrap_err().to_string();
    assert!(refused.contains("needs Staysail 99.0.0") && refused.contains("98.0.0"), "{refused}");
    let published = lab.publish(lab.with_shell(contents, b"newer", "99.0.0"));
    let mut session = app.start(&lab.file_url());
    let waiting = |seen: &Seen| match seen {
        Seen::Event(UpdateEvent::Waiting { version, reason }) => Some((version.clone(), reason.clone())),
        Seen::Event(UpdateEvent::Failed { .. }) | Seen::Live(_) => panic!("{seen:?}"),
        Seen::Event(_) => None,
    };
    let (version, reason) = session.wait("the wait", waiting).await;
    assert!(version == "1.1.0" && reason.contains("next started"), "{version}: {reason}");
    // Neither a wish nor another look makes anything of it.
    session.engine.wish(UpdateWish::Apply);
    session.engine.wish(UpdateWish::Check);
    session.engine.wish(UpdateWish::Skip { version: "0.0.1".into() });
    session
        .wait("the answer", |seen| match seen {
            Seen::Event(UpdateEvent::Skipped { .. }) => Some(()),
            other => panic!("{other:?}"),
        })
        .await;
    session.engine.shut_down();
    // The next start finds it waiting, and its shell; once started, that is what applies it.
    let shell = app.newer_shell().unwrap();
    assert_eq!(std::fs::read(&shell.path).unwrap(), b"newer");
    assert_eq!(app.store().state().staged, Some(published.hash.clone()));
    // In the installed shell it goes on waiting.
    let mut session = app.start(&lab.file_url());
    assert_eq!(session.wait("the wait", waiting).await.0, "1.1.0");
    session.engine.shut_down();
    // No shell is started for what the user does not want by now.
    let choose = async |wish: UpdateWish, wanted: bool| {
        let mut session = app.start(&lab.file_url());
        session.engine.wish(wish.clone());
        // Each start tells what was chosen in the one before, too.
        let told = |seen: &Seen| match (seen, &wish) {
            (Seen::Event(UpdateEvent::Following { pinned, .. }), UpdateWish::Pin { version }) => {
                (pinned == version).then_some(())
            }
            (Seen::Event(UpdateEvent::Skipped { .. }), UpdateWish::Skip { .. }) => Some(()),
            _ => None,
        };
        session.wait("the choice", told).await;
        session.engine.shut_down();
        assert_eq!(app.newer_shell().is_some(), wanted);
    };
    choose(UpdateWish::Pin { version: Some("1.0.x".into()) }, false).await;
    choose(UpdateWish::Pin { version: None }, true).await;
    choose(UpdateWish::Skip { version: "1.1.0".into() }, false).await;
    let mut session = app.start(&lab.file_url());
    session.engine.wish(UpdateWish::Apply);
    assert_eq!(session.wait("the wait", waiting).await.0, "1.1.0");
    session.engine.shut_down();
    assert_eq!(app.newer_shell().as_ref(), Some(&shell));
    // A shell that can not run it after all does not wait for itself.
    let store = app.store();
    let start = store.begin_shell(&shell, 0, 1, &|_| true).unwrap();
    let _running = store.resume_shell(&start.name()).unwrap();
    let mut session = app.start_on(store, &lab.file_url());
    assert!(session.failed().await.contains("needs Staysail 99.0.0"));
    session.engine.shut_down();
    // One that proved bad leaves the release to those who install anew.
    let store = app.store();
    store.ban(&shell.sha256, "it hangs").unwrap();
    assert_eq!(app.newer_shell(), None);
    let mut session = app.start_on(store, &lab.file_url());
    assert!(session.failed().await.contains("install the app again"));
    session.engine.shut_down();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_release_that_was_skipped_gets_its_shell_all_the_same() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut session = app.start(&lab.file_url());
    session.engine.wish(UpdateWish::Skip { version: "1.1.0".into() });
    let skipped = |seen: &Seen| matches!(seen, Seen::Event(UpdateEvent::Skipped { .. })).then_some(());
    session.wait("the answer", skipped).await;
    let mut contents = lab.contents("1.1.0", "two");
    contents.manifest.minimum_shell = Some("99.0.0".into());
    contents.manifest.urgency.critical = true;
    lab.publish(lab.with_shell(contents, b"newer", "99.0.0"));
    session.engine.wish(UpdateWish::Check);
    let waits = |seen: &Seen| matches!(seen, Seen::Event(UpdateEvent::Waiting { .. })).then_some(());
    session.wait("the wait", waits).await;
    session.engine.shut_down();
    assert!(app.newer_shell().is_some());
}

#[test]
fn an_app_is_no_shell_to_carry() {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let executable = std::fs::read(&app.executable).unwrap();
    let refused = lab.try_publish(lab.with_shell(lab.contents("1.0.0", "one"), &executable, "0.1.0"));
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("is an app and not the bare shell"), "{refused}");
}
