//! Screens that come and go, and what a desktop changes under a running app: scale and theme.

#![cfg(target_os = "linux")]

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use staysail_e2e::child::Program;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::display::Display;
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, play};
use std::path::Path;
use std::process::Command;

fn run(page: &Page, script: &str) -> anyhow::Result<Value> {
    let script = format!(
        "const {{ AppWindow, currentWindow, openWindow, screens }} = fixture.staysail; try {{ {script} }} catch (error) {{ \
         return {{ error: error.code ?? String(error), message: error.message }} }}"
    );
    page.run_async(&script, &[])
}

fn wait(page: &Page, what: &str, script: &str, wanted: &Value) -> anyhow::Result<()> {
    staysail_e2e::wait_until(what, EDIT, || match run(page, script) {
        Ok(answer) if answer == *wanted => Ok(()),
        other => Err(format!("{other:?}")),
    })
}

const SCREENS: &str = "return (await screens()).map(({ name, position, size, scale, primary }) => [name, position, size, scale, primary])";
const NOTE: &str = "await openWindow({ label: 'note', url: '/deep/', title: 'A note', width: 400, height: 300, remember: true });";

fn left(scale: u32) -> Value {
    let scale_of = |pixels: u32| pixels / scale;
    json!(["DUMMY0", [0, 0], [scale_of(1024), scale_of(768)], scale, true])
}

fn live(stage: &Stage, project: &Project, display: &Display) -> anyhow::Result<(Dev, Page)> {
    let mut dev = Dev::start_with(stage, project, &[("DISPLAY", display.name())])?;
    dev.wait("swap_done", 0, COLD_BUILD)?;
    let page = Page::attach(stage, dev.port, EDIT)?;
    Ok((dev, page))
}

/// Left, top, width and height of the note, without its borders.
fn place(display: &Display) -> anyhow::Result<[i32; 4]> {
    let window = display.window("^A note$", EDIT)?;
    let told = display.tool("xwininfo", &["-id", &window])?;
    let value = |name: &str| {
        let line = told.lines().find_map(|line| line.trim().strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("no {name} in {told}"))
    };
    Ok([
        value("Absolute upper-left X:")?,
        value("Absolute upper-left Y:")?,
        value("Width:")?,
        value("Height:")?,
    ])
}

fn wait_place(display: &Display, what: &str, wanted: impl Fn([i32; 4]) -> bool) -> anyhow::Result<()> {
    staysail_e2e::wait_until(what, EDIT, || {
        let place = place(display).map_err(|error| format!("{error:#}"))?;
        if wanted(place) { Ok(()) } else { Err(format!("{place:?}")) }
    })
}

#[test]
fn a_window_comes_back_to_its_screen_and_when_that_is_gone_to_one_that_is_there() {
    play("screens", |stage| {
        let mut display = Display::with_two_screens(stage.folder.path())?;
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"*\"]\nallow = [\"window.*\"]")?;
        let (dev, page) = live(stage, &project, &display)?;
        let right = json!(["DUMMY1", [1024, 0], [1024, 768], 1, false]);
        wait(&page, "both screens", SCREENS, &json!([left(1), right]))?;

        run(&page, &format!("{NOTE} await new AppWindow('note').set({{ position: [1400, 200] }})"))?;
        let is_right = |[x, y, ..]: [i32; 4]| (1390..1420).contains(&x) && (190..240).contains(&y);
        wait_place(&display, "the note on the right screen", is_right)?;
        let moved = "return (await new AppWindow('note').state()).position[0] >= 1390";
        wait(&page, "the shell to know of it", moved, &json!(true))?;
        run(&page, "await new AppWindow('note').destroy()")?;
        run(&page, NOTE)?;
        wait_place(&display, "the note back on the right screen", is_right)?;
        wait(&page, "the shell to know of it", moved, &json!(true))?;
        run(&page, "await new AppWindow('note').destroy()")?;

        // The cable is pulled while the app runs, and it knows.
        display.tool("xrandr", &["--output", "DUMMY1", "--off"])?;
        wait(&page, "one screen", SCREENS, &json!([left(1)]))?;
        drop(page);
        drop(dev);
        stage.wait_nothing_left_of("staysail-shell")?;
        // A window manager would bring back what is out of sight; here the app does by itself.
        display.end_window_manager();
        let (_dev, page) = live(stage, &project, &display)?;
        wait(&page, "one screen", SCREENS, &json!([left(1)]))?;
        run(&page, NOTE)?;
        wait_place(&display, "the note, whole, on the screen that is there", |[x, y, width, height]| {
            x >= 0 && y >= 0 && x + width <= 1024 && y + height <= 768 && (width, height) == (400, 300)
        })?;

        display.start_window_manager();
        attention(&display, &page)?;
        desktop_changes(stage, &display, &page)
    });
}

/// A window that asks for attention is marked for the task bar, and takes no focus.
fn attention(display: &Display, page: &Page) -> anyhow::Result<()> {
    let note = display.window("^A note$", EDIT)?;
    let main = display.window("Counter under test", EDIT)?;
    // A window manager that has just begun may give the focus to another window once more.
    staysail_e2e::wait_until("the focus on the note", EDIT, || {
        display.focus(&note).map_err(|error| format!("{error:#}"))?;
        match run(page, "return (await currentWindow.state()).focused") {
            Ok(focused) if focused == false => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })?;
    run(page, "await currentWindow.requestAttention()")?;
    for (property, mark) in [("WM_HINTS", "urgency hint bit is set"), ("_NET_WM_STATE", "DEMANDS_ATTENTION")]
    {
        staysail_e2e::wait_until(mark, EDIT, || {
            let told =
                display.tool("xprop", &["-id", &main, property]).map_err(|error| format!("{error:#}"))?;
            if told.to_lowercase().contains(&mark.to_lowercase()) { Ok(()) } else { Err(told) }
        })?;
    }
    let active = display.tool("xdotool", &["getactivewindow"])?;
    ensure!(active.trim() == note, "asking for attention took the focus");
    Ok(())
}

fn set_up(file: &Path, theme: &str, scale: u32) -> anyhow::Result<()> {
    let text = format!("Net/ThemeName \"{theme}\"\nGdk/WindowScalingFactor {scale}\n");
    std::fs::write(file, text).context("writing the desktop's settings")
}

/// The desktop's theme and scale are told to all windows while the app runs, as what its own page does.
fn desktop_changes(stage: &Stage, display: &Display, page: &Page) -> anyhow::Result<()> {
    page.run(
        "window.told = []; fixture.staysail.listen('staysail:window', event => window.told.push(event))",
        &[],
    )?;
    let told = |label: &str, news: &str| {
        let found = format!("window.told.some(event => event.label === '{label}' && {news})");
        page.wait_for(news, &format!("return {found} || JSON.stringify(window.told)"), EDIT)
    };
    let settings = stage.folder.path().join("xsettings");
    set_up(&settings, "Adwaita", 1)?;
    let mut daemon = Command::new("xsettingsd");
    daemon.arg("-c").arg(&settings).env("DISPLAY", display.name());
    let mut daemon = Program::start("xsettingsd (Debian: xsettingsd)", daemon)?;
    // It reads its file anew on SIGHUP once it has said that it is in charge.
    daemon.wait_line("the desktop's settings", 0, EDIT, |line| line.contains("ownership").then_some(()))?;

    set_up(&settings, "Adwaita-dark", 1)?;
    daemon.signal(libc::SIGHUP);
    for label in ["main", "note"] {
        told(label, "event.kind === 'theme_changed' && event.theme === 'dark'")?;
    }
    page.wait_for("the dark page", "return matchMedia('(prefers-color-scheme: dark)').matches", EDIT)?;
    wait(page, "the theme", "return (await currentWindow.state()).theme", &json!("dark"))?;

    set_up(&settings, "Adwaita", 2)?;
    daemon.signal(libc::SIGHUP);
    for label in ["main", "note"] {
        told(label, "event.kind === 'scale_changed' && event.scale === 2")?;
        told(label, "event.kind === 'theme_changed' && event.theme === 'light'")?;
    }
    page.wait_for("twice the pixels", "return devicePixelRatio === 2", EDIT)?;
    wait(page, "the scale", "return (await currentWindow.state()).scale", &json!(2))?;
    wait(page, "the screen in larger pixels", SCREENS, &json!([left(2)]))?;

    // Of the page's own accord, and a window that is opened dark.
    page.run("window.told.length = 0", &[])?;
    run(page, "await openWindow({ label: 'night', url: '/deep/', title: 'Night', theme: 'dark' })")?;
    told("main", "event.kind === 'theme_changed' && event.theme === 'dark'")?;
    run(page, "await new AppWindow('night').set({ theme: 'system' })")?;
    told("main", "event.kind === 'theme_changed' && event.theme === 'light'")
}
