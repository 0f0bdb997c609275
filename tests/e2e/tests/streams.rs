//! Streams between a page and a command: nothing is lost, nothing piles up, and every end is told.

use anyhow::ensure;
use serde_json::{Value, json};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{Backend, Project};
use staysail_e2e::stage::play;

fn run(page: &Page, script: &str) -> anyhow::Result<Value> {
    let script = format!(
        "const {{ Channel, Sender, invoke }} = fixture.staysail; try {{ {script} }} catch (error) {{ return {{ error: \
         error.code ?? String(error), message: error.message }} }}"
    );
    page.run_async(&script, &[])
}

fn by_every_transport(name: &str, test: impl Fn(&mut Dev, &Project, &Page) -> anyhow::Result<()>) {
    for (transport, variables) in [
        ("port", &[][..]),
        ("messages", &[("STAYSAIL_PORT", "off")][..]),
        ("posts", &[("STAYSAIL_PORT", "post")][..]),
    ] {
        play(&format!("{name}-{transport}"), |stage| {
            let project = Project::fixture(stage)?;
            let mut dev = Dev::start_with(stage, &project, variables)?;
            dev.wait("swap_done", 0, staysail_e2e::project::COLD_BUILD)?;
            let page = Page::attach(stage, dev.port, EDIT)?;
            test(&mut dev, &project, &page)
        });
    }
}

#[test]
fn messages_come_whole_in_order_and_once_in_both_directions() {
    by_every_transport("streams", |_, _, page| {
        let counted = run(
            page,
            "let expected = 0; const numbers = new Channel(number => { if (number !== expected++) throw new Error(number) }); \
             const went = await invoke('count_up', { to: 20000, numbers }); await numbers.closed; return [went, expected]",
        )?;
        ensure!(counted == json!([20000, 20000]), "{counted}");
        let iterated = run(
            page,
            "const numbers = new Channel(); const done = invoke('count_up', { to: 500, numbers }); let sum = 0; \
             for await (const number of numbers) sum += number; return [sum, await done]",
        )?;
        ensure!(iterated == json!([124_750, 500]), "{iterated}");
        let poured = run(
            page,
            "const seen = []; const out = new Channel(piece => { const bytes = new Uint8Array(piece); \
             seen.push([bytes.length, bytes[0], bytes[bytes.length - 1]]) }); \
             const all = await invoke('pour', { pieces: 5, bytes: 3000000, out }); await out.closed; return [all, seen]",
        )?;
        let pieces: Vec<Value> = (0..5).map(|piece| json!([3_000_000, piece, piece])).collect();
        ensure!(poured == json!([true, pieces]), "{poured}");
        let summed = run(
            page,
            "const numbers = new Sender(); const done = invoke('sum', { numbers }); \
             for (let i = 1; i <= 300; i++) await numbers.send(i); numbers.close(); return await done",
        )?;
        ensure!(summed == 45_150, "{summed}");
        let drained = run(
            page,
            "const chunks = new Sender(); const done = invoke('drain', { chunks }); \
             for (let i = 0; i < 8; i++) await chunks.send(new Uint8Array(1 << 20)); chunks.close(); return await done",
        )?;
        ensure!(drained == 8 << 20, "{drained}");
        Ok(())
    });
}

#[test]
fn a_slow_page_slows_its_command_and_one_that_leaves_ends_it() {
    by_every_transport("back-pressure", |_, _, page| {
        let stopped = run(
            page,
            "let release; const gate = new Promise(resolve => release = resolve); let got = 0; \
             const out = new Channel(() => { got += 1; return gate }); let over = false; \
             const done = invoke('pour', { pieces: 64, bytes: 1 << 20, out }).then(all => { over = true; return all }); \
             await invoke('say', { text: 'still served' }); \
             for (let i = 0; i < 200 && got === 0; i++) await invoke('process'); \
             const before = [got, over]; release(); return [before, await done, await out.closed.then(() => got)]",
        )?;
        ensure!(stopped == json!([[1, false], true, 64]), "{stopped}");
        let kept = run(
            page,
            "const pieces = new Sender(), go = new Sender(); let taken = 0; const done = invoke('hesitate', { pieces, go }); \
             const sent = Array.from({ length: 40 }, () => pieces.send(new Uint8Array(100000)).then(() => taken += 1)); \
             await sent[0]; for (let i = 0; i < 200; i++) await invoke('process'); const before = taken; \
             await go.send(1); await Promise.all(sent); pieces.close(); return [before, taken, await done]",
        )?;
        ensure!(kept == json!([1, 40, 40]), "a page is not slowed by its command: {kept}");
        let full = run(
            page,
            "const pieces = new Sender(), go = new Sender(); const done = invoke('hesitate', { pieces, go }); const codes = {}; \
             const sent = Array.from({ length: 200 }, () => pieces.send(new Uint8Array(1)).then(() => 'taken', error => error.code) \
             .then(code => codes[code] = (codes[code] ?? 0) + 1)); await invoke('process'); await go.send(1); await Promise.all(sent); \
             pieces.close(); return [Object.keys(codes).sort(), codes.taken === await done, codes.taken + codes.QueueFull]",
        )?;
        ensure!(full == json!([["QueueFull", "taken"], true, 200]), "a page that does not wait: {full}");
        let left = run(
            page,
            "const numbers = new Channel(); const done = invoke('count_up', { to: 4000000000, numbers }); let seen = 0; \
             for await (const number of numbers) { if (++seen === 10) break } return [seen, (await done) < 4000000000]",
        )?;
        ensure!(left == json!([10, true]), "{left}");
        let twice = run(
            page,
            "const numbers = new Channel(() => {}); await invoke('count_up', { to: 1, numbers }); \
             return await invoke('count_up', { to: 1, numbers })",
        )?;
        ensure!(twice["error"] == "InvalidArguments", "{twice}");
        let unknown = run(
            page,
            "const c = new Channel(); await Promise.allSettled([invoke('nothing', { c })]); await c.closed",
        )?;
        ensure!(unknown["error"] == "UnknownCommand", "{unknown}");
        Ok(())
    });
}

#[test]
fn a_swap_and_a_death_end_streams_with_a_reason() {
    play("stream-ends", |stage| {
        let project = Project::fixture(stage)?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        run(
            &page,
            "window.lost = null; const numbers = new Channel(() => new Promise(() => {})); \
             numbers.closed.catch(error => window.lost = error.code); invoke('count_up', { to: 4000000000, numbers }).catch(() => {})",
        )?;
        run(&page, "await invoke('die', { how: 'exit' })")?;
        page.wait_for("the stream's end", "return window.lost === 'WorkerLost'", EDIT)?;
        ensure!(run(&page, "return await invoke('say', { text: 'ahoy' })")? == "ahoy");

        run(
            &page,
            "window.ended = null; const numbers = new Sender(); window.numbers = numbers; \
             invoke('sum', { numbers }).then(sum => window.ended = sum, error => window.ended = error.code); \
             for (let i = 1; i <= 10; i++) await numbers.send(i)",
        )?;
        let from = dev.position();
        project.backend(&Backend::good("two"))?;
        dev.wait("swap_done", from, EDIT)?;
        page.wait_served_by("two", EDIT)?;
        // The old worker drains: what it began it ends.
        let ended = run(&page, "await window.numbers.send(45); window.numbers.close(); return null")?;
        ensure!(ended.is_null(), "{ended}");
        page.wait_for("the sum of the worker before", "return window.ended === 100", EDIT)?;
        Ok(())
    });
}
