//! What the page gets: errors with a type, files as the web serves them, and a policy that keeps strangers out.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::Project;
use staysail_e2e::stage::play;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn fails_with(page: &Page, command: &str, arguments: &Value, code: &str) -> anyhow::Result<Value> {
    let answer = page.call(command, arguments)?;
    ensure!(answer["error"]["code"] == code, "{command} {arguments}: {answer}, expected {code}");
    ensure!(answer["error"]["typed"] == true, "{command}: the error is no CallError: {answer}");
    Ok(answer["error"].clone())
}

#[test]
fn a_call_that_fails_is_an_error_to_its_caller_and_nothing_else() {
    play("errors", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let process = page.call("process", &json!({}))?;
        page.start_calls()?;
        let error = fails_with(&page, "explode", &json!({ "word": "bang" }), "Panicked")?;
        ensure!(error["message"].as_str().is_some_and(|text| text.contains("bang")), "{error}");
        let error = fails_with(&page, "order", &json!({ "pieces": 8 }), "App")?;
        ensure!(error["details"] == json!({ "TooMany": { "limit": 7 } }), "{error}");
        ensure!(page.call("order", &json!({ "pieces": 7 }))?["value"] == 7);
        let error = fails_with(&page, "ansver", &json!({ "id": "-" }), "UnknownCommand")?;
        ensure!(error["message"].as_str().is_some_and(|text| text.contains("answer")), "no hint in {error}");
        fails_with(&page, "order", &json!({ "pieces": "many" }), "InvalidArguments")?;
        fails_with(&page, "order", &json!({}), "InvalidArguments")?;
        ensure!(page.call("process", &json!({}))? == process, "the worker was exchanged");
        let calls = page.stop_calls()?;
        let executions = staysail_e2e::ledger::executions(&stage.ledger_file())?;
        staysail_e2e::ledger::check_once(&calls, &executions, &[], 0)?;
        ensure!(page.run("return fixture.staysail.constants.place", &[])? == "workshop", "no constants");
        Ok(())
    });
}

#[test]
fn files_have_types_tags_ranges_and_routes_fall_back_to_the_page() {
    play("assets", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let script = "const [path, headers] = arguments_; const answer = await fetch(path, { headers, cache: 'no-store' }); \
                      const named = Object.fromEntries(answer.headers); \
                      return { status: answer.status, headers: named, text: (await answer.text()).slice(0, 200) }";
        let fetch = |path: &str, headers: Value| page.run_async(script, &[json!(path), headers]);
        for (path, kind) in [
            ("/", "text/html"),
            ("/main.js", "text/javascript"),
            ("/styles.css", "text/css"),
            ("/data.json", "application/json"),
            ("/icon.svg", "image/svg+xml"),
            ("/range.txt", "text/plain"),
        ] {
            let answer = fetch(path, json!({}))?;
            let named = answer["headers"]["content-type"].as_str().unwrap_or_default().to_owned();
            ensure!(answer["status"] == 200 && named.starts_with(kind), "{path}: {answer}");
        }
        let answer = fetch("/range.txt", json!({ "Range": "bytes=10-14" }))?;
        ensure!(answer["status"] == 206 && answer["text"] == "abcde", "{answer}");
        ensure!(answer["headers"]["content-range"] == "bytes 10-14/36", "{answer}");
        let answer = fetch("/range.txt", json!({ "Range": "bytes=40-" }))?;
        ensure!(answer["status"] == 416, "{answer}");
        let answer = fetch("/range.txt", json!({}))?;
        let tag = answer["headers"]["etag"].clone();
        ensure!(tag.is_string(), "no tag: {answer}");
        let answer = fetch("/range.txt", json!({ "If-None-Match": tag }))?;
        ensure!(answer["status"] == 304, "{answer}");
        let answer = fetch("/notes/42", json!({}))?;
        ensure!(answer["text"].as_str().is_some_and(|text| text.contains("Counter under test")), "{answer}");
        let answer = fetch("/deep/", json!({}))?;
        ensure!(answer["text"].as_str().is_some_and(|text| text.contains("deep page")), "{answer}");
        for missing in ["/missing.js", "/../staysail.toml", "/%2e%2e/staysail.toml", "/..%2fstaysail.toml"] {
            let answer = fetch(missing, json!({}))?;
            ensure!(!answer["text"].as_str().unwrap_or_default().contains("[app]"), "{missing}: {answer}");
        }
        ensure!(fetch("/missing.js", json!({}))?["status"] == 404);
        Ok(())
    });
}

/// A foreign origin on the loopback that counts its visitors and serves a page that tries to call.
fn stranger() -> anyhow::Result<(String, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = format!("http://{}", listener.local_addr()?);
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = visits.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream);
            let mut first = String::new();
            let _ = reader.read_line(&mut first);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                line.clear();
            }
            counted.fetch_add(1, Ordering::SeqCst);
            let (kind, body) = if first.contains(".js") {
                ("text/javascript", "window.foreignRan = true;")
            } else {
                ("text/html", "<!doctype html><title>stranger</title>stranger")
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = reader.get_mut().write_all((head + body).as_bytes());
        }
    });
    Ok((address, visits))
}

#[test]
fn scripts_of_others_are_blocked_and_a_foreign_page_can_not_call() {
    play("strangers", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let (address, visits) = stranger()?;
        let blocked = page.run_async(
            "const [address] = arguments_; const blocked = []; \
             document.addEventListener('securitypolicyviolation', event => blocked.push(event.effectiveDirective)); \
             const inline = document.createElement('script'); inline.textContent = 'window.inlineRan = true'; \
             document.body.append(inline); \
             const foreign = document.createElement('script'); foreign.src = address + '/foreign.js'; \
             const over = new Promise(done => { foreign.onerror = foreign.onload = done }); \
             document.body.append(foreign); await over; \
             const fetched = await fetch(address).then(() => true, () => false); \
             let evaluated = true; try { new Function('return 1')() } catch { evaluated = false } \
             return [window.inlineRan ?? false, window.foreignRan ?? false, fetched, evaluated, blocked.length > 0]",
            &[json!(address)],
        )?;
        ensure!(
            blocked == json!([false, false, false, false, true]),
            "inline, foreign, fetch, eval, told: {blocked}"
        );
        ensure!(visits.load(Ordering::SeqCst) == 0, "something was fetched from a foreign origin");

        // The window goes to a foreign page, as a link could make it. Whatever that page tries, it calls nothing.
        let before = staysail_e2e::ledger::executions(&stage.ledger_file())?.len();
        page.run("window.location.href = arguments[0]", &[json!(address)])?;
        let title = staysail_e2e::wait_until("the window to have decided", EDIT, || {
            let title = page.title().map_err(|error| format!("{error:#}"))?;
            let arrived = visits.load(Ordering::SeqCst) > 0;
            if title == "stranger" || (title.contains("Counter") && !arrived) {
                Ok(title)
            } else {
                Err(title)
            }
        })?;
        println!("the window shows {title}");
        if title == "stranger" {
            let found = page.run_async(
                "const found = []; found.push(typeof window.__STAYSAIL__, typeof window.staysail); \
                 const request = JSON.stringify({ k: 'guess', t: 'call', i: 1, c: 'answer' }) + '\\n' + JSON.stringify({ id: 'stolen' }); \
                 const direct = await fetch('app://localhost/__staysail/call', { method: 'POST', body: request })\
                 .then(answer => answer.text(), error => 'refused'); \
                 const handler = window.webkit?.messageHandlers?.staysail; \
                 const message = handler ? await Promise.resolve(handler.postMessage(request)).then(String, () => 'refused') : 'refused'; \
                 return { found, direct, message }",
                &[],
            )?;
            println!("the stranger got {found}");
            for way in ["direct", "message"] {
                let got = found[way].as_str().unwrap_or_default();
                ensure!(got == "refused" || got.starts_with('-') || got.is_empty(), "{way}: {got}");
            }
            ensure!(found["found"][0] == "undefined", "the stranger has the runtime: {found}");
        }
        let after = staysail_e2e::ledger::executions(&stage.ledger_file())?;
        ensure!(after.len() == before, "a stranger's call was executed: {:?}", &after[before..]);
        Ok(())
    });
}
