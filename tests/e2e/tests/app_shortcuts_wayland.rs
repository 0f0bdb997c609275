//! Global shortcuts in a session of Wayland: by the desktop's portal, which asks the user.
#![cfg(target_os = "linux")]

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::desktop_bus::DesktopBus;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::shortcut_portal::ShortcutPortal;
use staysail_e2e::stage::{Stage, play};

const WAYLAND: (&str, &str) = ("XDG_SESSION_TYPE", "wayland");
const ID: &str = "dev.staysail.counter";

fn declared(stage: &Stage, shortcuts: &str) -> anyhow::Result<Project> {
    let project = Project::fixture(stage)?;
    project.allow("windows = [\"*\"]\nallow = [\"shortcut.*\"]")?;
    project.edit(
        "backend/app/src/main.rs",
        "        .keep(\"tally\"",
        &format!("{shortcuts}        .keep(\"tally\""),
    )?;
    Ok(project)
}

fn live(stage: &Stage, project: &Project, bus: &DesktopBus) -> anyhow::Result<(Dev, Page)> {
    let mut dev = Dev::start_with(stage, project, &[bus.variable(), WAYLAND])?;
    dev.wait("swap_done", 0, COLD_BUILD)?;
    let page = Page::attach(stage, dev.port, EDIT)?;
    page.run("window.told = []; fixture.staysail.shortcut.onPressed(event => window.told.push(event))", &[])?;
    Ok((dev, page))
}

/// Begins to register; what comes of it is waited for by [`outcome`].
fn register(page: &Page, id: &str, keys: &str) -> anyhow::Result<()> {
    let script = "window.outcome = null; fixture.staysail.shortcut.register(arguments[0], arguments[1]).then(() => \
                  window.outcome = 'taken', error => window.outcome = error.message)";
    page.run(script, &[json!(id), json!(keys)]).map(drop)
}

fn outcome(page: &Page) -> anyhow::Result<String> {
    page.wait_for("the outcome", "return window.outcome !== null", EDIT)?;
    Ok(page.run("return window.outcome", &[])?.as_str().unwrap_or_default().to_owned())
}

fn told(page: &Page, count: usize) -> anyhow::Result<Value> {
    page.wait_for("the shortcut to be told", &format!("return window.told.length === {count}"), EDIT)?;
    page.run("return window.told.at(-1)", &[])
}

fn list(page: &Page) -> anyhow::Result<Value> {
    page.run_async("return await fixture.staysail.shortcut.list()", &[])
}

#[test]
fn on_wayland_the_user_gives_keys_to_what_is_declared_and_registered_and_a_refusal_leaves_what_there_was() {
    play("shortcuts-wayland", |stage| {
        let bus = DesktopBus::start(stage)?;
        let portal = ShortcutPortal::start(&bus)?;
        let both = "        .shortcut(\"toggle\", \"CmdOrCtrl+Shift+K\")\n        .shortcut(\"old\", \"Super+F5\")\n";
        let project = declared(stage, both)?;
        let (mut dev, page) = live(stage, &project, &bus)?;
        // Both together, so that the user is asked once.
        let first = portal.wait_binding(1)?;
        ensure!(first.keys() == [("old", "LOGO+F5"), ("toggle", "CTRL+SHIFT+k")], "{first:?}");
        portal.grant(&first, &["toggle"])?;
        staysail_e2e::wait_until("the one without keys to say so", EDIT, || match list(&page) {
            Ok(list)
                if list[0]["problem"].as_str().is_some_and(|text| text.contains("no keys"))
                    && list[1] == json!({ "id": "toggle", "keys": "CmdOrCtrl+Shift+K" }) =>
            {
                Ok(())
            }
            other => Err(format!("{other:?}")),
        })?;
        portal.press(&first.session, "toggle", true)?;
        ensure!(told(&page, 1)? == json!({ "id": "toggle", "pressed": true }));
        portal.press(&first.session, "toggle", false)?;
        ensure!(told(&page, 2)? == json!({ "id": "toggle", "pressed": false }));

        // One more: the promise waits for the user.
        register(&page, "mine", "Ctrl+Alt+M")?;
        portal.wait_closed(&first.session)?;
        let second = portal.wait_binding(2)?;
        ensure!(second.keys() == [("mine", "CTRL+ALT+m"), ("toggle", "CTRL+SHIFT+k")], "{second:?}");
        ensure!(page.run("return window.outcome", &[])?.is_null(), "it did not wait for the user");
        portal.grant(&second, &["mine", "toggle"])?;
        ensure!(outcome(&page)? == "taken", "{}", outcome(&page)?);
        portal.press(&first.session, "toggle", true)?;
        portal.press(&second.session, "mine", true)?;
        ensure!(told(&page, 3)? == json!({ "id": "mine", "pressed": true }), "an old session's keys count");

        // A refusal costs nothing: those before are bound again, without the new one.
        register(&page, "more", "Ctrl+Alt+7")?;
        let third = portal.wait_binding(3)?;
        ensure!(third.keys().len() == 3, "{third:?}");
        portal.refuse(&third)?;
        let refused = outcome(&page)?;
        ensure!(refused.contains("the user did not allow it"), "{refused}");
        let fourth = portal.wait_binding(4)?;
        ensure!(fourth.keys() == second.keys(), "{fourth:?}");
        portal.grant(&fourth, &["mine", "toggle"])?;
        portal.press(&fourth.session, "toggle", true)?;
        ensure!(told(&page, 4)? == json!({ "id": "toggle", "pressed": true }));
        let ids = list(&page)?;
        ensure!(ids.as_array().is_some_and(|ids| ids.len() == 3), "{ids}");

        // Given back by the page, and by a swap that declares one only.
        page.run_async("await fixture.staysail.shortcut.unregister('mine')", &[])?;
        let fifth = portal.wait_binding(5)?;
        ensure!(fifth.keys() == [("toggle", "CTRL+SHIFT+k")], "{fifth:?}");
        portal.grant(&fifth, &["toggle"])?;
        let from = dev.position();
        project.edit(
            "backend/app/src/main.rs",
            "        .shortcut(\"toggle\", \"CmdOrCtrl+Shift+K\")\n",
            "",
        )?;
        dev.wait("swap_done", from, EDIT)?;
        portal.wait_closed(&fifth.session)?;
        ensure!(portal.bindings() == 5, "nothing was left to bind");

        // The desktop takes its session away: the app knows.
        register(&page, "last", "MediaPlayPause")?;
        let sixth = portal.wait_binding(6)?;
        ensure!(sixth.keys() == [("last", "XF86AudioPlay")], "{sixth:?}");
        portal.grant(&sixth, &["last"])?;
        ensure!(outcome(&page)? == "taken");
        portal.close(&sixth.session)?;
        staysail_e2e::wait_until("the loss to be told", EDIT, || match list(&page) {
            Ok(list)
                if list[0]["problem"].as_str().is_some_and(|text| text.contains("taken its keys back")) =>
            {
                Ok(())
            }
            other => Err(format!("{other:?}")),
        })?;
        portal.check(ID)
    });
}

#[test]
fn on_wayland_without_a_portal_keys_are_grabbed_as_far_as_x11_goes() {
    play("shortcuts-wayland-bare", |stage| {
        let bus = DesktopBus::start(stage)?;
        let project = declared(stage, "")?;
        let (_dev, page) = live(stage, &project, &bus)?;
        register(&page, "horn", "Ctrl+Shift+H")?;
        ensure!(outcome(&page)? == "taken", "{}", outcome(&page)?);
        stage.display.key("ctrl+shift+h")?;
        ensure!(told(&page, 2)? == json!({ "id": "horn", "pressed": false }));
        // What another program has is told as ever.
        register(&page, "close", "Alt+F4")?;
        let refused = outcome(&page)?;
        ensure!(refused.contains("another program has them"), "{refused}");
        page.run_async("await fixture.staysail.shortcut.unregister('horn')", &[])?;
        ensure!(list(&page)? == json!([]));
        Ok(())
    });
}
