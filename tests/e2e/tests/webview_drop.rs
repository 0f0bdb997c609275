//! Files of another program dragged over the real window.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use staysail_e2e::child::Program;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::{Stage, play};
use std::path::Path;
use std::time::Duration;

/// Left, top, width and height of a window's inside on the screen.
fn place(stage: &Stage, window: &str) -> anyhow::Result<[i32; 4]> {
    let text = stage.display.tool("xwininfo", &["-id", window])?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("no {name} in {text}"))
    };
    Ok([
        value("Absolute upper-left X:")?,
        value("Absolute upper-left Y:")?,
        value("Width:")?,
        value("Height:")?,
    ])
}

/// Begins to drag from the other program and stops over a point of the page.
fn drag_over(stage: &Stage, to: (i32, i32)) -> anyhow::Result<()> {
    let source = stage.display.window("drag source", Duration::from_secs(10))?;
    let main = stage.display.window("Counter under test", EDIT)?;
    let [left, top, width, height] = place(stage, &source)?;
    let (x, y) = (left + width / 2, top + height / 2);
    let [left, top, ..] = place(stage, &main)?;
    let point = |x: i32, y: i32| [x.to_string(), y.to_string()];
    let go = |[x, y]: [String; 2]| stage.display.tool("xdotool", &["mousemove", "--sync", &x, &y]).map(drop);
    go(point(x, y))?;
    stage.display.tool("xdotool", &["mousedown", "1"])?;
    for step in 1..=10 {
        let part = |from: i32, to: i32| from + (to - from) * step / 10;
        go(point(part(x, left + to.0), part(y, top + to.1)))?;
    }
    // A drag is told of where it moves.
    go(point(left + to.0 + 2, top + to.1 + 2))
}

fn drop_it(stage: &Stage) -> anyhow::Result<()> {
    stage.display.tool("xdotool", &["mouseup", "1"]).map(drop)
}

fn listen(page: &Page) -> anyhow::Result<()> {
    page.run(
        "window.told = []; fixture.staysail.onFileDrop(event => window.told.push(event)); \
         window.own = []; addEventListener('dragover', event => event.preventDefault()); \
         addEventListener('drop', event => { event.preventDefault(); \
           window.own.push([...event.dataTransfer.types].map(type => event.dataTransfer.getData(type)).join('|')) })",
        &[],
    )
    .map(drop)
}

fn source(stage: &Stage, files: &[&Path]) -> anyhow::Result<Program> {
    let mut command = stage.command(Path::new(env!("CARGO_BIN_EXE_drag-source")));
    command
        .args(files.iter().map(|file| format!("file://{}", file.display().to_string().replace(' ', "%20"))));
    Program::start("drag-source", command)
}

#[test]
fn files_dragged_over_a_window_are_told_with_their_paths_where_a_capability_allows_it() {
    play("drop", |stage| {
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"main\"]\nallow = [\"drop.*\"]")?;
        let (_dev, page) = Dev::live(stage, &project)?;
        listen(&page)?;
        let file = stage.folder.path().join("sea chart.txt");
        std::fs::write(&file, "here be dragons")?;
        let _source = source(stage, &[&file])?;

        drag_over(stage, (200, 150))?;
        page.wait_for("the files to enter", "return window.told[0]?.kind === 'enter'", EDIT)?;
        stage.screenshot("over");
        let told = page.run("return window.told[0]", &[])?;
        ensure!(told["paths"] == json!([file.display().to_string()]) && told["label"] == "main", "{told}");
        drop_it(stage)?;
        page.wait_for("the drop", "return window.told.some(event => event.kind === 'dropped')", EDIT)?;
        let dropped = page.run("return window.told.find(event => event.kind === 'dropped')", &[])?;
        ensure!(dropped["paths"] == json!([file.display().to_string()]), "{dropped}");
        let (x, y) = (dropped["position"][0].as_f64(), dropped["position"][1].as_f64());
        ensure!(
            x.is_some_and(|x| (x - 202.0).abs() < 3.0) && y.is_some_and(|y| (y - 152.0).abs() < 3.0),
            "not where it was dropped: {dropped}"
        );
        page.wait_for("the page's own drop", "return window.own.length === 1", EDIT)?;

        page.run("window.told.length = 0", &[])?;
        drag_over(stage, (300, 250))?;
        page.wait_for("the second drag", "return window.told[0]?.kind === 'enter'", EDIT)?;
        stage.display.tool("xdotool", &["mousemove", "--sync", "1180", "700"])?;
        stage.display.tool("xdotool", &["mousemove", "--sync", "1190", "710"])?;
        page.wait_for("it to leave", "return window.told.at(-1)?.kind === 'left'", EDIT)?;
        drop_it(stage)?;
        let kinds = page.run("return window.told.map(event => event.kind)", &[])?;
        ensure!(!kinds.as_array().is_some_and(|kinds| kinds.contains(&json!("dropped"))), "{kinds}");
        Ok(())
    });
}

#[test]
fn without_a_capability_a_drop_tells_no_path_and_never_takes_the_window_away() {
    play("drop-denied", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let file = stage.folder.path().join("chart.txt");
        std::fs::write(&file, "here be dragons")?;
        let mut source = source(stage, &[&file])?;
        let load = page.load()?;

        // The page does not care about drops at all: a browser would show the file instead of the page.
        drag_over(stage, (200, 150))?;
        drop_it(stage)?;
        source.wait_line("the end of the drag", 0, EDIT, |line| line.contains("drag ended").then_some(()))?;
        ensure!(page.load()? == load && page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy");

        let from = source.lines().len();
        listen(&page)?;
        drag_over(stage, (210, 160))?;
        page.run("return 0", &[])?;
        drop_it(stage)?;
        source
            .wait_line("the end of the drag", from, EDIT, |line| line.contains("drag ended").then_some(()))?;
        page.wait_for("the page's own drop", "return window.own.length === 1", EDIT)?;
        let own = page.run("return window.own[0]", &[])?;
        let texts = own.as_str().unwrap_or_default().to_string();
        ensure!(
            !texts.contains(&*stage.folder.path().to_string_lossy()),
            "the page was told the path: {own}"
        );
        ensure!(page.run("return window.told.length", &[])? == 0);
        ensure!(page.load()? == load && page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy");
        Ok(())
    });
}

#[test]
fn drag_and_drop_within_the_page_goes_on_as_ever() {
    play("drop-within", |stage| {
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"main\"]\nallow = [\"drop.*\"]")?;
        let (_dev, page) = Dev::live(stage, &project)?;
        listen(&page)?;
        let boxes = page.run(
            "const make = (id, left) => { const box = document.createElement('div'); box.id = id; box.textContent = id; \
             box.style.cssText = `position:fixed;top:300px;left:${left}px;width:120px;height:80px;background:#cde;z-index:9`; \
             document.body.append(box); return box }; const card = make('card', 60); card.draggable = true; \
             card.addEventListener('dragstart', event => { event.dataTransfer.setData('text/uri-list', 'file:///etc/passwd'); \
             event.dataTransfer.setData('text/plain', 'the card') }); make('target', 400); return true",
            &[],
        )?;
        ensure!(boxes == Value::Bool(true));
        let main = stage.display.window("Counter under test", EDIT)?;
        let [left, top, ..] = place(stage, &main)?;
        let go = |x: i32, y: i32| {
            stage
                .display
                .tool("xdotool", &["mousemove", "--sync", &(left + x).to_string(), &(top + y).to_string()])
        };
        go(100, 340)?;
        stage.display.tool("xdotool", &["mousedown", "1"])?;
        for step in 1..=10 {
            go(100 + step * 35, 340)?;
        }
        go(455, 342)?;
        drop_it(stage)?;
        page.wait_for("the card's drop", "return window.own.length === 1", EDIT)?;
        ensure!(
            page.run("return window.told", &[])? == json!([]),
            "a drag of the page's own counts as files"
        );
        Ok(())
    });
}
