//! A backend that always ends: a bounded number of tries, then words, a retry and the log; a repair recovers.

use anyhow::ensure;
use serde_json::json;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::ledger;
use staysail_e2e::page::Page;
use staysail_e2e::project::{Backend, COLD_BUILD, Project};
use staysail_e2e::stage::play;

/// Starts of a crashing worker before the shell stops trying (`limits::CRASH_RESTARTS_MAX`, a documented default).
const TRIES: usize = 5;

#[test]
fn a_crash_loop_ends_after_the_named_number_of_tries_with_words_a_retry_and_the_log() {
    play("crash_loop", |stage| {
        let project = Project::fixture(stage)?;
        project.backend(&Backend {
            answer: "crashes".into(),
            at_start: "std::thread::spawn(|| { std::thread::sleep(std::time::Duration::from_millis(1500)); \
                       eprintln!(\"the last words\"); std::process::abort() });",
            health: "Ok(())",
        })?;
        let mut dev = Dev::start(stage, &project)?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach(stage, dev.port, EDIT)?;
        page.send_keys(&page.find("#name")?, "still here")?;
        let load = page.load()?;
        let text =
            page.wait_overlay("the words after the last try", EDIT, |text| text.contains("Try again"))?;
        stage.screenshot("stopped");
        ensure!(text.contains("the last words"), "the log is not shown: {text}");
        let tried = ledger::starts(&stage.ledger_file())?.len();
        ensure!(tried == TRIES + 1, "{tried} starts instead of the first and {TRIES} tries");
        let answer = page.call("answer", &json!({ "id": "-" }))?;
        ensure!(answer["error"]["code"] == "WorkerUnavailable", "{answer}");

        // The retry tries, and stops again.
        let retry =
            "document.querySelector('staysail-overlay').shadowRoot.querySelector('button.retry').click()";
        page.run(retry, &[])?;
        staysail_e2e::wait_until("a start after the retry", EDIT, || {
            let now = ledger::starts(&stage.ledger_file()).map_err(|error| error.to_string())?.len();
            if now > tried { Ok(()) } else { Err(format!("{now} starts")) }
        })?;

        // The repair is taken over by itself, and the words go away.
        project.backend(&Backend::good("repaired"))?;
        page.wait_served_by("repaired", EDIT)?;
        page.wait_overlay("the words to go away", EDIT, str::is_empty)?;
        ensure!(page.load()? == load, "the page was loaded again");
        let typed = page.run("return document.querySelector('#name').value", &[])?;
        ensure!(typed == "still here", "the field holds {typed}");

        // One that ends on probation: the one before serves on, which the terminal says, and once.
        let from = dev.position();
        project.backend(&Backend {
            answer: "ends".into(),
            at_start: "std::thread::spawn(|| { std::thread::sleep(std::time::Duration::from_millis(1500)); \
                       std::process::abort() });",
            health: "Ok(())",
        })?;
        let said = dev.wait("worker_lost", from, EDIT)?;
        ensure!(said["serving"] == true && said["restarting"] == false, "{said}");
        page.wait_served_by("repaired", EDIT)?;
        project.backend(&Backend::good("better"))?;
        page.wait_served_by("better", EDIT)?;
        let lines = dev.program.lines();
        let told = lines.iter().skip(from).filter(|line| line.contains("\"worker_lost\"")).count();
        ensure!(told == 1, "told {told} times");
        Ok(())
    });
}
