//! Published releases go live in a built app, under a continuous stream of calls: from a server, and from a file.

use anyhow::Context;
use staysail_e2e::built::{Running, Shipped};
use staysail_e2e::child::run_to_end;
use staysail_e2e::dev::EDIT;
use staysail_e2e::ledger;
use staysail_e2e::page::Page;
use staysail_e2e::project::{Backend, Project, run_quick};
use staysail_e2e::stage::{Stage, play};
use std::time::Duration;

const RELEASES: usize = 10;
/// Longest wait for the first page of a built app.
const START: Duration = Duration::from_secs(30);
/// Longest wait for the end of a probation.
const PROBATION: Duration = Duration::from_secs(60);

#[test]
fn ten_releases_go_live_in_one_window_and_the_next_start_runs_the_newest() {
    play("live_update", |stage| {
        let shipped = Shipped::build(stage, Project::fixture(stage)?)?;
        let project = &shipped.project;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        let window = stage.display.window("Counter under test", Duration::from_secs(10))?;
        let mut load = page.load()?;
        page.send_keys(&page.find("#name")?, "typed before")?;
        page.start_calls()?;
        page.wait_answer("v0", EDIT)?;
        let mut expected = vec!["v0".to_owned()];
        let mut reloads = 0;
        for release in 1..=RELEASES {
            let version = format!("v{release}");
            project.backend(&Backend::good(&version))?;
            let page_changes = release % 4 == 0;
            if page_changes {
                let (old, new) = (format!("page-{}", release - 4), format!("page-{release}"));
                project.edit("frontend/index.html", &old, &new)?;
            }
            if release % 4 == 2 {
                let colour = format!("h1 {{ color: rgb({release}, 0, 0); }}\n");
                let styles = project.read("frontend/styles.css")? + &colour;
                project.write("frontend/styles.css", &styles)?;
            }
            // The page's files stay as they are, and yet it must be loaded together with this backend (law 7).
            let speaks_otherwise = release == 5;
            if speaks_otherwise {
                let file = "backend/app/src/main.rs";
                let twice = "/// New.\n#[command]\nfn twice(number: u32) -> u32 {\n    number * 2\n}\n\n";
                project.edit(file, "/// The app's version.", &format!("{twice}/// The app's version."))?;
                project.edit(file, "die, version, ", "die, version, twice, ")?;
            }
            shipped.publish(stage, &format!("0.{release}.1"))?;
            if speaks_otherwise {
                reloads += 1;
                let again = format!("return !!window.fixture && fixture.load !== '{load}'");
                page.wait_for("the page to be loaded for another interface", &again, EDIT)?;
                page.wait_up()?;
                load = page.load()?;
                let answer = page.call("twice", &serde_json::json!({ "number": 21 }))?;
                anyhow::ensure!(answer["value"] == 42, "{answer}");
            }
            if page_changes {
                reloads += 1;
                let shown =
                    format!("return document.querySelector('#heading')?.textContent === 'page-{release}'");
                page.wait_for("the new page", &shown, EDIT)?;
                page.wait_up()?;
                let now = page.load()?;
                anyhow::ensure!(now != load, "the page's file changed, but it was not loaded again");
                load = now;
            }
            page.wait_answer(&version, EDIT)?;
            if release % 4 == 2 {
                let style = format!(
                    "return getComputedStyle(document.querySelector('#heading')).color === 'rgb({release}, 0, 0)'"
                );
                page.wait_for("the new style", &style, EDIT)?;
            }
            anyhow::ensure!(page.load()? == load, "release {release} loaded the page without a reason");
            expected.push(version);
        }
        stage.screenshot("after-10-releases");
        let calls = page.stop_calls()?;
        let executions = ledger::executions(&stage.ledger_file())?;
        ledger::check_once(&calls, &executions, &["PageGone"], reloads)?;
        ledger::check_monotone(&calls, &expected)?;
        let count = ledger::check_counts(&calls)?;
        let typed = page.run("return document.querySelector('#name').value", &[])?;
        anyhow::ensure!(typed == "typed before", "the field holds {typed}");
        let same = stage.display.window("Counter under test", Duration::from_secs(10))?;
        anyhow::ensure!(same == window, "the window was {window}, now it is {same}");
        println!("{} calls through {RELEASES} releases, count {count}", calls.len());

        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;
        let (again, page) = Running::live(stage, &shipped.executable)?;
        page.wait_served_by(&format!("v{RELEASES}"), EDIT)?;
        let heading = page.text(&page.find("#heading")?)?;
        anyhow::ensure!(heading == "page-8", "the next start shows {heading}");
        let version = page.call("version", &serde_json::json!({}))?;
        anyhow::ensure!(version["value"] == format!("0.{RELEASES}.1"), "the next start runs {version}");

        // Whoever logs out, or presses Ctrl-C, while a release is on probation says nothing against it.
        project.edit(
            "staysail.toml",
            "inspector = false\nprobation_s = 3",
            "inspector = false\nprobation_s = 600",
        )?;
        project.backend(&Backend::good("asked"))?;
        shipped.publish(stage, "0.20.1")?;
        let mut started = Some((again, page));
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGTERM] {
            let (running, page) = match started.take() {
                Some(started) => started,
                None => Running::live(stage, &shipped.executable)?,
            };
            page.wait_served_by("asked", EDIT)?;
            drop(page);
            running.stop_by(signal)?;
            stage.wait_nothing_left_of("counter")?;
        }
        Ok(())
    });
}

#[test]
fn releases_go_live_in_all_windows_while_a_dialog_waits_for_its_answer() {
    play("live_windows", |stage| {
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"*\"]\nallow = [\"window.*\", \"dialog.*\"]")?;
        let shipped = Shipped::build(stage, project)?;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        page.run_async(
            "await fixture.staysail.openWindow({ label: 'second', url: '/second.html', title: 'Second', width: 300, \
             height: 200 }); return true",
            &[],
        )?;
        // One that shows itself after the dialog would be taken for it, and take the focus.
        stage.display.window("^Second$", EDIT)?;
        let ask = || -> anyhow::Result<String> {
            let before = stage.display.programs_windows();
            page.run(
                "window.answer = undefined; fixture.staysail.dialog.message('Leave?', { buttons: ['Stay', 'Leave'] }) \
                 .then(answer => window.answer = answer)",
                &[],
            )?;
            stage.display.focus_new(&before, EDIT)
        };
        let dialog = ask()?;
        page.start_calls()?;
        page.wait_answer("v0", EDIT)?;
        let load = page.load()?;

        // Backend only: dialog and pages stay what they are.
        shipped.project.backend(&Backend::good("v1"))?;
        shipped.publish(stage, "0.1.1")?;
        page.wait_answer("v1", EDIT)?;
        wait_executed(stage, "wave-second-", "v1", 3)?;
        anyhow::ensure!(stage.display.programs_windows().contains(&dialog), "the dialog is gone");
        stage.screenshot("dialog-through-a-release");
        stage.display.key("Return")?;
        page.wait_for("the answer", "return window.answer !== undefined", EDIT)?;
        anyhow::ensure!(page.load()? == load, "the page was loaded again");

        // A new page: both windows load it, and the dialog of the page that is gone holds nothing up.
        let dialog = ask()?;
        let fresh = executed(stage, "wave-second-0", "v1")?;
        shipped.project.edit("frontend/index.html", "page-0", "page-1")?;
        shipped.publish(stage, "0.2.1")?;
        let shown = "return document.querySelector('#heading')?.textContent === 'page-1'";
        page.wait_for("the new page", shown, EDIT)?;
        page.wait_up()?;
        wait_executed(stage, "wave-second-0", "v1", fresh + 1)?;
        stage.display.key("Escape")?;
        staysail_e2e::wait_until("the dialog to be gone", EDIT, || {
            if stage.display.programs_windows().contains(&dialog) {
                Err("still there".into())
            } else {
                Ok(())
            }
        })?;
        let calls = page.stop_calls()?;
        let mut executions = ledger::executions(&stage.ledger_file())?;
        // The second window's page counts from the beginning at each load.
        executions.retain(|one| !one.id.starts_with("wave-"));
        ledger::check_once(&calls, &executions, &["PageGone"], 1)?;
        anyhow::ensure!(executed(stage, "mixed-second", "v1")? == 0, "a window got another one's answer");
        drop(page);
        running.stop()
    });
}

/// How many calls whose number begins like this a version has executed.
fn executed(stage: &Stage, number: &str, version: &str) -> anyhow::Result<usize> {
    let all = ledger::executions(&stage.ledger_file())?;
    Ok(all.iter().filter(|one| one.id.starts_with(number) && one.version == version).count())
}

fn wait_executed(stage: &Stage, number: &str, version: &str, least: usize) -> anyhow::Result<()> {
    staysail_e2e::wait_until("calls of the second window", EDIT, || match executed(stage, number, version) {
        Ok(count) if count >= least => Ok(()),
        other => Err(format!("{other:?} of {least} {number} by {version}")),
    })
}

#[test]
fn a_file_goes_live_in_the_open_window_or_at_the_start_without_network() {
    play("offline_update", |stage| {
        let project = Project::fixture(stage)?;
        project.edit(
            "backend/app/src/main.rs",
            "        .keep(\"tally\"",
            "        .single_instance()\n        .keep(\"tally\"",
        )?;
        let Shipped { project, repository, server, executable } = Shipped::build(stage, project)?;
        drop(server);
        let repository = repository.display().to_string();
        let bundle = |release: usize| {
            let (answer, version) = (format!("v{release}"), format!("0.{release}.1"));
            project.backend(&Backend::good(&answer))?;
            let (old, new) = (format!("page-{}", release - 1), format!("page-{release}"));
            project.edit("frontend/index.html", &old, &new)?;
            run_quick(stage, &project, &["publish", "--to", &repository, "--version", &version])?;
            let file = stage.folder.path().join(format!("{release}.bundle")).display().to_string();
            run_quick(stage, &project, &["bundle", &repository, "--out", &file])?;
            anyhow::Ok(file)
        };
        let apply = |file: &str| {
            let mut command = stage.command(&executable);
            command.args(["--apply", file]).current_dir(stage.folder.path());
            run_to_end("apply", command, Duration::from_secs(20))
        };
        let shows = |page: &Page, release: usize| {
            let shown =
                format!("return document.querySelector('#heading')?.textContent === 'page-{release}'");
            page.wait_for("the new page", &shown, EDIT)
        };

        let (mut running, page) = Running::live(stage, &executable)?;
        let window = stage.display.window("Counter under test", Duration::from_secs(10))?;
        page.start_calls()?;
        page.wait_answer("v0", EDIT)?;
        let first = bundle(1)?;
        let whole = std::fs::read(&first)?;
        let torn = stage.folder.path().join("torn.bundle");
        std::fs::write(&torn, &whole[..whole.len() - 1])?;
        let (status, said) = apply("torn.bundle")?;
        anyhow::ensure!(!status.success() && said.contains("breaks off at byte"), "{status}: {said}");
        let (status, said) = apply("1.bundle")?;
        anyhow::ensure!(status.success() && said.contains("version 0.1.1"), "{status}: {said}");
        page.wait_answer("v1", EDIT)?;
        shows(&page, 1)?;
        page.wait_up()?;
        let calls = page.stop_calls()?;
        let executions = ledger::executions(&stage.ledger_file())?;
        ledger::check_once(&calls, &executions, &["PageGone"], 1)?;
        let same = stage.display.window("Counter under test", Duration::from_secs(10))?;
        anyhow::ensure!(same == window, "the window was {window}, now it is {same}");
        running
            .program
            .wait_line("the commit", 0, PROBATION, |line| line.contains("Committed").then_some(()))?;
        let (status, said) = apply("1.bundle")?;
        anyhow::ensure!(!status.success() && said.contains("not newer"), "{status}: {said}");

        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;
        let second = bundle(2)?;
        let running = Running::start_with(stage, &executable, &["--apply", &second], &[])?;
        let page = Page::attach(stage, running.port, START)?;
        page.wait_served_by("v2", EDIT)?;
        shows(&page, 2)?;
        drop(page);
        running.stop()
    });
}

/// The place that the page says, and the one that the backend says.
fn wait_place(page: &Page, place: &str) -> anyhow::Result<()> {
    let shown = format!("return window.fixture?.staysail.constants.place === '{place}'");
    page.wait_for(place, &shown, EDIT)?;
    page.wait_up()?;
    staysail_e2e::wait_until(&format!("a backend at {place}"), EDIT, || {
        let answer = page.call("place", &serde_json::json!({})).map_err(|error| format!("{error:#}"))?;
        if answer["value"] == place { Ok(()) } else { Err(answer.to_string()) }
    })
}

/// What the page has put into its storage.
fn kept(page: &Page) -> anyhow::Result<serde_json::Value> {
    page.run_async(
        "const open = indexedDB.open('kept', 1); open.onupgradeneeded = () => open.result.createObjectStore('all'); \
         const base = await new Promise((done, fail) => { open.onsuccess = () => done(open.result); open.onerror = fail; }); \
         const get = base.transaction('all').objectStore('all').get('one'); \
         await new Promise((done, fail) => { get.onsuccess = done; get.onerror = fail; }); base.close(); \
         return [localStorage.getItem('one'), get.result ?? null]",
        &[],
    )
}

#[test]
fn configuration_goes_live_and_back_with_page_and_backend_and_what_the_page_stored_stays() {
    play("configuration", |stage| {
        let project = Project::fixture(stage)?;
        let main = "backend/app/src/main.rs";
        let place = "/// Where it is.\n#[command]\nfn place(app: AppHandle) -> String {\n    \
                     app.constant(\"place\").unwrap_or_default()\n}\n\n";
        project.edit(main, "/// The app's version.", &format!("{place}/// The app's version."))?;
        project.edit(main, "die, version, ", "die, version, place, ")?;
        let shipped = Shipped::build(stage, project)?;
        let project = &shipped.project;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        let window = stage.display.window("Counter under test", Duration::from_secs(10))?;
        wait_place(&page, "sea")?;
        kept(&page)?;
        page.run_async(
            "localStorage.setItem('one', 'before'); const open = indexedDB.open('kept', 1); \
             const base = await new Promise((done, fail) => { open.onsuccess = () => done(open.result); open.onerror = fail; }); \
             const change = base.transaction('all', 'readwrite'); change.objectStore('all').put('stored', 'one'); \
             await new Promise((done, fail) => { change.oncomplete = done; change.onerror = fail; }); base.close(); return true",
            &[],
        )?;
        let stored = serde_json::json!(["before", "stored"]);
        let configured = |from: &str, to: &str| {
            project.edit("staysail.toml", &format!("place = \"{from}\""), &format!("place = \"{to}\""))
        };

        // Nothing but configuration, and in it another place for what the webview keeps.
        configured("sea", "moon")?;
        let settings = project.read("staysail.toml")?;
        project.write("staysail.toml", &(settings + "\n[webview]\nstorage = \"$CACHE/web\"\n"))?;
        shipped.publish(stage, "0.1.1")?;
        wait_place(&page, "moon")?;
        page.wait_served_by("v0", EDIT)?;
        page.wait_event("committed", "0.1.1")?;
        anyhow::ensure!(kept(&page)? == stored, "{} is kept", kept(&page)?);

        // All three at once; its health is bad, and all three go back.
        let sick = Backend { answer: "sick".into(), at_start: "", health: "Err(\"a sick release\".into())" };
        project.backend(&sick)?;
        project.edit("frontend/index.html", "page-0", "page-1")?;
        configured("moon", "mars")?;
        shipped.publish(stage, "0.2.1")?;
        page.wait_event("rolled_back", "0.2.1")?;
        wait_place(&page, "moon")?;
        page.wait_served_by("v0", EDIT)?;
        anyhow::ensure!(page.text(&page.find("#heading")?)? == "page-0", "the page stayed");
        anyhow::ensure!(kept(&page)? == stored, "{} is kept", kept(&page)?);

        project.backend(&Backend::good("v1"))?;
        shipped.publish(stage, "0.3.1")?;
        wait_place(&page, "mars")?;
        page.wait_served_by("v1", EDIT)?;
        anyhow::ensure!(page.text(&page.find("#heading")?)? == "page-1", "the page is that of before");
        page.wait_event("committed", "0.3.1")?;
        anyhow::ensure!(kept(&page)? == stored, "{} is kept", kept(&page)?);
        let same = stage.display.window("Counter under test", Duration::from_secs(10))?;
        anyhow::ensure!(same == window, "the window was {window}, now it is {same}");

        // The next start reads where the webview keeps it.
        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        wait_place(&page, "mars")?;
        let stored = kept(&page)?;
        anyhow::ensure!(stored == serde_json::json!([null, null]), "{stored} is kept at another place");
        drop(page);
        running.stop()
    });
}

/// A module of which `name` answers with a letter, or traps.
fn rules(letter: char, traps: bool) -> anyhow::Result<Vec<u8>> {
    let work = if traps { "unreachable" } else { "(i64.const 1)" };
    let text = format!(
        r#"(module
            (memory (export "memory") 1)
            (data (i32.const 0) "{letter}")
            (func (export "staysail_alloc") (param i32) (result i32) (i32.const 1024))
            (func (export "name") (param i32 i32) (result i64) {work}))"#
    );
    Ok(wat::parse_str(text)?)
}

/// Has the page ask the module without a pause: `window.asked` are all answers, an error as its text.
const ASK: &str = "window.asked = [];
    (async () => {
        while (true) {
            const answer = await fixture.invoke('rule', {}).catch((error) => `${error}`);
            if (asked.at(-1)?.answer !== answer) asked.push({ answer, times: 0 });
            asked.at(-1).times++;
        }
    })();";

#[test]
fn a_release_that_changes_only_a_module_goes_live_in_the_worker_that_runs_and_back_when_it_traps() {
    play("module_release", |stage| {
        let project = Project::fixture(stage)?;
        let manifest = "backend/app/Cargo.toml";
        project.edit(manifest, "staysail\" }", "staysail\", features = [\"wasm\"] }")?;
        let file = "backend/app/src/main.rs";
        let command = "#[command]\nfn rule(app: AppHandle) -> Result<String, staysail::ModuleError> {\n    \
                       let answer = app.module(\"rules\")?.call(\"name\", b\"\")?;\n    \
                       Ok(format!(\"{} of {}\", String::from_utf8_lossy(&answer), std::process::id()))\n}\n\n";
        project.edit(
            file,
            "/// The app's version.",
            &format!("/// Of the module.\n{command}/// The app's version."),
        )?;
        project.edit(file, "die, version, ", "die, version, rule, ")?;
        let settings = project.read("staysail.toml")?;
        project.write("staysail.toml", &format!("{settings}\n[modules.rules]\nfile = \"rules.wasm\"\n"))?;
        std::fs::write(project.file("rules.wasm"), rules('a', false)?)?;

        let shipped = Shipped::build(stage, project)?;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        let first = page.call("rule", &serde_json::json!({}))?;
        let of_a = first["value"].as_str().context("an answer")?.to_owned();
        anyhow::ensure!(of_a.starts_with("a of "), "{first}");
        let load = page.load()?;
        page.run(ASK, &[])?;

        // The worker and the page stay what they are: only the module is another.
        std::fs::write(shipped.project.file("rules.wasm"), rules('b', false)?)?;
        shipped.publish(stage, "0.2.0")?;
        let of_b = of_a.replacen('a', "b", 1);
        let answers = format!("return asked.at(-1).answer === '{of_b}'");
        page.wait_for("the answers of the new module", &answers, EDIT)?;
        page.wait_event("committed", "0.2.0")?;

        // Its calls fail, and so it goes back and is banned.
        std::fs::write(shipped.project.file("rules.wasm"), rules('c', true)?)?;
        shipped.publish(stage, "0.3.0")?;
        page.wait_event("rolled_back", "0.3.0")?;
        page.wait_for("the answers of the module before", &answers, EDIT)?;
        let asked = page.run("return asked.map((one) => one.answer)", &[])?;
        let asked: Vec<&str> =
            asked.as_array().context("answers")?.iter().filter_map(|one| one.as_str()).collect();
        let [a, b, trapped, again] = asked[..] else { anyhow::bail!("{asked:?}") };
        anyhow::ensure!(a == of_a && b == of_b && again == of_b && trapped.contains("trapped"), "{asked:?}");
        anyhow::ensure!(page.load()? == load, "the page was loaded again");
        let starts = ledger::starts(&stage.ledger_file())?;
        anyhow::ensure!(starts.len() == 1, "a worker was started beside the first: {}", starts.len());
        drop(page);
        running.stop()?;

        // What was committed is what the next start has.
        let (again, page) = Running::live(stage, &shipped.executable)?;
        let next = page.call("rule", &serde_json::json!({}))?;
        anyhow::ensure!(next["value"].as_str().is_some_and(|answer| answer.starts_with("b of ")), "{next}");
        drop(page);
        again.stop()
    });
}
