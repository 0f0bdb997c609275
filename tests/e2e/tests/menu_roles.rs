//! Entries of the menu with a role: what they do to windows, and how one of them ends the app.
#![cfg(target_os = "linux")]

use anyhow::ensure;
use serde_json::json;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::{Stage, play};

fn choose(stage: &Stage, letter: &str) -> anyhow::Result<()> {
    stage.display.key("alt+f")?;
    stage.display.key(letter)
}

fn wait_state(page: &Page, field: &str) -> anyhow::Result<()> {
    staysail_e2e::wait_until(&format!("the window to be {field}"), EDIT, || {
        let script = format!("return (await fixture.staysail.currentWindow.state()).{field}");
        let state = page.run_async(&script, &[]).map_err(|error| format!("{error:#}"))?;
        if state == json!(true) { Ok(()) } else { Err(state.to_string()) }
    })
}

#[test]
fn quit_asks_a_page_that_wants_to_be_asked_and_ends_an_app_that_could_run_without_windows() {
    play("menu-roles", |stage| {
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"*\"]\nallow = [\"window.*\"]")?;
        project.edit(
            "backend/app/src/main.rs",
            "        .keep(\"tally\"",
            "        .run_without_windows()\n        .menu(staysail::Menu::new().menu(\"&File\", staysail::Menu::new()\
             .role(staysail::MenuRole::Maximize).role(staysail::MenuRole::CloseWindow).role(staysail::MenuRole::Quit)))\n        \
             .keep(\"tally\"",
        )?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let window = stage.display.window("Counter under test", EDIT)?;
        stage.display.focus(&window)?;
        choose(stage, "x")?;
        wait_state(&page, "maximized")?;
        page.run(
            "window.asked = 0; window.may = false; fixture.staysail.currentWindow.onCloseRequested(event => { \
             window.asked += 1; if (!window.may) event.preventDefault() })",
            &[],
        )?;
        wait_state(&page, "interceptClose")?;
        for (letter, asked) in [("c", 1), ("q", 2)] {
            choose(stage, letter)?;
            page.wait_for("the page to be asked", &format!("return window.asked === {asked}"), EDIT)?;
            let answer = page.call("say", &json!({ "text": "ahoy" }))?;
            ensure!(answer["value"] == "ahoy", "{answer}");
        }
        ensure!(
            stage.display.windows("Counter under test").len() == 1,
            "it closed although its page held it"
        );
        page.run("window.may = true", &[])?;
        choose(stage, "q")?;
        stage.wait_nothing_left_of("staysail-shell")
    });
}
