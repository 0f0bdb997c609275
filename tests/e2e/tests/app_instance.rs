//! One instance of a built app: a second start is handed over to the first.
#![cfg(target_os = "linux")]

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::built::{self, Running};
use staysail_e2e::child::{self, Program};
use staysail_e2e::dev::EDIT;
use staysail_e2e::page::Page;
use staysail_e2e::processes::Process;
use staysail_e2e::project::Project;
use staysail_e2e::stage::{Stage, play};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest wait for a second start to end; `handover_timeout_ms` and the start of a process.
const HANDOVER: Duration = Duration::from_secs(20);

const LISTENS: &str = "            let told = app.clone();\n            \
    app.on_opened(move |opened| told.log(\"info\", format!(\"worker opened {:?} {:?} {}\", opened.urls, opened.files, opened.first)));\n";

fn single(stage: &Stage, declared: &str) -> anyhow::Result<PathBuf> {
    let project = Project::fixture(stage)?;
    project.allow("windows = [\"*\"]\nallow = [\"app.*\", \"window.*\"]")?;
    let source = "backend/app/src/main.rs";
    project.edit(
        source,
        "        .keep(\"tally\"",
        &format!("        .single_instance(){declared}\n        .keep(\"tally\""),
    )?;
    project.edit(
        source,
        "            Ok::<_, String>(())",
        &format!("{LISTENS}            Ok::<_, String>(())"),
    )?;
    // A page that is late for its time is shown all the same: there is nothing to go back to.
    project.edit("staysail.toml", "page_ready_timeout_ms = 5000", "page_ready_timeout_ms = 1")?;
    // From the first script on, so that what comes at the start is seen, too.
    let page = project.read("frontend/main.js")?;
    let listens = "\nwindow.told = []; staysail.application.onOpened((event) => window.told.push(event));\n";
    project.write("frontend/main.js", &(page + listens))?;
    built::build(stage, &project, true)
}

fn second(stage: &Stage, executable: &Path, arguments: &[&str], folder: &Path) -> Command {
    let mut command = stage.command(executable);
    command.args(arguments).current_dir(folder);
    command
}

fn told(page: &Page, count: usize) -> anyhow::Result<Value> {
    page.wait_for("the start to be told", &format!("return window.told.length === {count}"), EDIT)?;
    page.run("return window.told.at(-1)", &[])
}

fn shells(stage: &Stage) -> usize {
    let is_shell = |process: &&Process| process.command_line.contains("installed/counter");
    stage.processes().iter().filter(is_shell).count()
}

#[test]
fn a_second_start_hands_its_arguments_over_and_brings_the_window_to_the_front() {
    play("instance", |stage| {
        let executable = single(stage, ".deep_link(\"chart\")")?;
        let (mut first, page) = Running::live(stage, &executable)?;
        let info = page.run_async("return await fixture.staysail.application.info()", &[])?;
        ensure!(
            info["id"] == "dev.staysail.counter"
                && info["mode"] == "production"
                && info["os"] == "linux"
                && info["executable"] == executable.display().to_string(),
            "{info}"
        );
        // What no capability names is denied to what is shipped, too.
        let denied = page.run_async(
            "const { clipboard, fs, dialog, openWindow } = fixture.staysail; const code = promise => promise.then(() => 'done', error => error.code); \
             return [await code(clipboard.readText()), await code(fs.readText('/etc/hostname')), await code(dialog.message('?')), \
             await code(openWindow({ label: 'one' })), await fixture.invoke('say', { text: 'ahoy' })]",
            &[],
        )?;
        ensure!(denied == json!(["Denied", "Denied", "Denied", "done", "ahoy"]), "{denied}");
        page.run_async("await new fixture.staysail.AppWindow('one').destroy()", &[])?;
        let window = stage.display.window("Counter under test", EDIT)?;
        stage.display.tool("xdotool", &["windowminimize", "--sync", &window])?;
        staysail_e2e::wait_until("the window out of sight", EDIT, || {
            let shown = stage.display.windows("Counter under test");
            if shown.is_empty() { Ok(()) } else { Err(format!("{shown:?}")) }
        })?;
        let folder = stage.folder.path().join("charts");
        std::fs::create_dir(&folder)?;
        std::fs::write(folder.join("a b.kap"), "here be dragons")?;
        let garbage =
            ["a b.kap", "--version", "-rf", "chart://open/7?a=$(reboot)", "\u{2693}", "", "chart:\u{1}"];
        let (status, output) =
            child::run_to_end("second", second(stage, &executable, &garbage, &folder), HANDOVER)?;
        ensure!(status.success(), "{status}: {output}");
        ensure!(
            !output.contains("staysail-shell 0."),
            "an argument of the app's was taken for the shell's: {output}"
        );
        let event = told(&page, 1)?;
        ensure!(
            event
                == json!({
                    "kind": "opened", "arguments": garbage, "cwd": folder.display().to_string(),
                    "urls": ["chart://open/7?a=$(reboot)"],
                    "files": [folder.join("a b.kap").display().to_string()], "first": false,
                }),
            "{event}"
        );
        first.program.wait_line("the worker to be told", 0, EDIT, |line| {
            line.contains("worker opened [\"chart://open/7?a=$(reboot)\"]").then_some(())
        })?;
        staysail_e2e::wait_until("the window in front", EDIT, || {
            let active = stage.display.tool("xdotool", &["getactivewindow"]).unwrap_or_default();
            let shown = stage.display.windows("Counter under test");
            let is_there = active.trim() == window && shown == [window.clone()];
            if is_there { Ok(()) } else { Err(format!("{active} is active, {shown:?} is shown")) }
        })?;
        stage.screenshot("in-front");
        ensure!(shells(stage) == 1, "{:?}", stage.processes());

        // What is no start at all does no harm.
        let socket = std::fs::read_dir(stage.folder.path().join("run"))?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "sock"))
            .ok_or_else(|| anyhow::anyhow!("no socket"))?;
        for bytes in [&b"\xff\xff\xff\xff"[..], b"\x02\x00\x00\x00{}", b"GET / HTTP/1.1\r\n\r\n", b""] {
            use std::io::Write;
            std::os::unix::net::UnixStream::connect(&socket)?.write_all(bytes)?;
        }
        let (status, _) =
            child::run_to_end("third", second(stage, &executable, &["after"], &folder), HANDOVER)?;
        ensure!(status.success() && told(&page, 2)?["arguments"] == json!(["after"]));
        first.stop()
    });
}

#[test]
fn a_first_instance_that_hangs_is_said_to_hang_and_one_that_was_killed_leaves_nothing_in_the_way() {
    play("instance-hangs", |stage| {
        let executable = single(stage, "")?;
        let (first, page) = Running::live(stage, &executable)?;
        first.program.signal(libc::SIGSTOP);
        let begun = Instant::now();
        let (status, output) =
            child::run_to_end("second", second(stage, &executable, &[], Path::new("/")), HANDOVER)?;
        ensure!(!status.success() && output.contains("handover_timeout_ms"), "{status}: {output}");
        ensure!(begun.elapsed() < HANDOVER);
        first.program.signal(libc::SIGCONT);
        let (status, output) =
            child::run_to_end("third", second(stage, &executable, &[], Path::new("/")), HANDOVER)?;
        ensure!(status.success(), "{status}: {output}");
        page.wait_for("the start to be told", "return window.told.length > 0", EDIT)?;
        first.program.signal(libc::SIGKILL);
        drop((first, page));
        let (second, page) = Running::live(stage, &executable)?;
        // The app leaves and comes back by its own wish; its lock is free for the one that follows.
        // The page may be gone before it can say that it has asked.
        let _ = page.run("void fixture.staysail.application.relaunch(['--again', 'x'])", &[]);
        drop(page);
        let mut second = second;
        second.program.wait(HANDOVER)?;
        stage.display.window("Counter under test", EDIT)?;
        staysail_e2e::wait_until("one app with the new arguments", EDIT, || {
            // Beside it the short-lived process that starts its worker, which looks like it.
            let is_app = |process: &Process| {
                process.command_line.ends_with("--again x") && process.name != "staysail-start"
            };
            let again: Vec<_> = stage.processes().into_iter().filter(is_app).collect();
            if again.len() == 1 { Ok(()) } else { Err(format!("{again:?}")) }
        })?;
        Ok(())
    });
}

#[test]
fn of_many_starts_at_the_same_moment_one_stays_and_is_told_of_all_others() {
    play("instance-race", |stage| {
        let executable = single(stage, "")?;
        for round in 0..3 {
            let mut starts = Vec::new();
            for number in 0..6 {
                let argument = format!("start-{number}");
                let command = second(stage, &executable, &[&argument], Path::new("/"));
                starts.push(Program::start(&argument, command)?);
            }
            let ended =
                staysail_e2e::wait_until("all starts but one to end", Duration::from_secs(30), || {
                    let ended: Vec<_> = starts.iter_mut().map(Program::ended).collect();
                    if ended.iter().flatten().count() < 5 {
                        return Err(format!("{ended:?}"));
                    }
                    Ok(ended)
                })?;
            ensure!(
                ended.iter().flatten().all(std::process::ExitStatus::success),
                "round {round}: {ended:?}"
            );
            let at = ended.iter().position(Option::is_none);
            let Some(at) = at else { anyhow::bail!("round {round}: none stayed") };
            let first = &mut starts[at];
            // The log of production is on standard error; the worker tells of each start.
            let begun = Instant::now();
            staysail_e2e::wait_until("the worker to be told of the other five", EDIT, || {
                let told = first.lines().iter().filter(|line| line.contains("worker opened")).count();
                if told == 5 { Ok(()) } else { Err(format!("{told} after {:?}", begun.elapsed())) }
            })?;
            stage.display.window("Counter under test", EDIT)?;
            ensure!(stage.display.windows("Counter under test").len() == 1, "more than one window");
            first.signal(if round == 1 { libc::SIGKILL } else { libc::SIGTERM });
            first.wait(Duration::from_secs(10))?;
        }
        Ok(())
    });
}
