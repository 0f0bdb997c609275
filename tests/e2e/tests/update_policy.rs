//! A built app whose releases wait for what their policy says, with a page that has its say.

use anyhow::ensure;
use staysail_e2e::built::{Running, Shipped, refused};
use staysail_e2e::dev::EDIT;
use staysail_e2e::page::Page;
use staysail_e2e::project::{Backend, Project};
use staysail_e2e::stage::play;
use staysail_e2e::wait_until;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// A policy that asks the desktop how long nobody has touched anything.
const QUIET: &str = "\n[update.policy]\napply = \"idle > duration('8s')\"\n";

/// Waits until the notice says so.
fn notice(page: &Page, headline: &str) -> anyhow::Result<()> {
    let says = "const notice = document.querySelector('staysail-update'); \
                return !notice.hidden && notice.shadowRoot.querySelector('.headline').textContent";
    page.wait_for(headline, &format!("{says} === '{headline}'"), EDIT)
}

fn press(button: &str) -> String {
    format!("document.querySelector('staysail-update').shadowRoot.querySelector('.{button}').click()")
}

#[test]
fn a_release_waits_for_the_page_and_the_user_can_skip_it_or_take_it_at_once() {
    play("update_policy", |stage| {
        let project = Project::fixture(stage)?;
        let shipped = Shipped::build(stage, project)?;
        let project = &shipped.project;
        let settings = project.read("staysail.toml")?;

        // What could never hold is refused, with its place.
        project.write("staysail.toml", &format!("{settings}\n[update.policy]\napply = \"idel > 5\"\n"))?;
        let said = refused(stage, project, &["build"])?;
        ensure!(said.contains("Did you mean `idle`?") && said.contains("column 1"), "{said}");
        let policy =
            "\n[update.policy]\napply = \"!custom.editing && free_disk > 0 && load_per_core >= 0.0\"\n";
        project.write("staysail.toml", &format!("{settings}{policy}"))?;

        let (running, page) = Running::live(stage, &shipped.executable)?;
        page.run(
            "window.dirty = true; fixture.staysail.update.condition('editing', () => window.dirty)",
            &[],
        )?;
        let publish = |version: &str| {
            project.backend(&Backend::good(version))?;
            shipped.publish(stage, version)
        };
        publish("0.2.0")?;
        let waiting = page.wait_event("waiting", "0.2.0")?;
        ensure!(waiting["reason"].as_str().is_some_and(|why| why.contains("does not hold")), "{waiting}");
        // The page is done: the next look at the condition takes the release.
        page.run("window.dirty = false; fixture.staysail.update.check()", &[])?;
        page.wait_event("committed", "0.2.0")?;

        // The user skips one, and takes the next at once while the page still edits: by the ready-made notice.
        page.run_async(
            "await import('/__staysail/update-notice.js'); document.body.append(document.createElement('staysail-update')); \
             window.dirty = true; return true",
            &[],
        )?;
        publish("0.3.0")?;
        page.wait_event("waiting", "0.3.0")?;
        notice(&page, "Version 0.3.0 is ready.")?;
        page.run(&press("skip"), &[])?;
        page.wait_event("skipped", "0.3.0")?;
        publish("0.4.0")?;
        page.wait_event("waiting", "0.4.0")?;
        notice(&page, "Version 0.4.0 is ready.")?;
        stage.screenshot("notice");
        page.run(&press("now"), &[])?;
        page.wait_event("committed", "0.4.0")?;
        notice(&page, "This is version 0.4.0 now.")?;
        let events = page.events()?;
        ensure!(
            !events.iter().any(|event| event["kind"] == "applied" && event["version"] == "0.3.0"),
            "{events:?}"
        );

        // While somebody types, in whatever window, it is not quiet. Nobody did so far.
        project.write("staysail.toml", &format!("{settings}{QUIET}"))?;
        let (done, typing) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let display = &stage.display;
            scope.spawn(move || {
                while typing.recv_timeout(Duration::from_millis(200)) == Err(RecvTimeoutError::Timeout) {
                    let _ = display.key("Shift_L");
                }
            });
            display.key("Shift_L")?;
            publish("0.5.0")?;
            let waiting = page.wait_event("waiting", "0.5.0")?;
            drop(done);
            ensure!(waiting["reason"].as_str().is_some_and(|why| why.contains("does not hold")), "{waiting}");
            anyhow::Ok(())
        })?;
        // Then the time grows until it is enough, and is looked at again.
        wait_until("the quiet", EDIT, || {
            let look = "fixture.staysail.update.check()";
            page.run(look, &[]).map_err(|error| format!("{error:#}"))?;
            let events = page.events().map_err(|error| format!("{error:#}"))?;
            let found =
                events.iter().any(|event| event["kind"] == "committed" && event["version"] == "0.5.0");
            found.then_some(()).ok_or_else(|| format!("{events:?}"))
        })?;
        running.stop()
    });
}
