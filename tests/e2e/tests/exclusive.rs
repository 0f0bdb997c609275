//! `examples/exclusive` in its window: a database that is locked and a port go from backend to backend, and back.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use staysail_e2e::child::Program;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, play};
use std::io::{Read, Write};
use std::net::TcpStream;

const PROGRAM: &str = "backend/app/src/main.rs";
const PORT: &str = "backend/hold/src/port.rs";
/// Where the port is acquired, after the database, and a port that is not to be had.
const ACQUIRES: &str = "        let app = app.clone();\n";
const REFUSES: &str =
    "        let app = app.clone();\n        if true { return Err(io::Error::other(\"not today\")); }\n";

/// The example, its window, and the port other programs ask at.
struct Book {
    project: Project,
    dev: Dev,
    page: Page,
    port: u16,
}

impl Book {
    fn open(stage: &Stage) -> anyhow::Result<Self> {
        let (project, port) = (Project::guest_book(stage)?, staysail_e2e::free_port()?);
        project.edit("staysail.toml", "port = 4717", &format!("port = {port}"))?;
        // What lies over the page is to be read.
        let early = include_str!("../fixtures/counter/frontend/early.js");
        project.write("frontend/early.js", early)?;
        project.edit("frontend/index.html", "<title>", "<script src=\"/early.js\"></script>\n    <title>")?;
        let inspector = staysail_e2e::free_port()?;
        let mut command = project.staysail(stage, &["dev", "--json", "--explain"])?;
        command.env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{inspector}"));
        let mut dev = Dev { program: Program::start("staysail dev", command)?, port: inspector };
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach_only(stage, inspector, EDIT)?;
        Ok(Self { project, dev, page, port })
    }

    /// Waits for this welcome; answers which backend gave it.
    fn wait_welcome(&self, text: &str) -> anyhow::Result<String> {
        let shown = format!("return document.querySelector('#welcome')?.textContent === {text:?}");
        self.page.wait_for(&format!("the welcome {text:?}"), &shown, EDIT)?;
        self.process()
    }

    /// The backend that has database and port, as the page says.
    fn process(&self) -> anyhow::Result<String> {
        let shown = self.page.run("return document.querySelector('#process').textContent", &[])?;
        shown.as_str().map(str::to_owned).context("no process")
    }

    /// Signs by the form, and waits for the entry.
    fn sign(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let script = "for (const [id, value] of [['#name', arguments[0]], ['#text', arguments[1]]]) \
                      document.querySelector(id).value = value; document.querySelector('#form').requestSubmit()";
        self.page.run(script, &[json!(name), json!(text)])?;
        let shown = format!("return document.querySelector('#entries').textContent.includes({text:?})");
        self.page.wait_for(&format!("the entry {text:?}"), &shown, EDIT)
    }

    /// What another program is answered at the port. In the moment between two backends nobody listens.
    fn entries(&self) -> anyhow::Result<String> {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            write!(stream, "GET / HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", self.port)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        staysail_e2e::wait_until("an answer at the port", EDIT, || {
            let answer = ask().map_err(|error| error.to_string())?;
            let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| answer.clone())?;
            if head.starts_with("HTTP/1.1 200") { Ok(body.to_owned()) } else { Err(answer.clone()) }
        })
    }
}

/// Each part of a save is named: noticing it, cargo or what stands for it, these crates, the linker, and the exchange.
fn ensure_explained(said: &Value, crates: &[&str]) -> anyhow::Result<()> {
    let parts = said["parts"].as_array().context("no parts")?;
    let names: Vec<&str> = parts.iter().filter_map(|part| part["name"].as_str()).collect();
    let mut expected = vec!["save noticed", "cargo itself"];
    expected.extend(crates);
    expected.extend(["link", "copy to its own path", "start", "state", "switch"]);
    let like_cargo: Vec<&str> =
        names.iter().map(|name| if *name == "rustc replayed" { "cargo itself" } else { name }).collect();
    ensure!(like_cargo == expected, "{said}");
    let whole: f64 = parts.iter().filter_map(|part| part["ms"].as_f64()).sum();
    let total = said["total_ms"].as_f64().context("no total")?;
    ensure!(whole > 0.0 && whole < total + 1.0, "the parts are {whole} ms of {total}: {said}");
    Ok(())
}

#[test]
fn database_and_port_are_handed_over_given_back_and_held_again_after_a_crash() {
    play("exclusive", |stage| {
        let mut book = Book::open(stage)?;
        let first = book.wait_welcome("Welcome aboard. Sign here.")?;
        book.sign("Ada", "A fine ship")?;
        ensure!(book.entries()? == "Ada: A fine ship\n", "{}", book.entries()?);

        // Handed over: the next one opens a database that is locked, and listens at a port that is taken.
        let from = book.dev.position();
        book.project.edit(PROGRAM, "Welcome aboard.", "Welcome back.")?;
        let second = book.wait_welcome("Welcome back. Sign here.")?;
        ensure!(second != first, "the same process");
        ensure_explained(&book.dev.wait("swap_explained", from, EDIT)?, &["guest-book"])?;
        book.sign("Grace", "Well sailed")?;
        let both = "Grace: Well sailed\nAda: A fine ship\n";
        ensure!(book.entries()? == both, "{}", book.entries()?);
        stage.screenshot("handed-over");

        // Given back: the next one has the database already when it does not get the port.
        let from = book.dev.position();
        book.project.edit(PORT, ACQUIRES, REFUSES)?;
        let refused = book.dev.wait("swap_failed", from, EDIT)?;
        let reason = refused["reason"].as_str().unwrap_or_default();
        ensure!(reason.contains("could not acquire `port`: not today"), "{refused}");
        book.page.wait_overlay("the refusal", EDIT, |text| text.contains("not today"))?;
        stage.screenshot("refused");
        ensure!(book.entries()? == both, "{}", book.entries()?);
        book.sign("Edsger", "Still here")?;
        ensure!(book.process()? == second, "another backend has it");

        let from = book.dev.position();
        book.project.edit(PROGRAM, "Welcome back.", "Welcome home.")?;
        book.project.edit(PORT, REFUSES, ACQUIRES)?;
        let third = book.wait_welcome("Welcome home. Sign here.")?;
        let explained = book.dev.program.wait_line("the save of both crates", from, EDIT, |line| {
            let said: Value = serde_json::from_str(line).ok()?;
            (said["kind"] == "swap_explained" && line.contains("guest_book_hold")).then_some(said)
        })?;
        ensure_explained(&explained, &["guest_book_hold", "guest-book"])?;
        book.page.wait_overlay("the overlay to go away", EDIT, str::is_empty)?;
        let all = format!("Edsger: Still here\n{both}");
        ensure!(book.entries()? == all, "{}", book.entries()?);

        // Killed: what it held is free. The one before has it again, or one that is started, as its probation is over or not.
        let from = book.dev.position();
        // SAFETY: a signal to a process that this test started.
        ensure!(unsafe { libc::kill(third.parse()?, libc::SIGKILL) } == 0, "it can not be killed");
        if book.dev.wait("worker_lost", from, EDIT)?["restarting"] == false {
            // The page is loaded again for the backend before.
            book.dev.wait("page_ready", from, EDIT)?;
        }
        let other =
            format!("return !['–', {third:?}].includes(document.querySelector('#process').textContent)");
        book.page.wait_for("another backend", &other, EDIT)?;
        book.sign("Barbara", "Again afloat")?;
        ensure!(book.entries()? == format!("Barbara: Again afloat\n{all}"), "{}", book.entries()?);

        let Book { page, mut dev, port, .. } = book;
        drop(page);
        dev.program.signal_group(libc::SIGINT);
        dev.program.wait(EDIT)?;
        stage.wait_nothing_left(EDIT)?;
        ensure!(TcpStream::connect(("127.0.0.1", port)).is_err(), "somebody listens at the port");
        Ok(())
    });
}
