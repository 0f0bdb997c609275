//! A stranger in an empty folder: init, dev, build, run, and the words when something is wrong.

use anyhow::ensure;
use serde_json::json;
use staysail_e2e::built::{self, Running};
use staysail_e2e::child;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project, run, staysail};
use staysail_e2e::stage::{Stage, play};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// `staysail init NAME` in an empty folder.
fn init(stage: &Stage, arguments: &[&str]) -> anyhow::Result<Project> {
    let mut all = vec!["init"];
    all.extend(arguments);
    child::run("staysail init", staysail(stage, &all)?, SOON)?;
    Ok(Project { root: stage.folder.path().join(arguments[0]) })
}

fn greet(page: &Page, expected: &str) -> anyhow::Result<()> {
    let script = "document.querySelector('#name').value = 'Ada'; \
                  document.querySelector('#greet').requestSubmit?.() ?? document.querySelector('#greet').click(); \
                  return document.querySelector('#answer').textContent.includes(arguments[0]) \
                  || document.body.innerText";
    staysail_e2e::wait_until(&format!("an answer with {expected:?}"), EDIT, || {
        match page.run(script, &[json!(expected)]) {
            Ok(serde_json::Value::Bool(true)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
}

#[test]
fn the_template_without_a_bundler_is_live_edited_built_and_run() {
    play("stranger_js", |stage| {
        let project = init(stage, &["hello", "--language", "js", "--template", "vanilla"])?;
        for part in ["staysail.toml", "frontend/index.html", "Cargo.toml", "backend"] {
            ensure!(project.file(part).exists(), "the project has no {part}");
        }
        let mut dev = Dev::start(stage, &project)?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach_only(stage, dev.port, EDIT)?;
        greet(&page, "Hello, Ada!")?;
        stage.screenshot("live");
        project.edit("backend/core/src/lib.rs", "Hello, {name}!", "Ahoy, {name}!")?;
        greet(&page, "Ahoy, Ada!")?;
        ensure!(project.file("frontend/staysail.d.ts").is_file(), "no types were written");
        drop(page);
        dev.program.signal_group(libc::SIGINT);
        dev.program.wait(SOON)?;
        stage.wait_nothing_left(SOON)?;

        let executable = built::build(stage, &project, false)?;
        let (running, page) = alone(stage, &executable)?;
        greet(&page, "Ahoy, Ada!")?;
        drop(page);
        running.stop()?;
        stage.wait_nothing_left(SOON)
    });
}

fn alone(stage: &Stage, executable: &std::path::Path) -> anyhow::Result<(Running, Page)> {
    let running = Running::start(stage, executable)?;
    let page = Page::attach_only(stage, running.port, EDIT)?;
    Ok((running, page))
}

#[test]
fn the_template_with_vite_shows_a_module_edit_without_a_reload_and_leaves_no_dev_server() {
    play("stranger_ts", |stage| {
        let project = init(stage, &["hello-ts", "--language", "ts", "--template", "vite"])?;
        let port = staysail_e2e::free_port()?;
        let settings = project.read("staysail.toml")?;
        ensure!(settings.contains("5173"), "staysail.toml does not name the port");
        project.write("staysail.toml", &settings.replace("5173", &port.to_string()))?;
        let mut dev = Dev::start(stage, &project)?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach_only(stage, dev.port, Duration::from_secs(90))?;
        greet(&page, "Hello, Ada!")?;
        stage.screenshot("live");
        page.run("window.mark = 'same load'", &[])?;
        let style = project.read("frontend/src/style.css")? + "\nbody { outline: 3px solid rgb(1, 2, 3); }\n";
        project.write("frontend/src/style.css", &style)?;
        page.wait_for(
            "Vite's hot exchange",
            "return getComputedStyle(document.body).outlineColor === 'rgb(1, 2, 3)'",
            EDIT,
        )?;
        ensure!(page.run("return window.mark", &[])? == "same load", "the page was loaded again");
        project.edit("backend/core/src/lib.rs", "Hello, {name}!", "Ahoy, {name}!")?;
        greet(&page, "Ahoy, Ada!")?;
        ensure!(page.run("return window.mark", &[])? == "same load", "the page was loaded again");
        drop(page);
        dev.program.signal_group(libc::SIGINT);
        dev.program.wait(SOON)?;
        stage.wait_nothing_left(SOON)?;

        let executable = built::build(stage, &project, false)?;
        let (running, page) = alone(stage, &executable)?;
        greet(&page, "Ahoy, Ada!")?;
        drop(page);
        running.stop()
    });
}

#[test]
fn what_can_not_work_is_refused_in_words_and_nothing_is_written() {
    play("refusals", |stage| {
        let folder = stage.folder.path();
        std::fs::create_dir(folder.join("taken"))?;
        std::fs::write(folder.join("taken/mine.txt"), "mine")?;
        let before = list(folder)?;
        for (arguments, part) in [
            (vec!["init", "taken", "--language", "js"], "taken"),
            (vec!["init", "Bad Name!", "--language", "js"], "Bad Name!"),
            (vec!["init", "1up", "--language", "js"], "1up"),
            (vec!["build"], "staysail.toml"),
            (vec!["dev"], "staysail.toml"),
        ] {
            let (status, said) = child::run_to_end("staysail", staysail(stage, &arguments)?, SOON)?;
            ensure!(!status.success(), "{arguments:?} succeeded: {said}");
            ensure!(said.contains(part) && !said.contains("panicked"), "{arguments:?} said: {said}");
        }
        ensure!(list(folder)? == before, "something was written: {:?}", list(folder)?);
        let version = child::run("staysail version", staysail(stage, &["version"])?, SOON)?;
        ensure!(version.contains("0.1.0"), "{version}");
        let (_, doctor) = child::run_to_end("staysail doctor", staysail(stage, &["doctor"])?, SOON)?;
        ensure!(doctor.to_lowercase().contains("cargo"), "{doctor}");
        Ok(())
    });
}

#[test]
fn publishing_what_must_not_be_published_is_refused_and_the_repository_untouched() {
    play("publish_refusals", |stage| {
        let project = Project::fixture(stage)?;
        let to = stage.folder.path().join("repository");
        let place = to.display().to_string();
        let publish = |version: &str| {
            built::refused(stage, &project, &["publish", "--to", &place, "--version", version])
        };
        let said = publish("1.0.0")?;
        ensure!(said.contains("key"), "without keys: {said}");
        run(stage, &project, &["keys", "init", "--unencrypted"])?;
        let said = built::refused(stage, &project, &["keys", "init", "--unencrypted"])?;
        ensure!(!said.contains("panicked"), "{said}");
        staysail_e2e::project::run_quick(
            stage,
            &project,
            &["publish", "--to", &place, "--version", "1.0.0"],
        )?;
        let before = list(&to)?;
        for version in ["1.0.0", "0.9.0"] {
            let said = publish(version)?;
            ensure!(said.contains(version), "{version}: {said}");
            ensure!(list(&to)? == before, "{version} changed the repository");
        }
        std::fs::rename(project.file("keys/timestamp.key"), project.file("keys/elsewhere"))?;
        let said = publish("1.1.0")?;
        ensure!(said.contains("timestamp"), "{said}");
        ensure!(list(&to)? == before, "a missing key changed the repository");
        Ok(())
    });
}

/// All files below a folder with their contents, in order.
fn list(folder: &std::path::Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if !path.display().to_string().contains("ledger") {
                found.push((path.display().to_string(), std::fs::read(&path)?));
            }
        }
    }
    found.sort();
    Ok(found)
}
