//! Global shortcuts on X11: pressed while another program's window has the focus.
#![cfg(target_os = "linux")]

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::child::Program;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::{Stage, play};
use std::process::Command;

fn run(page: &Page, script: &str) -> anyhow::Result<Value> {
    let script = format!(
        "const {{ shortcut }} = fixture.staysail; try {{ {script} }} catch (error) {{ return {{ error: error.code ?? \
         String(error), message: error.message }} }}"
    );
    page.run_async(&script, &[])
}

/// Another program's window, which writes down the keys it gets.
fn other_program(stage: &Stage) -> anyhow::Result<Program> {
    let mut command: Command = stage.command("xev".as_ref());
    command.args(["-name", "other program", "-event", "keyboard"]);
    let program = Program::start("xev", command)?;
    let window = stage.display.window("other program", EDIT)?;
    stage.display.focus(&window)?;
    Ok(program)
}

fn told(page: &Page, count: usize, expected: &Value) -> anyhow::Result<()> {
    let script = format!(
        "return window.told.length === {count} && JSON.stringify(Object.entries(window.told.at(-1) ?? {{}}).sort()) === JSON.stringify(Object.entries({expected}).sort())"
    );
    page.wait_for(&expected.to_string(), &script, EDIT)
}

#[test]
fn keys_reach_the_app_while_another_window_has_the_focus_and_a_swap_touches_only_what_is_declared_otherwise()
{
    play("shortcuts", |stage| {
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"*\"]\nallow = [\"shortcut.*\"]")?;
        let source = "backend/app/src/main.rs";
        let declared = "        .shortcut(\"toggle\", \"CmdOrCtrl+Shift+K\")\n        .shortcut(\"old\", \"CmdOrCtrl+Alt+7\")\n";
        project.edit(source, "        .keep(\"tally\"", &format!("{declared}        .keep(\"tally\""))?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        page.run(
            "window.told = []; fixture.staysail.shortcut.onPressed(event => window.told.push(event))",
            &[],
        )?;
        let other = other_program(stage)?;
        stage.display.key("ctrl+shift+k")?;
        told(&page, 2, &json!({ "id": "toggle", "pressed": false }))?;
        ensure!(page.run("return window.told[0]", &[])? == json!({ "id": "toggle", "pressed": true }));
        stage.display.key("ctrl+alt+7")?;
        told(&page, 4, &json!({ "id": "old", "pressed": false }))?;
        // Without its modifiers it is the other program's.
        stage.display.key("k")?;
        let mut other = other;
        other.wait_line("the letter", 0, EDIT, |line| line.contains("keysym 0x6b, k").then_some(()))?;
        ensure!(!other.lines().iter().any(|line| line.contains("keysym 0x37, 7")), "{}", other.tail());
        // With a lock on it is the same key.
        stage.display.key("Num_Lock")?;
        stage.display.key("ctrl+shift+k")?;
        told(&page, 6, &json!({ "id": "toggle", "pressed": false }))?;

        let taken =
            run(&page, "await shortcut.register('mine', 'Ctrl+Alt+M'); return await shortcut.list()")?;
        ensure!(
            taken
                == json!([
                    { "id": "mine", "keys": "Ctrl+Alt+M" },
                    { "id": "old", "keys": "CmdOrCtrl+Alt+7" },
                    { "id": "toggle", "keys": "CmdOrCtrl+Shift+K" },
                ]),
            "{taken}"
        );
        for (script, code, what) in [
            ("await shortcut.register('other', 'Ctrl+Shift+K')", "InvalidArguments", "`toggle`"),
            ("await shortcut.register('other', 'Nonsense+K')", "InvalidArguments", "Nonsense"),
            ("await shortcut.unregister('nothing')", "InvalidArguments", "nothing"),
            // The window manager of the test has it.
            ("await shortcut.register('other', 'Alt+F4')", "Internal", "another program"),
        ] {
            let refused = run(&page, script)?;
            let says = refused["message"].as_str().is_some_and(|text| text.contains(what));
            ensure!(refused["error"] == code && says, "{script}: {refused}");
        }

        let from = dev.position();
        project.edit(
            source,
            ".shortcut(\"old\", \"CmdOrCtrl+Alt+7\")",
            ".shortcut(\"taken\", \"Alt+F4\")",
        )?;
        dev.wait("swap_done", from, EDIT)?;
        let list = staysail_e2e::wait_until("what is declared now", EDIT, || {
            match run(&page, "return await shortcut.list()") {
                Ok(list) if list[1]["id"] == "taken" => Ok(list),
                other => Err(format!("{other:?}")),
            }
        })?;
        let problem = list[1]["problem"].as_str().unwrap_or_default();
        ensure!(list[1]["id"] == "taken" && problem.contains("another program"), "{list}");
        ensure!(
            list[0]["id"] == "mine" && list[2] == json!({ "id": "toggle", "keys": "CmdOrCtrl+Shift+K" }),
            "{list}"
        );
        stage.display.key("ctrl+alt+7")?;
        other.wait_line("the key that was given back", 0, EDIT, |line| {
            line.contains("keysym 0x37, 7").then_some(())
        })?;
        stage.display.key("ctrl+alt+m")?;
        told(&page, 8, &json!({ "id": "mine", "pressed": false }))?;
        let given_back =
            run(&page, "await shortcut.unregister('mine'); return (await shortcut.list()).length")?;
        ensure!(given_back == 2, "{given_back}");
        stage.screenshot("other-program");
        Ok(())
    });
}
