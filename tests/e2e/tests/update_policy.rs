//! A built app whose releases wait for what their policy says, with a page that has its say.

use anyhow::ensure;
use staysail_e2e::built::{Running, Shipped, refused};
use staysail_e2e::dev::EDIT;
use staysail_e2e::ledger;
use staysail_e2e::page::Page;
use staysail_e2e::project::{Backend, Project};
use staysail_e2e::stage::{Stage, play};
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

/// Waits until the second window says what its files are: `part` with its page's number, from a backend of this version.
fn second_says(stage: &Stage, part: &str, version: &str) -> anyhow::Result<()> {
    staysail_e2e::wait_until(&format!("{part} by {version}"), EDIT, || {
        let all = ledger::executions(&stage.ledger_file()).map_err(|error| format!("{error:#}"))?;
        let said = all.iter().any(|one| one.id.starts_with(part) && one.version == version);
        if said { Ok(()) } else { Err(format!("{:?}", all.last())) }
    })
}

#[test]
fn a_release_goes_live_with_the_next_load_of_a_page_or_the_next_launch_as_its_publisher_says() {
    play("update_live", |stage| {
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"*\"]\nallow = [\"window.*\"]")?;
        project.write("frontend/part.txt", "part-0")?;
        // It tells with each wave what a file is that it fetches late.
        let wave = "await invoke(\"answer\", { id: mixed ? `mixed-${label}` : `wave-${label}-${wave}` })";
        let part = "const part = await (await fetch(\"/part.txt\")).text();\n  \
                    await invoke(\"answer\", { id: `${part}-${loaded}-${wave}` })";
        project.edit("frontend/second.js", wave, part)?;
        let load = "const { label } = currentWindow;";
        project.edit("frontend/second.js", load, &format!("const loaded = \"page-0\";\n{load}"))?;
        let shipped = Shipped::build(stage, project)?;
        let project = &shipped.project;
        let settings = project.read("staysail.toml")?;
        project.write("staysail.toml", &(settings + "\n[update.policy]\nlive = \"next-load\"\n"))?;
        let change = |number: usize| -> anyhow::Result<()> {
            let (old, new) = (format!("page-{}", number - 1), format!("page-{number}"));
            project.edit("frontend/index.html", &old, &new)?;
            project.edit("frontend/second.js", &old, &new)?;
            project.write("frontend/part.txt", &format!("part-{number}"))?;
            project.backend(&Backend::good(format!("v{number}")))
        };
        let heading = |page: &Page, number: usize| {
            let shown = format!(
                "return !!window.fixture && document.querySelector('#heading')?.textContent === 'page-{number}'"
            );
            page.wait_for("the page", &shown, EDIT)?;
            page.wait_up()
        };
        let waits = |page: &Page, version: &str, until: &str| -> anyhow::Result<()> {
            let waiting = page.wait_event("waiting", version)?;
            ensure!(waiting["reason"].as_str().is_some_and(|why| why.contains(until)), "{waiting}");
            Ok(())
        };
        let part = |page: &Page| page.run_async("return (await fetch('/part.txt')).text()", &[]);
        let second = "await fixture.staysail.openWindow({ label: 'second', url: '/second.html', width: 300, height: 200 }); \
                      return true";

        let (running, page) = Running::live(stage, &shipped.executable)?;
        page.run_async(second, &[])?;
        second_says(stage, "part-0-page-0", "v0")?;
        let load = page.load()?;

        // Page and backend: both stay what they are until the user loads the page of one window.
        change(1)?;
        shipped.publish(stage, "0.1.1")?;
        waits(&page, "0.1.1", "next loaded")?;
        page.wait_served_by("v0", EDIT)?;
        ensure!(page.load()? == load && part(&page)? == "part-0", "it went live before");
        page.run("location.reload()", &[])?;
        heading(&page, 1)?;
        page.wait_served_by("v1", EDIT)?;
        ensure!(part(&page)? == "part-1", "a page of one release with a file of another");
        // The other goes on with the files it has, with the backend that is there.
        second_says(stage, "part-0-page-0", "v1")?;
        page.wait_event("committed", "0.1.1")?;

        // One whose page does not come up goes back, and the window that did not load it stays as it is.
        let script = project.read("frontend/main.js")?;
        change(2)?;
        project.write("frontend/main.js", "throw new Error('this page does not come up');\n")?;
        shipped.publish(stage, "0.2.1")?;
        waits(&page, "0.2.1", "next loaded")?;
        page.run("location.reload()", &[])?;
        staysail_e2e::wait_until("the bad page to have been tried", EDIT, || {
            let started = ledger::starts(&stage.ledger_file()).map_err(|error| error.to_string())?;
            if started.iter().any(|one| one.version == "v2") { Ok(()) } else { Err("not yet".into()) }
        })?;
        heading(&page, 1)?;
        page.wait_served_by("v1", EDIT)?;
        page.wait_event("rolled_back", "0.2.1")?;
        project.write("frontend/main.js", &script)?;

        // A window that opens loads its page, too.
        change(3)?;
        shipped.publish(stage, "0.3.1")?;
        waits(&page, "0.3.1", "next loaded")?;
        let load = page.load()?;
        page.run_async(&second.replace("'second'", "'third'"), &[])?;
        second_says(stage, "part-3-page-3", "v3")?;
        ensure!(page.load()? == load && part(&page)? == "part-1", "the first window was loaded, too");
        let all = ledger::executions(&stage.ledger_file())?;
        let ids = || all.iter().map(|one| one.id.as_str()).filter(|id| id.starts_with("part-"));
        let own = ["part-0-page-0", "part-3-page-3"];
        ensure!(
            ids().all(|id| own.iter().any(|own| id.starts_with(own))),
            "files of two releases in one page"
        );
        ensure!(
            ids().filter(|id| *id == "part-0-page-0-0").count() == 1,
            "the second window was loaded again"
        );
        page.wait_event("committed", "0.3.1")?;

        // The page says when.
        change(4)?;
        shipped.publish(stage, "0.4.1")?;
        waits(&page, "0.4.1", "next loaded")?;
        page.run_async("await fixture.staysail.update.apply()", &[])?;
        heading(&page, 4)?;
        page.wait_event("committed", "0.4.1")?;

        // Pages that could not call it are loaded with the first one.
        change(5)?;
        let file = "backend/app/src/main.rs";
        let twice = "/// New.\n#[command]\nfn twice(number: u32) -> u32 {\n    number * 2\n}\n\n";
        project.edit(file, "/// The app's version.", &format!("{twice}/// The app's version."))?;
        project.edit(file, "die, version, ", "die, version, twice, ")?;
        shipped.publish(stage, "0.4.2")?;
        waits(&page, "0.4.2", "next loaded")?;
        page.run("location.reload()", &[])?;
        heading(&page, 5)?;
        let answer = page.call("twice", &serde_json::json!({ "number": 21 }))?;
        ensure!(answer["value"] == 42, "{answer}");
        second_says(stage, "part-5-page-5", "v5")?;
        page.wait_event("committed", "0.4.2")?;

        // The publisher says otherwise for one release: no load takes it, the next launch does.
        change(6)?;
        shipped.publish_with(stage, "0.5.1", &["--live", "next-launch"])?;
        waits(&page, "0.5.1", "next started")?;
        page.run("location.reload()", &[])?;
        page.wait_up()?;
        heading(&page, 5)?;
        page.wait_served_by("v5", EDIT)?;
        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        heading(&page, 6)?;
        page.wait_served_by("v6", EDIT)?;
        page.wait_event("committed", "0.5.1")?;
        drop(page);
        running.stop()
    });
}
