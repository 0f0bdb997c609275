//! A built app whose user says what it follows: a channel, a version to stay at, barriers on the way, "later" over a restart; a
//! download that waits while the connection is metered; and releases that not everybody gets yet.
#![cfg(target_os = "linux")]

use anyhow::ensure;
use gio::glib::ToVariant;
use serde_json::Value;
use staysail_e2e::built::{Running, Shipped};
use staysail_e2e::desktop_bus::{DesktopBus, Stub};
use staysail_e2e::page::Page;
use staysail_e2e::project::{Project, run_quick};
use staysail_e2e::stage::{Stage, play};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const MANAGER: &str = "org.freedesktop.NetworkManager";
const DESCRIPTION: &str = r#"<node><interface name="org.freedesktop.NetworkManager">
  <property name="Metered" type="u" access="read"/></interface></node>"#;
/// What `Metered` says of a connection.
const METERED: u32 = 1;
const FREE: u32 = 2;
/// Longest wait for the page to be as wanted.
const PATIENCE: Duration = Duration::from_secs(60);

/// NetworkManager, as far as it is asked whether bytes cost money.
fn network_manager(bus: &DesktopBus, metered: Arc<AtomicU32>) -> anyhow::Result<Stub> {
    let property = move |_: &str| metered.load(Ordering::SeqCst).to_variant();
    bus.serve_with(MANAGER, "/org/freedesktop/NetworkManager", MANAGER, DESCRIPTION, |_, _| None, property)
}

/// A release of the page alone.
fn publish(stage: &Stage, shipped: &Shipped, version: &str, more: &[&str]) -> anyhow::Result<()> {
    shipped.project.write("frontend/data.json", &format!("{{ \"version\": {version:?} }}\n"))?;
    shipped.publish_with(stage, version, more).map(drop)
}

fn wish(page: &Page, wish: &str) -> anyhow::Result<Value> {
    page.run_async(
        &format!("return fixture.staysail.update.{wish}.then(() => null, (error) => error.message)"),
        &[],
    )
}

fn live(stage: &Stage, shipped: &Shipped, bus: &DesktopBus) -> anyhow::Result<(Running, Page)> {
    let running = Running::start_with(stage, &shipped.executable, &[], &[bus.as_system_bus()])?;
    let page = Page::attach(stage, running.port, PATIENCE)?;
    Ok((running, page))
}

/// Versions that went live and proved good, in order.
fn way(page: &Page) -> anyhow::Result<Vec<String>> {
    let events = page.events()?;
    let committed = events.iter().filter(|event| event["kind"] == "committed");
    Ok(committed.filter_map(|event| event["version"].as_str().map(str::to_owned)).collect())
}

#[test]
fn a_page_that_may_changes_the_channel_stays_at_a_version_and_puts_off_what_comes_over_a_restart() {
    play("update_follow", |stage| {
        let bus = DesktopBus::start(stage)?;
        let metered = Arc::new(AtomicU32::new(FREE));
        let _manager = network_manager(&bus, metered.clone())?;
        let shipped = Shipped::build(stage, Project::fixture(stage)?)?;

        // A page without the capability chooses nothing.
        let (running, page) = live(stage, &shipped, &bus)?;
        for refused in ["follow('beta')", "pin('0.1.x')"] {
            let why = wish(&page, refused)?;
            ensure!(why.as_str().is_some_and(|why| why.contains("\"update.follow\"")), "{refused}: {why}");
        }
        drop(page);
        running.stop()?;

        // Two behind: the barrier first, which also brings the capability.
        shipped.project.allow("windows = [\"*\"]\nallow = [\"update.follow\"]")?;
        publish(stage, &shipped, "0.2.0", &["--barrier"])?;
        publish(stage, &shipped, "0.3.0", &[])?;
        let (running, page) = live(stage, &shipped, &bus)?;
        page.wait_event("committed", "0.3.0")?;
        ensure!(way(&page)? == ["0.2.0", "0.3.0"], "{:?}", page.events()?);

        // Another channel's release comes live, and nothing of the first one any more.
        publish(stage, &shipped, "0.4.0", &["--channel", "beta"])?;
        ensure!(wish(&page, "follow('beta')")?.is_null());
        page.wait_event("committed", "0.4.0")?;
        publish(stage, &shipped, "0.4.1", &[])?;

        // It stays where it is to stay; then it may go on, and is put off.
        ensure!(wish(&page, "pin('0.4.x')")?.is_null());
        publish(stage, &shipped, "0.5.0", &["--channel", "beta"])?;
        let held = page.wait_event("held", "0.5.0")?;
        ensure!(held["reason"].as_str().is_some_and(|why| why.contains("0.4.x")), "{held}");
        ensure!(wish(&page, "defer(3600)")?.is_null() && wish(&page, "pin(null)")?.is_null());
        page.wait_event("waiting", "0.5.0")?;
        ensure!(way(&page)? == ["0.2.0", "0.3.0", "0.4.0"], "{:?}", page.events()?);
        drop(page);
        running.stop()?;

        // "Later" is as long after a restart. The next one waits for a connection on which bytes cost nothing.
        let settings = shipped.project.read("staysail.toml")?;
        shipped.project.write("staysail.toml", &(settings + "\n[update.policy]\nmetered = \"wait\"\n"))?;
        let (running, page) = live(stage, &shipped, &bus)?;
        let waiting = page.wait_event("waiting", "0.5.0")?;
        ensure!(waiting["reason"] == "the user said later" && way(&page)?.is_empty(), "{waiting}");
        ensure!(wish(&page, "apply()")?.is_null());
        page.wait_event("committed", "0.5.0")?;
        metered.store(METERED, Ordering::SeqCst);
        publish(stage, &shipped, "0.6.0", &["--channel", "beta"])?;
        let waiting = page.wait_event("waiting", "0.6.0")?;
        ensure!(waiting["reason"].as_str().is_some_and(|why| why.contains("metered")), "{waiting}");
        metered.store(FREE, Ordering::SeqCst);
        ensure!(wish(&page, "check()")?.is_null());
        page.wait_event("committed", "0.6.0")?;
        ensure!(way(&page)? == ["0.5.0", "0.6.0"], "{:?}", page.events()?);
        running.stop()
    });
}

#[test]
fn a_release_in_waves_goes_live_where_its_share_takes_the_install_in_or_its_user_says_now() {
    play("update_waves", |stage| {
        let shipped = Shipped::build(stage, Project::fixture(stage)?)?;
        let place = shipped.repository.display().to_string();
        let rollout = |words: &[&str]| {
            run_quick(stage, &shipped.project, &[&["rollout"], words, &["--to", &place]].concat())
        };
        let (running, page) = Running::live(stage, &shipped.executable)?;

        // What the others stay at.
        publish(stage, &shipped, "0.1.1", &[])?;
        page.wait_event("committed", "0.1.1")?;

        // For nobody yet, and looked for; then one for everybody, which ends the other.
        publish(stage, &shipped, "0.2.0", &["--rollout", "0%"])?;
        ensure!(wish(&page, "check()")?.is_null());
        publish(stage, &shipped, "0.3.0", &[])?;
        page.wait_event("committed", "0.3.0")?;

        // Whose share grows over an app that runs goes live in it.
        publish(stage, &shipped, "0.4.0", &["--rollout", "0%"])?;
        ensure!(rollout(&["show"])?.contains("0.4.0"));
        rollout(&["set", "0.4.0", "100%"])?;
        page.wait_event("committed", "0.4.0")?;

        // "Now" takes what not everybody has yet, at any share but none.
        publish(stage, &shipped, "0.5.0", &["--rollout", "0%"])?;
        ensure!(wish(&page, "apply()")?.is_null());
        ensure!(way(&page)? == ["0.1.1", "0.3.0", "0.4.0"], "{:?}", page.events()?);
        rollout(&["set", "0.5.0", "0.01%"])?;
        ensure!(wish(&page, "apply()")?.is_null());
        page.wait_event("committed", "0.5.0")?;
        let told = page.events()?;
        ensure!(!told.iter().any(|event| event["version"] == "0.2.0"), "{told:?}");

        // The share is taken back; who runs it keeps it, over a restart, too.
        rollout(&["set", "0.5.0", "0%"])?;
        drop(page);
        running.stop()?;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        let version = page.call("version", &serde_json::json!({}))?;
        ensure!(version["value"] == "0.5.0", "{version}");
        running.stop()
    });
}
