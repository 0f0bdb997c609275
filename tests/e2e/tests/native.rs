//! Dialogs, clipboard and other programs, in the real window.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::play;

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
        let broken = run(&page, "await clipboard.writeImage(new Uint8Array([1, 2, 3]))")?;
        ensure!(broken["error"] == "InvalidArguments", "{broken}");
        let cleared = run(&page, "await clipboard.clear(); return await clipboard.readText()")?;
        ensure!(cleared.is_null(), "{cleared}");
        Ok(())
    });
}

#[test]
fn dialogs_are_answered_by_the_user_while_everything_else_goes_on() {
    play("dialogs", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        page.run(
            "window.answered = []; const { dialog } = fixture.staysail; \
             dialog.message('Save the chart?', { detail: 'It was changed.', level: 'warning', buttons: ['Leave', 'Save'] }) \
             .then(button => window.answered.push(button), error => window.answered.push(error.message))",
            &[],
        )?;
        staysail_e2e::wait_until("the dialog", EDIT, || {
            let windows = stage.display.windows(".*");
            if windows.len() > 1 { Ok(()) } else { Err(format!("{windows:?}")) }
        })?;
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
        page.run(
            "fixture.staysail.dialog.open({ title: 'Open a chart', directory: arguments[0], filters: [{ name: 'Charts', \
             extensions: ['txt'] }] }).then(paths => window.answered.push(paths), error => window.answered.push(error.message))",
            &[json!(stage.folder.path().display().to_string())],
        )?;
        let window = stage.display.window("Open a chart", EDIT)?;
        stage.display.focus(&window)?;
        stage.screenshot("open");
        // A slash opens the field for a path.
        stage.display.type_text(&file.display().to_string())?;
        stage.display.key("Return")?;
        page.wait_for("the chosen path", "return window.answered.length === 2", EDIT)?;
        let chosen = page.run("return window.answered[1]", &[])?;
        ensure!(chosen == json!([file.display().to_string()]), "{chosen}");
        let many = run(&page, "return await dialog.message('?', { buttons: ['a', 'b', 'c', 'd'] })")?;
        ensure!(many["error"] == "InvalidArguments", "{many}");
        Ok(())
    });
}

#[test]
fn other_programs_are_started_for_harmless_addresses_only() {
    play("opener", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let (_dev, page) = Dev::live(stage, &project)?;
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
        // Tests have no session bus of their own: a clear error, at once.
        let shown = run(&page, "return await notification.show({ title: 'Ahoy' })")?;
        ensure!(shown["error"] == "Internal" || shown.is_u64(), "{shown}");
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
