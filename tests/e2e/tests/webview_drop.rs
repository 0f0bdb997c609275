//! Files of another program dragged over the real window.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::drag::{Source, let_go, place};
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::{Stage, play};
use std::path::Path;

fn listen(page: &Page) -> anyhow::Result<()> {
    page.run(
        "window.told = []; fixture.staysail.onFileDrop(event => window.told.push(event)); \
         window.own = []; addEventListener('dragover', event => { event.preventDefault(); window.over = true }); \
         addEventListener('drop', event => { event.preventDefault(); \
           window.own.push([...event.dataTransfer.types].map(type => event.dataTransfer.getData(type)).join('|')) })",
        &[],
    )
    .map(drop)
}

fn source(stage: &Stage, files: &[&Path]) -> anyhow::Result<Source> {
    Source::start(stage, env!("CARGO_BIN_EXE_drag-source"), files)
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
        let source = source(stage, &[&file])?;
        let main = stage.display.window("Counter under test", EDIT)?;

        source.drag_over(stage, &main, (200, 150))?;
        page.wait_for("the files to enter", "return window.told[0]?.kind === 'enter'", EDIT)?;
        stage.screenshot("over");
        let told = page.run("return window.told[0]", &[])?;
        ensure!(told["paths"] == json!([file.display().to_string()]) && told["label"] == "main", "{told}");
        let_go(stage)?;
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
        source.drag_over(stage, &main, (300, 250))?;
        page.wait_for("the second drag", "return window.told[0]?.kind === 'enter'", EDIT)?;
        stage.display.tool("xdotool", &["mousemove", "--sync", "1180", "700"])?;
        stage.display.tool("xdotool", &["mousemove", "--sync", "1190", "710"])?;
        page.wait_for("it to leave", "return window.told.at(-1)?.kind === 'left'", EDIT)?;
        let_go(stage)?;
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
        let main = stage.display.window("Counter under test", EDIT)?;
        let load = page.load()?;

        // The page does not care about drops at all: a browser would show the file instead of the page.
        source.drag_over(stage, &main, (200, 150))?;
        let_go(stage)?;
        source
            .program
            .wait_line("the end of the drag", 0, EDIT, |line| line.contains("drag ended").then_some(()))?;
        ensure!(page.load()? == load && page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy");

        let from = source.program.lines().len();
        listen(&page)?;
        source.drag_over(stage, &main, (210, 160))?;
        page.wait_for("the page to take it", "return window.over === true", EDIT)?;
        let_go(stage)?;
        source
            .program
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

/// The one name of the grant, neither more nor less, and what comes with it: the dropped file may be read.
#[test]
fn the_grant_of_paths_tells_them_and_lets_the_page_read_what_was_dropped_and_its_absence_does_neither() {
    for (granted, name) in [(true, "drop-granted"), (false, "drop-withheld")] {
        play(name, |stage| {
            let project = Project::fixture(stage)?;
            let grant = if granted { ", \"drop.paths\"" } else { "" };
            project.allow(&format!("windows = [\"main\"]\nallow = [\"fs.read_text\"{grant}]"))?;
            let (_dev, page) = Dev::live(stage, &project)?;
            listen(&page)?;
            let file = stage.folder.path().canonicalize()?.join("chart.txt");
            std::fs::write(&file, "here be dragons")?;
            let mut source = source(stage, &[&file])?;
            let main = stage.display.window("Counter under test", EDIT)?;
            let read = || {
                let script = "return fixture.staysail.fs.readText(arguments_[0]).then(text => ({ text }), error => ({ error: error.code }))";
                page.run_async(script, &[json!(file)])
            };
            ensure!(read()? == json!({ "error": "Denied" }), "read before it was dropped");
            source.drag_over(stage, &main, (200, 150))?;
            page.wait_for("the page to take it", "return window.over === true", EDIT)?;
            let_go(stage)?;
            source.program.wait_line("the end of the drag", 0, EDIT, |line| {
                line.contains("drag ended").then_some(())
            })?;
            page.wait_for("the page's own drop", "return window.own.length === 1", EDIT)?;
            let own = page.run("return window.own[0]", &[])?.to_string();
            if granted {
                page.wait_for("the drop", "return window.told.at(-1)?.kind === 'dropped'", EDIT)?;
                let paths = page.run("return window.told.at(-1).paths", &[])?;
                ensure!(paths == json!([file]), "{paths}");
                ensure!(read()? == json!({ "text": "here be dragons" }), "{}", read()?);
            } else {
                ensure!(!own.contains("chart"), "the page was told the path: {own}");
                ensure!(page.run("return window.told.length", &[])? == 0);
                ensure!(read()? == json!({ "error": "Denied" }), "a path was granted that was not told");
            }
            Ok(())
        });
    }
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
        let_go(stage)?;
        page.wait_for("the card's drop", "return window.own.length === 1", EDIT)?;
        ensure!(
            page.run("return window.told", &[])? == json!([]),
            "a drag of the page's own counts as files"
        );
        Ok(())
    });
}
