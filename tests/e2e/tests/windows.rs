//! Windows at run time, and who may steer them.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::play;

/// Runs async script in the page; what it throws is `{"error": code}`.
fn attempt(page: &Page, script: &str) -> anyhow::Result<Value> {
    let script = format!(
        "const api = fixture.staysail; try {{ {script} }} catch (error) {{ return {{ error: error.code ?? String(error), \
         message: error.message }} }}"
    );
    page.run_async(&script, &[])
}

fn labels(page: &Page) -> anyhow::Result<Value> {
    attempt(page, "return (await api.windows()).map(window => window.label)")
}

#[test]
fn a_page_may_do_only_what_its_windows_capabilities_name() {
    play("capabilities", |stage| {
        let project = Project::fixture(stage)?;
        project
            .allow("windows = [\"main\"]\nallow = [\"window.state\", \"menu.set\"]\ncommands = [\"answer\", \"pro*\"]")?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let state = attempt(&page, "return await api.currentWindow.state()")?;
        ensure!(state["title"] == "Counter under test" && state["label"] == "main", "{state}");
        let denied = attempt(&page, "return await api.currentWindow.set({ title: 'Mine' })")?;
        ensure!(denied["error"] == "Denied", "{denied}");
        ensure!(
            denied["message"]
                .as_str()
                .is_some_and(|text| text.contains("window.set") && text.contains("staysail.toml")),
            "no remedy in {denied}"
        );
        for script in
            ["return await new api.AppWindow('help').state()", "await new api.AppWindow('help').setMenu([])"]
        {
            let other = attempt(&page, script)?;
            ensure!(
                other["error"] == "Denied"
                    && other["message"].as_str().is_some_and(|text| text.contains("window.others")),
                "what a page may do to its own window it did to another: {script}: {other}"
            );
        }
        ensure!(page.call("process", &json!({}))?["value"].is_u64());
        let denied = page.call("say", &json!({ "text": "-" }))?;
        ensure!(denied["error"]["code"] == "Denied", "a command that is not named was called: {denied}");
        let unknown = attempt(&page, "return await __STAYSAIL__.desktop('window.fly', {})")?;
        ensure!(unknown["error"] == "Denied", "what is not allowed is not even looked up: {unknown}");
        Ok(())
    });
}

#[test]
fn without_any_capability_a_page_calls_its_apps_commands_and_nothing_else() {
    play("no-capability", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        ensure!(page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy");
        for script in [
            "return await api.currentWindow.state()",
            "return await api.openWindow({ label: 'x' })",
            "return await api.screens()",
        ] {
            ensure!(attempt(&page, script)?["error"] == "Denied", "{script}");
        }
        Ok(())
    });
}

#[test]
fn windows_are_opened_changed_and_closed_at_run_time_and_a_swap_leaves_them() {
    play("windows", |stage| {
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"*\"]\nallow = [\"window.*\"]")?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        let opened = attempt(
            &page,
            "const second = await api.openWindow({ label: 'second', url: '/deep/', title: 'Second', width: 420, \
             height: 300, parent: 'main', modal: true, position: [40, 60] }); return await second.state()",
        )?;
        ensure!(opened["title"] == "Second" && opened["size"] == json!([420, 300]), "{opened}");
        ensure!(labels(&page)? == json!(["main", "second"]));
        let taken = attempt(&page, "return await api.openWindow({ label: 'second' })")?;
        ensure!(taken["error"] == "InvalidArguments", "{taken}");
        let foreign =
            attempt(&page, "return await api.openWindow({ label: 'x', url: 'https://example.com' })")?;
        ensure!(foreign["error"] == "InvalidArguments", "{foreign}");
        let mistyped = attempt(&page, "return await api.currentWindow.set({ titel: 'x' })")?;
        ensure!(mistyped["message"].as_str().is_some_and(|text| text.contains("titel")), "{mistyped}");

        let answer = page.call("open", &json!({ "label": "third" }))?;
        ensure!(answer["value"] == json!(["From Rust", ["main", "second", "third"]]), "{answer}");

        attempt(
            &page,
            "const second = new api.AppWindow('second'); await second.set({ title: 'Renamed', size: [500, 310], \
             alwaysOnTop: true, zoom: 1.5, theme: 'dark', progress: { percent: 40 } })",
        )?;
        let renamed = "const state = await new api.AppWindow('second').state(); return state";
        staysail_e2e::wait_until("the second window's new size", EDIT, || match attempt(&page, renamed) {
            Ok(state) if state["size"] == json!([500, 310]) && state["title"] == "Renamed" => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
        stage.screenshot("windows");

        let last = page.call("retitle", &json!({ "times": 300 }))?;
        ensure!(last["value"] == "title 300", "changes came out of order: {last}");

        attempt(&page, "await api.currentWindow.set({ alwaysOnTop: true, interceptClose: true })")?;
        let from = dev.position();
        let source = "backend/app/src/main.rs";
        project.edit(
            source,
            ".title(\"Counter under test\").size(900.0",
            ".title(\"Another title\").size(900.0",
        )?;
        dev.wait("swap_done", from, EDIT)?;
        staysail_e2e::wait_until("the title declared now", EDIT, || {
            match attempt(&page, "return (await api.currentWindow.state()).title") {
                Ok(title) if title == "Another title" => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })?;
        ensure!(labels(&page)? == json!(["main", "second", "third"]), "a swap touched the windows");
        let state = attempt(&page, "return await api.currentWindow.state()")?;
        ensure!(
            state["interceptClose"] == true && state["alwaysOnTop"] == true,
            "a swap took back what the page had set: {state}"
        );
        let state = attempt(&page, renamed)?;
        ensure!(state["title"] == "Renamed", "a window that is not declared was changed: {state}");

        // A window that can not be opened costs nothing that is there.
        let from = dev.position();
        let main = ".window(Window::new(\"main\")";
        project.edit(source, main, &format!(".window(Window::new(\"bad\").icon(\"/nowhere.png\")){main}"))?;
        dev.wait("swap_done", from, EDIT)?;
        ensure!(labels(&page)? == json!(["main", "second", "third"]), "the app did not survive a bad window");

        attempt(&page, "await new api.AppWindow('second').destroy()")?;
        // From the backend, as it was opened.
        page.call("shut", &json!({ "label": "third" }))?;
        staysail_e2e::wait_until("the third window's end", EDIT, || match labels(&page) {
            Ok(labels) if labels == json!(["main"]) => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
        staysail_e2e::wait_until("the backend to be told", EDIT, || match page.call("news", &json!({})) {
            Ok(news)
                if news["value"].as_array().is_some_and(|news| news.contains(&json!("third Closed"))) =>
            {
                Ok(())
            }
            other => Err(format!("{other:?}")),
        })?;
        Ok(())
    });
}

#[test]
fn a_window_opens_where_it_was_and_a_page_decides_whether_it_closes() {
    play("closing", |stage| {
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"*\"]\nallow = [\"window.*\"]")?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        let open = "await api.openWindow({ label: 'note', url: '/deep/', width: 300, height: 200, remember: true });";
        let size = "return (await new api.AppWindow('note').state()).size";
        attempt(&page, &format!("{open} await new api.AppWindow('note').set({{ size: [450, 260] }})"))?;
        staysail_e2e::wait_until("the note's size", EDIT, || match attempt(&page, size) {
            Ok(size) if size == json!([450, 260]) => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
        attempt(&page, "await new api.AppWindow('note').destroy()")?;
        let again = attempt(&page, &format!("{open} {size}"))?;
        ensure!(again == json!([450, 260]), "not where it was: {again}");

        // Its page does not listen: it is closed when the time to answer is over.
        attempt(&page, "await new api.AppWindow('note').set({ interceptClose: true })")?;
        attempt(&page, "await new api.AppWindow('note').close()")?;
        staysail_e2e::wait_until(
            "the window of the page that does not answer to close",
            EDIT,
            || match labels(&page) {
                Ok(labels) if labels == json!(["main"]) => Ok(()),
                other => Err(format!("{other:?}")),
            },
        )?;

        attempt(
            &page,
            "window.asked = 0; window.keep = true; api.currentWindow.onCloseRequested(async event => { window.asked += 1; \
             await null; if (window.keep) event.preventDefault() })",
        )?;
        staysail_e2e::wait_until("interception", EDIT, || {
            match attempt(&page, "return (await api.currentWindow.state()).interceptClose") {
                Ok(Value::Bool(true)) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })?;
        attempt(&page, "await api.currentWindow.close()")?;
        page.wait_for("the page to be asked", "return window.asked === 1", EDIT)?;
        ensure!(labels(&page)? == json!(["main"]), "closed against the page's will");
        let from = dev.position();
        // Not awaited: the answer and the page go together, and which is first is nobody's promise.
        attempt(&page, "window.keep = false; setTimeout(() => api.currentWindow.close())")?;
        let status = dev.program.wait(EDIT)?;
        ensure!(status.success() && dev.position() > from, "{status}");
        Ok(())
    });
}
