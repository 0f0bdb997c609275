//! Keeping the machine awake, as the desktop's services see it.
#![cfg(target_os = "linux")]

use anyhow::{Context, ensure};
use gio::glib::ToVariant;
use serde_json::Value;
use staysail_e2e::desktop_bus::{DesktopBus, Stub};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::play;
use std::sync::atomic::{AtomicU32, Ordering};

const SCREEN_SAVER: &str = "org.freedesktop.ScreenSaver";
const POWER: &str = "org.freedesktop.PowerManagement";
const DESCRIPTION: &str = r#"<node><interface name="org.freedesktop.ScreenSaver">
  <method name="Inhibit"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="u" direction="out"/></method>
  <method name="UnInhibit"><arg type="u" direction="in"/></method></interface>
  <interface name="org.freedesktop.PowerManagement.Inhibit">
  <method name="Inhibit"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="u" direction="out"/></method>
  <method name="UnInhibit"><arg type="u" direction="in"/></method></interface></node>"#;

fn serve(bus: &DesktopBus, name: &str, path: &str, interface: &str, first: u32) -> anyhow::Result<Stub> {
    let next = AtomicU32::new(first);
    bus.serve(name, path, interface, DESCRIPTION, move |method, _| {
        Some(match method {
            "Inhibit" => (next.fetch_add(1, Ordering::SeqCst),).to_variant(),
            _ => ().to_variant(),
        })
    })
}

fn run(page: &Page, script: &str) -> anyhow::Result<Value> {
    let script = format!(
        "const {{ power }} = fixture.staysail; try {{ {script} }} catch (error) {{ return {{ error: error.code ?? \
         String(error), message: error.message }} }}"
    );
    page.run_async(&script, &[])
}

fn cookie(stub: &Stub, count: usize) -> anyhow::Result<u32> {
    stub.wait_call("UnInhibit", count)?.parameters.child_value(0).get::<u32>().context("a cookie")
}

#[test]
fn a_page_keeps_the_machine_awake_until_it_lets_go_or_is_gone() {
    play("keep-awake", |stage| {
        let bus = DesktopBus::start(stage)?;
        let screen = serve(&bus, SCREEN_SAVER, "/org/freedesktop/ScreenSaver", SCREEN_SAVER, 500)?;
        let interface = "org.freedesktop.PowerManagement.Inhibit";
        let power = serve(&bus, POWER, "/org/freedesktop/PowerManagement/Inhibit", interface, 900)?;
        let project = Project::fixture(stage)?;
        project.allow("windows = [\"*\"]\nallow = [\"power.*\"]")?;
        let mut dev = Dev::start_with(stage, &project, &[bus.variable()])?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach(stage, dev.port, EDIT)?;

        let ids = run(
            &page,
            "const one = await power.keepAwake('Playing', { display: true }); const again = await power.keepAwake('Playing', \
             { display: true }); const other = await power.keepAwake('Copying'); return [one === again, one !== other, one, other]",
        )?;
        ensure!(ids[0] == true && ids[1] == true, "{ids}");
        let asked = screen.wait_call("Inhibit", 1)?.parameters;
        ensure!(
            asked.get::<(String, String)>() == Some(("Counter under test".into(), "Playing".into())),
            "{asked}"
        );
        power.wait_call("Inhibit", 1)?;
        let released = run(&page, &format!("await power.release({}); return true", ids[3]))?;
        ensure!(released == true && cookie(&power, 1)? == 900, "{released}");
        let twice = run(&page, &format!("await power.release({})", ids[3]))?;
        ensure!(twice["error"] == "InvalidArguments", "{twice}");
        // Asked for twice: one of them is still there.
        run(&page, &format!("await power.release({})", ids[2]))?;
        ensure!(screen.calls().len() == 1, "{:?}", screen.calls());
        // The page is loaded again and knows nothing of it any more.
        page.run("location.reload()", &[])?;
        ensure!(cookie(&screen, 1)? == 500);

        drop((screen, power));
        page.wait_up()?;
        let none = run(&page, "return await power.keepAwake('Nobody', { display: true })")?;
        let says = none["message"].as_str().is_some_and(|text| text.contains("keeps the machine awake"));
        ensure!(none["error"] == "Internal" && says, "{none}");
        Ok(())
    });
}

#[test]
fn a_workers_wish_goes_on_over_a_swap_when_the_new_one_shares_it_and_ends_when_it_does_not() {
    play("keep-awake-swap", |stage| {
        let bus = DesktopBus::start(stage)?;
        let screen = serve(&bus, SCREEN_SAVER, "/org/freedesktop/ScreenSaver", SCREEN_SAVER, 500)?;
        let project = Project::fixture(stage)?;
        let source = "backend/app/src/main.rs";
        // Never dropped: a wish as long as the worker lives.
        let wish = "        .on_activate(|app| { let request = app.clone(); let _ = std::thread::spawn(move || {\n            \
                    std::mem::forget(tokio_free(request.keep_display_on(\"Sailing\"))); }); })\n";
        project.edit(source, "        .keep(\"tally\"", &format!("{wish}        .keep(\"tally\""))?;
        let text = project.read(source)?;
        project.write(
            source,
            &format!(
                "{text}\n/// Waits for a future on this thread.\nfn tokio_free<T>(future: impl Future<Output = T>) -> T {{\n    \
                 let mut future = std::pin::pin!(future);\n    loop {{\n        \
                 let mut context = std::task::Context::from_waker(std::task::Waker::noop());\n        \
                 if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut context) {{ return done; }}\n        \
                 std::thread::yield_now();\n    }}\n}}\n"
            ),
        )?;
        let mut dev = Dev::start_with(stage, &project, &[bus.variable()])?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        screen.wait_call("Inhibit", 1)?;
        let from = dev.position();
        project.edit(source, "the same text again", "the very same text").ok();
        project.edit(source, "pieces > 7", "pieces > 8")?;
        dev.wait("swap_done", from, EDIT)?;
        // The old worker ends with the new one's probation, which the fixture sets to 3 s.
        staysail_e2e::wait_until("one worker", EDIT, || {
            let workers = stage.processes_of("counter");
            if workers.len() == 1 { Ok(()) } else { Err(format!("{workers:?}")) }
        })?;
        ensure!(screen.calls().len() == 1, "let go, or asked for twice: {:?}", screen.calls());
        let from = dev.position();
        project.edit(source, "request.keep_display_on(\"Sailing\")", "async { drop(request) }")?;
        dev.wait("swap_done", from, EDIT)?;
        ensure!(cookie(&screen, 1)? == 500);
        Ok(())
    });
}
