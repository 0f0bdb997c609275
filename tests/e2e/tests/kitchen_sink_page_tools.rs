//! The kitchen sink's sections that are used with mouse and eyes: spelling, paper, files that are dropped.
#![cfg(target_os = "linux")]

use anyhow::{Context, ensure};
use staysail_e2e::dev::EDIT;
use staysail_e2e::drag::{self, Source, let_go};
use staysail_e2e::kitchen_sink::KitchenSink;
use staysail_e2e::stage::{Stage, play};

#[test]
fn spelling_paper_and_dropped_files_do_what_the_page_says() {
    play("kitchen-sink", |stage| {
        // A dictionary of the test's own, which knows few words.
        let dictionary = stage.folder.path().join("config/enchant/hunspell");
        std::fs::create_dir_all(&dictionary)?;
        std::fs::write(dictionary.join("en_US.aff"), "SET UTF-8\n")?;
        std::fs::write(dictionary.join("en_US.dic"), "5\nWind\nfrom\nthe\nwest\nship\n")?;
        let sink = KitchenSink::start(stage)?;
        spelling(stage, &sink)?;
        paper(stage, &sink)?;
        dropped(stage, &sink)
    });
}

fn spelling(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("spelling")?;
    sink.try_out("spelling-check", "off", "Not checked")?;
    stage.display.focus(&sink.window)?;
    stage.display.key("ctrl+End")?;
    stage.display.type_text(" shpi ship ")?;
    sink.page.wait_for(
        "the words",
        "return document.getElementById('spelling-note').value.endsWith('ship ')",
        EDIT,
    )?;
    ensure!(underlined(stage, sink)? == 0, "a word is underlined though nothing is checked");
    sink.try_out("spelling-check", "on", "Checked while you write")?;
    stage.display.key("ctrl+End")?;
    stage.display.type_text("shpi ship ")?;
    staysail_e2e::wait_until("the wrong word to be underlined", EDIT, || {
        match underlined(stage, sink).map_err(|error| format!("{error:#}"))? {
            0 => Err("nothing is".into()),
            _ => Ok(()),
        }
    })?;
    sink.picture("spelling")
}

/// How many pixels of the field are as red as the line below a wrong word. Nothing else in it is red.
fn underlined(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<usize> {
    let script = "const box = document.getElementById('spelling-note').getBoundingClientRect(); \
                  return [box.x, box.y, box.width, box.height].map(Math.round)";
    let field: Vec<i64> = serde_json::from_value(sink.page.run(script, &[])?)?;
    let [left, top, _, height] = drag::place(stage, &sink.window)?;
    // The page lies below the menu bar.
    let inside = sink.page.run("return innerHeight", &[])?.as_i64().context("no height")?;
    let (x, y) = (i64::from(left) + field[0], i64::from(top) + i64::from(height) - inside + field[1]);
    let part = format!("{}x{}+{x}+{y}", field[2] - 20, field[3]);
    let pixels =
        stage.display.tool("import", &["-window", "root", "-crop", &part, "-depth", "8", "txt:-"])?;
    let is_red = |line: &&str| {
        let colour =
            line.split_once('#').and_then(|(_, colour)| u32::from_str_radix(colour.get(..6)?, 16).ok());
        colour.is_some_and(|colour| {
            let [_, red, green, blue] = colour.to_be_bytes();
            red > 150 && u32::from(red) > u32::from(green) + 80 && u32::from(red) > u32::from(blue) + 80
        })
    };
    Ok(pixels.lines().filter(is_red).count())
}

fn paper(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    let display = &stage.display;
    sink.go("webview")?;
    sink.press("webview-print-print")?;
    display.focus(&sink.window("Print")?)?;
    sink.picture("print")?;
    display.key("Escape")?;
    sink.wait_gone("Print")?;
    sink.press("webview-print-pdf")?;
    display.focus(&sink.window("Save as PDF")?)?;
    let file = stage.folder.path().canonicalize()?.join("sink.pdf");
    sink.choose(&file.display().to_string(), "webview-print", |text| text.starts_with("Written to "))?;
    let pdf = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    ensure!(pdf.starts_with(b"%PDF-"), "no PDF");
    Ok(())
}

fn dropped(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("files")?;
    let file = stage.folder.path().canonicalize()?.join("sea chart.txt");
    std::fs::write(&file, "here be dragons")?;
    let source = Source::start(stage, env!("CARGO_BIN_EXE_drag-source"), &[&file])?;
    sink.page.run("document.getElementById('files-area').scrollIntoView({ block: 'center' })", &[])?;
    source.drag_over(stage, &sink.window, (500, 400))?;
    let over = "return document.getElementById('files-area').classList.contains('over')";
    sink.page.wait_for("the area to say that something is over it", over, EDIT)?;
    stage.screenshot("drop");
    let_go(stage)?;
    sink.wait_answer("files-drop", |text| text == file.display().to_string()).map(drop)
}
