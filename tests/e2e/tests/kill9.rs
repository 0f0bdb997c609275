//! Processes that are killed: the worker under load, the shell, the development tool; and Ctrl-C.

use anyhow::{Context, ensure};
use serde_json::json;
use staysail_e2e::built::{self, Running};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::ledger;
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::{Stage, play};
use std::time::Duration;

const KILLS: usize = 3;
const GONE: Duration = Duration::from_secs(15);

#[test]
fn a_killed_worker_costs_only_the_calls_under_way_and_the_state_of_every_answer_is_kept() {
    play("kill9_worker", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let window = stage.display.window("Counter under test", GONE)?;
        let load = page.load()?;
        page.send_keys(&page.find("#name")?, "typed before")?;
        page.start_calls()?;
        page.wait_answer("v0", EDIT)?;
        let mut before = serving(&page)?;
        for kill in 1..=KILLS {
            let more = page.calls()?.len() + 100;
            page.wait_for("a hundred calls", &format!("return fixture.records.length > {more}"), EDIT)?;
            // SAFETY: the number is that of the worker, which answered just now.
            unsafe { libc::kill(before, libc::SIGKILL) };
            let killed = before;
            before =
                staysail_e2e::wait_until(
                    &format!("a new worker after kill {kill}"),
                    EDIT,
                    || match serving(&page) {
                        Ok(now) if now != killed => Ok(now),
                        other => Err(format!("{other:?}")),
                    },
                )?;
        }
        page.wait_answer("v0", EDIT)?;
        let calls = page.stop_calls()?;
        let executions = ledger::executions(&stage.ledger_file())?;
        ledger::check_once(&calls, &executions, &["WorkerLost"], 0)?;
        let last = ledger::check_counts(&calls)?;
        let lost = calls.iter().filter(|call| call.error.is_some()).count();
        ensure!(lost <= KILLS * 20, "{lost} calls were lost to {KILLS} kills");
        let tally = page.call("tally", &json!({}))?["value"].as_u64().context("no tally")?;
        ensure!(tally >= last, "the page saw the count {last}, the state holds {tally}");
        ensure!(page.load()? == load, "the page was loaded again");
        let typed = page.run("return document.querySelector('#name').value", &[])?;
        ensure!(typed == "typed before", "the field holds {typed}");
        ensure!(stage.display.window("Counter under test", GONE)? == window, "the window is another one");
        let events = page.events()?;
        for kind in ["lost", "restarted"] {
            ensure!(events.iter().any(|event| event["kind"] == kind), "no event `{kind}` in {events:?}");
        }
        println!("{} calls, {lost} of them ended with {KILLS} kills, count {tally}", calls.len());
        Ok(())
    });
}

fn serving(page: &Page) -> anyhow::Result<i32> {
    let answer = page.call("process", &json!({}))?;
    let process = answer["value"].as_i64().with_context(|| format!("no process: {answer}"))?;
    Ok(i32::try_from(process)?)
}

#[test]
fn a_killed_web_process_costs_the_page_only_and_it_is_loaded_again() {
    play("kill9_page", |stage| {
        let project = Project::fixture(stage)?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        let window = stage.display.window("Counter under test", GONE)?;
        let worker = serving(&page)?;
        drop(page);
        dev.wait("page_ready", 0, EDIT)?;
        let said = dev.position();
        for process in stage.processes_of("WebKitWebProcess") {
            process.kill();
        }
        dev.wait("page_ready", said, EDIT)?;
        ensure!(stage.display.window("Counter under test", GONE)? == window, "the window is another one");
        ensure!(stage.processes().iter().any(|process| process.id == worker), "the worker was exchanged");
        Ok(())
    });
}

#[test]
fn an_aborting_and_an_overflowing_worker_are_an_error_to_their_callers_and_started_again() {
    play("worker_dies", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let load = page.load()?;
        for how in ["abort", "overflow", "exit"] {
            let answer = page.call("die", &json!({ "how": how }))?;
            ensure!(answer["error"]["code"] == "WorkerLost", "{how}: {answer}");
            page.wait_served_by("v0", EDIT)?;
        }
        ensure!(page.load()? == load, "the page was loaded again");
        Ok(())
    });
}

/// A dev server as they are: the page's files, and children and grandchildren that outlive their parents gladly.
fn with_dev_server(stage: &Stage, project: &Project) -> anyhow::Result<()> {
    let port = staysail_e2e::free_port()?;
    let server = "import { createServer } from 'node:http';\n\
                  createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(\n\
                  '<!doctype html><title>served</title><script>window.fixture = {}</script>served'\n\
                  )).listen(Number(process.argv[2]), '127.0.0.1');\n";
    std::fs::write(stage.folder.path().join("serve.mjs"), server)?;
    let script = format!(
        "sleep 86400 &\nsetsid sleep 86401 &\n(trap '' TERM HUP INT; sleep 86402 & wait) &\nnode {}/serve.mjs {port}\n",
        stage.folder.path().display()
    );
    std::fs::write(stage.folder.path().join("serve.sh"), script)?;
    project.edit(
        "staysail.toml",
        "[backend]",
        &format!(
            "[frontend.dev]\ncommand = \"sh {}/serve.sh\"\nurl = \"http://127.0.0.1:{port}\"\n\n[backend]",
            stage.folder.path().display()
        ),
    )
}

fn wait_dev_server(stage: &Stage) -> anyhow::Result<()> {
    staysail_e2e::wait_until("the dev server's children", EDIT, || {
        let sleeping =
            stage.processes().iter().filter(|process| process.command_line.contains("sleep 8640")).count();
        if sleeping == 3 { Ok(()) } else { Err(format!("{sleeping} of 3")) }
    })
}

#[test]
fn nothing_is_left_over_when_shell_or_tool_are_killed_or_interrupted_and_the_next_start_is_clean() {
    play("kill9_tool", |stage| {
        let project = Project::fixture(stage)?;
        with_dev_server(stage, &project)?;
        for end in ["kill the shell", "kill the tool", "Ctrl-C", "close the terminal"] {
            println!("{end}");
            let (mut dev, page) = Dev::live(stage, &project)?;
            wait_dev_server(stage)?;
            ensure!(page.title()? == "served", "the dev server's page is not shown");
            stage.display.window("Counter under test|served", GONE)?;
            drop(page);
            match end {
                "kill the shell" => {
                    let shells = stage.processes_of("staysail-shell");
                    ensure!(!shells.is_empty(), "no shell");
                    shells.iter().for_each(staysail_e2e::processes::Process::kill);
                }
                "kill the tool" => dev.program.signal(libc::SIGKILL),
                "Ctrl-C" => dev.program.signal_group(libc::SIGINT),
                _ => dev.program.signal(libc::SIGHUP),
            }
            stage.wait_nothing_left(GONE).with_context(|| format!("after: {end}"))?;
            dev.program.wait(GONE)?;
        }
        Ok(())
    });
}

#[test]
fn a_built_app_that_is_killed_leaves_no_process_and_starts_again_with_its_window() {
    play("kill9_built", |stage| {
        let project = Project::fixture(stage)?;
        let executable = built::build(stage, &project, true)?;
        for _ in 0..2 {
            let (mut running, page) = Running::live(stage, &executable)?;
            page.start_calls()?;
            page.wait_answer("v0", EDIT)?;
            let own = stage.processes().len();
            ensure!(own >= 2, "only {own} processes: the worker is no process of its own");
            drop(page);
            running.program.signal(libc::SIGKILL);
            running.program.wait(GONE)?;
            stage.wait_nothing_left(GONE)?;
        }
        let (_running, page) = Running::live(stage, &executable)?;
        page.wait_served_by("v0", EDIT)?;
        let constant = page.run("return fixture.staysail.constants.place", &[])?;
        ensure!(constant == "sea", "production's constants are not there: {constant}");
        Ok(())
    });
}
