//! Projects as `staysail init` makes them, driven as a newcomer drives them: edit, break and repair page and backend.

use crate::child;
use crate::dev::{Dev, EDIT};
use crate::page::Page;
use crate::project::{COLD_BUILD, Project, run_quick, staysail};
use crate::stage::{Stage, cargo_target, repository};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for what needs no compiler.
pub const SOON: Duration = Duration::from_secs(60);
/// Longest wait for npm.
const PACKAGES: Duration = Duration::from_secs(180);

/// What a drive changes in the page, and what the bundler promises about it.
pub struct Drive {
    /// File of the page that holds the button's text.
    pub file: &'static str,
    /// Whether an edit of it is exchanged in the running page. Otherwise the page is loaded again.
    pub hot: bool,
    /// File of the page that is broken, and what makes it wrong, put at its beginning.
    pub mistake: (&'static str, &'static str),
    /// Element with which a mistake is shown in the page.
    pub overlay: &'static str,
    /// Element with which a compile error of the backend is shown.
    pub backend_overlay: &'static str,
}

/// Makes a project of this template in the folder of the test.
///
/// # Errors
/// When it can not be made.
pub fn init(stage: &Stage, template: &str, language: &str) -> anyhow::Result<Project> {
    let name = format!("{template}-{language}");
    // Data of development lie beside what cargo builds, which all tests share.
    let data = cargo_target().join(format!("apps/com.example.{name}"));
    if data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    let arguments = ["init", &name, "--template", template, "--language", language];
    child::run("staysail init", staysail(stage, &arguments)?, SOON)?;
    let project = Project { root: stage.folder.path().join(&name) };
    // The versions of the workspace: everything is in cargo's cache already, and a test never resolves anew.
    std::fs::copy(repository().join("Cargo.lock"), project.file("Cargo.lock"))?;
    let settings = project.read("staysail.toml")?;
    if let Some((_, port)) = settings.split_once("localhost:") {
        let port: String = port.chars().take_while(char::is_ascii_digit).collect();
        project.write("staysail.toml", &settings.replace(&port, &crate::free_port()?.to_string()))?;
    }
    Ok(project)
}

/// Runs an npm script of the page; its packages are installed first.
///
/// # Errors
/// When it fails.
pub fn npm(stage: &Stage, project: &Project, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = stage.command("npm".as_ref());
    command.args(arguments).current_dir(project.file("frontend"));
    child::run(&format!("npm {}", arguments.join(" ")), command, PACKAGES)
}

/// Installs the page's packages from npm's cache, where they are after the first test.
///
/// # Errors
/// When they can not be installed.
pub fn install(stage: &Stage, project: &Project) -> anyhow::Result<()> {
    npm(stage, project, &["install", "--prefer-offline", "--no-audit", "--no-fund"]).map(drop)
}

/// Builds the app, its page with it, and runs the page's own tests.
///
/// # Errors
/// When one of them fails.
pub fn build_and_test(stage: &Stage, project: &Project) -> anyhow::Result<()> {
    run_quick(stage, project, &["build"])?;
    if project.file("frontend/package.json").exists() {
        return npm(stage, project, &["test"]).map(drop);
    }
    let mut tests = stage.command("node".as_ref());
    tests.args(["--test", "test/"]).current_dir(&project.root);
    child::run("node --test", tests, SOON).map(drop)
}

/// Starts `staysail dev` and waits for the page.
///
/// # Errors
/// When it does not come.
pub fn live(stage: &Stage, project: &Project) -> anyhow::Result<(Dev, Page)> {
    let mut dev = Dev::start(stage, project)?;
    dev.wait("swap_done", 0, COLD_BUILD)?;
    let page = Page::attach_only(stage, dev.port, EDIT)?;
    page.wait_for("the page", "return !!document.querySelector('#sail')", EDIT)?;
    Ok((dev, page))
}

/// Greets until the answer holds this.
///
/// # Errors
/// When it never does.
pub fn greet(page: &Page, expected: &str) -> anyhow::Result<()> {
    let script = "document.querySelector('#greet').requestSubmit(); \
                  return document.querySelector('#answer').textContent.includes(arguments[0]) \
                  || document.querySelector('#answer').textContent";
    crate::wait_until(&format!("an answer with {expected:?}"), EDIT, || {
        match page.run(script, &[json!(expected)]) {
            Ok(Value::Bool(true)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
}

fn button(text: &str) -> String {
    format!("return document.querySelector('#sail')?.textContent.trim() === {text:?}")
}

fn shows(element: &str, part: &str) -> String {
    // The shadow tree of Staysail's overlay is closed: that it is there must do.
    format!(
        "const at = document.querySelector({element:?}); const text = at?.shadowRoot?.textContent; \
         return !!at && (text === undefined || text.includes({part:?}) || text)"
    )
}

/// Leaves a picture of what the page has drawn by now.
fn picture(stage: &Stage, page: &Page, what: &str) -> anyhow::Result<()> {
    let drawn = "window.drawn = false; \
                 requestAnimationFrame(() => requestAnimationFrame(() => { window.drawn = true }))";
    page.run(drawn, &[])?;
    page.wait_for("the page to be drawn", "return window.drawn !== false", SOON)?;
    stage.screenshot(what);
    Ok(())
}

/// The whole drive: command, event, stream, kept state, then edits and mistakes on both sides.
///
/// # Errors
/// When anything is not as promised.
pub fn drive(stage: &Stage, project: &Project, drive: &Drive) -> anyhow::Result<()> {
    let (mut dev, page) = live(stage, project)?;
    page.send_keys(&page.find("#name")?, "Ada")?;
    greet(&page, "Hello, Ada!")?;
    let counted = "return /^[1-9][0-9]* greetings?$/.test(document.querySelector('#count').textContent)";
    page.wait_for("the event", counted, SOON)?;
    page.click(&page.find("#sail")?)?;
    let arrived =
        "return getComputedStyle(document.querySelector('#water')).getPropertyValue('--way') === '1'";
    page.wait_for("the whole stream", arrived, SOON)?;
    picture(stage, &page, "live")?;
    page.run("window.mark = 'same load'", &[])?;

    edit_page(project, drive, &page)?;
    picture(stage, &page, "page-edited")?;
    break_page(stage, project, drive, &page)?;
    edit_backend(stage, project, drive, &page, &mut dev)?;

    drop(page);
    end(stage, project, dev)?;
    end_otherwise(stage, project)?;
    build_and_test(stage, project)
}

/// What was typed, and the answer to it.
fn wait_kept(page: &Page) -> anyhow::Result<()> {
    let kept = "return document.querySelector('#name')?.value === 'Ada' \
                && document.querySelector('#answer').textContent.includes('Ada')";
    page.wait_for("what was typed and answered", kept, SOON)
}

fn edit_page(project: &Project, drive: &Drive, page: &Page) -> anyhow::Result<()> {
    project
        .edit(drive.file, ">Set sail<", ">Cast off<")
        .or_else(|_| project.edit(drive.file, "Set sail", "Cast off"))?;
    page.wait_for("the edited page", &button("Cast off"), EDIT)?;
    wait_kept(page)?;
    let same = page.run("return window.mark === 'same load'", &[])?;
    ensure!(same == drive.hot, "exchanged in place: {same}, promised: {}", drive.hot);
    Ok(())
}

fn break_page(stage: &Stage, project: &Project, drive: &Drive, page: &Page) -> anyhow::Result<()> {
    let (file, mistake) = drive.mistake;
    let good = project.read(file)?;
    // Two saves at once, as with a formatter: the second counts, though a bundler's watcher may hear of the first alone.
    project.write(file, &format!("{good}\n"))?;
    project.write(file, &format!("{mistake}{good}"))?;
    page.wait_for("the mistake in the page", &shows(drive.overlay, ""), EDIT)?;
    page.run("window.mark = 'load before'; location.reload()", &[])?;
    page.wait_for("the page to be loaded again", "return window.mark === undefined", EDIT)?;
    page.wait_for("the mistake in the page loaded since", &shows(drive.overlay, ""), EDIT)?;
    picture(stage, page, "page-mistake")?;
    let gone = format!("return !document.querySelector({:?})", drive.overlay);
    if file == drive.file {
        // In one step: a bundler may hear of a file that is emptied and then filled twice, and load the page twice for it.
        project.replace(file, &good.replace("Cast off", "Weigh anchor"))?;
    } else {
        page.run("window.mark = 'broken load'", &[])?;
        project.write(file, &good)?;
        page.wait_for("the repaired page to be loaded", "return window.mark === undefined", EDIT)?;
        page.run("window.mark = 'repaired load'", &[])?;
        project.edit(drive.file, "Cast off", "Weigh anchor")?;
        page.wait_for("the edited page to be loaded", "return window.mark === undefined", EDIT)?;
    }
    page.wait_for("the message to go away", &gone, EDIT)?;
    page.wait_for("the repaired page", &button("Weigh anchor"), EDIT)?;
    wait_kept(page)?;
    page.run("window.mark = 'same load'", &[])?;
    Ok(())
}

fn edit_backend(
    stage: &Stage,
    project: &Project,
    drive: &Drive,
    page: &Page,
    dev: &mut Dev,
) -> anyhow::Result<()> {
    let file = "backend/core/src/lib.rs";
    let from = dev.position();
    project.edit(file, "let name = name.trim();", "let name: u32 = name.trim();")?;
    dev.wait("build_failed", from, EDIT)?;
    page.wait_for("the compile error", &shows(drive.backend_overlay, "mismatched types"), EDIT)?;
    picture(stage, page, "backend-mistake")?;
    greet(page, "Hello, Ada!")?;
    project.edit(file, "let name: u32 = name.trim();", "let name = name.trim();")?;
    project.edit(file, "Hello, {name}!", "Ahoy, {name}!")?;
    greet(page, "Ahoy, Ada!")?;
    let gone = format!("return !document.querySelector({:?})", drive.backend_overlay);
    page.wait_for("the compile error to go away", &gone, EDIT)?;
    picture(stage, page, "backend-edited")?;
    let same = page.run("return window.mark", &[])?;
    ensure!(same == "same load", "the backend's edit loaded the page again");
    Ok(())
}

/// Ends it with Ctrl-C: nothing is left, and the port is free.
///
/// # Errors
/// When something is left.
pub fn end(stage: &Stage, project: &Project, mut dev: Dev) -> anyhow::Result<()> {
    dev.program.signal_group(libc::SIGINT);
    dev.program.wait(SOON)?;
    gone(stage, project)
}

/// The other ways in which it ends: killed, and by its window.
fn end_otherwise(stage: &Stage, project: &Project) -> anyhow::Result<()> {
    let (mut dev, page) = live(stage, project)?;
    drop(page);
    dev.program.signal(libc::SIGKILL);
    dev.program.wait(SOON)?;
    gone(stage, project)?;

    let (mut dev, page) = live(stage, project)?;
    drop(page);
    let settings = project.read("staysail.toml")?;
    let title = settings.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    let title = title.context("staysail.toml names no title")?;
    close(stage, &format!("^{title}$"), &mut dev)?;
    gone(stage, project)
}

/// Closes the window as a user does. A key goes to what has the focus, and on a busy machine to nobody while that changes: it is
/// pressed again until it was heard.
fn close(stage: &Stage, title: &str, dev: &mut Dev) -> anyhow::Result<()> {
    stage.display.window(title, EDIT)?;
    crate::wait_until("the end by its window", EDIT, || {
        // Without a window there is nothing to press: it is ending.
        if let Ok(window) = stage.display.window(title, Duration::from_secs(1)) {
            let pressed = stage.display.focus(&window).and_then(|()| stage.display.key("alt+F4"));
            pressed.map_err(|error| format!("{error:#}"))?;
        }
        dev.program.wait(Duration::from_secs(5)).map(drop).map_err(|error| format!("{error:#}"))
    })
}

fn gone(stage: &Stage, project: &Project) -> anyhow::Result<()> {
    stage.wait_nothing_left(SOON)?;
    let settings = project.read("staysail.toml")?;
    let Some((_, port)) = settings.split_once("localhost:") else { return Ok(()) };
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    // Not `bind`: any connection of somebody else's may have been given that number meanwhile.
    let address = ("127.0.0.1", port.parse::<u16>()?);
    crate::wait_until("the port to be free", SOON, || match std::net::TcpStream::connect(address) {
        Ok(_) => Err(format!("something listens at {port}")),
        Err(_) => Ok(()),
    })
}
