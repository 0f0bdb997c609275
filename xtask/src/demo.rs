//! `cargo xtask demo`: one real window, changed by saves and by published releases while text is typed into it.
//!
//! Everything is done as a developer and a user would: the command is run, files are saved, keys are pressed. What
//! is promised is checked at every step, first of all that the window stays the same one.

mod project;
mod show;

use crate::display::Display;
use crate::program::{Heard, Program};
use crate::window::{self, Typist};
use anyhow::{Context, ensure};
use project::Project;
pub use project::copy_folder;
use show::Show;
pub use show::plain;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const TITLE: &str = "^Notebook$";
/// A cold build of the little program, on a slow machine.
const BUILD_LIMIT: Duration = Duration::from_secs(600);
const STEP_LIMIT: Duration = Duration::from_secs(60);

const SENTENCE: &str = "A staysail stays set while the ship changes course. ";

/// Runs the demo; pictures and the recording are left under `target/demo`.
///
/// # Errors
/// At the first thing that is not as promised.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let folder = root.join("target/demo");
    std::fs::create_dir_all(&folder)?;
    let mut show = Show::new(folder.clone());

    show.step("Building the command, the shell and the server");
    build(root)?;
    show.done("ready");

    let display = Display::open(1240, 840)?;
    let project = Project::copy(root, &folder)?;
    if display.virtual_one {
        show.note(&format!("no display here: using a virtual one ({})", display.name));
        show.record(&display)?;
    }
    develop(&mut show, &display, &project)?;
    release(&mut show, &display, &project)?;
    show.end(&display);
    Ok(())
}

/// The program's own builds, with cargo's own progress.
fn build(root: &Path) -> anyhow::Result<()> {
    let packages = ["-p", "staysail-cli", "-p", "staysail-shell", "-p", "staysail-server"];
    let done = Command::new("cargo").args(["build", "--locked"]).args(packages).current_dir(root).status()?;
    ensure!(done.success(), "the build failed, see above");
    Ok(())
}

/// Part one: a developer saves files.
fn develop(show: &mut Show, display: &Display, project: &Project) -> anyhow::Result<()> {
    show.step("staysail dev: the window opens, the backend is built");
    let mut dev = Program::start("staysail dev", project.staysail(display).args(["dev", "--json"]))?;
    swapped(&mut dev)?;
    let id = window::wait(display, TITLE, STEP_LIMIT)?;
    show.watch(display, id);
    show.picture(display, "opened")?;
    show.done(&format!("live in X11 window {id:#x}"));

    show.step("Typing into the note, and going on with it while the code changes");
    put_cursor(display, id, project, &project.notes_of_developer())?;
    let typist = Typist::start(display, SENTENCE, 45);
    show.done("typing");

    show.step("Saving the style sheet with another accent colour");
    project.paint("#c2452d", "#ff8f73")?;
    let heard = dev.lines.event("styles_changed", STEP_LIMIT)?;
    show.picture(display, "style-saved")?;
    show.done(&format!("exchanged in place, {:.0} ms after the save", heard.value["watch_ms"]));

    show.step("Saving the backend with another line for the footer");
    project.say("Changed course under full sail")?;
    let done = swapped(&mut dev)?;
    show.picture(display, "backend-saved")?;
    show.done(&done);

    show.step("Saving a mistake: rustc's message comes over the page, the backend before goes on serving");
    project.change("backend/core/src/lib.rs", &[("full sail\"", "full sail")])?;
    dev.lines.event("build_failed", STEP_LIMIT)?;
    show.picture(display, "mistake")?;
    project.say("And on we go")?;
    let done = swapped(&mut dev)?;
    show.picture(display, "mistake-mended")?;
    show.done(&format!("mended; {done}"));

    show.step("Looking whether every typed letter is there");
    let typed = SENTENCE.repeat(typist.stop()?);
    project.wait_for_note(&project.notes_of_developer(), SENTENCE, &typed)?;
    show.done(&format!("{} letters, all in the note", typed.len()));

    show.step("Ending staysail dev");
    show.unwatch(display, id)?;
    dev.stop();
    ensure!(window::find(&display.name, TITLE).is_none(), "the window outlived `staysail dev`");
    show.done("nothing left running");
    Ok(())
}

/// Part two: the same app, built, at a user; releases are published by another process.
fn release(show: &mut Show, display: &Display, project: &Project) -> anyhow::Result<()> {
    show.step("Making signing keys, starting the release server");
    project.run(project.staysail(display).args(["keys", "init", "--unencrypted"]))?;
    let mut server = Program::start(
        "staysail-server",
        project.program("staysail-server").arg("--repo").arg(project.repository()),
    )?;
    let url = server.lines.until("its address", STEP_LIMIT, |heard| {
        heard.text.strip_prefix("listening on ").map(|url| url.trim().to_owned())
    })?;
    project.look_for_releases_at(&url)?;
    show.done(&format!("serving {url}"));

    show.step("Publishing 1.0.0 and building the executable to ship");
    let published = project.publish(display, "1.0.0")?;
    project.run(project.staysail(display).arg("build"))?;
    let size = std::fs::metadata(project.executable())?.len() as f64 / 1e6;
    show.done(&format!("{published}; one executable of {size:.1} MB, its shell a debug build"));

    show.step("Starting that executable from another folder");
    let mut app = Program::start("the built app", &mut project.built(display))?;
    let id = window::wait(display, TITLE, STEP_LIMIT)?;
    show.watch(display, id);
    app.lines
        .until("its page", STEP_LIMIT, |heard| heard.text.contains("the page has come up").then_some(()))?;
    put_cursor(display, id, project, &project.notes_of_user())?;
    let typist = Typist::start(display, SENTENCE, 60);
    show.picture(display, "release-1.0.0")?;
    show.done(&format!("open in X11 window {id:#x}, text is being typed"));

    show.step("Publishing 1.1.0 from another process: other colours, other backend");
    project.paint("#2f7d4f", "#7fd3a0")?;
    project.say("Version 1.1, live without a restart")?;
    let published = project.publish(display, "1.1.0")?;
    show.note(&published);
    let since = Instant::now();
    let applied = update(&mut app, "Applied", "1.1.0", STEP_LIMIT)?;
    show.done(&format!("live {:.1} s after the publish; {applied}", since.elapsed().as_secs_f64()));
    show.picture(display, "release-1.1.0-live")?;
    show.step("Waiting for the end of its probation");
    update(&mut app, "Committed", "1.1.0", STEP_LIMIT)?;
    show.done("1.1.0 is good");

    show.step("Publishing 1.2.0, whose backend ends itself a moment after its start");
    project.say("Version 1.2, about to crash")?;
    project.paint("#8a2f7d", "#d98fce")?;
    project.make_it_crash()?;
    let published = project.publish(display, "1.2.0")?;
    show.note(&published);
    let rolled_back = update(&mut app, "RolledBack", "1.2.0", STEP_LIMIT)?;
    show.picture(display, "release-1.2.0-rolled-back")?;
    show.done(&rolled_back);

    show.step("Looking whether every typed letter is there");
    let typed = SENTENCE.repeat(typist.stop()?);
    project.wait_for_note(&project.notes_of_user(), SENTENCE, &typed)?;
    show.done(&format!("{} letters, all in the note", typed.len()));

    show.step("Closing the app and starting it again: the newest good version, 1.1.0");
    show.unwatch(display, id)?;
    app.stop();
    let _again = Program::start("the built app", &mut project.built(display))?;
    window::wait(display, TITLE, STEP_LIMIT)?;
    show.settle();
    show.picture(display, "started-again")?;
    show.done("started");
    Ok(())
}

/// Puts the cursor behind the text of the note, and begins a paragraph. The window is there before its page is: the
/// page takes keys when a first word typed has come to the disk.
fn put_cursor(display: &Display, id: window::Id, project: &Project, notes: &Path) -> anyhow::Result<()> {
    const WORDS: [&str; 4] = ["Ahoy!", "Avast!", "Heave!", "Ho!"];
    let mut last = Ok(());
    for word in WORDS {
        window::focus(display, id);
        // The editor lies to the right of the list, below the title.
        window::click(display, id, 460, 300);
        window::keys(display, &["ctrl+End", "Return", "Return"]);
        window::type_text(display, word, 20)?;
        last = project.wait_for_note(notes, word, word);
        if last.is_ok() {
            window::keys(display, &["Return", "Return"]);
            return Ok(());
        }
    }
    last.context("the page takes no keys")
}

fn swapped(dev: &mut Program) -> anyhow::Result<String> {
    let ended = dev.lines.until("the backend to be live", BUILD_LIMIT, |heard| {
        (heard.is("swap_done") || heard.is("build_failed") || heard.is("swap_failed")).then(|| heard.clone())
    })?;
    ensure!(ended.is("swap_done"), "the backend did not go live: {}", plain(&ended.text));
    let done = ended.value;
    let part = |name: &str| done[name].as_f64().unwrap_or_default();
    Ok(format!(
        "live {:.0} ms after the save (cargo {:.0}, swap {:.0})",
        part("total_ms"),
        part("cargo_ms"),
        part("swap_ms")
    ))
}

/// Waits until the app's log tells of this step in the life of an update.
fn update(app: &mut Program, step: &str, version: &str, limit: Duration) -> anyhow::Result<String> {
    let wanted = |heard: &Heard| {
        let text = plain(&heard.text);
        let event = text.split_once("event=")?.1;
        let this = event.starts_with(step) && event.contains(&format!("version: \"{version}\""));
        this.then(|| event.to_owned())
    };
    app.lines
        .until(&format!("{step} {version}"), limit, wanted)
        .with_context(|| format!("release {version} did not get as far as {step}"))
}
