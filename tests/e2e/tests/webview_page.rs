//! Printing, finding, cookies, storage, private windows and the settings of `[webview]`, in the real window.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::ledger;
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::{Stage, play};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

const ALL: &str = "windows = [\"*\"]\nallow = [\"*\"]";

fn run(page: &Page, script: &str) -> anyhow::Result<Value> {
    let script = format!(
        "const {{ page, find, cookies, storage, openWindow, AppWindow }} = fixture.staysail; try {{ {script} }} catch (error) {{ \
         return {{ error: error.code ?? String(error), message: error.message }} }}"
    );
    page.run_async(&script, &[])
}

fn with_settings(stage: &Stage, settings: &str) -> anyhow::Result<Project> {
    let project = Project::fixture(stage)?;
    project.allow(ALL)?;
    let text = project.read("staysail.toml")?;
    project.write("staysail.toml", &format!("{text}\n[webview]\n{settings}\n"))?;
    Ok(project)
}

#[test]
fn a_page_is_printed_to_a_pdf_file_that_appears_whole_or_not_at_all() {
    play("pdf", |stage| {
        let project = Project::fixture(stage)?;
        let scope = stage.folder.path().canonicalize()?.join("*.pdf");
        project.allow(&format!("{ALL}\nfiles = [{{ path = {scope:?}, access = \"read_write\" }}]"))?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let file = stage.folder.path().canonicalize()?.join("chart.pdf");
        let at = |options: &str| {
            format!("await page.printToPdf({:?}, {options}); return true", file.display().to_string())
        };
        let printed = run(&page, &at("{ landscape: true, margins: [20, 10, 20, 10] }"))?;
        ensure!(printed == true, "{printed}");
        let pdf = std::fs::read(&file)?;
        ensure!(pdf.starts_with(b"%PDF-") && pdf.len() > 3_000, "{} bytes", pdf.len());
        let text = String::from_utf8_lossy(&pdf).into_owned();
        ensure!(text.contains("/Font") && text.contains("%%EOF"), "no text in it, or no end");
        // A4 lying: 841.89 points wide.
        let paper = text.split("/MediaBox").nth(1).unwrap_or_default();
        let paper: String = paper.chars().take_while(|c| *c != ']').filter(|c| *c != '[').collect();
        let paper: Vec<f64> = paper.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        ensure!(paper.len() == 4 && (paper[2] - 841.9).abs() < 1.0, "not lying on A4: {paper:?}");
        let taken = run(&page, &at("{}"))?;
        ensure!(taken["error"] == "File", "{taken}");
        ensure!(std::fs::read(&file)? == pdf, "refused, and yet written");
        ensure!(run(&page, &at("{ overwrite: true }"))? == true);
        ensure!(std::fs::read(&file)? != pdf);
        for (path, options, what) in [
            ("chart.pdf", "{}", "relative"),
            ("/tmp/chart.txt", "{}", ".pdf"),
            ("/nowhere/chart.pdf", "{}", "may not change"),
            ("/tmp/x.pdf", "{ scale: 99 }", "scale"),
            ("/tmp/x.pdf", "{ margins: [0, 200, 0, 200] }", "margins_mm"),
        ] {
            let refused = run(&page, &format!("await page.printToPdf({path:?}, {options}); return true"))?;
            ensure!(refused["message"].as_str().is_some_and(|text| text.contains(what)), "{path}: {refused}");
        }
        let left: Vec<_> = std::fs::read_dir(stage.folder.path())?
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(".part"))
            .collect();
        ensure!(left.is_empty(), "{left:?}");

        ensure!(run(&page, "await page.print(); return true")? == true);
        let dialog = stage.display.window("Print", EDIT)?;
        ensure!(
            page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy",
            "the dialog holds everything up"
        );
        stage.screenshot("dialog");
        stage.display.focus(&dialog)?;
        stage.display.key("Escape")?;
        staysail_e2e::wait_until("the dialog to be gone", EDIT, || {
            if stage.display.windows("^Print$").is_empty() { Ok(()) } else { Err("still there".into()) }
        })
    });
}

#[test]
fn a_text_is_found_and_walked_through_in_both_directions() {
    play("find", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        page.run(
            "const text = document.createElement('p'); text.textContent = 'Dragon, dragon, DRAGON and a dragonfly'; \
             document.body.prepend(text)",
            &[],
        )?;
        ensure!(run(&page, "return await find.next()")?["error"] == "Internal", "nothing was searched yet");
        ensure!(run(&page, "return await find.start('')")?["error"] == "InvalidArguments");
        let found = run(&page, "return await find.start('dragon')")?;
        ensure!(found["matches"] == 4, "{found}");
        stage.screenshot("marked");
        ensure!(run(&page, "return await find.start('DRAGON', { case: true })")?["matches"] == 1);
        ensure!(run(&page, "return await find.start('kraken')")?["matches"] == 0);
        ensure!(run(&page, "return await find.start('dragon', { wrap: false })")?["matches"] == 4);
        for step in 0..3 {
            let next = run(&page, "return await find.next()")?;
            ensure!(next["matches"] != 0, "step {step}: {next}");
        }
        ensure!(
            run(&page, "return await find.next()")?["matches"] == 0,
            "there is no fifth one, and no way round"
        );
        ensure!(run(&page, "return await find.previous()")?["matches"] != 0);
        ensure!(run(&page, "await find.stop(); return true")? == true);
        Ok(())
    });
}

/// How many sockets the shell listens on.
fn listening(stage: &Stage) -> anyhow::Result<usize> {
    let all = std::fs::read_to_string("/proc/net/unix")?;
    let listening: Vec<&str> = all
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        // Number, references, protocol, flags (here: takes connections), type, state, inode.
        .filter(|fields| fields.get(3) == Some(&"00010000"))
        .filter_map(|fields| fields.get(6).copied())
        .collect();
    let mut count = 0;
    for shell in stage.processes_of("staysail-shell") {
        for descriptor in std::fs::read_dir(format!("/proc/{}/fd", shell.id))?.flatten() {
            let Ok(target) = std::fs::read_link(descriptor.path()) else { continue };
            count +=
                usize::from(listening.iter().any(|inode| target == Path::new(&format!("socket:[{inode}]"))));
        }
    }
    Ok(count)
}

#[test]
fn cookies_and_storage_are_listed_set_and_forgotten_and_a_private_window_shares_none() {
    play("cookies", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        // A private window's page is none WebDriver could ask: it says to the backend what it finds.
        project.write(
            "frontend/private.html",
            "<!doctype html><meta charset=utf-8><h1>Private</h1><script type=module src=/private.js></script>",
        )?;
        project.write(
            "frontend/private.js",
            "import { invoke } from '/__staysail/api.js'; const found = localStorage.getItem('kept') ?? 'nothing'; \
             localStorage.setItem('kept', 'privately'); await invoke('answer', { id: `private-${found}` })",
        )?;
        let (dev, page) = Dev::live(stage, &project)?;
        let set = "await cookies.set({ name: 'sid', value: 'a=b', domain: 'example.com', httpOnly: true, secure: true, \
                   sameSite: 'strict', expires: 4102444800 }); \
                   await cookies.set({ name: 'theme', value: 'dark', domain: '.example.com', expires: 4102444800 }); return true";
        ensure!(run(&page, set)? == true);
        let names = |list: &str| run(&page, &format!("return ({list}).map(cookie => cookie.name).sort()"));
        ensure!(
            names("await cookies.list()")? == json!(["sid", "theme"]),
            "{}",
            names("await cookies.list()")?
        );
        ensure!(names("await cookies.list({ url: 'https://sub.example.com/x' })")? == json!(["theme"]));
        let sid = run(&page, "return await cookies.get('https://example.com/', 'sid')")?;
        ensure!(
            sid["value"] == "a=b"
                && sid["httpOnly"] == true
                && sid["secure"] == true
                && sid["sameSite"] == "strict"
                && sid["expires"] == 4_102_444_800_i64
                && sid["path"] == "/",
            "{sid}"
        );
        for wrong in [
            "await cookies.set({ name: 'a;b', value: '', domain: 'example.com' })",
            "await cookies.set({ name: 'a', value: 'x; Domain=evil', domain: 'example.com' })",
            "await cookies.get('file:///etc', 'x')",
        ] {
            ensure!(run(&page, wrong)?["error"] == "InvalidArguments", "{wrong}");
        }

        page.run("localStorage.setItem('kept', 'yes')", &[])?;
        let sockets = listening(stage)?;
        for _ in 0..2 {
            let from = ledger::executions(&stage.ledger_file())?.len();
            let open = "await openWindow({ label: 'private', url: '/private.html', incognito: true, position: [0, 0] }); return true";
            ensure!(run(&page, open)? == true);
            staysail_e2e::wait_until("what the private window found", EDIT, || {
                let told = ledger::executions(&stage.ledger_file()).map_err(|error| format!("{error:#}"))?;
                match told.get(from) {
                    Some(told) if told.id == "private-nothing" => Ok(()),
                    other => Err(format!("{:?}", other.map(|told| &told.id))),
                }
            })?;
            ensure!(run(&page, "return await cookies.list({ label: 'private' })")? == json!([]));
            stage.screenshot("private");
            ensure!(run(&page, "await new AppWindow('private').destroy(); return true")? == true);
        }
        ensure!(listening(stage)? == sockets, "a private window left a socket open");
        ensure!(page.run("return localStorage.getItem('kept')", &[])? == "yes");
        staysail_e2e::wait_until("no second network process", EDIT, || {
            let processes = stage.processes_of("WebKitNetwork");
            if processes.len() <= 1 { Ok(()) } else { Err(format!("{processes:?}")) }
        })?;

        // They are there at the next start, and lie below the app's own folder.
        let folder = staysail_e2e::stage::cargo_target().join("apps/dev.staysail.counter/webview/storage");
        ensure!(folder.is_dir(), "{}", folder.display());
        drop(page);
        drop(dev);
        stage.wait_nothing_left_of("staysail-shell")?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let names = |list: &str| run(&page, &format!("return ({list}).map(cookie => cookie.name).sort()"));
        ensure!(
            names("await cookies.list()")? == json!(["sid", "theme"]),
            "{}",
            names("await cookies.list()")?
        );
        ensure!(page.run("return localStorage.getItem('kept')", &[])? == "yes");
        ensure!(run(&page, "return await cookies.remove('https://example.com/', 'sid')")? == 1);
        ensure!(names("await cookies.list()")? == json!(["theme"]));
        ensure!(run(&page, "await storage.clear('data'); return true")? == true);
        ensure!(names("await cookies.list()")? == json!(["theme"]), "cookies were not named");
        ensure!(run(&page, "await cookies.clear(); return true")? == true);
        ensure!(names("await cookies.list()")? == json!([]));
        ensure!(run(&page, "await storage.clear(); return true")? == true);
        Ok(())
    });
}

#[test]
fn user_agent_proxy_storage_and_spelling_are_as_the_project_file_says() {
    play("webview-settings", |stage| {
        // A proxy that answers everything, and tells what it was asked for.
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (asked_in, asked) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
                let _ = asked_in.send(head.join("\n"));
                let answer = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 4\r\nConnection: close\r\n\r\nahoy";
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        // A dictionary of the test's own, which knows few words.
        let dictionary = stage.folder.path().join("config/enchant/hunspell");
        std::fs::create_dir_all(&dictionary)?;
        std::fs::write(dictionary.join("en_GB.aff"), "SET UTF-8\n")?;
        std::fs::write(dictionary.join("en_GB.dic"), "2\nahoy\nship\n")?;
        let project = with_settings(
            stage,
            &format!(
                "user_agent = \"Notes/1.0 (test)\"\nproxy = \"http://{address}\"\nstorage = \"$CACHE/web\"\nspell_check = [\"en_GB\"]"
            ),
        )?;
        let text = project.read("staysail.toml")?;
        let debug = "[debug]\ncsp = \"default-src 'self' 'unsafe-inline'; connect-src *\"";
        let files = format!("{ALL}\nfiles = [{{ path = \"$CACHE/**\", access = \"read\" }}]");
        project.write("staysail.toml", &text.replace("[debug]", debug).replace(ALL, &files))?;
        let (_dev, page) = Dev::live(stage, &project)?;
        ensure!(page.run("return navigator.userAgent", &[])? == "Notes/1.0 (test)");
        let body = page.run_async("return await (await fetch('http://staysail.invalid/x')).text()", &[])?;
        ensure!(body == "ahoy", "not by the proxy: {body}");
        let head = asked.recv_timeout(Duration::from_secs(10))?;
        ensure!(
            head.starts_with("GET http://staysail.invalid/x") && head.contains("Notes/1.0 (test)"),
            "{head}"
        );

        let cache = staysail_e2e::stage::cargo_target().join("apps/dev.staysail.counter/cache");
        ensure!(cache.join("web/storage").is_dir(), "nothing is kept in {}", cache.display());
        std::fs::write(cache.join("web/own"), "x")?;
        std::fs::write(cache.join("fine"), "x")?;
        let read = |name: &str| {
            run(&page, &format!("return (await fixture.staysail.fs.readText('$CACHE/{name}')).length"))
        };
        ensure!(read("fine")? == 1, "{}", read("fine")?);
        ensure!(read("web/own")?["error"] == "Denied", "{}", read("web/own")?);

        let window = stage.display.window("Counter under test", EDIT)?;
        stage.display.focus(&window)?;
        page.run(
            "const notes = document.querySelector('#notes'); notes.spellcheck = true; notes.focus()",
            &[],
        )?;
        stage.display.type_text("ahoy shpi ahoy ")?;
        page.wait_for("the text", "return document.querySelector('#notes').value.endsWith('ahoy ')", EDIT)?;
        // Looked at by eye: the wrong word is underlined, the right ones are not.
        stage.screenshot("spelling");

        let wrong = with_settings(stage, "proxy = \"nowhere\"")?;
        let refused = staysail_e2e::built::refused(stage, &wrong, &["build"])?;
        ensure!(refused.contains("proxy") && refused.contains("socks5://host:port"), "{refused}");
        Ok(())
    });
}
