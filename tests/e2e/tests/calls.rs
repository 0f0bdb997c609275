//! Calls that are given up, pages that leave, windows that call at once.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::ledger;
use staysail_e2e::project::Project;
use staysail_e2e::stage::{Stage, play};

/// Waits until the ledger has a line of this kind with this id.
fn wait_noted(stage: &Stage, what: &str, id: &str) -> anyhow::Result<()> {
    staysail_e2e::wait_until(&format!("{what} {id} in the ledger"), EDIT, || {
        let lines = ledger::lines(&stage.ledger_file(), what).map_err(|error| error.to_string())?;
        if lines.iter().any(|line| line.id == id) { Ok(()) } else { Err(format!("{} others", lines.len())) }
    })
}

#[test]
fn a_call_that_is_given_up_drops_its_future_whoever_gave_it_up() {
    play("given_up", |stage| {
        let project = Project::fixture(stage)?;
        // A backend that is exchanged has all the time there is for its calls: what ends one is that it is given up.
        project.edit("staysail.toml", "[debug]\n", "[debug]\ndrain_s = 600\n")?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        page.run(
            "window.ends = {}; window.abort = new AbortController(); window.late = new AbortController(); \
             const keep = (id, options) => { fixture.invoke('linger', { id }, options) \
             .then(() => window.ends[id] = 'answered', error => window.ends[id] = error.code) }; \
             keep('aborted', { signal: window.abort.signal }); keep('untouched', { signal: window.late.signal })",
            &[],
        )?;
        wait_noted(stage, "begun", "aborted")?;
        wait_noted(stage, "begun", "untouched")?;
        page.run("window.abort.abort()", &[])?;
        wait_noted(stage, "dropped", "aborted")?;
        page.wait_for("the abort", "return window.ends.aborted === 'Cancelled'", EDIT)?;

        let timed_out = page.run_async(
            "return fixture.invoke('linger', { id: 'timed-out' }, { timeout: 1000 }).catch(error => error.code)",
            &[],
        )?;
        ensure!(timed_out == "Timeout", "{timed_out}");
        wait_noted(stage, "begun", "timed-out")?;
        wait_noted(stage, "dropped", "timed-out")?;
        let dropped = ledger::lines(&stage.ledger_file(), "dropped")?;
        ensure!(!dropped.iter().any(|line| line.id == "untouched"), "another call was cancelled, too");
        ensure!(page.run("return window.ends.untouched ?? null", &[])? == Value::Null);

        let from = dev.position();
        project.edit("backend/app/src/main.rs", "Counter under test", "Counter, exchanged")?;
        dev.wait("swap_done", from, EDIT)?;
        page.run("window.late.abort()", &[])?;
        wait_noted(stage, "dropped", "untouched")?;
        page.wait_for("the late abort", "return window.ends.untouched === 'Cancelled'", EDIT)?;
        Ok(())
    });
}

#[test]
fn a_page_that_goes_elsewhere_in_mid_call_gets_no_answer_and_repeats_none() {
    play("leaving", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let process = page.call("process", &json!({}))?;
        let load = page.load()?;
        // Told from a timer: WebDriver must not wait for a page that is gone.
        page.run(
            "fixture.invoke('slow', { id: 'left-behind', milliseconds: 300 }); \
             fixture.invoke('linger', { id: 'lingering' }); \
             for (let i = 0; i < 200; i++) fixture.invoke('answer', { id: `leaving-${i}` }); \
             setTimeout(() => location.href = '/?elsewhere')",
            &[],
        )?;
        page.wait_for("the other page", "return location.search === '?elsewhere' && !!window.fixture", EDIT)?;
        ensure!(page.load()? != load, "the page did not leave");
        // The new page's answers are its own, also those that come while the old ones' do.
        for number in 0..20 {
            let text = format!("new {number}");
            let said = page.call("say", &json!({ "text": text }))?;
            ensure!(said["value"] == text.as_str(), "{said}");
        }
        wait_noted(stage, "executed", "left-behind")?;
        ensure!(page.call("process", &json!({}))? == process, "the worker was exchanged");
        let mut executed: Vec<String> =
            ledger::executions(&stage.ledger_file())?.into_iter().map(|one| one.id).collect();
        let all = executed.len();
        executed.sort();
        executed.dedup();
        ensure!(executed.len() == all, "a call was executed twice");
        Ok(())
    });
}

#[test]
fn windows_that_call_at_once_get_their_own_answers_through_a_swap_and_the_end_of_one_of_them() {
    play("two_windows", |stage| {
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"main\"]\nallow = [\"window.*\"]")?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        page.run_async(
            "const { openWindow } = fixture.staysail; \
             for (const label of ['left', 'right']) await openWindow({ label, url: '/second.html', width: 300, height: 200 }); \
             return true",
            &[],
        )?;
        page.start_calls()?;
        for label in ["left", "right"] {
            wait_noted(stage, "executed", &format!("wave-{label}-3"))?;
        }
        let from = dev.position();
        project.edit("backend/core/src/lib.rs", "\"v0\"", "\"v1\"")?;
        dev.wait("swap_done", from, EDIT)?;
        page.wait_answer("v1", EDIT)?;
        page.run_async("await new fixture.staysail.AppWindow('left').destroy(); return true", &[])?;
        let waves = |label: &str| -> anyhow::Result<usize> {
            let begin = format!("wave-{label}-");
            let executed = ledger::executions(&stage.ledger_file())?;
            Ok(executed.iter().filter(|one| one.id.starts_with(&begin)).count())
        };
        let before = waves("right")?;
        staysail_e2e::wait_until("the other window to go on", EDIT, || match waves("right") {
            Ok(now) if now > before + 3 => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
        let calls = page.stop_calls()?;
        let executed = ledger::executions(&stage.ledger_file())?;
        ensure!(
            !executed.iter().any(|one| one.id.starts_with("mixed-")),
            "a window got another one's answer"
        );
        let of_main: Vec<_> = executed.into_iter().filter(|one| !one.id.starts_with("wave-")).collect();
        ledger::check_once(&calls, &of_main, &[], 0)?;
        Ok(())
    });
}
