//! The kitchen sink's sections about page and Rust: every button pressed, every answer read.

use anyhow::ensure;
use staysail_e2e::dev::EDIT;
use staysail_e2e::kitchen_sink::KitchenSink;
use staysail_e2e::stage::play;

#[test]
fn calls_bytes_streams_events_state_and_services_do_what_the_page_says() {
    play("kitchen-sink", |stage| {
        let mut sink = KitchenSink::start(stage)?;
        calls(&sink)?;
        bytes(&sink)?;
        streams(&sink)?;
        events(&sink)?;
        services(&sink)?;
        state(&mut sink)
    });
}

fn calls(sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("calls")?;
    sink.fill("calls-greet-name", "Grace")?;
    sink.try_out("calls-greet", "greet", "Ahoy, Grace!")?;
    sink.try_out("calls-order", "order", "Refused: only 7 left")?;
    sink.fill("calls-order-pieces", "3")?;
    sink.try_out("calls-order", "order", "3 on the way")?;
    sink.press("calls-panic-parse")?;
    sink.wait_answer("calls-panic", |text| text.starts_with("Panicked "))?;
    sink.press("calls-panic-unknown")?;
    sink.wait_answer("calls-panic", |text| text.starts_with("UnknownCommand "))?;
    sink.fill("calls-panic-word", "7")?;
    sink.try_out("calls-panic", "parse", "7")?;

    sink.press("calls-cancel-search")?;
    sink.press("calls-cancel-cancel")?;
    sink.wait_answer("calls-cancel", |text| text.starts_with("Cancelled "))?;
    let told =
        "return document.getElementById('calls-cancel-told').textContent.startsWith('Rust gave up after')";
    sink.page.wait_for("Rust to say that it gave up", told, EDIT)?;
    sink.press("calls-cancel-limit")?;
    sink.wait_answer("calls-cancel", |text| text.starts_with("Timeout "))?;
    sink.picture("calls")
}

fn bytes(sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("binary")?;
    let pixel = "const context = document.getElementById('binary-canvas').getContext('2d'); \
                 return [...context.getImageData(4, 130, 1, 1).data]";
    let before = sink.page.run(pixel, &[])?;
    sink.try_out("binary-invert", "invert", "Done")?;
    let after = sink.page.run(pixel, &[])?;
    for colour in 0..3 {
        let sum = before[colour].as_u64().zip(after[colour].as_u64()).map(|(before, after)| before + after);
        ensure!(sum == Some(255), "{before} became {after}");
    }
    sink.press("binary-echo-echo")?;
    sink.wait_answer("binary-echo", |text| text.starts_with("16,777,216 bytes there and back in "))?;
    sink.picture("binary")
}

fn streams(sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("streams")?;
    sink.try_out("streams-progress", "pack", "All packed")?;
    sink.page.wait_for("the full bar", "return document.querySelector('progress').value === 100", EDIT)?;
    sink.press("streams-iterate-look")?;
    sink.wait_answer("streams-iterate", |text| {
        text.lines().count() == 4 && text.ends_with("Buoy 3: 4.5 miles")
    })?;
    // Seen on the way: Rust is kept back at 4 pieces of 1 MB under way.
    let ahead = "window.ahead = 0; new MutationObserver(() => { \
                 const [sent, taken] = (document.getElementById('streams-pressure-answer').textContent.match(/\\d+/g) ?? []).map(Number); \
                 if (taken) window.ahead = Math.max(window.ahead, sent - taken) }) \
                 .observe(document.getElementById('streams-pressure-answer'), { childList: true, characterData: true, subtree: true })";
    sink.page.run(ahead, &[])?;
    sink.try_out("streams-pressure", "take", "All 16 pieces taken")?;
    let ahead = sink.page.run("return window.ahead", &[])?;
    ensure!(ahead.as_u64().is_some_and(|ahead| (1..=4).contains(&ahead)), "Rust was {ahead} pieces ahead");
    sink.try_out("streams-upload", "count", "3 lines, 12 words")?;
    sink.picture("streams")
}

fn events(sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("events")?;
    sink.press("events-ring-ring")?;
    sink.wait_answer("events-ring", |text| text.ends_with("Stroke 1\nStroke 2\nStroke 3\nStroke 4"))?;
    sink.try_out("events-wave", "wave", "Ada was seen from the crow's nest")?;
    sink.picture("events")
}

fn services(sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("services")?;
    sink.try_out("services-service", "write", "1 lines in the logbook")?;
    sink.try_out("services-service", "read", "Sighted a lighthouse")?;
    sink.picture("services")
}

fn state(sink: &mut KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("state")?;
    sink.try_out("state-kept", "sail", "12 miles so far")?;
    sink.press("state-crash-crash")?;
    sink.wait_answer("state-crash", |text| text == "The call ended with WorkerLost. Still 12 miles.")?;

    sink.press("state-swap-pace")?;
    sink.wait_answer("state-swap", |text| text.contains("6 knots"))?;
    let from = sink.dev.position();
    sink.project.edit("backend/keep/src/state.rs", "KNOTS: u32 = 6", "KNOTS: u32 = 9")?;
    sink.dev.wait("swap_done", from, EDIT)?;
    sink.wait_answer("state-swap", |text| text.contains("New code serves"))?;
    sink.press("state-swap-pace")?;
    sink.wait_answer("state-swap", |text| text.contains("9 knots"))?;
    sink.try_out("state-kept", "sail", "24 miles so far")?;

    sink.try_out("state-preserve", "turn", "east")?;
    sink.press("state-preserve-reload")?;
    sink.wait_answer("state-preserve", |text| text == "Course: east")?;
    sink.picture("state")
}
