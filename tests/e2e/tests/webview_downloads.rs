//! Downloads in the real window: where they go, who may, and what is left of one that is cut short.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::{Stage, play};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

const ALL: &str = "windows = [\"main\"]\nallow = [\"download.*\"]";

/// The user's folder for downloads, as the desktop names it.
fn folder(stage: &Stage) -> anyhow::Result<PathBuf> {
    let folder = stage.folder.path().join("Downloads");
    std::fs::create_dir_all(&folder)?;
    let line = format!("XDG_DOWNLOAD_DIR=\"{}\"\n", folder.display());
    std::fs::write(stage.folder.path().join("config/user-dirs.dirs"), line)?;
    Ok(folder)
}

fn files(folder: &Path) -> anyhow::Result<Vec<String>> {
    let names = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<anyhow::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// A server that answers each request with an attachment: its beginning at once, the rest when it is told, or never.
fn server(rest: Option<&'static [u8]>) -> anyhow::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        let mut held: Vec<TcpStream> = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request);
            let begin = vec![b'a'; 200_000];
            let length = begin.len() + rest.map_or(1_000_000, <[u8]>::len);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\
                 Content-Disposition: attachment; filename=\"../../evil.bin\"\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&begin));
            match rest {
                Some(rest) => drop(stream.write_all(rest)),
                None => held.push(stream),
            }
        }
    });
    Ok(address)
}

fn listen(page: &Page) -> anyhow::Result<()> {
    let listen = "window.told = []; fixture.staysail.downloads.onEvent(event => window.told.push(event));";
    page.run(listen, &[]).map(drop)
}

/// Clicks a link, which a script makes.
fn click(page: &Page, link: &str) -> anyhow::Result<()> {
    let script = format!(
        "const link = document.createElement('a'); {link}; document.body.append(link); link.click(); link.remove()"
    );
    page.run_async(&script, &[]).map(drop)
}

fn wait_state(page: &Page, state: &str) -> anyhow::Result<Value> {
    let found = format!("window.told.find(event => event.state === '{state}')");
    page.wait_for(state, &format!("return {found} !== undefined || JSON.stringify(window.told)"), EDIT)?;
    page.run(&format!("return {found}"), &[])
}

#[test]
fn what_a_page_makes_and_the_apps_own_files_go_whole_into_the_users_folder_under_free_harmless_names() {
    play("downloads", |stage| {
        let folder = folder(stage)?;
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        listen(&page)?;
        let load = page.load()?;

        click(&page, "link.download = 'notes.txt'; link.href = URL.createObjectURL(new Blob(['ahoy']))")?;
        let finished = wait_state(&page, "finished")?;
        ensure!(
            finished["path"] == json!(folder.join("notes.txt")) && finished["received"] == 4,
            "{finished}"
        );
        ensure!(std::fs::read_to_string(folder.join("notes.txt"))? == "ahoy");

        // A name that would leave the folder, and one that is taken.
        for (name, text) in [("../../../notes.txt", "two"), ("notes.txt", "three")] {
            page.run("window.told.length = 0", &[])?;
            let link = format!("link.download = '{name}'; link.href = 'data:text/plain,{text}'");
            click(&page, &link)?;
            wait_state(&page, "finished")?;
        }
        page.run("window.told.length = 0", &[])?;
        click(&page, "link.download = ''; link.href = '/data.json'")?;
        let own = wait_state(&page, "finished")?;
        ensure!(own["name"] == "data.json", "{own}");
        let there = files(&folder)?;
        ensure!(there.len() == 4 && there.contains(&"data.json".to_string()), "{there:?}");
        ensure!(
            there.iter().filter(|name| name.starts_with("notes (") || *name == "notes.txt").count() >= 2,
            "{there:?}"
        );
        ensure!(std::fs::read_to_string(folder.join("notes.txt"))? == "ahoy", "a download overwrote a file");
        ensure!(std::fs::read_to_string(folder.join("data.json"))?.contains("42"));
        ensure!(page.load()? == load, "a download took the page away");
        Ok(())
    });
}

#[test]
fn a_download_from_elsewhere_needs_its_origin_named_and_leaves_no_half_file_when_it_is_cancelled_or_killed() {
    play("downloads-foreign", |stage| {
        let folder = folder(stage)?;
        let (whole, half) = (server(Some(b"the end"))?, server(None)?);
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let settings = project.read("staysail.toml")?;
        let policy =
            format!("default-src 'self'; script-src 'self' 'unsafe-inline'; frame-src {whole} {half}");
        let debug = format!("[debug]\ncsp = {policy:?}");
        project.write("staysail.toml", &settings.replace("[debug]", &debug))?;
        let (dev, page) = Dev::live(stage, &project)?;
        listen(&page)?;
        let frame = |address: &str| {
            format!(
                "const frame = document.createElement('iframe'); frame.src = '{address}/x'; document.body.append(frame)"
            )
        };
        page.run(&frame(&whole), &[])?;
        let denied = wait_state(&page, "denied")?;
        ensure!(
            denied["reason"].as_str().is_some_and(|reason| reason.contains("download_origins")),
            "{denied}"
        );
        ensure!(files(&folder)?.is_empty());
        drop(dev);
        stage.wait_nothing_left_of("staysail-shell")?;

        let settings = project.read("staysail.toml")?;
        project.write(
            "staysail.toml",
            &format!("{settings}\n[webview]\ndownload_origins = [{whole:?}, {half:?}]\n"),
        )?;
        let (_dev, page) = Dev::live(stage, &project)?;
        listen(&page)?;
        page.run(&frame(&whole), &[])?;
        let finished = wait_state(&page, "finished")?;
        ensure!(finished["path"] == json!(folder.join("evil.bin")), "{finished}");
        ensure!(std::fs::read(folder.join("evil.bin"))?.ends_with(b"the end"));

        page.run("window.told.length = 0", &[])?;
        page.run(&frame(&half), &[])?;
        let running = wait_state(&page, "running")?;
        ensure!(running["total"] == 1_200_000, "{running}");
        page.wait_for("the first half", "return window.told.some(event => event.received > 0)", EDIT)?;
        let listed =
            page.run_async("return (await fixture.staysail.downloads.list()).map(one => one.state)", &[])?;
        ensure!(listed == json!(["running"]), "{listed}");
        ensure!(files(&folder)?.iter().any(|name| name.ends_with(".part")), "{:?}", files(&folder)?);
        page.run_async("await fixture.staysail.downloads.cancel(window.told[0].id)", &[])?;
        wait_state(&page, "cancelled")?;
        staysail_e2e::wait_until("nothing of it to be left", EDIT, || match files(&folder) {
            Ok(names) if names == ["evil.bin"] => Ok(()),
            other => Err(format!("{other:?}")),
        })?;

        page.run("window.told.length = 0", &[])?;
        page.run(&frame(&half), &[])?;
        wait_state(&page, "running")?;
        page.wait_for("the first half", "return window.told.some(event => event.received > 0)", EDIT)?;
        for shell in stage.processes_of("staysail-shell") {
            shell.kill();
        }
        stage.wait_nothing_left_of("staysail-shell")?;
        let left = files(&folder)?;
        ensure!(
            left.iter().all(|name| name == "evil.bin" || name.contains(".part")),
            "a half file: {left:?}"
        );
        drop(page);
        drop(_dev);
        let (_dev, _page) = Dev::live(stage, &project)?;
        ensure!(files(&folder)? == ["evil.bin"], "what was killed is not tidied up: {:?}", files(&folder)?);
        Ok(())
    });
}

#[test]
fn the_app_says_where_a_download_goes_or_that_there_is_none() {
    play("downloads-ask", |stage| {
        let folder = folder(stage)?;
        let project = Project::fixture(stage)?;
        let chosen = stage.folder.path().canonicalize()?.join("chosen-*");
        project.allow(&format!("{ALL}\nfiles = [{{ path = {chosen:?}, access = \"read_write\" }}]"))?;
        let settings = project.read("staysail.toml")?;
        project.write("staysail.toml", &format!("{settings}\n[webview]\ndownloads = \"ask\"\n"))?;
        let (_dev, page) = Dev::live(stage, &project)?;
        listen(&page)?;
        for (link, name) in [
            ("link.download = 'a.txt'; link.href = URL.createObjectURL(new Blob(['ahoy']))", "a.txt"),
            ("link.download = ''; link.href = '/data.json'", "data.json"),
        ] {
            page.run("window.told.length = 0", &[])?;
            click(&page, link)?;
            let asked = wait_state(&page, "requested")?;
            ensure!(asked["name"] == name && asked["path"] == "", "{asked}");
            let place = stage.folder.path().canonicalize()?.join(format!("chosen-{name}"));
            for (wrong, error) in [("relative.txt", "InvalidArguments"), ("/nowhere/at/all/x.txt", "Denied")]
            {
                let accept = format!(
                    "return fixture.staysail.downloads.accept({}, '{wrong}').then(() => 'taken', error => error.code)",
                    asked["id"]
                );
                ensure!(page.run_async(&accept, &[])? == error, "{wrong}");
            }
            let accept = format!("await fixture.staysail.downloads.accept({}, {:?})", asked["id"], place);
            page.run_async(&accept, &[])?;
            let finished = wait_state(&page, "finished")?;
            ensure!(finished["path"] == json!(place) && place.is_file(), "{finished}");
        }
        // A name that is taken gets a number, as in the user's folder.
        page.run("window.told.length = 0", &[])?;
        click(&page, "link.download = 'a.txt'; link.href = 'data:text/plain,second'")?;
        let asked = wait_state(&page, "requested")?;
        let place = stage.folder.path().canonicalize()?.join("chosen-a.txt");
        page.run_async(&format!("await fixture.staysail.downloads.accept({}, {place:?})", asked["id"]), &[])?;
        let finished = wait_state(&page, "finished")?;
        let second = place.with_file_name("chosen-a (1).txt");
        ensure!(finished["path"] == json!(second), "{finished}");
        ensure!(std::fs::read(&second)? == b"second" && std::fs::read(&place)? == b"ahoy");
        page.run("window.told.length = 0", &[])?;
        click(&page, "link.download = 'b.txt'; link.href = 'data:text/plain,b'")?;
        let asked = wait_state(&page, "requested")?;
        page.run_async(&format!("await fixture.staysail.downloads.cancel({})", asked["id"]), &[])?;
        wait_state(&page, "cancelled")?;
        ensure!(files(&folder)?.is_empty(), "{:?}", files(&folder)?);
        Ok(())
    });
}
