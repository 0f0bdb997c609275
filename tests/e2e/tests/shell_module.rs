//! A release brings another shell along: started in place of the installed one, and given up when it is no good.

use anyhow::ensure;
use staysail_e2e::built::{Running, Shipped};
use staysail_e2e::dev::EDIT;
use staysail_e2e::page::Page;
use staysail_e2e::project::{Backend, Project, run_quick_with};
use staysail_e2e::stage::{Stage, play, shell_under_test};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Version of the shell that is installed where one is needed that is too old.
const OLDER: &str = "0.0.9";
/// Longest wait for a page, or for the end of a process.
const PATIENCE: Duration = Duration::from_secs(60);

/// The shell under test with something at its end: another one by its hash. Without names of functions, too, which
/// would take long to compress.
fn another_shell(stage: &Stage) -> anyhow::Result<PathBuf> {
    let shell = stage.folder.path().join("another-shell");
    std::fs::copy(shell_under_test()?, &shell)?;
    let _ = Command::new("strip").arg(&shell).status();
    std::fs::OpenOptions::new().append(true).open(&shell)?.write_all(b"another")?;
    Ok(shell)
}

/// One that tells its version as long as it is asked by `publish`, and is otherwise as `then` says.
fn bad_shell(stage: &Stage, then: &str) -> anyhow::Result<PathBuf> {
    let (shell, unwell) = (stage.folder.path().join("bad-shell"), stage.folder.path().join("unwell"));
    let version = env!("CARGO_PKG_VERSION");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && [ ! -e {} ] && exec echo staysail-shell {version}\n{then}\n",
        unwell.display()
    );
    std::fs::write(&shell, script)?;
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o755))?;
    Ok(shell)
}

/// The shell of an older Staysail: the one under test, in which every place that knows its version says another one.
fn older_shell(stage: &Stage) -> anyhow::Result<PathBuf> {
    let shell = stage.folder.path().join("older-shell");
    let (own, older) = (env!("CARGO_PKG_VERSION").as_bytes(), OLDER.as_bytes());
    ensure!(own.len() == older.len() && own != older, "another version is wanted for {OLDER}");
    let mut bytes = std::fs::read(shell_under_test()?)?;
    let places: Vec<usize> =
        bytes.windows(own.len()).enumerate().filter(|(_, found)| *found == own).map(|(at, _)| at).collect();
    places.iter().for_each(|at| bytes[*at..at + own.len()].copy_from_slice(older));
    std::fs::write(&shell, bytes)?;
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o755))?;
    let said = Command::new(&shell).arg("--version").output()?.stdout;
    ensure!(String::from_utf8_lossy(&said).contains(OLDER), "{}", String::from_utf8_lossy(&said));
    Ok(shell)
}

fn publish(
    stage: &Stage,
    shipped: &Shipped,
    version: &str,
    answer: &str,
    shell: &Path,
) -> anyhow::Result<()> {
    publish_with(stage, shipped, (version, answer), shell, &[])
}

fn publish_with(
    stage: &Stage,
    shipped: &Shipped,
    (version, answer): (&str, &str),
    shell: &Path,
    more: &[&str],
) -> anyhow::Result<()> {
    shipped.project.backend(&Backend::good(answer))?;
    let to = shipped.repository.display().to_string();
    let arguments = [&["publish", "--to", &to, "--version", version], more].concat();
    let said = run_quick_with(stage, &shipped.project, &arguments, shell)?;
    ensure!(said.contains("with the shell of Staysail"), "{said}");
    Ok(())
}

fn executable(running: &Running) -> PathBuf {
    std::fs::read_link(format!("/proc/{}/exe", running.program.id())).unwrap_or_default()
}

/// Starts the app and waits until it answers as this version, in the installed shell or in another one.
fn start(
    stage: &Stage,
    shipped: &Shipped,
    version: &str,
    installed: bool,
) -> anyhow::Result<(Running, Page)> {
    let running = Running::start(stage, &shipped.executable)?;
    let page = Page::attach(stage, running.port, PATIENCE)?;
    page.wait_served_by(version, EDIT)?;
    let own = executable(&running);
    ensure!((own == shipped.executable) == installed, "{version} runs in {}", own.display());
    Ok((running, page))
}

#[test]
fn a_release_brings_a_shell_that_runs_from_the_next_start_and_is_given_up_when_it_is_no_good() {
    play("shell_module", |stage| {
        let shipped = Shipped::build(stage, Project::fixture(stage)?)?;
        shipped.project.edit("staysail.toml", "shell = false", "shell = true")?;
        let (running, page) = start(stage, &shipped, "v0", true)?;
        let another = another_shell(stage)?;
        publish(stage, &shipped, "0.2.0", "v2", &another)?;
        page.wait_event("committed", "0.2.0")?;
        // It is live in the shell that runs; the next start is in the one it brought.
        ensure!(executable(&running) == shipped.executable, "the shell was exchanged under a window");
        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;

        // Killed in the middle of its start, which is nobody's fault.
        let mut killed = Running::start(stage, &shipped.executable)?;
        let module = staysail_e2e::wait_until("the other shell", PATIENCE, || {
            let own = executable(&killed);
            if own == shipped.executable { Err(own.display().to_string()) } else { Ok(own) }
        })?;
        killed.program.signal(libc::SIGKILL);
        killed.program.wait(PATIENCE)?;
        // A damaged one goes; the installed one runs.
        std::fs::write(&module, "damaged")?;
        let (running, page) = start(stage, &shipped, "v2", true)?;
        ensure!(!module.exists(), "{} is still there", module.display());
        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;
        std::fs::copy(&another, &module)?;
        // Without a display nobody is at fault, however often.
        for _ in 0..4 {
            let display = [("DISPLAY", "no display")];
            let mut running = Running::start_with(stage, &shipped.executable, &[], &display)?;
            running.program.wait_line("why nothing is shown", 0, PATIENCE, |line| {
                line.contains("no window can be shown").then_some(())
            })?;
            let status = running.program.wait(PATIENCE)?;
            ensure!(status.code() == Some(1), "{status}");
        }
        let (running, page) = start(stage, &shipped, "v2", false)?;
        ensure!(
            executable(&running) == module,
            "{} and {}",
            executable(&running).display(),
            module.display()
        );
        ensure!(module.starts_with(stage.folder.path().join("data")), "{}", module.display());
        ensure!(module.file_name() == shipped.executable.file_name(), "{}", module.display());
        let window = stage.display.window("Counter under test", Duration::from_secs(10))?;
        // Releases go live in it as in the installed one, this one with a shell that ends at once.
        let bad = bad_shell(stage, "exit 3")?;
        publish(stage, &shipped, "0.3.0", "v3", &bad)?;
        page.wait_event("committed", "0.3.0")?;
        page.wait_served_by("v3", EDIT)?;
        let same = stage.display.window("Counter under test", Duration::from_secs(10))?;
        ensure!(same == window, "the window was {window}, now it is {same}");
        stage.screenshot("module");
        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;

        // What the system can not run at all costs no start.
        std::fs::write(stage.folder.path().join("unwell"), "")?;
        let (running, page) = start(stage, &shipped, "v3", true)?;
        drop(page);
        running.stop()?;
        std::fs::remove_file(stage.folder.path().join("unwell"))?;
        // What ends after it told its version does, until it is banned.
        for _ in 0..2 {
            let mut running = Running::start(stage, &shipped.executable)?;
            let status = running.program.wait(PATIENCE)?;
            ensure!(status.code() == Some(3), "{status}");
        }
        let (running, page) = start(stage, &shipped, "v3", true)?;
        let said = running.program.lines().join("\n");
        ensure!(said.contains("a shell is never started again"), "{said}");
        drop(page);
        running.stop()
    });
}

#[test]
fn a_release_that_needs_a_newer_shell_waits_with_it_for_the_next_start_and_goes_live_there() {
    play("minimum_shell", |stage| {
        let shipped = Shipped::build_in(stage, Project::fixture(stage)?, &older_shell(stage)?)?;
        shipped.project.edit("staysail.toml", "shell = false", "shell = true")?;
        let newer = another_shell(stage)?;
        let (running, page) = start(stage, &shipped, "v0", true)?;
        let least = ["--minimum-shell", env!("CARGO_PKG_VERSION")];
        publish_with(stage, &shipped, ("0.2.0", "v2"), &newer, &least)?;
        let waiting = page.wait_event("waiting", "0.2.0")?;
        ensure!(waiting["reason"].as_str().is_some_and(|why| why.contains("next started")), "{waiting}");
        // Whoever wants it now waits as well, and the app goes on as it was.
        page.run_async("await fixture.staysail.update.apply(); await fixture.staysail.update.check()", &[])?;
        page.wait_served_by("v0", EDIT)?;
        ensure!(executable(&running) == shipped.executable, "the shell was exchanged under a window");
        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;

        // The next start is in the shell it brought: there it goes live, with its probation, in the window that is open.
        let running = Running::start(stage, &shipped.executable)?;
        let page = Page::attach(stage, running.port, PATIENCE)?;
        page.wait_event("committed", "0.2.0")?;
        page.wait_served_by("v2", EDIT)?;
        let module = executable(&running);
        ensure!(module != shipped.executable, "it runs in the shell that is too old for it");
        stage.screenshot("newer");
        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;
        let (running, page) = start(stage, &shipped, "v2", false)?;
        drop(page);
        running.stop()?;
        stage.wait_nothing_left_of("counter")?;

        // Without it the installed one runs what it can, which is the release before, and says why.
        std::fs::write(&module, "damaged")?;
        let (running, page) = start(stage, &shipped, "v0", true)?;
        let said = running.program.lines().join("\n");
        ensure!(said.contains("it needs Staysail") && said.contains(OLDER), "{said}");
        drop(page);
        running.stop()
    });
}
