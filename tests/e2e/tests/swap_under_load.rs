//! Twenty backend edits in a row under a continuous stream of calls.

use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::ledger;
use staysail_e2e::project::{Backend, Project};
use staysail_e2e::stage::play;
use std::time::Duration;

const EDITS: usize = 20;

#[test]
fn twenty_edits_lose_no_call_repeat_none_and_leave_window_page_and_typed_text_alone() {
    play("swap_under_load", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let window = stage.display.window("Counter under test", Duration::from_secs(10))?;
        let load = page.load()?;
        let field = page.find("#name")?;
        page.send_keys(&field, "typed before")?;
        page.start_calls()?;
        page.wait_answer("v0", EDIT)?;
        let mut expected = vec!["v0".to_owned()];
        for edit in 1..=EDITS {
            let version = format!("v{edit}");
            project.backend(&Backend::good(&version))?;
            page.wait_answer(&version, EDIT)?;
            expected.push(version);
            page.send_keys(&field, ".")?;
        }
        stage.screenshot("after-20-edits");
        let calls = page.stop_calls()?;
        let executions = ledger::executions(&stage.ledger_file())?;
        anyhow::ensure!(calls.len() > 20 * EDITS, "only {} calls: that is no load", calls.len());
        ledger::check_once(&calls, &executions, &[], 0)?;
        ledger::check_monotone(&calls, &expected)?;
        ledger::check_counts(&calls)?;
        anyhow::ensure!(page.load()? == load, "the page was loaded again");
        let typed = page.run("return document.querySelector('#name').value", &[])?;
        anyhow::ensure!(typed == format!("typed before{}", ".".repeat(EDITS)), "the field holds {typed}");
        let same = stage.display.window("Counter under test", Duration::from_secs(10))?;
        anyhow::ensure!(same == window, "the window was {window}, now it is {same}");
        println!("{} calls through {EDITS} swaps", calls.len());
        Ok(())
    });
}
