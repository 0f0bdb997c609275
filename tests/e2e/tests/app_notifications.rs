//! Notifications, as the desktop's own service sees them.
#![cfg(target_os = "linux")]

use anyhow::{Context, ensure};
use gio::glib::ToVariant;
use serde_json::{Value, json};
use staysail_e2e::desktop_bus::DesktopBus;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::play;
use std::sync::atomic::{AtomicU32, Ordering};

const NAME: &str = "org.freedesktop.Notifications";
const DESCRIPTION: &str = r#"<node><interface name="org.freedesktop.Notifications">
  <method name="Notify"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/>
    <arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="as" direction="in"/>
    <arg type="a{sv}" direction="in"/><arg type="i" direction="in"/><arg type="u" direction="out"/></method>
  <method name="GetCapabilities"><arg type="as" direction="out"/></method>
  <method name="CloseNotification"><arg type="u" direction="in"/></method>
  <signal name="ActionInvoked"><arg type="u"/><arg type="s"/></signal>
  <signal name="NotificationClosed"><arg type="u"/><arg type="u"/></signal></interface></node>"#;

fn run(page: &Page, script: &str) -> anyhow::Result<Value> {
    let script = format!(
        "const {{ notification }} = fixture.staysail; try {{ {script} }} catch (error) {{ return {{ error: error.code ?? \
         String(error), message: error.message }} }}"
    );
    page.run_async(&script, &[])
}

#[test]
fn a_notification_is_shown_its_button_is_told_and_it_can_be_taken_away() {
    play("notification", |stage| {
        let bus = DesktopBus::start(stage)?;
        let last = AtomicU32::new(40);
        let service =
            bus.serve(NAME, "/org/freedesktop/Notifications", NAME, DESCRIPTION, move |method, _| {
                Some(match method {
                    "GetCapabilities" => (vec!["actions", "body", "body-markup"],).to_variant(),
                    "Notify" => (last.fetch_add(1, Ordering::SeqCst) + 1,).to_variant(),
                    _ => ().to_variant(),
                })
            })?;
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"*\"]\nallow = [\"notification.*\"]")?;
        let mut dev = Dev::start_with(stage, &project, &[bus.variable()])?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach(stage, dev.port, EDIT)?;
        page.run(
            "window.told = []; fixture.staysail.notification.onEvent(event => window.told.push(event))",
            &[],
        )?;

        let shown = run(
            &page,
            "return await notification.show({ title: 'Storm', body: 'Reef <b>now</b> \u{2693}', actions: [{ id: 'reef', \
             label: 'Reef' }, { id: 'later', label: 'Later' }] })",
        )?;
        ensure!(shown == 41, "{shown}");
        let call = service.wait_call("Notify", 1)?.parameters;
        let text = |at: usize| call.child_value(at).get::<String>().context("a text");
        ensure!(text(0)? == "Counter under test" && text(3)? == "Storm", "{call}");
        ensure!(text(4)? == "Reef &lt;b&gt;now&lt;/b&gt; \u{2693}", "the body is text, no markup: {call}");
        let actions = call.child_value(5).get::<Vec<String>>().context("actions")?;
        ensure!(actions == ["default", "", "reef", "Reef", "later", "Later"], "{actions:?}");

        service.emit("ActionInvoked", &(41_u32, "reef").to_variant())?;
        service.emit("ActionInvoked", &(41_u32, "default").to_variant())?;
        service.emit("NotificationClosed", &(41_u32, 2_u32).to_variant())?;
        // Of another program: not ours to tell.
        service.emit("ActionInvoked", &(7_u32, "reef").to_variant())?;
        let second = run(
            &page,
            "const id = await notification.show({ title: 'Calm' }); await notification.close(id); return id",
        )?;
        ensure!(second == 42, "{second}");
        let closed = service.wait_call("CloseNotification", 1)?.parameters;
        ensure!(closed.child_value(0).get::<u32>() == Some(42), "{closed}");
        service.emit("NotificationClosed", &(42_u32, 3_u32).to_variant())?;
        page.wait_for("the last of the news", "return window.told.at(-1)?.id === 42", EDIT)?;
        let told = page.run("return window.told", &[])?;
        ensure!(
            told == json!([
                { "id": 41, "kind": "action", "action": "reef" },
                { "id": 41, "kind": "clicked" },
                { "id": 41, "kind": "closed" },
                { "id": 42, "kind": "closed" },
            ]),
            "{told}"
        );
        drop(service);
        let none = run(&page, "return await notification.show({ title: 'Nobody' })")?;
        let says = none["message"].as_str().is_some_and(|text| text.contains("shows no notifications"));
        ensure!(none["error"] == "Internal" && says, "{none}");
        Ok(())
    });
}
