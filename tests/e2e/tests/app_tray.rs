//! The icon in the tray, as a desktop's tray sees it.
#![cfg(target_os = "linux")]

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use staysail_e2e::desktop_bus::DesktopBus;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, play};
use staysail_e2e::tray::{self, Icon};

const DECLARED: &str = "        .run_without_windows()\n        .tray(staysail::Tray::new(\"tray.png\").tooltip(\"Charts\").menu(staysail::Menu::new()\n            \
    .item(staysail::MenuItem::new(\"show\", \"&Show\"))\n            \
    .menu(\"Size\", staysail::Menu::new()\n                \
    .item(staysail::MenuItem::radio(\"small\", \"Small\", \"size\", true))\n                \
    .item(staysail::MenuItem::radio(\"large\", \"Large\", \"size\", false)))\n            \
    .item(staysail::MenuItem::check(\"quiet\", \"Quiet\", false))\n            \
    .separator().role(staysail::MenuRole::Quit)))\n";
const LISTENS: &str = "            let shows = app.clone();\n            \
    app.on(\"staysail:tray\", move |event: staysail::TrayEvent, _| {\n                \
    if event == (staysail::TrayEvent::Chosen { id: \"show\".into(), checked: None }) { shows.show(); }\n            });\n";

fn project(stage: &Stage) -> anyhow::Result<Project> {
    let project = Project::fixture(stage)?;
    project.allow("windows = [\"*\"]\nallow = [\"*\"]")?;
    let source = "backend/app/src/main.rs";
    project.edit(source, "        .keep(\"tally\"", &format!("{DECLARED}        .keep(\"tally\""))?;
    project.edit(
        source,
        "            Ok::<_, String>(())",
        &format!("{LISTENS}            Ok::<_, String>(())"),
    )?;
    let picture = |colour: &str, name: &str| {
        let file = format!("PNG32:{}", project.file(&format!("frontend/{name}")).display());
        stage.display.tool("convert", &["-size", "1x1", &format!("xc:{colour}"), &file]).map(drop)
    };
    picture("#ff8000ff", "tray.png")?;
    picture("#00ff00ff", "other.png")?;
    Ok(project)
}

fn live(stage: &Stage, project: &Project, bus: &DesktopBus) -> anyhow::Result<(Dev, Page)> {
    let mut dev = Dev::start_with(stage, project, &[bus.variable()])?;
    dev.wait("swap_done", 0, COLD_BUILD)?;
    let page = Page::attach(stage, dev.port, EDIT)?;
    page.run("window.told = []; fixture.staysail.tray.onEvent(event => window.told.push(event))", &[])?;
    Ok((dev, page))
}

fn run(page: &Page, script: &str) -> anyhow::Result<Value> {
    let script = format!(
        "const {{ tray }} = fixture.staysail; try {{ {script} }} catch (error) {{ return {{ error: error.code ?? \
         String(error), message: error.message }} }}"
    );
    page.run_async(&script, &[])
}

fn told(page: &Page, expected: &Value) -> anyhow::Result<()> {
    let script = format!(
        "return JSON.stringify(Object.entries(window.told.at(-1) ?? {{}}).sort()) === JSON.stringify(Object.entries({expected}).sort())"
    );
    page.wait_for(&expected.to_string(), &script, EDIT)
}

#[test]
fn the_tray_shows_icon_and_menu_tells_what_is_chosen_and_brings_a_closed_window_back() {
    play("tray", |stage| {
        let bus = DesktopBus::start(stage)?;
        let watcher = tray::start(&bus)?;
        let project = project(stage)?;
        let (mut dev, page) = live(stage, &project, &bus)?;
        let host = Icon::named(&bus, tray::registered(&watcher, 1)?)?;
        let tooltip = host.property("ToolTip")?;
        ensure!(tooltip.child_value(2).str() == Some("Charts"), "{tooltip}");
        let icon = host.property("IconPixmap")?.child_value(0);
        let icon = icon.get::<(i32, i32, Vec<u8>)>().context("a picture")?;
        ensure!(icon == (1, 1, vec![255, 255, 128, 0]), "not alpha, red, green, blue: {icon:?}");
        let labels: Vec<String> = host.entries()?.into_iter().map(|entry| entry.label).collect();
        ensure!(labels == ["_Show", "Size", "Small", "Large", "Quiet", "_Quit"], "{labels:?}");

        host.call("Activate")?;
        told(&page, &json!({ "kind": "clicked" }))?;
        host.choose("Quiet")?;
        told(&page, &json!({ "kind": "chosen", "id": "quiet", "checked": true }))?;
        host.choose("Large")?;
        told(&page, &json!({ "kind": "chosen", "id": "large", "checked": true }))?;
        let checked: Vec<String> = host
            .entries()?
            .into_iter()
            .filter(|entry| entry.checked == Some(true))
            .map(|entry| entry.label)
            .collect();
        ensure!(checked == ["Large", "Quiet"], "{checked:?}");

        // A swap that declares one text otherwise changes that text and nothing else.
        host.ear.forget();
        let (from, source) = (dev.position(), "backend/app/src/main.rs");
        project.edit(source, "\"&Show\"", "\"&Show the window\"")?;
        dev.wait("swap_done", from, EDIT)?;
        let updated = host.ear.wait("ItemsPropertiesUpdated", 1)?;
        ensure!(updated.child_value(0).n_children() == 1, "{updated}");
        let entries = host.entries()?;
        ensure!(entries[0].label == "_Show the window" && entries[4].checked == Some(true), "{entries:?}");
        for signal in ["LayoutUpdated", "NewIcon", "NewToolTip"] {
            ensure!(host.ear.heard(signal).is_empty(), "{signal} without a reason");
        }
        ensure!(watcher.calls().len() == 1, "the item was not to be touched: {:?}", watcher.calls());

        let picture = run(&page, "await tray.update({ icon: 'other.png', tooltip: 'Sea' }); return true")?;
        ensure!(picture == true, "{picture}");
        host.ear.wait("NewIcon", 1)?;
        let icon = host.property("IconPixmap")?.child_value(0).get::<(i32, i32, Vec<u8>)>();
        ensure!(icon == Some((1, 1, vec![255, 0, 255, 0])), "{icon:?}");
        let item =
            run(&page, "await tray.updateItem('show', { enabled: false }); return await tray.state()")?;
        ensure!(item == json!({ "set": true, "shown": true }), "{item}");
        host.choose("_Show the window")?;
        host.choose("Quiet")?;
        told(&page, &json!({ "kind": "chosen", "id": "quiet", "checked": false }))?;
        let chosen = page.run("return window.told.filter(event => event.id === 'show').length", &[])?;
        ensure!(chosen == 0, "an entry that can not be chosen was");
        run(&page, "await tray.updateItem('show', { enabled: true })")?;
        for (script, what) in [
            ("await tray.updateItem('nothing', { text: 'x' })", "nothing"),
            ("await tray.update({ icon: 'nowhere.png' })", "nowhere.png"),
            ("await tray.update({ png: new Uint8Array([1, 2]) })", "PNG"),
        ] {
            let refused = run(&page, script)?;
            let says = refused["message"].as_str().is_some_and(|text| text.contains(what));
            ensure!(refused["error"] == "InvalidArguments" && says, "{script}: {refused}");
        }

        // To the tray and back.
        // The window may be gone before the script's own end is told; that it is gone is seen below.
        drop(page.run("void fixture.staysail.currentWindow.destroy()", &[]));
        staysail_e2e::wait_until("no window", EDIT, || {
            let windows = stage.display.windows("Counter under test");
            if windows.is_empty() { Ok(()) } else { Err(format!("{windows:?}")) }
        })?;
        host.choose("_Show the window")?;
        stage.display.window("Counter under test", EDIT)?;
        stage.screenshot("back");
        host.choose("_Quit")?;
        stage.wait_nothing_left_of("staysail-shell")
    });
}

#[test]
fn without_a_tray_everything_else_works_and_the_icon_appears_as_soon_as_there_is_one() {
    play("tray-late", |stage| {
        let bus = DesktopBus::start(stage)?;
        let project = project(stage)?;
        let (_dev, page) = live(stage, &project, &bus)?;
        let state = run(&page, "return await tray.state()")?;
        ensure!(state == json!({ "set": true, "shown": false }), "{state}");
        let set = run(&page, "return await tray.set({ icon: 'other.png', tooltip: 'Late' })")?;
        ensure!(set == json!({ "set": true, "shown": false }), "{set}");
        let watcher = tray::start(&bus)?;
        let name = tray::registered(&watcher, 1)?;
        page.wait_for("the icon", "return (await fixture.staysail.tray.state()).shown", EDIT)?;
        drop(watcher);
        page.wait_for("no tray", "return !(await fixture.staysail.tray.state()).shown", EDIT)?;
        // The desktop's panel is started anew.
        let watcher = tray::start(&bus)?;
        ensure!(tray::registered(&watcher, 1)? == name);
        let removed = run(&page, "await tray.remove(); return await tray.state()")?;
        ensure!(removed == json!({ "set": false, "shown": false }), "{removed}");
        ensure!(Icon::named(&bus, name)?.property("Id").is_err(), "the item is still there");
        let again = run(&page, "return await tray.set({ icon: 'tray.png' })")?;
        ensure!(again == json!({ "set": true, "shown": true }), "{again}");
        Ok(())
    });
}

#[test]
fn without_a_session_bus_the_reason_is_told_and_nothing_breaks() {
    play("tray-no-bus", |stage| {
        let project = project(stage)?;
        let nowhere = format!("unix:path={}/nowhere", stage.folder.path().display());
        let mut dev = Dev::start_with(stage, &project, &[("DBUS_SESSION_BUS_ADDRESS", &nowhere)])?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach(stage, dev.port, EDIT)?;
        let set = run(&page, "return await tray.set({ icon: 'tray.png' })")?;
        let says = set["message"].as_str().is_some_and(|text| text.contains("session bus"));
        ensure!(set["error"] == "Internal" && says, "{set}");
        ensure!(page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy");
        Ok(())
    });
}
