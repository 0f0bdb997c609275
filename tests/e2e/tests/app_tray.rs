//! The icon in the tray, as a desktop's tray sees it.
#![cfg(target_os = "linux")]

use anyhow::{Context, ensure};
use gio::glib::{ToVariant, Variant};
use serde_json::{Value, json};
use staysail_e2e::desktop_bus::{DesktopBus, Ear, Stub};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, play};

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";
const DESCRIPTION: &str = r#"<node><interface name="org.kde.StatusNotifierWatcher">
  <method name="RegisterStatusNotifierItem"><arg type="s" direction="in"/></method>
  <method name="RegisterStatusNotifierHost"><arg type="s" direction="in"/></method>
  <property name="RegisteredStatusNotifierItems" type="as" access="read"/>
  <property name="IsStatusNotifierHostRegistered" type="b" access="read"/>
  <property name="ProtocolVersion" type="i" access="read"/></interface></node>"#;

fn tray(bus: &DesktopBus) -> anyhow::Result<Stub> {
    bus.serve(WATCHER, "/StatusNotifierWatcher", WATCHER, DESCRIPTION, |_, _| Some(().to_variant()))
}

/// A stub of the tray's side: it reads the item and chooses of its menu.
struct Host {
    ear: Ear,
    item: String,
}

impl Host {
    fn property(&self, name: &str) -> anyhow::Result<Variant> {
        self.ear.property(&self.item, "/StatusNotifierItem", ITEM, name)
    }

    fn call(&self, method: &str) -> anyhow::Result<()> {
        let place = (0_i32, 0_i32).to_variant();
        self.ear.ask(&self.item, "/StatusNotifierItem", ITEM, method, Some(&place)).map(drop)
    }

    fn menu(&self, method: &str, parameters: &Variant) -> anyhow::Result<Variant> {
        let path = self.property("Menu")?;
        let path = path.str().context("the menu is an object path")?.to_string();
        self.ear.ask(&self.item, &path, MENU, method, Some(parameters))
    }

    /// The entries: number, label, and whether it is checked.
    fn entries(&self) -> anyhow::Result<Vec<(i32, String, Option<bool>)>> {
        let layout = self.menu("GetLayout", &(0_i32, -1_i32, Vec::<String>::new()).to_variant())?;
        let mut entries = Vec::new();
        collect(&layout.child_value(1), &mut entries);
        Ok(entries)
    }

    fn choose(&self, label: &str) -> anyhow::Result<()> {
        let entries = self.entries()?;
        let found = entries.iter().find(|entry| entry.1 == label);
        let (number, ..) = found.with_context(|| format!("no entry {label} in {entries:?}"))?;
        let event = Variant::tuple_from_iter([
            number.to_variant(),
            "clicked".to_variant(),
            0_i32.to_variant().to_variant(),
            0_u32.to_variant(),
        ]);
        self.menu("Event", &event).map(drop)
    }
}

fn collect(layout: &Variant, entries: &mut Vec<(i32, String, Option<bool>)>) {
    let number = layout.child_value(0).get::<i32>().unwrap_or(-1);
    let properties = gio::glib::VariantDict::new(Some(&layout.child_value(1)));
    let label = properties.lookup::<String>("label").ok().flatten();
    if let Some(label) = label {
        let checked = properties.lookup::<i32>("toggle-state").ok().flatten().map(|state| state == 1);
        entries.push((number, label, checked));
    }
    for below in layout.child_value(2).iter() {
        if let Some(below) = below.as_variant() {
            collect(&below, entries);
        }
    }
}

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

fn item(watcher: &Stub, count: usize) -> anyhow::Result<String> {
    let call = watcher.wait_call("RegisterStatusNotifierItem", count)?;
    call.parameters.child_value(0).get::<String>().context("the item's name")
}

#[test]
fn the_tray_shows_icon_and_menu_tells_what_is_chosen_and_brings_a_closed_window_back() {
    play("tray", |stage| {
        let bus = DesktopBus::start(stage)?;
        let watcher = tray(&bus)?;
        let project = project(stage)?;
        let (mut dev, page) = live(stage, &project, &bus)?;
        let host = Host { ear: bus.listen()?, item: item(&watcher, 1)? };
        let tooltip = host.property("ToolTip")?;
        ensure!(tooltip.child_value(2).str() == Some("Charts"), "{tooltip}");
        let icon = host.property("IconPixmap")?.child_value(0);
        let icon = icon.get::<(i32, i32, Vec<u8>)>().context("a picture")?;
        ensure!(icon == (1, 1, vec![255, 255, 128, 0]), "not alpha, red, green, blue: {icon:?}");
        let labels: Vec<String> = host.entries()?.into_iter().map(|entry| entry.1).collect();
        ensure!(labels == ["_Show", "Size", "Small", "Large", "Quiet", "_Quit"], "{labels:?}");

        host.call("Activate")?;
        told(&page, &json!({ "kind": "clicked" }))?;
        host.choose("Quiet")?;
        told(&page, &json!({ "kind": "chosen", "id": "quiet", "checked": true }))?;
        host.choose("Large")?;
        told(&page, &json!({ "kind": "chosen", "id": "large", "checked": true }))?;
        let checked: Vec<String> =
            host.entries()?.into_iter().filter(|entry| entry.2 == Some(true)).map(|entry| entry.1).collect();
        ensure!(checked == ["Large", "Quiet"], "{checked:?}");

        // A swap that declares one text otherwise changes that text and nothing else.
        host.ear.forget();
        let (from, source) = (dev.position(), "backend/app/src/main.rs");
        project.edit(source, "\"&Show\"", "\"&Show the window\"")?;
        dev.wait("swap_done", from, EDIT)?;
        let updated = host.ear.wait("ItemsPropertiesUpdated", 1)?;
        ensure!(updated.child_value(0).n_children() == 1, "{updated}");
        let entries = host.entries()?;
        ensure!(entries[0].1 == "_Show the window" && entries[4].2 == Some(true), "{entries:?}");
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
        let watcher = tray(&bus)?;
        let name = item(&watcher, 1)?;
        page.wait_for("the icon", "return (await fixture.staysail.tray.state()).shown", EDIT)?;
        drop(watcher);
        page.wait_for("no tray", "return !(await fixture.staysail.tray.state()).shown", EDIT)?;
        // The desktop's panel is started anew.
        let watcher = tray(&bus)?;
        ensure!(item(&watcher, 1)? == name);
        let removed = run(&page, "await tray.remove(); return await tray.state()")?;
        ensure!(removed == json!({ "set": false, "shown": false }), "{removed}");
        let ear = bus.listen()?;
        ensure!(ear.property(&name, "/StatusNotifierItem", ITEM, "Id").is_err(), "the item is still there");
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
