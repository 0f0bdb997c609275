//! `staysail dev --browser` on a desktop: the window stays what it is, and a tab of Chromium is beside it.

use anyhow::{Context, ensure};
use serde_json::json;
use staysail_e2e::child::Program;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::play;
use std::path::Path;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_tab_comes_up_beside_the_window_and_both_get_the_new_backend() {
    play("browser_beside_window", |stage| {
        let project = Project::fixture(stage)?;
        let port = staysail_e2e::free_port()?;
        let mut command = project.staysail(stage, &["dev", "--json", "--browser"])?;
        command.env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{port}")).env("BROWSER", "none");
        let mut dev = Dev { program: Program::start("staysail dev", command)?, port };
        let url = dev.wait("browser_ready", 0, COLD_BUILD)?["url"].as_str().context("no address")?.to_owned();
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach(stage, dev.port, EDIT)?;

        let mut chromium = stage.command(Path::new("chromium"));
        let profile = stage.folder.path().join("chromium");
        // Root, as which containers run tests, gets no sandbox from it.
        chromium
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-port=0",
                "--no-first-run",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(&url);
        let chromium = Program::start("chromium", chromium)?;
        dev.program.wait_line("the page in a tab", 0, EDIT, |line| {
            line.contains("\"page_ready\"").then_some(()).filter(|()| line.contains("\"browser-1\""))
        })?;
        stage.display.window("Counter under test", SOON)?;
        ensure!(
            page.run("return window.fixture.staysail.currentWindow.label", &[])? == json!("main"),
            "another window"
        );

        let from = dev.position();
        project.edit("backend/core/src/lib.rs", "\"v0\"", "\"v1\"")?;
        dev.wait("swap_done", from, EDIT)?;
        let answer = "return (await window.fixture.call('answer')).version";
        ensure!(page.run_async(answer, &[])? == json!("v1"), "the window has the old backend");
        // A page that has to be loaded again is, in the window and in the tab.
        let from = dev.position();
        project.edit("frontend/index.html", "page-0", "page-1")?;
        for label in ["\"main\"", "\"browser-1\""] {
            dev.program.wait_line("the page again", from, EDIT, |line| {
                (line.contains("\"page_ready\"") && line.contains(label)).then_some(())
            })?;
        }
        drop(chromium);
        drop(page);
        dev.program.signal_group(libc::SIGINT);
        dev.program.wait(SOON)?;
        stage.wait_nothing_left_of("staysail")
    });
}
