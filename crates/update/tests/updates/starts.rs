//! Starts of a release that take the whole app down with them, so that nobody is left to see it.

use super::fixture::{App, Lab, Seen, files};
use staysail_update::store::ReleaseStart;

/// The app is started: the version that boots, and its start.
fn start(app: &App) -> (String, Option<ReleaseStart>) {
    let (boot, start) = app.begin(&app.store());
    (boot.release.manifest().version.clone(), start)
}

/// It is started, and gone before it has come to an end in order.
fn crash(app: &App, version: &str) {
    let (booted, start) = start(app);
    assert_eq!(booted, version);
    assert!(start.is_some(), "the start of {version} was not written down");
}

fn marks(app: &App) -> usize {
    files(&app.store_folder().join("releases"))
        .iter()
        .filter(|file| file.parent().unwrap().ends_with("starts"))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_takes_the_app_down_at_three_starts_gives_way_down_to_the_attached_one_and_updates_go_on()
 {
    let lab = Lab::new();
    let app = lab.install(&lab.contents("1.0.0", "one"));
    let mut hashes = Vec::new();
    for version in ["1.1.0", "1.2.0"] {
        hashes.push(lab.publish(lab.contents(version, version)).hash);
        assert_eq!(app.take_over(&lab.file_url()).await, version);
    }
    for (gone, next, hash) in [("1.2.0", "1.1.0", &hashes[1]), ("1.1.0", "1.0.0", &hashes[0])] {
        for _ in 0..3 {
            crash(&app, gone);
        }
        assert!(!app.store().is_banned(hash));
        let (boot, begun) = app.begin(&app.store());
        assert_eq!(boot.release.manifest().version, next);
        let reason = boot.fallback_reason.unwrap();
        assert!(reason.contains(gone) && reason.contains("started 3 times"), "{reason}");
        assert!(app.store().is_banned(hash));
        begun.into_iter().for_each(|start| start.ended());
    }
    // The last resort is never counted, and the way to newer releases is open.
    for _ in 0..5 {
        let (booted, start) = start(&app);
        assert!(booted == "1.0.0" && start.is_none());
    }
    lab.publish(lab.contents("1.3.0", "fixed"));
    assert_eq!(app.take_over(&lab.file_url()).await, "1.3.0");
    crash(&app, "1.3.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_start_forgets_the_bad_ones_before_it_and_an_end_in_order_only_itself() {
    let lab = Lab::new();
    let app = lab.updated().await;
    for _ in 0..2 {
        crash(&app, "1.1.0");
        crash(&app, "1.1.0");
        let good = start(&app).1.unwrap();
        good.is_up();
        // A crash within the probation would count: nothing is forgotten before.
        assert_eq!(marks(&app), 3);
        good.is_good();
        assert_eq!(marks(&app), 0);
    }
    crash(&app, "1.1.0");
    crash(&app, "1.1.0");
    for _ in 0..3 {
        // It was never shown: a second start, say, that is handed over to the first.
        let other = start(&app).1.unwrap();
        other.is_good();
        other.ended();
        assert_eq!(marks(&app), 2);
    }
    // The app saw that it does not come up, and went on with another one: that is counted elsewhere.
    let other = start(&app).1.unwrap();
    other.passed_over();
    other.is_up();
    other.ended();
    assert_eq!(marks(&app), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_another_instance_lives_nothing_is_held_against_a_release() {
    let lab = Lab::new();
    let app = lab.updated().await;
    let living = start(&app).1.unwrap();
    for _ in 0..5 {
        crash(&app, "1.1.0");
    }
    drop(living);
    assert_eq!(start(&app).0, "1.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_start_can_be_written_down_the_release_starts_all_the_same() {
    let lab = Lab::new();
    let app = lab.updated().await;
    let hash = app.store().state().current.unwrap();
    std::fs::write(app.store_folder().join("releases").join(hash).join("starts"), "no folder").unwrap();
    for _ in 0..5 {
        let (version, start) = start(&app);
        assert!(version == "1.1.0" && start.is_none());
    }
    assert_eq!(marks(&app), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_nobody_removed_hides_no_other_start() {
    let lab = Lab::new();
    let app = lab.updated().await;
    // Of two crashes the first one's mark is gone; what is left has the number the next one would get.
    crash(&app, "1.1.0");
    crash(&app, "1.1.0");
    let hash = app.store().state().current.unwrap();
    let folder = app.store_folder().join("releases").join(hash).join("starts");
    std::fs::remove_file(folder.join(format!("0-{}", std::process::id()))).unwrap();
    crash(&app, "1.1.0");
    assert_eq!(marks(&app), 2);
    crash(&app, "1.1.0");
    assert_eq!(start(&app).0, "1.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_the_app_while_another_release_is_on_trial_is_not_held_against_the_one_it_was_started_with()
{
    let lab = Lab::new();
    let app = lab.updated().await;
    let store = app.store();
    let (boot, start) = app.begin(&store);
    start.iter().for_each(ReleaseStart::is_up);
    assert_eq!((boot.release.manifest().version.as_str(), marks(&app)), ("1.1.0", 1));
    lab.publish(lab.contents("1.2.0", "three"));
    let mut session = app.start_from(store, boot.release, &lab.file_url());
    session.wait("live", |seen| matches!(seen, Seen::Live(_)).then_some(())).await;
    assert_eq!(marks(&app), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_a_killed_process_left_half_done_is_whole_before_anything_is_built_on_it() {
    let lab = Lab::new();
    let app = lab.updated().await;
    let hash = app.store().state().current.unwrap();
    // Its file was written first, and the process was killed before the state.
    let banned = app.store_folder().join("banned");
    std::fs::create_dir_all(&banned).unwrap();
    std::fs::write(banned.join(&hash), "it does not come up").unwrap();
    assert_eq!(app.boot(&app.store()).release.manifest().version, "1.0.0");
    let state = app.store().state();
    let reason = state.banned.get(&hash).map(String::as_str);
    assert_eq!((state.current, reason), (None, Some("it does not come up")));
}
