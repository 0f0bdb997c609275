//! What a bridge is judged by when it is not treated well: floods, huge bodies, nonsense. Every one has a defined
//! outcome, and memory returns to its level.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, play};

fn run(page: &Page, script: &str) -> anyhow::Result<Value> {
    let script = format!(
        "const {{ invoke }} = fixture.staysail; try {{ {script} }} catch (error) {{ return {{ error: error.code ?? \
         String(error), message: error.message }} }}"
    );
    page.run_async(&script, &[])
}

/// Memory that the processes whose program's name contains `part` made themselves, in MiB.
fn memory_mib(stage: &Stage, part: &str) -> u64 {
    stage.processes_of(part).iter().map(|process| process.memory_kb()).sum::<u64>() / 1024
}

const FLOOD: &str = "const wrong = []; const wave = []; for (let i = 0; i < COUNT; i++) { \
    wave.push(invoke('say', { text: 'n' + i }).then(text => { if (text !== 'n' + i) wrong.push(i) }, error => wrong.push(error.code))); \
    if (wave.length === 5000) { await Promise.all(wave); wave.length = 0 } } await Promise.all(wave); return wrong.slice(0, 5)";

#[test]
fn a_flood_of_calls_is_answered_to_the_last_and_leaves_no_memory_behind() {
    play("flood", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let flood = |count: u32| run(&page, &FLOOD.replace("COUNT", &count.to_string()));
        ensure!(flood(10_000)? == json!([]), "calls of the first flood failed");
        let level = (memory_mib(stage, "staysail-shell"), memory_mib(stage, "counter"));
        ensure!(level.0 > 0 && level.1 > 0, "the processes were not found: {level:?}");
        ensure!(flood(100_000)? == json!([]), "calls of the flood failed");
        staysail_e2e::wait_until("memory to return to its level", EDIT, || {
            let after = (memory_mib(stage, "staysail-shell"), memory_mib(stage, "counter"));
            let returned = after.0 <= level.0 + 24 && after.1 <= level.1 + 24;
            if returned { Ok(()) } else { Err(format!("{level:?} MiB before, {after:?} MiB after")) }
        })
    });
}

#[test]
fn calls_all_at_once_are_answered_or_refused_by_name_and_none_is_forgotten() {
    play("burst", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let outcome = run(
            &page,
            "const outcomes = await Promise.allSettled(Array.from({ length: 100000 }, (_, i) => invoke('say', { text: 'n' + i }))); \
             const codes = {}; for (const one of outcomes) { const code = one.status === 'fulfilled' ? 'ok' : one.reason.code; \
             codes[code] = (codes[code] ?? 0) + 1 } return codes",
        )?;
        let counts = outcome.as_object().context("no counts")?;
        let all: u64 = counts.values().filter_map(Value::as_u64).sum();
        ensure!(all == 100_000, "{outcome}");
        ensure!(counts.keys().all(|code| code == "ok" || code == "QueueFull"), "{outcome}");
        Ok(())
    });
}

#[test]
fn bodies_from_one_byte_to_256_mib_come_back_as_they_went() {
    play("huge-bodies", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let memory = || anyhow::Ok((memory_mib(stage, "staysail-shell"), memory_mib(stage, "counter")));
        let mut level = (0, 0);
        for bytes in [0_u64, 1, 8_191, 8_192, 8_193, 1 << 20, 256 << 20] {
            let same = run(
                &page,
                &format!(
                    "const sent = new Uint8Array({bytes}); for (let i = 0; i < sent.length; i += 4093) sent[i] = i % 251; \
                     const back = new Uint8Array(await invoke('echo', sent)); if (back.length !== sent.length) return back.length; \
                     for (let i = 0; i < sent.length; i += 4093) if (back[i] !== i % 251) return [i, back[i]]; return true"
                ),
            )?;
            ensure!(same == true, "{bytes} bytes: {same}");
            if bytes <= 1 << 20 {
                level = memory()?;
            }
        }
        ensure!(level.0 > 0 && level.1 > 0, "the processes were not found: {level:?}");
        // What was free is given back a moment later.
        staysail_e2e::wait_until("memory to return to its level", EDIT, || {
            let now = memory().map_err(|error| format!("{error:#}"))?;
            let is_back = now.0 <= level.0 + 24 && now.1 <= level.1 + 24;
            if is_back { Ok(()) } else { Err(format!("{level:?} MiB before, {now:?} MiB now")) }
        })
    });
}

#[test]
fn an_argument_over_the_limit_is_refused_by_name_and_the_next_call_is_served() {
    for (name, variables) in [("oversized-port", &[][..]), ("oversized-posts", &[("STAYSAIL_PORT", "post")])]
    {
        play(name, |stage| {
            let project = Project::fixture(stage)?;
            let mut dev = Dev::start_with(stage, &project, variables)?;
            dev.wait("swap_done", 0, COLD_BUILD)?;
            let page = Page::attach(stage, dev.port, EDIT)?;
            let refused = run(&page, "await invoke('echo', new Uint8Array(514 * 1048576)); return 'taken'")?;
            ensure!(refused["error"] == "TooLarge", "{refused}");
            let message = refused["message"].as_str().unwrap_or_default();
            ensure!(message.contains("page_request_bytes_max"), "{message}");
            ensure!(run(&page, "return await invoke('say', { text: 'ahoy' })")? == "ahoy");
            Ok(())
        });
    }
}

#[test]
fn nonsense_is_refused_by_name_and_harms_nothing() {
    play("nonsense", |stage| {
        let project = Project::fixture(stage)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        for (what, script, code) in [
            ("wrong types", "await invoke('say', { text: 7 })", "InvalidArguments"),
            ("an array for an object", "await invoke('say', [1, 2])", "InvalidArguments"),
            ("no UTF-8", "await invoke('say', new Uint8Array([0x7b, 0xff, 0xfe, 0x7d]))", "InvalidArguments"),
            ("a lone surrogate", "await invoke('say', { text: '\\ud800' })", "InvalidArguments"),
            (
                "deep JSON",
                "let deep = 'x'; for (let i = 0; i < 5000; i++) deep = [deep]; await invoke('say', { text: deep })",
                "InvalidArguments",
            ),
            (
                "a circle",
                "const circle = {}; circle.circle = circle; await invoke('say', { text: circle })",
                "InvalidArguments",
            ),
            ("an unknown command", "await invoke('constructor', {})", "UnknownCommand"),
            (
                "a call that is aborted",
                "await invoke('say', { text: '' }, { signal: AbortSignal.abort() })",
                "Cancelled",
            ),
            (
                "a call without time",
                "await invoke('slow', { id: '-', milliseconds: 3000 }, { timeout: 1 })",
                "Timeout",
            ),
        ] {
            let answer = run(&page, script)?;
            ensure!(answer["error"] == code, "{what}: {answer}");
        }
        for body in ["new Uint8Array([0xff, 0xfe, 0x0a, 0xff])", "''", "'{'", "'{\"k\":\"x\",\"t\":\"fly\"}'"]
        {
            let text = run(
                &page,
                &format!(
                    "return await (await fetch('/__staysail/call', {{ method: 'POST', body: {body} }})).text()"
                ),
            )?;
            let text = text.as_str().unwrap_or_default();
            ensure!(text.starts_with('-') && text.contains("BadMessage"), "{body}: {text}");
        }
        ensure!(run(&page, "return await invoke('say', { text: 'ahoy' })")? == "ahoy");
        Ok(())
    });
}
