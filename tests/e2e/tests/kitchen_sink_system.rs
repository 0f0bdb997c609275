//! The kitchen sink's sections about what lies around the window: notifications, tray, keys, files, the webview, and
//! what a page may not do. The desktop's services are stubs on a bus of the test's own.
#![cfg(target_os = "linux")]

use anyhow::{Context, ensure};
use gio::glib::ToVariant;
use staysail_e2e::desktop_bus::{DesktopBus, Stub};
use staysail_e2e::dev::EDIT;
use staysail_e2e::kitchen_sink::KitchenSink;
use staysail_e2e::stage::{Stage, play};
use staysail_e2e::tray::{self, Icon};

const NOTIFICATIONS: &str = "org.freedesktop.Notifications";
const NOTIFICATIONS_DESCRIPTION: &str = r#"<node><interface name="org.freedesktop.Notifications">
  <method name="Notify"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
    <arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/>
    <arg type="a{sv}" direction="in"/><arg type="i" direction="in"/><arg type="u" direction="out"/></method>
  <method name="GetCapabilities"><arg type="as" direction="out"/></method>
  <method name="CloseNotification"><arg type="u" direction="in"/></method>
  <signal name="ActionInvoked"><arg type="u"/><arg type="s"/></signal>
  <signal name="NotificationClosed"><arg type="u"/><arg type="u"/></signal></interface></node>"#;
const SCREEN_SAVER: &str = "org.freedesktop.ScreenSaver";
const SCREEN_SAVER_DESCRIPTION: &str = r#"<node><interface name="org.freedesktop.ScreenSaver">
  <method name="Inhibit"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="u" direction="out"/></method>
  <method name="UnInhibit"><arg type="u" direction="in"/></method></interface></node>"#;

#[test]
fn the_desktop_around_the_window_answers_as_the_page_says() {
    play("kitchen-sink", |stage| {
        let bus = DesktopBus::start(stage)?;
        let service = bus.serve(
            NOTIFICATIONS,
            "/org/freedesktop/Notifications",
            NOTIFICATIONS,
            NOTIFICATIONS_DESCRIPTION,
            |method, _| {
                Some(match method {
                    "GetCapabilities" => (vec!["actions", "body"],).to_variant(),
                    "Notify" => (7_u32,).to_variant(),
                    _ => ().to_variant(),
                })
            },
        )?;
        let tray = tray::start(&bus)?;
        let screen = bus.serve(
            SCREEN_SAVER,
            "/org/freedesktop/ScreenSaver",
            SCREEN_SAVER,
            SCREEN_SAVER_DESCRIPTION,
            |method, _| Some(if method == "Inhibit" { (5_u32,).to_variant() } else { ().to_variant() }),
        )?;
        let downloads = stage.folder.path().join("Downloads");
        std::fs::create_dir(&downloads)?;
        let line = format!("XDG_DOWNLOAD_DIR=\"{}\"\n", downloads.display());
        std::fs::write(stage.folder.path().join("config/user-dirs.dirs"), line)?;

        let sink = KitchenSink::start_with(stage, &[bus.variable()])?;
        notifications(&sink, &service)?;
        icon(&sink, &bus, &tray)?;
        shortcuts(stage, &sink)?;
        starts(&sink, &screen)?;
        files(&sink)?;
        webview(&sink, &downloads)?;
        safety(&sink)
    });
}

fn notifications(sink: &KitchenSink<'_>, service: &Stub) -> anyhow::Result<()> {
    sink.go("notifications")?;
    sink.press("notifications-show-show")?;
    sink.wait_answer("notifications-show", |text| text == "Notification 7 is shown")?;
    let shown = service.wait_call("Notify", 1)?.parameters;
    ensure!(shown.child_value(3).get::<String>().as_deref() == Some("Message in a bottle"), "{shown}");
    service.emit("ActionInvoked", &(7_u32, "reply").to_variant())?;
    sink.wait_answer("notifications-show", |text| text.ends_with("Notification 7: reply"))?;
    sink.press("notifications-show-close")?;
    let closed = service.wait_call("CloseNotification", 1)?.parameters;
    ensure!(closed.child_value(0).get::<u32>() == Some(7), "{closed}");
    sink.try_out("notifications-notify", "show", "Notification 7 is shown")?;
    let shown = service.wait_call("Notify", 2)?.parameters;
    ensure!(shown.child_value(3).get::<String>().as_deref() == Some("Land in sight"), "{shown}");
    sink.picture("notifications")
}

fn icon(sink: &KitchenSink<'_>, bus: &DesktopBus, watcher: &Stub) -> anyhow::Result<()> {
    sink.go("tray")?;
    sink.press("tray-tray-show")?;
    let icon = Icon::named(bus, tray::registered(watcher, 1)?)?;
    sink.wait_answer("tray-tray", |text| text == "Shown" || text == "Waits for a tray")?;
    sink.try_out("tray-tray", "rename", "Done")?;
    for (entry, told) in
        [("Hoist the flag", "hoist was chosen"), ("Quiet", "quiet is on"), ("Quiet", "quiet is off")]
    {
        icon.choose(entry)?;
        sink.wait_answer("tray-tray", |text| text.ends_with(told))?;
    }
    icon.call("Activate")?;
    sink.wait_answer("tray-tray", |text| text.ends_with("clicked"))?;
    sink.picture("tray")?;
    sink.press("tray-tray-remove")
}

fn shortcuts(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("shortcuts")?;
    sink.try_out("shortcuts-shortcuts", "take", "Taken")?;
    stage.display.key("ctrl+shift+h")?;
    sink.wait_answer("shortcuts-shortcuts", |text| text.ends_with("horn was pressed"))?;
    sink.press("shortcuts-shortcuts-list")?;
    sink.wait_answer("shortcuts-shortcuts", |text| text.starts_with("horn: "))?;
    sink.picture("shortcuts")?;
    sink.try_out("shortcuts-shortcuts", "back", "Given back")
}

fn starts(sink: &KitchenSink<'_>, screen: &Stub) -> anyhow::Result<()> {
    sink.go("starts")?;
    sink.press("starts-info-info")?;
    sink.wait_answer("starts-info", |text| text.contains("\"id\": \"dev.staysail.kitchen-sink\""))?;
    sink.press("starts-autostart-enable")?;
    sink.wait_answer("starts-autostart", |text| text.contains("only a built app"))?;
    sink.press("starts-awake-awake")?;
    let asked = screen.wait_call("Inhibit", 1)?.parameters;
    ensure!(asked.child_value(1).get::<String>().as_deref() == Some("Keeping watch"), "{asked}");
    sink.try_out("starts-awake", "release", "May sleep")?;
    screen.wait_call("UnInhibit", 1)?;
    sink.picture("starts")
}

fn files(sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("files")?;
    sink.press("files-scope-write")?;
    sink.wait_answer("files-scope", |text| text == "Done")?;
    let folder = sink.run("return await api.invoke('data_folder')")?;
    let file = std::path::Path::new(folder.as_str().unwrap_or_default()).join("notes/log.txt");
    let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    ensure!(text == "Wind from the west.\nAll well.", "{text}");
    sink.try_out("files-scope", "read", "Wind from the west.\nAll well.")?;
    sink.try_out("files-scope", "list", "log.txt: 29 bytes")?;
    sink.press("files-scope-outside")?;
    sink.wait_answer("files-scope", |text| text.starts_with("Denied "))?;
    sink.picture("files")
}

fn webview(sink: &KitchenSink<'_>, downloads: &std::path::Path) -> anyhow::Result<()> {
    sink.go("webview")?;
    sink.press("webview-find-start")?;
    sink.wait_answer("webview-find", |text| text.ends_with(" places") && !text.starts_with("0 "))?;
    sink.picture("webview")?;
    sink.try_out("webview-find", "stop", "Done")?;
    sink.try_out("webview-cookies", "set", "Done")?;
    sink.try_out("webview-cookies", "list", "taste = chocolate")?;
    sink.try_out("webview-cookies", "remove", "1 removed")?;
    let told = |state: &str| {
        let line = format!("sail.png: {state}");
        let is_last = |text: &str| text.lines().last().is_some_and(|last| last.starts_with(&line));
        sink.wait_answer("webview-downloads", is_last).map(drop)
    };
    // Each one waits for the user's word: nothing is written before, and nothing after a no.
    sink.press("webview-downloads-download")?;
    told("requested")?;
    sink.press("webview-downloads-refuse")?;
    told("cancelled")?;
    sink.press("webview-downloads-download")?;
    told("requested")?;
    ensure!(std::fs::read_dir(downloads)?.next().is_none(), "written without a word");
    sink.press("webview-downloads-accept")?;
    told("finished")?;
    let icon = std::fs::read(sink.project.file("frontend/icons/sail.png"))?;
    ensure!(std::fs::read(downloads.join("sail.png"))? == icon, "another file was saved");
    Ok(())
}

fn safety(sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("safety")?;
    sink.press("safety-denied-exit")?;
    sink.wait_answer("safety-denied", |text| text.starts_with("Denied ") && text.contains("app.exit"))?;
    sink.press("safety-policy-inject")?;
    sink.wait_answer("safety-policy", |text| text.starts_with("Blocked by script-src"))?;
    sink.press("safety-policy-send")?;
    sink.wait_answer("safety-policy", |text| text == "Blocked by connect-src")?;
    sink.press("safety-permission-where")?;
    sink.wait_answer("safety-permission", |text| text.starts_with("Denied: "))?;
    sink.page.wait_for(
        "the title to be the page's own",
        "return document.title.startsWith('What a page')",
        EDIT,
    )?;
    sink.picture("safety")
}
