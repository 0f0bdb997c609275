//! Edits while developing: what does not compile, styles, pages, and a changed interface.

use anyhow::ensure;
use serde_json::json;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{Backend, Project};
use staysail_e2e::stage::play;

/// Errors of a page, each in a line of its own. In braces: a call that is a function's last leaves no trace of the function in
/// WebKit.
const STUMBLES: &str = "window.complain = () => { console.error('it is wrong') };
window.promise = () => void Promise.reject(new Error('nobody waits'));
window.stumble = () => void setTimeout(() => { throw new Error('thrown') });
";

/// What the page says and throws and what the backend panics with is told, each with its place in the project.
fn one_stream(dev: &mut Dev, page: &Page) -> anyhow::Result<()> {
    // What goes wrong before then keeps the page from starting, which is another thing.
    dev.wait("page_ready", 0, EDIT)?;
    for (does, message, line) in
        [("complain", "it is wrong", 1), ("promise", "nobody waits", 2), ("stumble", "thrown", 3)]
    {
        let from = dev.position();
        page.run(&format!("window.{does}()"), &[])?;
        let report = dev.wait("page_report", from, EDIT)?["report"].clone();
        let said = |name: &str| report[name].as_str().unwrap_or_default().to_owned();
        ensure!(said("message").contains(message) && said("level") == "error", "{report}");
        ensure!(said("place").starts_with(&format!("frontend/main.js:{line}:")), "{does}: {report}");
    }
    let from = dev.position();
    page.call("explode", &json!({ "word": "in the stream" }))?;
    for part in ["backend/app/src/main.rs:", "exploded: in the stream"] {
        dev.program.wait_line(&format!("the backend's {part:?}"), from, EDIT, |line| {
            (line.contains("\"worker_log\"") && line.contains(part)).then_some(())
        })?;
    }
    Ok(())
}

#[test]
fn what_does_not_compile_shows_over_the_page_while_the_old_code_serves_until_it_is_fixed() {
    play("compile_error", |stage| {
        let project = Project::fixture(stage)?;
        let script = project.read("frontend/main.js")?;
        project.write("frontend/main.js", &(STUMBLES.to_owned() + &script))?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        one_stream(&mut dev, &page)?;
        let load = page.load()?;
        page.send_keys(&page.find("#name")?, "typed")?;
        let from = dev.position();
        project.backend(&Backend {
            answer: "v1".into(),
            at_start: "let number: u32 = \"no number\";",
            health: "Ok(())",
        })?;
        let text = page.wait_overlay("the compile error", EDIT, |text| text.contains("mismatched types"))?;
        stage.screenshot("shown");
        ensure!(text.contains("E0308") && text.contains("lib.rs"), "not rustc's own message: {text}");
        let said = dev.wait("build_failed", from, EDIT)?;
        ensure!(said["errors"].as_str().is_some_and(|text| text.contains("E0308")), "{said}");
        ensure!(
            said["errors"].as_str().is_some_and(|text| text.contains("backend/core/src/lib.rs:5:")),
            "{said}"
        );
        page.wait_served_by("v0", EDIT)?;
        page.send_keys(&page.find("#name")?, " on")?;
        project.backend(&Backend::good("v2"))?;
        page.wait_served_by("v2", EDIT)?;
        page.wait_overlay("the overlay to go away", EDIT, str::is_empty)?;
        let typed = page.run("return document.querySelector('#name').value", &[])?;
        ensure!(typed == "typed on", "the field holds {typed}");
        ensure!(page.load()? == load, "the page was loaded again");
        Ok(())
    });
}

#[test]
fn styles_are_exchanged_in_place() {
    play("css_swap", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let load = page.load()?;
        for shade in [1, 2, 3] {
            let styles = format!("h1 {{ color: rgb(200, {shade}, 0); }}\n");
            project.write("frontend/styles.css", &styles)?;
            let live = format!(
                "return getComputedStyle(document.querySelector('#heading')).color === 'rgb(200, {shade}, 0)'"
            );
            page.wait_for("the new style", &live, EDIT)?;
            ensure!(page.load()? == load, "the page was loaded again for a style");
            let sheets = page.run("return document.styleSheets.length", &[])?;
            ensure!(sheets == 1, "{sheets} style sheets after the exchange");
        }
        Ok(())
    });
}

#[test]
fn a_page_edit_reloads_and_keeps_form_selection_scroll_and_preserved_state() {
    play("page_reload", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let load = page.load()?;
        let process = page.call("process", &json!({}))?;
        page.send_keys(&page.find("#name")?, "a name")?;
        page.send_keys(&page.find("#notes")?, "two\u{E007}lines")?;
        page.click(&page.find("#agree")?)?;
        page.run("document.querySelector('#name').focus(); document.querySelector('#name').setSelectionRange(2, 4)", &[])?;
        page.run("window.scrollTo(0, 700); fixture.call('answer')", &[])?;
        page.wait_for("the answer", "return fixture.records[0]?.version === 'v0'", EDIT)?;
        project.edit("frontend/index.html", "page-0", "page-1")?;
        page.wait_for(
            "the new page",
            "return document.querySelector('#heading')?.textContent === 'page-1'",
            EDIT,
        )?;
        page.wait_up()?;
        ensure!(page.load()? != load, "the new page has the old load");
        page.wait_for("scroll to be restored", "return window.scrollY === 700 || window.scrollY", EDIT)?;
        let state = page.run(
            "const at = id => document.querySelector(id); return [at('#name').value, at('#notes').value, \
             at('#agree').checked, document.activeElement.id, at('#name').selectionStart, \
             at('#name').selectionEnd, fixture.before().records.length, fixture.before().loads]",
            &[],
        )?;
        let expected = json!(["a name", "two\nlines", true, "name", 2, 4, 1, 1]);
        ensure!(state == expected, "kept {state}, expected {expected}");
        ensure!(page.call("process", &json!({}))? == process, "a page edit exchanged the backend");
        Ok(())
    });
}

#[test]
fn a_changed_interface_loads_the_page_together_with_the_backend_and_writes_its_types() {
    play("schema_change", |stage| {
        let project = Project::fixture(stage)?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        let load = page.load()?;
        page.send_keys(&page.find("#name")?, "kept")?;
        let from = dev.position();
        let file = "backend/app/src/main.rs";
        project.edit(file, "/// The app's version.", "/// New.\n#[command]\nfn twice(number: u32) -> u32 {\n    number * 2\n}\n\n/// The app's version.")?;
        project.edit(file, "die, version, ", "die, version, twice, ")?;
        dev.wait("types_written", from, EDIT)?;
        page.wait_for(
            "the page to be loaded again",
            &format!("return !!window.fixture && fixture.load !== '{load}'"),
            EDIT,
        )?;
        let answer = page.call("twice", &json!({ "number": 21 }))?;
        ensure!(answer["value"] == 42, "{answer}");
        let typed = page.run("return document.querySelector('#name').value", &[])?;
        ensure!(typed == "kept", "the field holds {typed}");
        let types = project.read("frontend/staysail.d.ts")?;
        ensure!(types.contains("twice"), "the types do not know the new command:\n{types}");
        Ok(())
    });
}
