//! What frames and scripts of the page can not reach: the runtime, the key, the port, and anything native beside them.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::foreign::{Browser, Foreign};
use staysail_e2e::ledger::executions;
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, play};

/// What a frame finds, and what it is answered when it speaks to the shell without a key.
const PROBE: &str = "const own = name => Object.getOwnPropertyNames(window).includes(name); \
    const request = JSON.stringify({ k: 'guess', t: 'call', i: 1, c: 'answer' }) + '\\n' + JSON.stringify({ id: 'stolen' }); \
    const said = promise => Promise.resolve(promise).then(String, error => 'refused'); \
    const handler = window.webkit?.messageHandlers?.staysail; \
    let above = 'hidden'; try { above = typeof parent.__STAYSAIL__ } catch {} \
    return { runtime: own('__STAYSAIL__') || own('staysail'), port: '__staysail_port' in window, above, \
      message: handler ? await said(handler.postMessage(request)) : 'refused', \
      direct: await said(fetch('app://localhost/__staysail/call', { method: 'POST', body: request }).then(answer => answer.text())) }";

fn refused(answer: &Value) -> bool {
    let text = answer.as_str().unwrap_or_default();
    text == "refused" || (text.starts_with('-') && text.contains("Denied"))
}

fn stolen(stage: &Stage) -> anyhow::Result<bool> {
    Ok(executions(&stage.ledger_file())?.iter().any(|execution| execution.id == "stolen"))
}

#[test]
fn no_frame_gets_the_runtime_the_key_or_the_port() {
    play("frames", |stage| {
        let (foreign, other, browser) = (Foreign::start()?, Foreign::start()?, Browser::install(stage)?);
        let project = Project::fixture(stage)?;
        project.edit(
            "staysail.toml",
            "[debug]\n",
            &format!(
                "[debug]\ncsp = \"default-src 'self'; style-src 'self'; frame-src 'self' {}\"\n",
                foreign.origin
            ),
        )?;
        let frames = format!(
            "<iframe id=same src=/deep/></iframe><iframe id=srcdoc srcdoc='<p>srcdoc'></iframe>\
             <iframe id=sandboxed sandbox=allow-scripts src=/deep/></iframe><iframe id=blank></iframe>\
             <iframe id=foreign src='{0}/frame'></iframe><iframe id=away src='{1}/never'></iframe>",
            foreign.origin, other.origin
        );
        project.edit("frontend/index.html", "<h1 ", &format!("{frames}<h1 "))?;
        let mut dev = Dev::start_with(stage, &project, &[("PATH", &browser.path())])?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach(stage, dev.port, EDIT)?;
        let load = page.load()?;
        staysail_e2e::wait_until("the foreign frame", EDIT, || {
            if foreign.asked() == ["/frame"] { Ok(()) } else { Err(format!("{:?}", foreign.asked())) }
        })?;
        stage.screenshot("frames");
        for frame in ["same", "srcdoc", "sandboxed", "blank", "foreign"] {
            let element = page.find(&format!("#{frame}"))?;
            page.enter_frame(&element)?;
            let found = page.run_async(PROBE, &[])?;
            page.leave_frames()?;
            println!("{frame}: {found}");
            ensure!(found["runtime"] == false && found["port"] == false, "{frame}: {found}");
            ensure!(refused(&found["message"]) && refused(&found["direct"]), "{frame} was answered: {found}");
            // A frame of the same origin is the same app: it reaches what the page has, as in every browser.
            let hidden = ["sandboxed", "foreign"].contains(&frame);
            ensure!(found["above"] == if hidden { "hidden" } else { "object" }, "{frame}: {found}");
        }
        ensure!(!stolen(stage)?, "a call of a frame was executed");

        // A frame goes where the policy lets it, opens no browser, and does not take the window along.
        let element = page.find("#foreign")?;
        page.enter_frame(&element)?;
        page.run("setTimeout(() => location.href = '/next')", &[])?;
        staysail_e2e::wait_until("the frame to go on", EDIT, || {
            if foreign.asked().contains(&"/next".to_owned()) {
                Ok(())
            } else {
                Err(format!("{:?}", foreign.asked()))
            }
        })?;
        page.leave_frames()?;
        page.enter_frame(&page.find("#foreign")?)?;
        page.run(
            "setTimeout(address => location.href = address, 0, arguments[0])",
            &[json!(format!("{}/never", other.origin))],
        )?;
        page.leave_frames()?;
        // The window may not go where its frames may: it is held back when the answer is there.
        page.run(
            "setTimeout(address => location.href = address, 0, arguments[0])",
            &[json!(format!("{}/window", foreign.origin))],
        )?;
        staysail_e2e::wait_until("the window to have tried", EDIT, || {
            if foreign.asked().contains(&"/window".to_owned()) {
                Ok(())
            } else {
                Err(format!("{:?}", foreign.asked()))
            }
        })?;
        ensure!(page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy" && page.load()? == load);
        ensure!(other.asked().is_empty(), "a frame left the policy: {:?}", other.asked());
        ensure!(browser.opened().is_empty(), "a frame opened a browser: {:?}", browser.opened());
        Ok(())
    });
}

/// Everything that can be reached from the page's global object, by name, against what a window that Staysail knows
/// nothing of has: a frame without any page.
const WALK: &str = "const plain = document.createElement('iframe'); document.body.append(plain); \
    const skip = new Set(['window', 'self', 'top', 'parent', 'frames', 'globalThis', 'document', 'frameElement', 'fixture', 'Symbol(automationSessionProxy)']); \
    const walk = root => { const paths = new Map(); const seen = new Set(); const open = [['.Object.prototype', root.Object.prototype, 1], ['.Function.prototype', root.Function.prototype, 1], ['', root, 0]]; \
      while (open.length) { const [path, owner, depth] = open.shift(); \
        if (owner === null || (typeof owner !== 'object' && typeof owner !== 'function') || seen.has(owner) || depth > 4) continue; \
        seen.add(owner); let names = []; try { names = Reflect.ownKeys(owner) } catch {} \
        for (const key of names) { const name = String(key); \
          if ((depth === 0 && skip.has(name)) || /^\\d+$/.test(name) || (depth > 0 && (name === 'attachShadow' || name === 'constructor' || name === 'window' || name === 'document'))) continue; \
          let value; try { const property = Object.getOwnPropertyDescriptor(owner, key); \
            value = 'value' in property ? property.value : depth === 0 ? root[key] : undefined } catch {} \
          paths.set(path + '.' + name, typeof value); open.push([path + '.' + name, value, depth + 1]) } \
        let above = null; try { above = Object.getPrototypeOf(owner) } catch {} \
        if (above) open.push([path + '^', above, depth + 1]) } \
      return paths }; \
    const [here, there] = [walk(window), walk(plain.contentWindow)]; \
    const more = [...here.keys()].filter(path => !there.has(path)); \
    const named = Object.getOwnPropertyNames(window.webkit?.messageHandlers ?? {}); \
    return { size: there.size, more, handlers: named, webkit: Object.getOwnPropertyNames(Object.getPrototypeOf(window.webkit ?? {})) }";

#[test]
fn the_page_reaches_nothing_native_but_the_runtime_that_is_documented() {
    play("globals", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let found = page.run_async(WALK, &[])?;
        ensure!(found["size"].as_u64().is_some_and(|size| size > 3_000), "nothing was walked: {found}");
        let more: Vec<&str> =
            found["more"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // `staysail`: the library for pages without a bundler, a module of the page's own.
        let documented = |path: &&&str| path.starts_with(".__STAYSAIL__") || path.starts_with(".staysail");
        let runtime: Vec<&&str> = more.iter().filter(documented).collect();
        let unknown: Vec<&&str> = more.iter().filter(|path| !documented(path)).collect();
        println!("{} of the runtime, unknown: {unknown:?}, {}", runtime.len(), found["handlers"]);
        ensure!(unknown.is_empty(), "{unknown:?}");
        ensure!(runtime.iter().any(|path| ***path == *".__STAYSAIL__.call"), "{runtime:?}");
        for inner in ["key", "secret", "session", "send", "port", "boot"] {
            ensure!(!more.contains(&format!(".__STAYSAIL__.{inner}").as_str()), "{inner} can be reached");
        }
        // WebKit shows the handlers that are registered to every frame. Ours takes nothing without the key.
        let handlers = page.run_async(
            "const { messageHandlers } = window.webkit ?? {}; const reached = []; \
             for (const name of ['staysail', 'ipc', 'external', 'invoke', 'wails', 'tauri']) if (messageHandlers?.[name]) reached.push(name); \
             const answers = []; for (const text of ['', '{}', '{\"k\":\"\",\"t\":\"hello\"}', '{\"k\":\"\",\"t\":\"call\",\"i\":1,\"c\":\"answer\"}']) \
               answers.push(await Promise.resolve(messageHandlers?.staysail?.postMessage(text)).then(String, () => 'refused')); \
             return [reached, answers, typeof window.external?.invoke, typeof window.ipc]",
            &[],
        )?;
        println!("{handlers}");
        ensure!(
            handlers[1].as_array().is_some_and(|all| all.iter().all(|one| one == "undefined"
                || one == "refused"
                || one.as_str().is_some_and(|text| text.starts_with('-')))),
            "{handlers}"
        );
        ensure!(handlers[2] == "undefined", "{handlers}");
        Ok(())
    });
}

/// Puts spies everywhere and then calls. What was seen is told to the ledger, the one place it has not reached.
const PATCHED: &str = "const { invoke, Sender, emit } = fixture.staysail; const { call } = fixture; setTimeout(async () => { \
    REPLACE_ALL \
    ; const tell = async id => { await invoke('answer', { id }) }; \
    await tell('patched'); \
    await tell((await invoke('say', { text: 'ahoy' })) === 'ahoy' ? 'said' : 'forged'); \
    const sender = new Sender(); const sum = invoke('sum', { numbers: sender }); \
    await sender.send(20); await sender.send(22); sender.close(); \
    await tell('sum-' + await sum); \
    const bytes = new Uint8Array(await invoke('echo', new Uint8Array([1, 2, 3]).buffer)); \
    await tell('bytes-' + bytes[0] + bytes[1] + bytes[2]); \
    const many = []; for (let i = 0; i < 20; i++) many.push(tell('many-' + i)); for (let i = 0; i < 20; i++) await many[i]; \
    await tell(`replaced-${spied.replaced > 2000 ? 'all' : spied.replaced}-forged-${spied.forged}-texts-${spied.text.length}-${spied.by}`); \
  }, 50)";

#[test]
fn a_page_whose_every_function_was_replaced_still_sends_what_it_was_asked_to() {
    play("patched", |stage| {
        for port in ["on", "off"] {
            let project = Project::fixture(stage)?;
            let mut dev = Dev::start_with(stage, &project, &[("STAYSAIL_PORT", port)])?;
            dev.wait("swap_done", 0, COLD_BUILD)?;
            let page = Page::attach(stage, dev.port, EDIT)?;
            let before = executions(&stage.ledger_file())?.len();
            let script = include_str!("../../../packages/api/test/replace_all.js");
            page.run(&PATCHED.replace("REPLACE_ALL", script), &[])?;
            let ids = staysail_e2e::wait_until("the last call", EDIT, || {
                let all = executions(&stage.ledger_file()).map_err(|error| error.to_string())?;
                let ids: Vec<String> = all[before..].iter().map(|execution| execution.id.clone()).collect();
                if ids.last().is_some_and(|id| id.starts_with("replaced-")) {
                    Ok(ids)
                } else {
                    Err(format!("{ids:?}"))
                }
            })?;
            let calls = ["patched", "said", "sum-42", "bytes-123"].map(str::to_owned);
            ensure!(ids[..4] == calls, "port {port}: {ids:?}");
            let mut many: Vec<&String> = ids[4..24].iter().collect();
            many.sort();
            many.dedup();
            ensure!(
                many.len() == 20 && many.iter().all(|id| id.starts_with("many-")),
                "port {port}: {ids:?}"
            );
            ensure!(ids[24] == "replaced-all-forged-0-texts-0-", "port {port}: {}", ids[24]);
            drop(page);
            drop(dev);
            stage.wait_nothing_left_of("WebKitWebProcess")?;
        }
        Ok(())
    });
}

/// Asks for what the user's devices would answer.
const ASK: &str = "const place = await new Promise(done => navigator.geolocation.getCurrentPosition(() => done('found'), error => done(error.code))); \
    const devices = await (navigator.mediaDevices?.getUserMedia({ audio: true }) ?? Promise.reject({ name: 'none' })).then(() => 'granted', error => error.name); \
    return { place, devices, notifications: window.notifications }";

fn ask(page: &Page) -> anyhow::Result<Value> {
    page.run(
        "document.body.insertAdjacentHTML('afterbegin', '<button id=ask>ask</button>'); \
         document.querySelector('#ask').onclick = () => Notification.requestPermission().then(answer => window.notifications = answer)",
        &[],
    )?;
    page.click(&page.find("#ask")?)?;
    page.wait_for("an answer about notifications", "return window.notifications !== undefined", EDIT)?;
    page.run_async(ASK, &[])
}

#[test]
fn a_page_is_permitted_nothing_its_capabilities_do_not_name() {
    play("permissions", |stage| {
        let project = Project::fixture(stage)?;
        let (dev, page) = Dev::live(stage, &project)?;
        let found = ask(&page)?;
        println!("without: {found}");
        ensure!(found["notifications"] == "denied" && found["place"] == 1, "{found}");
        ensure!(found["devices"] != "granted", "{found}");
        let again = page.run_async(ASK, &[])?;
        ensure!(again["place"] == 1, "{again}");
        let said = staysail_e2e::wait_until("the log to say what to add", EDIT, || {
            let lines = dev.program.lines();
            let said: Vec<String> =
                lines.iter().filter(|line| line.contains("asked for geolocation")).cloned().collect();
            if said.is_empty() { Err(format!("{lines:?}")) } else { Ok(said) }
        })?;
        ensure!(
            said.len() == 1 && said[0].contains("permissions"),
            "not once, or without a remedy: {said:?}"
        );
        drop(page);
        drop(dev);

        project.allow("windows = [\"main\"]\npermissions = [\"geolocation\", \"notifications\"]")?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let found = ask(&page)?;
        println!("with: {found}");
        // There is no place to be found here, but that is another answer than being denied.
        ensure!(found["notifications"] == "granted" && found["place"] != 1, "{found}");
        Ok(())
    });
}
