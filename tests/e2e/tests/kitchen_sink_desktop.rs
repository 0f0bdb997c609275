//! The kitchen sink's sections about menus, dialogs, clipboard and other programs, used as a user does.

use staysail_e2e::dev::EDIT;
use staysail_e2e::kitchen_sink::KitchenSink;
use staysail_e2e::stage::{Stage, play};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

#[test]
fn menus_dialogs_clipboard_and_other_programs_do_what_the_page_says() {
    play("kitchen-sink", |stage| {
        // What a desktop has for addresses: it writes down what it is given.
        let programs = stage.folder.path().join("programs");
        std::fs::create_dir(&programs)?;
        let opened = stage.folder.path().join("opened");
        let opener = programs.join("xdg-open");
        std::fs::write(&opener, format!("#!/bin/sh\nprintf '%s\\n' \"$1\" >> '{}'\n", opened.display()))?;
        std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755))?;
        let path = format!("{}:{}", programs.display(), std::env::var("PATH")?);
        // No session bus, so no file manager: the folder is opened instead.
        let bus = "unix:path=/nowhere";
        let sink = KitchenSink::start_with(stage, &[("PATH", &path), ("DBUS_SESSION_BUS_ADDRESS", bus)])?;
        menus(stage, &sink)?;
        dialogs(stage, &sink)?;
        clipboard(&sink)?;
        other_programs(&sink, &opened)?;
        quit(stage, sink)
    });
}

fn menus(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    let display = &stage.display;
    sink.go("menus")?;
    display.key("ctrl+d")?;
    sink.wait_answer("menus-menu", |text| text == "anchor was chosen")?;
    display.key("ctrl+g")?;
    sink.wait_answer("menus-menu", |text| text.ends_with("grid is off"))?;
    sink.try_out("menus-update", "check", "Done")?;
    sink.try_out("menus-update", "rename", "Done")?;
    // Opened by its letter, and "Weigh anchor" chosen by its own.
    display.key("alt+s")?;
    sink.picture("menus")?;
    display.key("a")?;
    sink.wait_answer("menus-menu", |text| text.ends_with("grid is off\nanchor was chosen"))?;
    display.key("ctrl+g")?;
    sink.wait_answer("menus-menu", |text| text.ends_with("anchor was chosen\ngrid is off"))?;

    // The same keys do something else in a window with a menu of its own.
    sink.press("menus-own-open")?;
    let log = sink.window("Ship's log")?;
    sink.wait_painted(&log)?;
    display.focus(&log)?;
    display.key("ctrl+d")?;
    sink.wait_answer("menus-menu", |text| text.ends_with("sign was chosen"))?;
    display.key("alt+l")?;
    sink.picture("own-menu")?;
    display.key("Escape")?;
    sink.run("await new api.AppWindow('log').destroy()")?;
    sink.wait_gone("Ship's log")?;
    display.focus(&sink.window)?;

    // What the system does elsewhere, and GTK does not.
    for wanted in [true, false] {
        display.key("alt+v")?;
        display.key("f")?;
        staysail_e2e::wait_until("the window to fill the screen, and to stop doing so", EDIT, || match sink
            .run("return (await api.currentWindow.state()).fullscreen")
        {
            Ok(answer) if answer == wanted => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
    }

    // By the mouse, and by the keyboard's own menu key at what has the focus.
    let middle = "const box = document.getElementById('menus-area').getBoundingClientRect(); \
                  document.getElementById('menus-area').scrollIntoView({ block: 'center' }); \
                  const now = document.getElementById('menus-area').getBoundingClientRect(); \
                  return [now.x + 40, now.y + now.height / 2, box.width]";
    let at = sink.page.run(middle, &[])?;
    // WebDriver clicks, so nothing is moved: the mouse stays where the test puts it, far from the area.
    display.tool("xdotool", &["mousemove", "--sync", "30", "880"])?;
    sink.page.run("document.getElementById('menus-area').focus()", &[])?;
    display.key("Menu")?;
    // Menus of the bar, which were open before, are further to the left.
    context_menu(stage, at[0].as_f64().unwrap_or_default() - 40.0)?;
    sink.picture("context-menu")?;
    display.key("Down")?;
    display.key("Return")?;
    sink.wait_answer("menus-menu", |text| text.ends_with("hoist was chosen"))?;
    Ok(())
}

/// The last entry of the first menu ends the app, whose window does not hold it back.
fn quit(stage: &Stage, sink: KitchenSink<'_>) -> anyhow::Result<()> {
    stage.display.focus(&sink.window)?;
    stage.display.key("alt+s")?;
    stage.display.key("q")?;
    stage.wait_nothing_left_of("staysail-shell")?;
    drop(sink);
    Ok(())
}

/// Waits for a menu to the right of this: a window without a name that the manager does not manage.
fn context_menu(stage: &Stage, page_x: f64) -> anyhow::Result<()> {
    staysail_e2e::wait_until("the context menu", EDIT, || {
        let tree =
            stage.display.tool("xwininfo", &["-root", "-children"]).map_err(|error| error.to_string())?;
        let place = |line: &str| {
            let (size, place) = line.rsplit_once("  ")?;
            let width: u32 = size.rsplit(' ').find_map(|word| word.split_once('x')?.0.parse().ok())?;
            let x: f64 = place.trim().trim_start_matches('+').split('+').next()?.parse().ok()?;
            (40 < width && width < 400 && x > page_x && line.contains("Staysail-shell")).then_some(())
        };
        tree.lines().find_map(place).ok_or(tree)
    })
}

fn dialogs(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    let display = &stage.display;
    sink.go("dialogs")?;
    let file = stage.folder.path().join("chart.txt");
    std::fs::write(&file, "here be dragons")?;
    sink.press("dialogs-open-files")?;
    display.focus(&sink.window("Open charts")?)?;
    sink.picture("dialogs-open")?;
    choose(sink, "dialogs-open", &file)?;
    sink.press("dialogs-open-folder")?;
    display.focus(&sink.window("Where the charts are")?)?;
    display.key("Escape")?;
    sink.wait_answer("dialogs-open", |text| text == "Nothing")?;

    sink.press("dialogs-save-save")?;
    display.focus(&sink.window("Save the chart")?)?;
    let copy = stage.folder.path().join("copy.txt");
    choose(sink, "dialogs-save", &copy)?;

    let before = display.programs_windows();
    sink.press("dialogs-ask-ask")?;
    display.focus_new(&before, EDIT)?;
    sink.picture("dialogs")?;
    display.key("Escape")?;
    sink.wait_answer("dialogs-ask", |text| text == "Closed without an answer")?;
    sink.press("dialogs-ask-rust")?;
    display.focus_new(&before, EDIT)?;
    display.key("Return")?;
    sink.wait_answer("dialogs-ask", |text| text == "Reefed")?;
    Ok(())
}

fn choose(sink: &KitchenSink<'_>, demo: &str, path: &Path) -> anyhow::Result<()> {
    let path = path.display().to_string();
    sink.choose(&path, demo, |text| text == path)
}

fn clipboard(sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    sink.go("clipboard")?;
    sink.press("clipboard-text-copy")?;
    sink.wait_answer("clipboard-text", |text| text == "Done")?;
    sink.try_out("clipboard-text", "paste", "Ahoy from Staysail ⚓")?;
    sink.press("clipboard-html-copy")?;
    sink.wait_answer("clipboard-html", |text| text == "Done")?;
    sink.try_out("clipboard-html", "paste", "<b>Ahoy</b>, <i>sailor</i>")?;
    sink.try_out("clipboard-text", "paste", "Ahoy")?;
    sink.press("clipboard-image-copy")?;
    sink.wait_answer("clipboard-image", |text| text == "Done")?;
    sink.try_out("clipboard-image", "paste", "96 × 64 pixels")?;
    sink.picture("clipboard")?;
    sink.press("clipboard-text-clear")?;
    sink.wait_answer("clipboard-text", |text| text == "Done")?;
    sink.try_out("clipboard-text", "paste", "Nothing")
}

fn other_programs(sink: &KitchenSink<'_>, opened: &Path) -> anyhow::Result<()> {
    sink.go("opener")?;
    let given = |wanted: &str| {
        staysail_e2e::wait_until("what the other program was given", EDIT, || {
            let text = std::fs::read_to_string(opened).unwrap_or_default();
            if text.lines().last() == Some(wanted) { Ok(()) } else { Err(text) }
        })
    };
    sink.try_out("opener-url", "open", "Done")?;
    given("https://example.com/")?;
    sink.fill("opener-url-url", "file:///etc/passwd")?;
    sink.press("opener-url-open")?;
    sink.wait_answer("opener-url", |text| text.starts_with("InvalidArguments ") && text.contains("https:"))?;
    let folder = sink.run("return await api.invoke('data_folder')")?;
    let folder = folder.as_str().unwrap_or_default();
    sink.try_out("opener-path", "open", "Done")?;
    given(folder)?;
    sink.press("opener-path-reveal")?;
    given(folder.strip_suffix("/data").unwrap_or_default())?;
    sink.picture("opener")
}
