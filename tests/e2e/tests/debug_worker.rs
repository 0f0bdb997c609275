//! `staysail dev --debug-worker`: the backend waits for a debugger, and the window for the backend.

#![cfg(target_os = "linux")]

use anyhow::{Context, ensure};
use serde_json::Value;
use staysail_e2e::child::Program;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{Backend, COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, play};
use std::process::Command;

/// Traces a process until dropped, as a debugger does.
struct Debugger(i32);

impl Debugger {
    fn attach(process: i32) -> anyhow::Result<Self> {
        // SAFETY: asks the kernel to let this process trace another one; no memory is handed over.
        let answer = unsafe { libc::ptrace(libc::PTRACE_SEIZE, process, 0, 0) };
        ensure!(answer == 0, "process {process} can not be traced: {}", std::io::Error::last_os_error());
        Ok(Self(process))
    }
}

fn start(stage: &Stage, project: &Project) -> anyhow::Result<Dev> {
    let port = staysail_e2e::free_port()?;
    let mut command: Command = project.staysail(stage, &["dev", "--json", "--debug-worker"])?;
    command.env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{port}"));
    Ok(Dev { program: Program::start("staysail dev", command)?, port })
}

/// Waits until a backend says that it waits, and attaches to it.
fn attach(dev: &mut Dev, from: usize) -> anyhow::Result<Debugger> {
    let said = dev.program.wait_line("a backend that waits", from, COLD_BUILD, |line| {
        let line = serde_json::from_str::<Value>(line).ok()?;
        let message = line["message"].as_str()?;
        message.contains("waiting for a debugger: process ").then(|| message.to_owned())
    })?;
    let process =
        said.split("process ").nth(1).and_then(|rest| rest.split(' ').next()).context("no process")?;
    Debugger::attach(process.parse()?)
}

#[test]
fn each_new_backend_waits_for_a_debugger_and_then_serves() {
    play("debug_worker", |stage| {
        let project = Project::fixture(stage)?;
        let mut dev = start(stage, &project)?;
        let debugger = attach(&mut dev, 0)?;
        let before = dev.program.lines();
        ensure!(!before.iter().any(|line| line.contains("\"swap_done\"")), "it did not wait: {before:?}");
        dev.wait("swap_done", 0, EDIT)?;
        let page = Page::attach(stage, dev.port, EDIT)?;
        page.wait_served_by("v0", EDIT)?;
        let from = dev.position();
        project.backend(&Backend::good("v1"))?;
        let next = attach(&mut dev, from)?;
        ensure!(next.0 != debugger.0, "the same process again");
        page.wait_served_by("v1", EDIT)?;
        Ok(())
    });
}
