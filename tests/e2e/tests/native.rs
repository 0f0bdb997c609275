//! Dialogs, clipboard, menus and other programs, in the real window.
#![cfg(target_os = "linux")]

use anyhow::ensure;
use gio::glib::ToVariant;
use serde_json::{Value, json};
use staysail_e2e::child::{self, Program};
use staysail_e2e::desktop_bus::DesktopBus;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, play};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn run(page: &Page, script: &str) -> anyhow::Result<Value> {
    let script = format!(
        "const {{ clipboard, dialog, notification, opener }} = fixture.staysail; try {{ {script} }} catch (error) {{ return {{ \
         error: error.code ?? String(error), message: error.message }} }}"
    );
    page.run_async(&script, &[])
}

const ALL: &str = "windows = [\"*\"]\nallow = [\"*\"]";

#[test]
fn text_html_and_images_go_through_the_clipboard() {
    play("clipboard", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let text =
            run(&page, "await clipboard.writeText('ahoy \u{2693}'); return await clipboard.readText()")?;
        ensure!(text == "ahoy \u{2693}", "{text}");
        let html = run(
            &page,
            "await clipboard.writeHtml('<b>ahoy</b>', 'plain'); return [await clipboard.readHtml(), await clipboard.readText()]",
        )?;
        ensure!(html == json!(["<b>ahoy</b>", "plain"]), "{html}");
        let image = run(
            &page,
            "const canvas = new OffscreenCanvas(3, 2); const context = canvas.getContext('2d'); context.fillStyle = '#ff0000'; \
             context.fillRect(0, 0, 3, 2); const blob = await canvas.convertToBlob({ type: 'image/png' }); \
             await clipboard.writeImage(new Uint8Array(await blob.arrayBuffer())); const back = await clipboard.readImage(); \
             const bitmap = await createImageBitmap(new Blob([back], { type: 'image/png' })); return [bitmap.width, bitmap.height]",
        )?;
        ensure!(image == json!([3, 2]), "{image}");
        clipboard_of_another_program(stage, &page)?;
        let broken = run(&page, "await clipboard.writeImage(new Uint8Array([1, 2, 3]))")?;
        ensure!(broken["error"] == "InvalidArguments", "{broken}");
        let cleared = run(&page, "await clipboard.clear(); return await clipboard.readText()")?;
        ensure!(cleared.is_null(), "{cleared}");
        Ok(())
    });
}

fn clipboard_peer(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = stage.command(Path::new(env!("CARGO_BIN_EXE_clipboard-peer")));
    command.args(arguments);
    command
}

/// What the app has copied another program pastes, and the other way round.
fn clipboard_of_another_program(stage: &Stage, page: &Page) -> anyhow::Result<()> {
    let pasted = || child::run("clipboard-peer", clipboard_peer(stage, &["paste"]), EDIT);
    let image = pasted()?;
    ensure!(image.trim() == "image 3 2 #ff0000", "{image}");
    run(page, "await clipboard.writeHtml('<b>ahoy \u{2693}</b>', 'ahoy \u{2693}')")?;
    let both = pasted()?;
    let lines: Vec<&str> = both.lines().collect();
    ensure!(lines == ["text ahoy \u{2693}", "html <b>ahoy \u{2693}</b>"], "{both}");
    let mut other =
        Program::start("clipboard-peer", clipboard_peer(stage, &["copy", "from elsewhere \u{2693}"]))?;
    other.wait_line("the other program to have copied", 0, EDIT, |line| {
        line.contains("copied").then_some(())
    })?;
    let text = run(page, "return await clipboard.readText()")?;
    ensure!(text == "from elsewhere \u{2693}", "{text}");
    Ok(())
}

#[test]
fn dialogs_are_answered_by_the_user_while_everything_else_goes_on() {
    play("dialogs", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let before = stage.display.programs_windows();
        page.run(
            "window.answered = []; const { dialog } = fixture.staysail; \
             dialog.message('Save the chart?', { detail: 'It was changed.', level: 'warning', buttons: ['Leave', 'Save'] }) \
             .then(button => window.answered.push(button), error => window.answered.push(error.message))",
            &[],
        )?;
        stage.display.focus_new(&before, EDIT)?;
        ensure!(
            page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy",
            "calls wait for the dialog"
        );
        stage.screenshot("message");
        stage.display.key("alt+F4")?;
        page.wait_for("the answer", "return window.answered.length === 1", EDIT)?;
        ensure!(page.run("return window.answered", &[])? == json!([null]), "a closed dialog is no answer");

        let file = stage.folder.path().join("chart.txt");
        std::fs::write(&file, "here be dragons")?;
        let asks = format!(
            "open({{ title: 'Open a chart', directory: '{}', filters: [{{ name: 'Charts', extensions: ['txt'] }}] }})",
            stage.folder.path().display()
        );
        let path = format!("={}", file.display());
        let chosen = answered(stage, &page, &asks, "Open a chart", &["ctrl+l", "ctrl+a", &path, "Return"])?;
        ensure!(chosen == json!([[file.display().to_string()]]), "{chosen}");
        let many = run(&page, "return await dialog.message('?', { buttons: ['a', 'b', 'c', 'd'] })")?;
        ensure!(many["error"] == "InvalidArguments", "{many}");
        choosing(stage, &page)
    });
}

/// Asks for something and answers by keys; what the page is told.
fn answered(stage: &Stage, page: &Page, asks: &str, title: &str, keys: &[&str]) -> anyhow::Result<Value> {
    page.run(
        &format!(
            "window.answer = undefined; fixture.staysail.dialog.{asks}.then(answer => window.answer = [answer], error => \
             window.answer = error.message)"
        ),
        &[],
    )?;
    let window = stage.display.window(title, EDIT)?;
    stage.display.focus(&window)?;
    stage.screenshot(&title.replace(' ', "-"));
    let mut tries = 0;
    loop {
        for key in keys {
            match key.strip_prefix('=') {
                Some(text) => stage.display.type_text(text)?,
                None => stage.display.key(key)?,
            }
        }
        // Keys that come before the dialog has read its folder, or while its field opens, are lost.
        match page.wait_for(asks, "return window.answer !== undefined", Duration::from_secs(3)) {
            Err(_) if tries < 6 => tries += 1,
            other => break other?,
        }
    }
    page.run("return window.answer", &[])
}

/// A folder, a name to save under with the filter's ending, and yes and no.
fn choosing(stage: &Stage, page: &Page) -> anyhow::Result<()> {
    let folder = stage.folder.path().canonicalize()?.join("charts");
    std::fs::create_dir(&folder)?;
    std::fs::write(folder.join("seen.kap"), "")?;
    std::fs::write(folder.join("hidden.txt"), "")?;
    let directory = folder.display().to_string();
    let asks = format!("open({{ title: 'A folder', folder: true, directory: '{directory}' }})");
    let chosen =
        answered(stage, page, &asks, "A folder", &["ctrl+l", "ctrl+a", &format!("={directory}"), "Return"])?;
    ensure!(chosen == json!([[directory]]), "{chosen}");
    let asks = format!("save({{ title: 'Save it', name: 'new.kap', directory: '{directory}' }})");
    let chosen = answered(stage, page, &asks, "Save it", &["Return"])?;
    ensure!(chosen == json!([format!("{directory}/new.kap")]), "{chosen}");
    // Of two files the filter leaves one, which the first letter of its name would not tell apart.
    let filter = "filters: [{ name: 'Charts', extensions: ['kap'] }]";
    let asks = format!("open({{ title: 'A chart', {filter}, multiple: true, directory: '{directory}' }})");
    let chosen = answered(stage, page, &asks, "A chart", &["ctrl+a", "Return"])?;
    ensure!(
        chosen == json!([[format!("{directory}/seen.kap")]]),
        "the filter leaves another choice: {chosen}"
    );
    for (key, said) in [("Return", true), ("Escape", false)] {
        let before = stage.display.programs_windows();
        page.run(
            "window.answer = undefined; fixture.staysail.dialog.confirm('Delete the chart?', { ok: 'Delete' }) \
             .then(answer => window.answer = answer)",
            &[],
        )?;
        stage.display.focus_new(&before, EDIT)?;
        stage.display.key(key)?;
        page.wait_for("the answer", "return window.answer !== undefined", EDIT)?;
        ensure!(page.run("return window.answer", &[])? == said, "{key}");
    }
    Ok(())
}

const FILE_MANAGER: &str = "org.freedesktop.FileManager1";
const FILE_MANAGER_DESCRIPTION: &str = r#"<node><interface name="org.freedesktop.FileManager1"><method name="ShowItems">
  <arg type="as" direction="in"/><arg type="s" direction="in"/></method></interface></node>"#;

#[test]
fn other_programs_are_started_for_harmless_addresses_only() {
    play("opener", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let bus = DesktopBus::start(stage)?;
        let path = "/org/freedesktop/FileManager1";
        let manager = bus.serve(FILE_MANAGER, path, FILE_MANAGER, FILE_MANAGER_DESCRIPTION, |_, _| {
            Some(().to_variant())
        })?;
        let mut dev = Dev::start_with(stage, &project, &[bus.variable()])?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach(stage, dev.port, EDIT)?;
        let file = stage.folder.path().join("sea chart #1.txt");
        std::fs::write(&file, "")?;
        let shown = run(&page, &format!("await opener.reveal('{}'); return true", file.display()))?;
        ensure!(shown == true, "{shown}");
        let asked = manager.wait_call("ShowItems", 1)?.parameters;
        let address = format!("file://{}/sea%20chart%20%231.txt", stage.folder.path().display());
        ensure!(asked.get::<(Vec<String>, String)>() == Some((vec![address], String::new())), "{asked}");
        for script in [
            "await opener.openUrl('file:///etc/passwd')",
            "await opener.openUrl('javascript:alert(1)')",
            "await opener.openPath('relative/path')",
            "await opener.openPath('/nowhere/at/all')",
            "await opener.reveal('/nowhere/at/all')",
        ] {
            let refused = run(&page, script)?;
            ensure!(refused["error"] == "InvalidArguments", "{script}: {refused}");
        }
        ensure!(manager.calls().len() == 1, "what is not there was shown: {:?}", manager.calls());
        // Nobody on this bus shows any: a clear error, at once.
        let shown = run(&page, "return await notification.show({ title: 'Ahoy' })")?;
        ensure!(shown["error"] == "Internal", "{shown}");
        Ok(())
    });
}

#[test]
fn a_menu_is_chosen_by_mouse_and_keys_and_a_swap_changes_it_in_place() {
    play("menus", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let source = "backend/app/src/main.rs";
        let menu = "        .menu(staysail::Menu::new().menu(\"&Chart\", staysail::Menu::new()\n            \
                    .item(staysail::MenuItem::new(\"save\", \"&Save\").accelerator(\"CmdOrCtrl+S\"))\n            \
                    .item(staysail::MenuItem::radio(\"small\", \"S&mall\", \"size\", true).accelerator(\"CmdOrCtrl+1\"))\n            \
                    .item(staysail::MenuItem::radio(\"large\", \"&Large\", \"size\", false).accelerator(\"CmdOrCtrl+2\"))))\n";
        project.edit(source, "        .keep(\"tally\"", &format!("{menu}        .keep(\"tally\""))?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        page.run(
            "window.chosen = []; fixture.staysail.menu.onChosen(event => window.chosen.push(event))",
            &[],
        )?;
        let window = stage.display.window("Counter under test", EDIT)?;
        stage.display.focus(&window)?;
        stage.display.key("ctrl+s")?;
        page.wait_for(
            "the entry",
            "return window.chosen.length === 1 && window.chosen[0].id === 'save'",
            EDIT,
        )?;
        stage.display.key("ctrl+2")?;
        page.wait_for(
            "the radio item",
            "return window.chosen[1]?.id === 'large' && window.chosen[1].checked",
            EDIT,
        )?;
        ensure!(page.run("return window.chosen[0].window", &[])? == "main");

        let from = dev.position();
        project.edit(source, "\"&Save\"", "\"&Save the chart\"")?;
        dev.wait("swap_done", from, EDIT)?;
        // Opened by its letter, the entry chosen by its own.
        stage.display.key("alt+c")?;
        stage.screenshot("menu");
        stage.display.key("s")?;
        page.wait_for("the renamed entry", "return window.chosen[2]?.id === 'save'", EDIT)?;

        let updated = run(
            &page,
            "const { menu } = fixture.staysail; await menu.update('save', { enabled: false }); return true",
        )?;
        ensure!(updated == true, "{updated}");
        stage.display.key("ctrl+s")?;
        stage.display.key("ctrl+1")?;
        page.wait_for(
            "what was chosen after the entry that can not be",
            "return window.chosen[3]?.id === 'small'",
            EDIT,
        )?;
        for (script, what) in [
            ("await fixture.staysail.menu.update('nothing', {})", "nothing"),
            (
                "await fixture.staysail.menu.set([{ id: 'a', text: 'A', accelerator: 'Nonsense+Q' }])",
                "Nonsense",
            ),
            (
                "await fixture.staysail.menu.set([{ id: 'a', text: 'A' }, { id: 'a', text: 'B' }])",
                "two entries",
            ),
        ] {
            let refused = run(&page, script)?;
            ensure!(
                refused["error"] == "InvalidArguments"
                    && refused["message"].as_str().is_some_and(|text| text.contains(what)),
                "{script}: {refused}"
            );
        }
        let popup =
            run(&page, "await fixture.staysail.menu.popup([{ id: 'pop', text: 'Pop' }]); return true")?;
        ensure!(popup == true, "{popup}");
        ensure!(
            page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy",
            "an open menu holds everything up"
        );
        stage.screenshot("popup");
        stage.display.key("Down")?;
        stage.display.key("Return")?;
        page.wait_for("the entry of the context menu", "return window.chosen[4]?.id === 'pop'", EDIT)?;
        Ok(())
    });
}

const MENUS: &str = "        .menu(staysail::Menu::new().menu(\"&Chart\", staysail::Menu::new()\n            \
    .item(staysail::MenuItem::new(\"save\", \"&Save\").accelerator(\"CmdOrCtrl+S\"))\n            \
    .item(staysail::MenuItem::check(\"quiet\", \"&Quiet\", false).accelerator(\"CmdOrCtrl+Q\"))))\n        \
    .window(Window::new(\"log\").title(\"The log\").url(\"/deep/\").size(400.0, 260.0)OF_ITS_OWN)\n";
const OF_ITS_OWN: &str = ".menu(staysail::Menu::new().menu(\"&Log\", staysail::Menu::new()\n            \
    .item(staysail::MenuItem::new(\"sign\", \"&Sign\").accelerator(\"CmdOrCtrl+S\"))\n            \
    .item(staysail::MenuItem::check(\"quiet\", \"&Quiet\", false).accelerator(\"CmdOrCtrl+Q\"))))";

/// Waits until this was chosen last, as the so many-th.
fn chosen(page: &Page, count: usize, id: &str, checked: Option<bool>, window: &str) -> anyhow::Result<()> {
    let wanted = json!([count, id, checked, window]).to_string();
    let script = format!(
        "const last = window.chosen.at(-1) ?? {{}}; const told = JSON.stringify([window.chosen.length, last.id ?? null, \
         last.checked ?? null, last.window ?? null]); return told === {wanted:?} || told"
    );
    page.wait_for(&wanted, &script, EDIT)
}

#[test]
fn a_window_has_a_menu_of_its_own_and_the_others_the_applications() {
    play("window-menus", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let source = "backend/app/src/main.rs";
        let declared = MENUS.replace("OF_ITS_OWN", OF_ITS_OWN);
        project.edit(source, "        .keep(\"tally\"", &format!("{declared}        .keep(\"tally\""))?;
        project.edit(
            source,
            "    let title = window.state()",
            "    window.set_menu(staysail::Menu::new().menu(\"&Rust\", staysail::Menu::new()\n        \
             .item(staysail::MenuItem::new(\"rust\", \"&Rust\").accelerator(\"CmdOrCtrl+R\")))).await?;\n    \
             let title = window.state()",
        )?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        page.run(
            "window.chosen = []; fixture.staysail.menu.onChosen(event => window.chosen.push(event))",
            &[],
        )?;
        let main = stage.display.window("Counter under test", EDIT)?;
        let log = stage.display.window("The log", EDIT)?;
        let press = |window: &str, key: &str| {
            stage.display.focus(window)?;
            stage.display.key(key)
        };
        // The same keys and the same id, in two menus: each window has its own.
        press(&main, "ctrl+s")?;
        chosen(&page, 1, "save", None, "main")?;
        press(&log, "ctrl+s")?;
        chosen(&page, 2, "sign", None, "log")?;
        press(&log, "ctrl+q")?;
        chosen(&page, 3, "quiet", Some(true), "log")?;
        press(&main, "ctrl+q")?;
        chosen(&page, 4, "quiet", Some(true), "main")?;
        press(&log, "alt+l")?;
        stage.screenshot("own");
        stage.display.key("s")?;
        chosen(&page, 5, "sign", None, "log")?;

        // Changed at run time, from the page and from Rust, and taken away.
        let change = "const log = new fixture.staysail.AppWindow('log'); await log.updateMenu('sign', { enabled: false }); return true";
        ensure!(run(&page, change)? == true);
        press(&log, "ctrl+s")?;
        press(&log, "ctrl+q")?;
        chosen(&page, 6, "quiet", Some(false), "log")?;
        let height = page.run("return innerHeight", &[])?;
        ensure!(run(&page, "await fixture.staysail.currentWindow.setMenu([]); return true")? == true);
        page.wait_for("the page in place of the bar", &format!("return innerHeight > {height}"), EDIT)?;
        let own = "const items = [{ kind: 'submenu', text: '&Own', items: [{ id: 'own', text: '&Own', accelerator: 'CmdOrCtrl+O' }] }]; \
                   await fixture.staysail.currentWindow.setMenu(items); return true";
        ensure!(run(&page, own)? == true);
        press(&main, "ctrl+o")?;
        chosen(&page, 7, "own", None, "main")?;
        let answer = page.call("open", &json!({ "label": "third" }))?;
        ensure!(answer["value"][0] == "From Rust", "{answer}");
        let third = stage.display.window("From Rust", EDIT)?;
        press(&third, "ctrl+r")?;
        chosen(&page, 8, "rust", None, "third")?;
        for script in [
            "await new fixture.staysail.AppWindow('log').setMenu([{ id: 'a', text: 'A' }, { id: 'a', text: 'B' }])",
            "await new fixture.staysail.AppWindow('nowhere').setMenu([])",
            "await new fixture.staysail.AppWindow('log').updateMenu('nothing', {})",
        ] {
            ensure!(run(&page, script)?["error"] == "InvalidArguments", "{script}");
        }
        press(&log, "ctrl+q")?;
        chosen(&page, 9, "quiet", Some(true), "log")?;

        // A swap that declares the log without a menu of its own gives it the application's, and leaves what was set at run
        // time; what it declares in addition is opened.
        let from = dev.position();
        project.edit(source, OF_ITS_OWN, "")?;
        project.edit(
            source,
            "        .keep(\"tally\"",
            "        .window(Window::new(\"late\").title(\"Declared late\"))\n        .keep(\"tally\"",
        )?;
        dev.wait("swap_done", from, EDIT)?;
        stage.display.window("Declared late", EDIT)?;
        press(&log, "ctrl+s")?;
        chosen(&page, 10, "save", None, "log")?;
        press(&main, "ctrl+o")?;
        chosen(&page, 11, "own", None, "main")?;
        stage.screenshot("after-the-swap");
        Ok(())
    });
}
