//! Links, files and the start at log-in of a built app, as the desktop reads them.
#![cfg(target_os = "linux")]

use anyhow::{Context, ensure};
use serde_json::json;
use staysail_e2e::built::{self, Running};
use staysail_e2e::child;
use staysail_e2e::dev::EDIT;
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::{Stage, play};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const DECLARED: &str = "        .single_instance()\n        .deep_link(\"chart\")\n        .file_type(staysail::FileType { extensions: vec![\"kap\".into()], \
    mime: \"application/x-test-chart\".into(), description: \"Sea <chart>\".into() })\n";

fn declared(stage: &Stage, declared: &str) -> anyhow::Result<(Project, PathBuf)> {
    let project = Project::fixture(stage)?;
    project.allow("windows = [\"*\"]\nallow = [\"app.*\", \"autostart.*\"]")?;
    project.edit(
        "backend/app/src/main.rs",
        "        .keep(\"tally\"",
        &format!("{declared}        .keep(\"tally\""),
    )?;
    let page = project.read("frontend/main.js")?;
    let listens = "\nwindow.told = []; staysail.application.onOpened((event) => window.told.push(event));\n";
    project.write("frontend/main.js", &(page + listens))?;
    let executable = built::build(stage, &project, true)?;
    // A path that needs its quotes.
    let folder = stage.folder.path().join("My \"Apps\" $HOME 100%");
    std::fs::create_dir_all(&folder)?;
    let moved = folder.join("counter");
    std::fs::copy(&executable, &moved)?;
    Ok((project, moved))
}

struct Places {
    entry: PathBuf,
    types: PathBuf,
    list: PathBuf,
    autostart: PathBuf,
}

fn places(stage: &Stage) -> Places {
    let folder = stage.folder.path();
    Places {
        entry: folder.join("data/applications/dev.staysail.counter.staysail.desktop"),
        types: folder.join("data/mime/packages/dev.staysail.counter.staysail.xml"),
        list: folder.join("config/mimeapps.list"),
        autostart: folder.join("config/autostart/dev.staysail.counter.desktop"),
    }
}

fn wait_there(file: &Path) -> anyhow::Result<String> {
    staysail_e2e::wait_until(&file.display().to_string(), EDIT, || {
        std::fs::read_to_string(file).map_err(|e| e.to_string())
    })
}

fn wait_gone(file: &Path) -> anyhow::Result<()> {
    staysail_e2e::wait_until(&format!("{} to go", file.display()), EDIT, || {
        if file.exists() { Err("still there".into()) } else { Ok(()) }
    })
}

/// Starts what a desktop entry says, with `%U` filled in, by GLib's own reading of it.
fn launch(stage: &Stage, entry: &Path, argument: &str) -> anyhow::Result<Command> {
    let port = staysail_e2e::free_port()?;
    let file = gio::glib::KeyFile::new();
    file.load_from_file(entry, gio::glib::KeyFileFlags::NONE)?;
    let line = file.string("Desktop Entry", "Exec")?;
    let words = gio::glib::shell_parse_argv(line.as_str())?;
    let mut words = words.into_iter().map(|word| match word.to_string_lossy().as_ref() {
        "%U" => argument.to_string(),
        word => word.replace("%%", "%"),
    });
    let mut command = stage.command(Path::new(&words.next().context("a program")?));
    command.env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{port}")).args(words).current_dir("/");
    Ok(command)
}

#[test]
fn a_link_starts_the_app_or_reaches_the_running_one_and_is_not_lost() {
    play("links", |stage| {
        let places = places(stage);
        // The user's own choices.
        let users = "[Default Applications]\ntext/html=browser.desktop\n";
        std::fs::write(&places.list, users)?;
        let (project, executable) = declared(stage, DECLARED)?;
        let (first, page) = Running::live(stage, &executable)?;
        let entry = wait_there(&places.entry)?;
        ensure!(entry.contains("MimeType=x-scheme-handler/chart;application/x-test-chart;\n"), "{entry}");
        let types = wait_there(&places.types)?;
        ensure!(types.contains("pattern=\"*.kap\"") && types.contains("Sea &lt;chart&gt;"), "{types}");
        let list = wait_there(&places.list)?;
        for line in
            ["text/html=browser.desktop", "x-scheme-handler/chart=dev.staysail.counter.staysail.desktop;"]
        {
            ensure!(list.contains(line), "{line} is not in {list}");
        }
        // As the desktop would find it.
        let found = stage.command(Path::new("/usr/bin/gio"));
        if Path::new("/usr/bin/gio").exists() {
            let mut command = found;
            command.args(["mime", "x-scheme-handler/chart"]);
            let said = child::run("gio mime", command, Duration::from_secs(10))?;
            ensure!(said.contains("dev.staysail.counter.staysail.desktop"), "{said}");
        }
        let (status, output) = child::run_to_end(
            "the link",
            launch(stage, &places.entry, "chart://while/running")?,
            Duration::from_secs(12),
        )?;
        ensure!(status.success(), "{status}: {output}");
        page.wait_for("the link", "return window.told[0]?.urls[0] === 'chart://while/running'", EDIT)?;
        let modified = std::fs::metadata(&places.entry)?.modified()?;
        drop(page);
        first.stop()?;

        // Not running: the link starts the app, and is told when the page is there.
        let mut cold = launch(stage, &places.entry, "chart://cold/start")?;
        let port = staysail_e2e::free_port()?;
        cold.env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{port}"));
        let mut program = child::Program::start("by link", cold)?;
        let page = Page::attach(stage, port, Duration::from_secs(30))?;
        page.wait_for("the link", "return window.told.length === 1", EDIT)?;
        let event = page.run("return window.told[0]", &[])?;
        ensure!(event["urls"] == json!(["chart://cold/start"]) && event["first"] == true, "{event}");
        ensure!(
            std::fs::metadata(&places.entry)?.modified()? == modified,
            "written though nothing had changed"
        );

        let script = "const { autostart } = fixture.staysail; const before = await autostart.state(); await autostart.enable(['--hidden', \
                      'a \"b\" %c']); const after = await autostart.state(); return [before, after]";
        let states = page.run_async(script, &[])?;
        ensure!(states == json!([false, true]), "{states}");
        let file = gio::glib::KeyFile::new();
        file.load_from_file(&places.autostart, gio::glib::KeyFileFlags::NONE)?;
        let words = gio::glib::shell_parse_argv(file.string("Desktop Entry", "Exec")?.as_str())?;
        let words: Vec<String> =
            words.into_iter().map(|word| word.to_string_lossy().replace("%%", "%")).collect();
        let path = executable.display().to_string();
        ensure!(words == ["/usr/bin/env", &path, "--hidden", "a \"b\" %c"], "{words:?}");
        let text = std::fs::read_to_string(&places.autostart)?;
        std::fs::write(&places.autostart, text + "Hidden=true\n")?;
        let state = page.run_async("return await fixture.staysail.autostart.state()", &[])?;
        ensure!(state == false, "switched off by the user");
        page.run_async("await fixture.staysail.autostart.disable()", &[])?;
        ensure!(!places.autostart.exists());
        std::fs::write(&places.autostart, "[Desktop Entry]\nExec=something else\n")?;
        let script =
            "try { await fixture.staysail.autostart.enable() } catch (error) { return error.message }";
        let refused = page.run_async(script, &[])?;
        ensure!(refused.as_str().is_some_and(|text| text.contains("not written by this app")), "{refused}");
        drop(page);
        program.signal(libc::SIGTERM);
        program.wait(Duration::from_secs(10))?;

        // A version that declares nothing takes everything back, and nothing that is not its own.
        project.edit("backend/app/src/main.rs", DECLARED, "")?;
        let executable = built::build(stage, &project, true)?;
        let (last, _page) = Running::live(stage, &executable)?;
        wait_gone(&places.entry)?;
        wait_gone(&places.types)?;
        staysail_e2e::wait_until("the user's list as it was", EDIT, || {
            let list = std::fs::read_to_string(&places.list).map_err(|error| error.to_string())?;
            let own: Vec<&str> = list.lines().filter(|line| line.contains("staysail")).collect();
            if own.is_empty() && list.contains("text/html=browser.desktop") { Ok(()) } else { Err(list) }
        })?;
        ensure!(places.autostart.exists(), "another program's file was removed");
        last.stop()
    });
}
