//! The kitchen sink's sections about windows, checked with the X server's own tools.

use anyhow::ensure;
use serde_json::json;
use staysail_e2e::dev::EDIT;
use staysail_e2e::drag;
use staysail_e2e::kitchen_sink::KitchenSink;
use staysail_e2e::stage::{Stage, play};

#[test]
fn windows_are_opened_changed_dragged_and_closed_as_the_page_says() {
    play("kitchen-sink", |stage| {
        let sink = KitchenSink::start(stage)?;
        more_windows(stage, &sink)?;
        frameless(stage, &sink)?;
        unsaved(stage, &sink)?;
        this_window(stage, &sink)
    });
}

fn more_windows(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("windows")?;
    sink.press("windows-open-open")?;
    let opened = sink.window("Crow's nest")?;
    sink.try_out("windows-open", "list", "main\nwindow-1")?;
    sink.press("windows-from_rust-open")?;
    sink.wait_answer("windows-from_rust", |text| text == "420 × 260 pixels")?;
    sink.window("From Rust")?;

    sink.press("windows-child-child")?;
    let child = sink.window("Child")?;
    let main: u64 = sink.window.parse()?;
    sink.wait_property(&child, "WM_TRANSIENT_FOR", &format!("{main:#x}"))?;
    sink.press("windows-child-modal")?;
    let modal = sink.window("Modal")?;
    sink.wait_property(&modal, "_NET_WM_STATE", "_NET_WM_STATE_MODAL")?;
    // Both stand over their parent.
    for window in [&child, &modal] {
        let ((x, y), (main_x, main_y)) = (place(stage, window)?, place(stage, &sink.window)?);
        ensure!(
            (x - main_x - 410).abs() < 20 && (y - main_y - 280).abs() < 60,
            "{x},{y} over {main_x},{main_y}"
        );
        sink.wait_painted(window)?;
    }
    stage.display.tool("xdotool", &["windowmove", "--sync", &child, "840", "330"])?;
    stage.display.tool("xdotool", &["windowmove", "--sync", &opened, "60", "560"])?;
    sink.picture("windows")?;

    sink.press("windows-open-close")?;
    for title in ["Crow's nest", "From Rust", "Child", "Modal"] {
        sink.wait_gone(title)?;
    }

    sink.press("windows-remember-open")?;
    let window = sink.window("Remembered")?;
    stage.display.tool("xdotool", &["windowmove", "--sync", &window, "700", "400"])?;
    sink.run("await new api.AppWindow('remembered').close()")?;
    sink.wait_gone("Remembered")?;
    sink.press("windows-remember-open")?;
    sink.window("Remembered")?;
    let place = sink.run("return (await new api.AppWindow('remembered').state()).position")?;
    let near = |value: &serde_json::Value, wanted: f64| {
        value.as_f64().is_some_and(|value| (value - wanted).abs() <= 60.0)
    };
    ensure!(near(&place[0], 700.0) && near(&place[1], 400.0), "it opened at {place}");
    sink.run("await new api.AppWindow('remembered').close()")?;
    sink.wait_gone("Remembered")
}

fn place(stage: &Stage, window: &str) -> anyhow::Result<(i32, i32)> {
    let told = stage.display.tool("xwininfo", &["-id", window])?;
    let number = |name: &str| {
        told.lines().find_map(|line| line.trim().strip_prefix(name)?.trim().parse().ok()).unwrap_or(i32::MIN)
    };
    Ok((number("Absolute upper-left X:"), number("Absolute upper-left Y:")))
}

fn frameless(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("frameless")?;
    sink.press("frameless-bar-open")?;
    let window = sink.window("Frameless")?;
    sink.wait_property(&window, "_MOTIF_WM_HINTS", "0x0, 0x0")?;
    sink.wait_painted(&window)?;
    let (x, y) = place(stage, &window)?;
    let drag = |arguments: &[&str]| stage.display.tool("xdotool", arguments);
    // The drag begins a little after the mouse has moved, from where it is then, and the page may not listen yet: the
    // mouse goes on in small steps, and the button is pressed anew when the window has not followed to their end.
    let mut step = 0;
    staysail_e2e::wait_until("the window to be dragged", EDIT, || {
        let told = |error: anyhow::Error| format!("{error:#}");
        let now = place(stage, &window).map_err(told)?;
        if now.0 - x >= 60 && y - now.1 >= 60 {
            return Ok(());
        }
        if step % 30 == 0 {
            let (grip_x, grip_y) = ((now.0 + 90).to_string(), (now.1 + 20).to_string());
            drag(&["mouseup", "1", "mousemove", "--sync", &grip_x, &grip_y, "mousedown", "1"])
                .map_err(told)?;
        }
        step += 1;
        drag(&["mousemove_relative", "--sync", "--", "8", "-8"]).map_err(told)?;
        Err(format!("it is at {now:?}"))
    })?;
    drag(&["mouseup", "1"])?;
    edge(stage, &window)?;
    sink.press("frameless-transparent-open")?;
    let badge = sink.window("Badge")?;
    let told = stage.display.tool("xwininfo", &["-id", &badge])?;
    ensure!(told.contains("Depth: 32"), "no alpha channel: {told}");
    sink.wait_property(&badge, "_NET_WM_STATE", "_NET_WM_STATE_ABOVE")?;
    sink.wait_painted(&badge)?;
    sink.picture("frameless")?;
    sink.press("frameless-transparent-close")?;
    sink.wait_gone("Badge")?;
    sink.run("await new api.AppWindow('frameless').close()")?;
    sink.wait_gone("Frameless")
}

/// The grip in the corner makes the window larger, as an edge does.
fn edge(stage: &Stage, window: &str) -> anyhow::Result<()> {
    let drag = |arguments: &[&str]| stage.display.tool("xdotool", arguments);
    let [_, _, width, height] = drag::place(stage, window)?;
    let mut step = 0;
    staysail_e2e::wait_until("the window to be larger", EDIT, || {
        let told = |error: anyhow::Error| format!("{error:#}");
        let now = drag::place(stage, window).map_err(told)?;
        if now[2] - width >= 40 && now[3] - height >= 40 {
            return Ok(());
        }
        if step % 30 == 0 {
            let (x, y) = ((now[0] + now[2] - 8).to_string(), (now[1] + now[3] - 8).to_string());
            drag(&["mouseup", "1", "mousemove", "--sync", &x, &y, "mousedown", "1"]).map_err(told)?;
        }
        step += 1;
        drag(&["mousemove_relative", "--sync", "--", "4", "4"]).map_err(told)?;
        Err(format!("it is at {now:?}"))
    })?;
    drag(&["mouseup", "1"]).map(drop)
}

fn unsaved(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    let display = &stage.display;
    sink.go("windows")?;
    sink.press("windows-unsaved-open")?;
    let window = sink.window("Unsaved")?;
    let intercepts = "return (await new api.AppWindow('unsaved').state()).interceptClose";
    staysail_e2e::wait_until("its page to ask before it closes", EDIT, || match sink.run(intercepts) {
        Ok(answer) if answer == true => Ok(()),
        other => Err(format!("{other:?}")),
    })?;
    display.focus(&window)?;
    display.key("Tab")?;
    display.type_text("Dear diary")?;
    let before = display.programs_windows();
    display.key("alt+F4")?;
    display.focus_new(&before, EDIT)?;
    sink.picture("unsaved")?;
    display.key("Escape")?;
    sink.wait_windows(before.len())?;
    ensure!(display.windows("^Unsaved$").len() == 1, "it closed although the user went on writing");
    sink.press("windows-unsaved-close")?;
    display.focus_new(&before, EDIT)?;
    // The buttons of the dialog are "Keep writing" and "Close"; Return presses the last.
    display.key("Return")?;
    sink.wait_gone("Unsaved")
}

fn this_window(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("window")?;
    let window = &sink.window;
    sink.press("window-title-set")?;
    sink.wait_property(window, "_NET_WM_NAME", "Kitchen Sink, renamed")?;
    sink.press("window-place-resize")?;
    let size = |wanted: [u32; 2]| {
        staysail_e2e::wait_until("the new size", EDIT, || {
            match sink.run("return (await api.currentWindow.state()).size") {
                Ok(size) if size == json!(wanted) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
    };
    size([1000, 700])?;
    sink.press("window-place-limit")?;
    sink.wait_property(window, "WM_NORMAL_HINTS", "program specified maximum size: 1400 by")?;
    sink.press("window-place-unlimit")?;
    sink.press("window-place-center")?;
    sink.press("window-mode-top")?;
    sink.wait_property(window, "_NET_WM_STATE", "_NET_WM_STATE_ABOVE")?;
    staysail_e2e::wait_until("the window to know that it is on top", EDIT, || {
        match sink.run("return (await api.currentWindow.state()).alwaysOnTop") {
            Ok(answer) if answer == true => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })?;
    sink.press("window-mode-top")?;
    sink.press("window-mode-maximized")?;
    sink.wait_property(window, "_NET_WM_STATE", "_NET_WM_STATE_MAXIMIZED_VERT")?;
    sink.press("window-mode-maximized")?;
    size([1000, 700])?;
    sink.press("window-mode-fullscreen")?;
    sink.wait_property(window, "_NET_WM_STATE", "_NET_WM_STATE_FULLSCREEN")?;
    sink.press("window-mode-fullscreen")?;
    size([1000, 700])?;
    sink.press("window-mode-minimize")?;
    sink.wait_property(window, "_NET_WM_STATE", "_NET_WM_STATE_HIDDEN")?;
    staysail_e2e::wait_until("the window to be back", EDIT, || {
        match stage.display.tool("xdotool", &["getactivewindow"]) {
            Ok(active) if active.trim() == window => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })?;
    sink.press("window-look-icon")?;
    sink.wait_property(window, "_NET_WM_ICON", "Icon (128 x 128)")?;
    sink.press("window-look-zoom")?;
    sink.page.wait_for("the larger page", "return innerWidth === 800", EDIT)?;
    // WebKit's driver aims beside what it clicks in an enlarged page.
    sink.page.run("document.getElementById('window-look-normal').click()", &[])?;
    sink.page.wait_for("the page in its own size", "return innerWidth === 1000", EDIT)?;
    sink.press("window-taskbar-attention")?;
    sink.press("window-taskbar-progress")?;
    sink.wait_answer("window-taskbar", |text| text == "Done")?;
    sink.press("window-state-screens")?;
    sink.wait_answer("window-state", |text| text.contains("1280 × 900, scale 1"))?;
    sink.press("window-state-state")?;
    sink.wait_answer("window-state", |text| text.contains("\"title\": \"Kitchen Sink, renamed\""))?;
    stage.display.tool("xdotool", &["windowsize", "--sync", window, "1180", "800"])?;
    sink.wait_answer("window-state", |text| text.contains("Resized to 1180 × "))?;
    sink.picture("window")
}
