//! Releases that prove bad: each goes back by itself, is never tried again, and the user keeps working.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::built::{Running, Shipped};
use staysail_e2e::dev::EDIT;
use staysail_e2e::ledger;
use staysail_e2e::page::Page;
use staysail_e2e::processes::Process;
use staysail_e2e::project::{Backend, Project};
use staysail_e2e::stage::{Stage, play};
use std::path::PathBuf;
use std::time::Duration;

fn wait_rolled_back(page: &Page, version: &str) -> anyhow::Result<Value> {
    staysail_e2e::wait_until(&format!("the roll-back of {version}"), EDIT, || {
        let events = page.events().map_err(|error| format!("{error:#}"))?;
        let found = events
            .iter()
            .rfind(|event| event["kind"] == "rolled_back" && event["version"] == version)
            .cloned();
        found.ok_or_else(|| format!("{events:?}"))
    })
}

#[test]
fn a_release_that_aborts_hangs_is_sick_or_shows_no_page_is_rolled_back_and_banned() {
    play("rollback", |stage| {
        let shipped = Shipped::build(stage, Project::fixture(stage)?)?;
        let project = &shipped.project;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        let window = stage.display.window("Counter under test", Duration::from_secs(10))?;
        let load = page.load()?;
        page.send_keys(&page.find("#name")?, "still here")?;
        page.start_calls()?;
        page.wait_answer("v0", EDIT)?;

        let bad = [
            Backend { answer: "aborts".into(), at_start: "std::process::abort()", health: "Ok(())" },
            Backend { answer: "silent".into(), at_start: "loop { std::thread::park() }", health: "Ok(())" },
            Backend { answer: "sick".into(), at_start: "", health: "Err(\"a sick release\".into())" },
        ];
        for (number, backend) in bad.iter().enumerate() {
            let version = format!("0.2.{number}");
            project.backend(backend)?;
            shipped.publish(stage, &version)?;
            let event = wait_rolled_back(&page, &version)?;
            println!("{}: {event}", backend.answer);
            page.wait_answer("v0", EDIT)?;
            let started = ledger::starts(&stage.ledger_file())?;
            ensure!(started.iter().any(|one| one.version == backend.answer), "{version} was never tried");
            // One that was never switched to is never seen by the page at all.
            ensure!(number == 2 || page.load()? == load, "{version} loaded the page again");
        }
        // A page that throws while it comes up. Its backend is good; both go back.
        let load = page.load()?;
        let script = project.read("frontend/main.js")?;
        project.write("frontend/main.js", "throw new Error('this page does not come up');\n")?;
        project.backend(&Backend::good("v2"))?;
        shipped.publish(stage, "0.4.0")?;
        staysail_e2e::wait_until("the bad page to have been tried", EDIT, || {
            let started = ledger::starts(&stage.ledger_file()).map_err(|error| error.to_string())?;
            if started.iter().any(|one| one.version == "v2") { Ok(()) } else { Err("not yet".into()) }
        })?;
        let old = format!("return (window.fixture !== undefined && fixture.load !== '{load}')");
        page.wait_for("the old page to be back", &old, EDIT)?;
        page.wait_answer("v0", EDIT)?;
        let typed = page.run("return document.querySelector('#name').value", &[])?;
        ensure!(typed == "still here", "the field holds {typed}");

        // What is repaired is taken.
        project.write("frontend/main.js", &script)?;
        project.backend(&Backend::good("v3"))?;
        shipped.publish(stage, "0.5.0")?;
        page.wait_answer("v3", EDIT)?;
        stage.screenshot("repaired");
        let same = stage.display.window("Counter under test", Duration::from_secs(10))?;
        ensure!(same == window, "the window was {window}, now it is {same}");
        let calls = page.stop_calls()?;
        ledger::check_once(
            &calls,
            &ledger::executions(&stage.ledger_file())?,
            &["WorkerLost", "PageGone"],
            3,
        )?;
        ledger::check_counts(&calls)?;
        drop(page);
        running.stop()
    });
}

/// Kills the app in the middle of its start, once that is written down.
fn kill_starting(stage: &Stage, shipped: &Shipped, earlier: usize) -> anyhow::Result<()> {
    let marks = || -> usize {
        let releases = stage.folder.path().join("data/dev.staysail.counter/staysail/releases");
        let folders = std::fs::read_dir(releases).into_iter().flatten().flatten();
        folders.filter_map(|folder| std::fs::read_dir(folder.path().join("starts")).ok()).flatten().count()
    };
    let mut running = Running::start(stage, &shipped.executable)?;
    staysail_e2e::wait_until("the start to be written down", EDIT, || match marks() {
        now if now > earlier => Ok(()),
        now => Err(format!("{now} starts")),
    })?;
    running.program.signal(libc::SIGKILL);
    running.program.wait(EDIT).map(drop)
}

#[test]
fn what_was_banned_or_takes_the_app_down_is_not_started_again_and_what_is_repaired_is_taken() {
    play("ban", |stage| {
        let shipped = Shipped::build(stage, Project::fixture(stage)?)?;
        let project = &shipped.project;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        let bad = Backend { answer: "aborts".into(), at_start: "std::process::abort()", health: "Ok(())" };
        project.backend(&bad)?;
        shipped.publish(stage, "0.2.0")?;
        wait_rolled_back(&page, "0.2.0")?;
        let tried = |stage: &Stage| -> anyhow::Result<usize> {
            let started = ledger::starts(&stage.ledger_file())?;
            Ok(started.iter().filter(|one| one.version == "aborts").count())
        };
        let before = tried(stage)?;

        // The same content under another number, offered to the app that runs and to its next run.
        shipped.publish(stage, "0.3.0")?;
        let (first, again) = (shipped.content("0.2.0")?, shipped.content("0.3.0")?);
        ensure!(first == again, "the test is wrong, this is other content: {first:?}, {again:?}");
        page.run_async("await fixture.staysail.update.check()", &[])?;
        page.wait_served_by("v0", EDIT)?;
        drop(page);
        running.stop()?;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        page.wait_served_by("v0", EDIT)?;

        // A good release after it: when that is live, the engine has looked at the bad one and past it.
        project.backend(&Backend::good("v1"))?;
        shipped.publish(stage, "0.4.0")?;
        page.wait_served_by("v1", EDIT)?;
        page.wait_for(
            "the good release to be called good",
            "return fixture.events.some(one => one.kind === 'committed')",
            EDIT,
        )?;
        ensure!(tried(stage)? == before, "what was banned was started again (law 5)");
        let events = page.events()?;
        ensure!(
            !events.iter().any(|event| event["version"] == "0.3.0" && event["kind"] == "staged"),
            "{events:?}"
        );
        drop(page);
        running.stop()?;

        // It came up while the app ran, and takes it down whenever the app is started.
        for earlier in 0..3 {
            kill_starting(stage, &shipped, earlier)?;
            stage.wait_nothing_left_of("counter")?;
        }
        let (running, page) = Running::live(stage, &shipped.executable)?;
        page.wait_served_by("v0", EDIT)?;
        let said = running.program.lines().join("\n");
        ensure!(said.contains("version 0.4.0 is never tried again: the app was started 3 times"), "{said}");
        // The way to a repaired one is open.
        project.backend(&Backend::good("v2"))?;
        shipped.publish(stage, "0.5.0")?;
        page.wait_event("committed", "0.5.0")?;
        page.wait_served_by("v2", EDIT)?;
        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        page.wait_served_by("v2", EDIT)?;
        drop(page);
        running.stop()
    });
}

#[test]
fn an_app_whose_attached_release_does_not_start_says_so_and_takes_a_repaired_one_by_itself() {
    play("shipped_broken", |stage| {
        let project = Project::fixture(stage)?;
        project.backend(&Backend {
            answer: "aborts".into(),
            at_start: "std::process::abort()",
            health: "Ok(())",
        })?;
        let shipped = Shipped::build(stage, project)?;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        // They may be there before the page's own scripts, so that nothing of it can look into them; looked at by eye.
        let words = "return !!document.querySelector('staysail-overlay')";
        page.wait_for("words", words, EDIT)?;
        stage.screenshot("words");
        let refused = page.call("answer", &json!({ "id": "-" }))?;
        ensure!(refused["error"]["code"] == "WorkerUnavailable", "{refused}");
        shipped.project.backend(&Backend::good("v1"))?;
        shipped.publish(stage, "0.2.0")?;
        page.wait_served_by("v1", EDIT)?;
        page.wait_for("the words to go away", &words.replace("!!", "!"), EDIT)?;
        page.wait_event("committed", "0.2.0")?;
        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        page.wait_served_by("v1", EDIT)?;
        drop(page);
        running.stop()
    });
}

/// Has every process of the app stop, or go on: the shell first, then its backend and the webview's.
fn signal_all(stage: &Stage, shell: &Running, signal: i32) {
    let webdriver = |process: &Process| process.command_line.contains("WebDriver");
    let mut all: Vec<i32> =
        stage.processes().iter().filter(|one| !webdriver(one)).map(|one| one.id).collect();
    all.sort_by_key(|id| *id != shell.program.id());
    for id in all {
        // SAFETY: sends a signal to a process this test has caused.
        unsafe { libc::kill(id, signal) };
        if id == shell.program.id() && signal == libc::SIGCONT {
            // It looks at its clock before anybody else can answer.
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

#[test]
fn a_machine_that_sleeps_while_a_release_is_on_probation_has_it_neither_taken_back_nor_banned() {
    play("sleep", |stage| {
        let shipped = Shipped::build(stage, Project::fixture(stage)?)?;
        let project = &shipped.project;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        let ledger = stage.ledger_file().display().to_string();
        let (asked, go) = (PathBuf::from(ledger.clone() + ".asked"), PathBuf::from(ledger + ".go"));
        // Its health is a question that is open while the machine sleeps.
        let health = "{ let ledger = std::env::var(\"STAYSAIL_E2E_LEDGER\").unwrap_or_default(); \
                      let _ = std::fs::write(format!(\"{ledger}.asked\"), \"\"); \
                      while !std::path::Path::new(&format!(\"{ledger}.go\")).exists() { \
                      std::thread::sleep(std::time::Duration::from_millis(5)) } Ok(()) }";
        project.backend(&Backend { answer: "v1".into(), at_start: "", health })?;
        project.edit("frontend/index.html", "page-0", "page-1")?;
        shipped.publish(stage, "0.2.0")?;
        staysail_e2e::wait_until("the question for its health", EDIT, || {
            if asked.exists() { Ok(()) } else { Err("not asked".into()) }
        })?;
        signal_all(stage, &running, libc::SIGSTOP);
        // Longer than the answer may take (`hello_timeout_ms`), the page may (5 s), the probation lasts (3 s), and than all
        // signs of life together that may be missed (10 s).
        std::thread::sleep(Duration::from_secs(11));
        std::fs::write(&go, "")?;
        signal_all(stage, &running, libc::SIGCONT);
        page.wait_event("committed", "0.2.0")?;
        page.wait_served_by("v1", EDIT)?;
        ensure!(page.text(&page.find("#heading")?)? == "page-1", "the page is that of before");

        // The same with no release under way: nobody is ended for it.
        let process = page.call("process", &json!({}))?;
        signal_all(stage, &running, libc::SIGSTOP);
        std::thread::sleep(Duration::from_secs(11));
        signal_all(stage, &running, libc::SIGCONT);
        page.wait_served_by("v1", EDIT)?;
        let now = page.call("process", &json!({}))?;
        ensure!(now == process, "{process}, then {now}");
        drop(page);
        running.stop()
    });
}
