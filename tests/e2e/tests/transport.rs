//! The ways of a call: the port inside the web process, script messages where there is none, and requests to the app's own
//! scheme, as on other systems.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::ledger;
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, cargo_target, play};
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};

/// Whether a web process of this test has loaded the library that opens the port.
fn has_port(stage: &Stage) -> anyhow::Result<bool> {
    let processes = stage.processes_of("WebKitWebProcess");
    ensure!(!processes.is_empty(), "no web process");
    let mut loaded = false;
    for process in processes {
        let maps = std::fs::read_to_string(format!("/proc/{}/maps", process.id)).context("reading maps")?;
        loaded |= maps.contains("libstaysail_port.so");
    }
    Ok(loaded)
}

/// The socket's name is no secret to processes of the same user: what comes without the token is cut off.
fn strangers_are_refused() -> anyhow::Result<()> {
    let table = std::fs::read_to_string("/proc/net/unix")?;
    let names: Vec<&str> = table.lines().filter_map(|line| Some(line.split_once(" @staysail-")?.1)).collect();
    ensure!(!names.is_empty(), "no socket of a port");
    let hello = |token: &[u8]| [&[1, token.len() as u8, 0, 0, 0][..], &[0; 16], token].concat();
    let mut reached = 0;
    for name in names {
        for bytes in [vec![0xff; 64], hello(b"guess"), [hello(b""), hello(b"guess")].concat()] {
            let address = SocketAddr::from_abstract_name(format!("staysail-{name}"))?;
            // One of another test's app, which may have ended.
            let Ok(mut stream) = UnixStream::connect_addr(&address) else { continue };
            reached += 1;
            let _ = stream.write_all(&bytes);
            let mut answer = Vec::new();
            // Cut off with what it sent unread: an end, or a reset.
            let _ = stream.read_to_end(&mut answer);
            ensure!(answer.is_empty(), "a stranger was answered: {answer:?}");
        }
    }
    ensure!(reached >= 3, "{reached} strangers reached a port");
    Ok(())
}

/// Everything a page may send comes back as it was, whichever way it goes.
fn talk(stage: &Stage, page: &Page) -> anyhow::Result<()> {
    let echoed = page.run_async(
        "const { invoke } = fixture.staysail; const wrong = []; \
         for (const size of [0, 1, 8191, 8192, 65535, 65536, 300001, 1 << 20, 9_000_000]) { \
           const sent = new Uint8Array(size); for (let i = 0; i < size; i++) sent[i] = i * 31 + (i >> 8); \
           const back = await invoke('echo', sent); \
           const got = new Uint8Array(back); \
           if (!(back instanceof ArrayBuffer) || got.length !== size || got.some((byte, i) => byte !== sent[i])) wrong.push(size); \
           if (sent.byteLength !== size) wrong.push('taken away: ' + size); } \
         const part = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4); \
         const back = new Uint8Array(await invoke('echo', part)); \
         if (back.join() !== '1,2,3') wrong.push('view: ' + back.join()); \
         return wrong",
        &[],
    )?;
    ensure!(echoed == json!([]), "bytes came back changed: {echoed}");
    let said = page.run_async(
        "const { invoke } = fixture.staysail; const wrong = []; \
         for (const text of ['', 'a', 'naïve ☃ 🏴‍☠️ ﷽ 日本', 'nul \\u0000 tab \\t line \\n quote \\\" \\u2028', 'x'.repeat(8192), '☃'.repeat(70000), 'y'.repeat(3_000_000)]) { \
           const back = await invoke('say', { text }); if (back !== text) wrong.push(text.slice(0, 20)); } \
         return wrong",
        &[],
    )?;
    ensure!(said == json!([]), "texts came back changed: {said}");
    // A lone surrogate is no Unicode text: JSON can carry it escaped, and Rust has no such character.
    let lone = page.run_async(
        "return await fixture.staysail.invoke('say', { text: 'a\\ud800b' }).then(String, error => error.code)",
        &[],
    )?;
    ensure!(lone == "InvalidArguments", "{lone}");
    let flood = page.run_async(
        "const { invoke } = fixture.staysail; \
         const answers = await Promise.all(Array.from({ length: 5000 }, (_, i) => invoke('answer', { id: 'flood-' + i }))); \
         return answers.filter((answer, i) => answer.id !== 'flood-' + i).length",
        &[],
    )?;
    ensure!(flood == 0, "{flood} answers of the flood belong to other calls");
    let executed = ledger::executions(&stage.ledger_file())?;
    let flooded = executed.iter().filter(|execution| execution.id.starts_with("flood-")).count();
    ensure!(flooded == 5000, "{flooded} executions of 5000 calls");
    let answer = page.call("order", &json!({ "pieces": 8 }))?;
    ensure!(answer["error"]["details"] == json!({ "TooMany": { "limit": 7 } }), "{answer}");
    Ok(())
}

/// What the page's own scripts can see of the way.
const VISIBLE: &str = "const frame = document.createElement('iframe'); frame.src = '/deep/'; \
     await new Promise(done => { frame.onload = done; document.body.append(frame) }); \
     const found = [typeof window.__staysail_port, typeof frame.contentWindow.__staysail_port, \
       '__staysail_port' in window, typeof frame.contentWindow.__STAYSAIL__]; \
     frame.remove(); return found";

#[test]
fn calls_go_by_the_port_and_no_script_of_the_page_can_reach_it() {
    play("port", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        ensure!(has_port(stage)?, "the web process has not loaded the port");
        talk(stage, &page)?;
        strangers_are_refused()?;
        talk_once(&page, "after-the-strangers")?;
        let visible = page.run_async(VISIBLE, &[])?;
        ensure!(visible == json!(["undefined", "undefined", false, "undefined"]), "the page sees {visible}");

        // A reload with calls under way: their answers reach nobody, and the next page's answers are its own.
        page.run("for (let i = 0; i < 200; i++) fixture.staysail.invoke('slow', { id: 'left-' + i, milliseconds: 30 }); \
                  setTimeout(() => location.reload())", &[])?;
        page.wait_for(
            "the next page",
            "return window.fixture?.staysail.currentWindow.generation === 2",
            EDIT,
        )?;
        talk_once(&page, "after-the-reload")?;
        let left: Vec<String> = ledger::executions(&stage.ledger_file())?
            .into_iter()
            .map(|execution| execution.id)
            .filter(|id| id.starts_with("left-"))
            .collect();
        let mut once = left.clone();
        once.sort();
        once.dedup();
        ensure!(once.len() == left.len(), "a call was repeated by the reload");
        Ok(())
    });
}

fn talk_once(page: &Page, id: &str) -> anyhow::Result<()> {
    let answer = page.call("answer", &json!({ "id": id }))?;
    ensure!(answer["value"]["id"] == id, "{answer}");
    Ok(())
}

#[test]
fn without_the_port_the_same_calls_go_by_script_messages_or_are_posted() {
    for way in ["off", "post"] {
        play(&format!("way-{way}"), |stage| {
            let project = Project::fixture(stage)?;
            let mut dev = Dev::start_with(stage, &project, &[("STAYSAIL_PORT", way)])?;
            dev.wait("swap_done", 0, COLD_BUILD)?;
            let page = Page::attach(stage, dev.port, EDIT)?;
            ensure!(!has_port(stage)?, "the port is there all the same");
            talk(stage, &page)
        });
    }
}

#[test]
fn a_damaged_library_is_replaced_and_one_that_can_not_be_written_is_done_without() {
    play("library", |stage| {
        let project = Project::fixture(stage)?;
        let library = |dev: &mut Dev| -> anyhow::Result<Value> {
            dev.wait("swap_done", 0, COLD_BUILD)?;
            let page = Page::attach(stage, dev.port, EDIT)?;
            talk_once(&page, "hello")?;
            Ok(json!(has_port(stage)?))
        };
        let mut dev = Dev::start(stage, &project)?;
        ensure!(library(&mut dev)? == true, "no port");
        drop(dev);
        stage.wait_nothing_left_of("WebKitWebProcess")?;
        let folder = cargo_target().join("apps/dev.staysail.counter/webview/port");
        let file = std::fs::read_dir(&folder)?
            .flatten()
            .next()
            .context("no library")?
            .path()
            .join("libstaysail_port.so");
        std::fs::write(&file, "damaged")?;
        let mut dev = Dev::start(stage, &project)?;
        ensure!(library(&mut dev)? == true, "a damaged library was not replaced");
        drop(dev);
        stage.wait_nothing_left_of("WebKitWebProcess")?;
        // A file where the folder should be: nothing can be written there.
        std::fs::remove_dir_all(&folder)?;
        std::fs::write(&folder, "in the way")?;
        let found = Dev::start(stage, &project).and_then(|mut dev| library(&mut dev));
        // Other tests share the folder.
        std::fs::remove_file(&folder)?;
        ensure!(found? == false, "a port out of nowhere");
        Ok(())
    });
}
