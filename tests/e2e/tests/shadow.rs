//! Releases whose backend answers calls beside the one that serves, before they go live or do not.

use anyhow::{Context, ensure};
use serde_json::Value;
use staysail_e2e::built::{Running, Shipped};
use staysail_e2e::dev::EDIT;
use staysail_e2e::ledger;
use staysail_e2e::project::{Backend, Project};
use staysail_e2e::stage::{Stage, play};
use std::path::PathBuf;
use std::time::Duration;

/// A read-only command that behaves as its build is called.
const LOOK: &str = r#"
/// What `look` answers.
#[staysail::data]
pub struct Look {
    id: String,
    count: u32,
    process: u32,
}

/// The count, and who says so.
#[command(read_only)]
fn look(id: String, tally: Kept<Tally>, app: AppHandle) -> Look {
    record("looked", &id);
    app.emit("looked", &counter_core::ANSWER);
    match counter_core::ANSWER {
        "crashing" => std::process::abort(),
        "silent" => loop {
            std::thread::park();
        },
        _ => {}
    }
    let more = u32::from(counter_core::ANSWER == "wrong");
    Look { id, count: tally.read().count + more, process: std::process::id() }
}

/// The count.
#[command]
fn tally("#;

/// Calls it all the time, and keeps what goes wrong and whose events come.
const CALLS: &str = "window.wrong = []; window.heard = new Set(); window.looks = 0; \
     fixture.staysail.listen('looked', by => heard.add(by)); \
     setInterval(() => fixture.invoke('look', { id: 'look' }).then( \
     answer => { looks++; if (answer.id !== 'look') wrong.push(answer) }, error => wrong.push(String(error))), 15)";

/// The report of the one app of this stage.
fn report(stage: &Stage) -> anyhow::Result<PathBuf> {
    let apps = std::fs::read_dir(stage.folder.path().join("data"))?;
    let mut reports =
        apps.flatten().map(|app| app.path().join("shadow-report.json")).filter(|path| path.exists());
    reports.next().context("there is no report")
}

#[test]
fn a_release_that_answers_otherwise_ends_or_is_silent_is_rejected_and_one_that_answers_alike_goes_live() {
    play("shadow", |stage| {
        let project = Project::fixture(stage)?;
        project.edit("backend/app/src/main.rs", "\n/// The count.\n#[command]\nfn tally(", LOOK)?;
        project.edit("backend/app/src/main.rs", "commands![answer,", "commands![answer, look,")?;
        let shipped = Shipped::build(stage, project)?;
        let project = &shipped.project;
        let settings = project.read("staysail.toml")?;
        project.write(
            "staysail.toml",
            &(settings
                + "\n[update.shadow]\ncalls_min = 25\nseconds_max = 30\nignore = [\"look:/process\"]\n"),
        )?;
        let (running, page) = Running::live(stage, &shipped.executable)?;
        let load = page.load()?;
        page.start_calls()?;
        page.run(CALLS, &[])?;
        page.wait_answer("v0", EDIT)?;

        let bad = [("wrong", "0.2.0"), ("crashing", "0.3.0"), ("silent", "0.4.0")];
        for (answer, version) in bad {
            project.backend(&Backend::good(answer))?;
            shipped.publish(stage, version)?;
            let compared = page.wait_event("compared", version)?;
            println!("{answer}: {compared}");
            ensure!(compared["passed"] == false, "{compared}");
            let reason = page.wait_event("rolled_back", version)?["reason"].clone();
            ensure!(reason.as_str().is_some_and(|why| why.contains("shadow verification")), "{reason}");
            if answer == "wrong" {
                ensure!(compared.get("differences").is_none(), "a page heard of answers: {compared}");
                let report: Value = serde_json::from_slice(&std::fs::read(report(stage)?)?)?;
                ensure!(report["differences"][0]["path"] == "/count", "{report}");
                ensure!(
                    report["version"] == version && report["commands"]["look"]["different"] == 1,
                    "{report}"
                );
            }
        }
        project.backend(&Backend::good("v5"))?;
        shipped.publish(stage, "0.5.0")?;
        let compared = page.wait_event("compared", "0.5.0")?;
        println!("v5: {compared}");
        ensure!(compared["passed"] == true && compared["different"] == 0, "{compared}");
        ensure!(compared["calls"].as_u64().is_some_and(|calls| calls >= 25), "{compared}");
        page.wait_answer("v5", EDIT)?;
        page.wait_event("committed", "0.5.0")?;

        let calls = page.stop_calls()?;
        ensure!(page.load()? == load, "the page was loaded again");
        let executions = ledger::executions(&stage.ledger_file())?;
        ledger::check_once(&calls, &executions, &[], 0)?;
        ledger::check_monotone(&calls, &["v0".to_owned(), "v5".to_owned()])?;
        let looked = ledger::lines(&stage.ledger_file(), "looked")?;
        let heard = page.run("return [...heard]", &[])?;
        for (answer, version) in bad {
            ensure!(looked.iter().any(|one| one.version == answer), "{version} was asked nothing");
            ensure!(
                !executions.iter().any(|one| one.version == answer),
                "{version} was called for its effects"
            );
            ensure!(!heard.to_string().contains(answer), "the page hears {version}: {heard}");
        }
        let wrong = page.run("return wrong", &[])?;
        ensure!(wrong == serde_json::json!([]), "calls went wrong: {wrong}");
        let same = stage.display.window("Counter under test", Duration::from_secs(10))?;
        println!("{} calls, window {same}", calls.len());
        drop(page);
        running.stop()
    });
}
