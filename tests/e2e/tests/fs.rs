//! Files from a page, in the real window: scopes, what the user chose, large ones, and what is refused.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::play;
use std::time::Duration;

fn run(page: &Page, script: &str) -> anyhow::Result<Value> {
    let script = format!(
        "const {{ dialog, fs }} = fixture.staysail; try {{ {script} }} catch (error) {{ return {{ error: error.code ?? \
         String(error), reason: error.details?.reason, message: error.message }} }}"
    );
    page.run_async(&script, &[])
}

const SCOPES: &str = "windows = [\"main\"]\nallow = [\"fs.*\", \"dialog.*\"]\nfiles = [\n  { path = \"$DATA/**\", access = \
                      \"read_write\" },\n  { path = \"FOLDER/charts/*.kap\" },\n]";

#[test]
fn a_page_touches_what_its_scopes_name_and_nothing_else() {
    play("files", |stage| {
        let project = Project::fixture(stage)?;
        let folder = stage.folder.path().canonicalize()?;
        std::fs::create_dir(folder.join("charts"))?;
        std::fs::write(folder.join("charts/a.kap"), "here be dragons")?;
        std::fs::write(folder.join("charts/notes.txt"), "private")?;
        std::os::unix::fs::symlink("notes.txt", folder.join("charts/link.kap"))?;
        let shown = folder.display().to_string();
        project.allow(&SCOPES.replace("FOLDER", &shown))?;
        let (_dev, page) = Dev::live(stage, &project)?;

        let text = run(
            &page,
            "await fs.writeText('$DATA/notes/a.txt', 'ahoy \u{2693}'); await fs.append('$DATA/notes/a.txt', ', sailor'); \
             return [await fs.readText('$DATA/notes/a.txt'), await fs.exists('$DATA/notes/b.txt'), \
             (await fs.stat('$DATA/notes/a.txt')).size, (await fs.list('$DATA/notes')).map(entry => entry.name)]",
        )?;
        ensure!(text == json!(["ahoy \u{2693}, sailor", false, 16, ["a.txt"]]), "{text}");
        let bytes = run(
            &page,
            "await fs.write('$DATA/raw', new Uint8Array([0, 10, 255])); await fs.append('$DATA/raw', new Uint8Array([7])); \
             await fs.copy('$DATA/raw', '$DATA/copy'); await fs.rename('$DATA/copy', '$DATA/moved'); \
             const all = new Uint8Array(await fs.read('$DATA/moved')), part = new Uint8Array(await fs.read('$DATA/raw', \
             { offset: 1, length: 2 })); await fs.remove('$DATA/notes', { recursive: true }); \
             return [[...all], [...part], (await fs.list('$DATA')).map(entry => entry.name)]",
        )?;
        ensure!(bytes == json!([[0, 10, 255, 7], [10, 255], ["moved", "raw"]]), "{bytes}");

        let chart = run(
            &page,
            &format!(
                "return [await fs.readText('{shown}/charts/a.kap'), (await fs.list('{shown}/charts')).map(entry => [entry.name, entry.kind])]"
            ),
        )?;
        ensure!(chart == json!(["here be dragons", [["a.kap", "file"], ["link.kap", "link"]]]), "{chart}");
        for (script, error, reason) in [
            (format!("await fs.writeText('{shown}/charts/a.kap', 'x')"), "Denied", Value::Null),
            (format!("await fs.readText('{shown}/charts/notes.txt')"), "Denied", Value::Null),
            (format!("await fs.readText('{shown}/charts/link.kap')"), "File", json!("is_link")),
            (format!("await fs.readText('{shown}/charts/../charts/a.kap')"), "InvalidArguments", Value::Null),
            ("await fs.readText('/etc/passwd')".into(), "Denied", Value::Null),
            ("await fs.readText('$DATA/../staysail.toml')".into(), "InvalidArguments", Value::Null),
            ("await fs.readText('$HOME/.bashrc')".into(), "Denied", Value::Null),
            ("await fs.readText('relative')".into(), "InvalidArguments", Value::Null),
            ("await fs.readText('$DATA/gone')".into(), "File", json!("not_found")),
            ("await fs.readText('$DATA/.hidden')".into(), "Denied", Value::Null),
            ("await fs.remove('$DATA', { recursive: true })".into(), "Denied", Value::Null),
            ("await fs.rename('$DATA/raw', '$DATA/moved')".into(), "File", json!("exists")),
            (
                "await __STAYSAIL__.desktop('fs.write', { path: '$DATA/x' })".into(),
                "InvalidArguments",
                Value::Null,
            ),
        ] {
            let refused = run(&page, &script)?;
            ensure!(
                refused["error"] == error && (reason.is_null() || refused["reason"] == reason),
                "{script}: {refused}"
            );
        }
        ensure!(std::fs::read(folder.join("charts/a.kap"))? == b"here be dragons");
        Ok(())
    });
}

#[test]
fn what_the_user_chooses_in_a_dialog_the_page_may_touch_and_not_what_lies_beside_it() {
    play("files-chosen", |stage| {
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"main\"]\nallow = [\"fs.*\", \"dialog.*\"]")?;
        let folder = stage.folder.path().canonicalize()?;
        let (chosen, beside) = (folder.join("chart.txt"), folder.join("beside.txt"));
        std::fs::write(&chosen, "here be dragons")?;
        std::fs::write(&beside, "private")?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let read =
            |path: &std::path::Path| run(&page, &format!("return await fs.readText('{}')", path.display()));
        ensure!(read(&chosen)?["error"] == "Denied", "a file was read that nobody chose");
        page.run(
            "window.chosen = null; fixture.staysail.dialog.open({ title: 'Open a chart', directory: arguments[0] }).then(paths \
             => window.chosen = paths, error => window.chosen = error.message)",
            &[json!(folder.display().to_string())],
        )?;
        let window = stage.display.window("Open a chart", EDIT)?;
        stage.display.focus(&window)?;
        stage.screenshot("open");
        // Keys that come before the dialog has read its folder, or while its field opens, are lost.
        staysail_e2e::wait_until("the chosen path", EDIT, || {
            let keys = || -> anyhow::Result<()> {
                ["ctrl+l", "ctrl+a"].iter().try_for_each(|key| stage.display.key(key))?;
                stage.display.type_text(&chosen.display().to_string())?;
                stage.display.key("Return")?;
                page.wait_for("it", "return window.chosen !== null", Duration::from_secs(3))
            };
            keys().map_err(|error| format!("{error:#}"))
        })?;
        ensure!(page.run("return window.chosen", &[])? == json!([chosen.display().to_string()]));
        ensure!(read(&chosen)? == "here be dragons");
        ensure!(read(&beside)?["error"] == "Denied");
        let written =
            run(&page, &format!("await fs.writeText('{}', 'here be none'); return true", chosen.display()))?;
        ensure!(written == true && std::fs::read(&chosen)? == b"here be none", "{written}");
        // The choice outlives the page that asked.
        let load = page.load()?;
        page.run("location.reload()", &[])?;
        page.wait_for(
            "the next page load",
            &format!("return !!window.fixture && fixture.load !== {load:?}"),
            EDIT,
        )?;
        ensure!(read(&chosen)? == "here be none");
        Ok(())
    });
}

/// A PDF is written by the webview, which follows links and knows no scopes.
#[test]
fn a_page_is_printed_where_its_scopes_name_and_by_rust_wherever_the_user_may_write() {
    play("files-printed", |stage| {
        let project = Project::fixture(stage)?;
        let folder = stage.folder.path().canonicalize()?;
        let shown = folder.display().to_string();
        for name in ["prints", "elsewhere"] {
            std::fs::create_dir(folder.join(name))?;
        }
        std::os::unix::fs::symlink("../elsewhere", folder.join("prints/link"))?;
        project.allow(&format!(
            "windows = [\"main\"]\nallow = [\"page.*\"]\nfiles = [\n  {{ path = \"{shown}/prints/**\", access = \
             \"read_write\" }},\n  {{ path = \"{shown}/elsewhere/*\" }},\n]"
        ))?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let print = |path: &str| {
            run(&page, &format!("await fixture.staysail.page.printToPdf('{shown}/{path}'); return true"))
        };
        for (path, error, says) in [
            ("outside.pdf", "Denied", "may not change"),
            ("elsewhere/readable.pdf", "Denied", "it may read it"),
            ("prints/link/through.pdf", "File", "link"),
            ("prints/../outside.pdf", "InvalidArguments", ".."),
            ("prints/.hidden.pdf", "Denied", "staysail.toml"),
        ] {
            let refused = print(path)?;
            ensure!(
                refused["error"] == error
                    && refused["message"].as_str().is_some_and(|message| message.contains(says)),
                "{path}: {refused}"
            );
        }
        for path in ["prints/chart.pdf", "prints/new/folder/chart.pdf"] {
            let printed = print(path)?;
            ensure!(printed == true, "{path}: {printed}");
            ensure!(std::fs::read(folder.join(path))?.starts_with(b"%PDF-"), "{path}");
        }
        let outside = folder.join("elsewhere/rust.pdf");
        let printed = page.call("print", &json!({ "path": outside }))?;
        ensure!(printed["error"].is_null(), "{printed}");
        ensure!(std::fs::read(&outside)?.starts_with(b"%PDF-"));
        ensure!(!folder.join("outside.pdf").exists());
        let elsewhere: Vec<_> =
            std::fs::read_dir(folder.join("elsewhere"))?.flatten().map(|entry| entry.file_name()).collect();
        ensure!(elsewhere == ["rust.pdf"], "{elsewhere:?}");
        let own = staysail_e2e::stage::cargo_target().join("apps/dev.staysail.counter/incoming");
        let left: Vec<_> = std::fs::read_dir(&own)?.flatten().map(|entry| entry.file_name()).collect();
        ensure!(left.is_empty(), "left in {}: {left:?}", own.display());
        Ok(())
    });
}

/// Both ways bytes travel: by the port, and by requests of the app's scheme.
#[test]
fn a_quarter_of_a_gigabyte_is_written_and_read_back_and_more_is_refused_by_name() {
    for (name, variables) in [("files-large", &[][..]), ("files-large-posts", &[("STAYSAIL_PORT", "off")])] {
        play(name, |stage| {
            let project = Project::fixture(stage)?;
            project.allow("windows = [\"main\"]\nallow = [\"fs.*\"]\nfiles = [{ path = \"$DATA/*\", access = \"read_write\" }]")?;
            let mut dev = Dev::start_with(stage, &project, variables)?;
            dev.wait("swap_done", 0, staysail_e2e::project::COLD_BUILD)?;
            let page = Page::attach(stage, dev.port, EDIT)?;
            let there = run(
                &page,
                "const size = 256 << 20; const bytes = new Uint8Array(size); for (let at = 0; at < size; at += 65521) \
                 bytes[at] = at & 255; await fs.write('$DATA/large', bytes); const back = new Uint8Array(await \
                 fs.read('$DATA/large')); let same = back.length === size; for (let at = 0; at < size; at += 65521) \
                 same &&= back[at] === (at & 255); return same",
            )?;
            ensure!(there == true, "{there}");
            let refused = run(
                &page,
                "await fs.append('$DATA/large', 'x'); return (await fs.read('$DATA/large')).byteLength",
            )?;
            ensure!(
                refused["error"] == "TooLarge"
                    && refused["message"].as_str().is_some_and(|text| text.contains("fs_read_bytes_max")),
                "{refused}"
            );
            let part = run(&page, "return (await fs.read('$DATA/large', { offset: 268435455 })).byteLength")?;
            ensure!(part == 2, "{part}");
            Ok(())
        });
    }
}
