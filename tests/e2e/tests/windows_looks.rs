//! Windows as they look and feel: what the X server and the window manager say of them, and pictures to look at.

#![cfg(target_os = "linux")]

use anyhow::{Context, ensure};
use gio::glib::VariantDict;
use serde_json::{Value, json};
use staysail_e2e::desktop_bus::DesktopBus;
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, play};

const ALL: &str = "windows = [\"*\"]\nallow = [\"*\"]";

fn run(page: &Page, script: &str) -> anyhow::Result<Value> {
    let script = format!(
        "const {{ AppWindow, currentWindow, openWindow, screens }} = fixture.staysail; try {{ {script} }} catch (error) {{ \
         return {{ error: error.code ?? String(error), message: error.message }} }}"
    );
    page.run_async(&script, &[])
}

fn done(page: &Page, script: &str) -> anyhow::Result<()> {
    let outcome = run(page, &format!("{script}; return true"))?;
    ensure!(outcome == true, "{script}: {outcome}");
    Ok(())
}

/// Waits until a property of a window is as wanted.
fn wait_property(
    stage: &Stage,
    window: &str,
    name: &str,
    wanted: impl Fn(&str) -> bool,
) -> anyhow::Result<String> {
    staysail_e2e::wait_until(name, EDIT, || {
        let text =
            stage.display.tool("xprop", &["-id", window, name]).map_err(|error| format!("{error:#}"))?;
        if wanted(&text) { Ok(text) } else { Err(text) }
    })
}

/// Left, top, width and height of a window's inside on the screen.
fn place(stage: &Stage, window: &str) -> anyhow::Result<[i32; 4]> {
    let text = stage.display.tool("xwininfo", &["-id", window])?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("no {name} in {text}"))
    };
    Ok([
        value("Absolute upper-left X:")?,
        value("Absolute upper-left Y:")?,
        value("Width:")?,
        value("Height:")?,
    ])
}

fn wait_place(
    stage: &Stage,
    window: &str,
    what: &str,
    wanted: impl Fn([i32; 4]) -> bool,
) -> anyhow::Result<[i32; 4]> {
    staysail_e2e::wait_until(what, EDIT, || {
        let place = place(stage, window).map_err(|error| format!("{error:#}"))?;
        if wanted(place) { Ok(place) } else { Err(format!("{place:?}")) }
    })
}

fn go(stage: &Stage, x: i32, y: i32) -> anyhow::Result<()> {
    stage.display.tool("xdotool", &["mousemove", "--sync", &x.to_string(), &y.to_string()]).map(drop)
}

#[test]
fn states_of_a_window_are_the_window_managers_own() {
    play("looks-states", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let window = stage.display.window("Counter under test", EDIT)?;
        let states = "_NET_WM_STATE";
        for (change, mark) in [
            ("alwaysOnTop", "_NET_WM_STATE_ABOVE"),
            ("fullscreen", "_NET_WM_STATE_FULLSCREEN"),
            ("maximized", "_NET_WM_STATE_MAXIMIZED_VERT"),
            ("skipTaskbar", "_NET_WM_STATE_SKIP_TASKBAR"),
            ("minimized", "_NET_WM_STATE_HIDDEN"),
        ] {
            done(&page, &format!("await currentWindow.set({{ {change}: true }})"))?;
            wait_property(stage, &window, states, |text| text.contains(mark))?;
            stage.screenshot(change);
            done(&page, &format!("await currentWindow.set({{ {change}: false }})"))?;
            wait_property(stage, &window, states, |text| !text.contains(mark))?;
        }
        let icon = "const canvas = new OffscreenCanvas(32, 32); const paint = canvas.getContext('2d'); paint.fillStyle = '#c00'; \
                    paint.fillRect(0, 0, 32, 32)";
        ensure!(page.run_async(&format!("{icon}; return true"), &[])? == true);
        done(&page, "await currentWindow.set({ minSize: [500, 400], maxSize: [1000, 700] })")?;
        wait_property(stage, &window, "WM_NORMAL_HINTS", |text| {
            text.contains("program specified minimum size: 500 by 400")
                && text.contains("maximum size: 1000 by 700")
        })?;
        done(&page, "await currentWindow.set({ size: [200, 200] })")?;
        wait_place(stage, &window, "the smallest size", |[_, _, width, height]| {
            (width, height) == (500, 400)
        })?;
        done(&page, "await currentWindow.set({ minSize: [0, 0], maxSize: [0, 0], size: [800, 600] })")?;
        wait_place(stage, &window, "the size without limits", |[_, _, width, height]| {
            (width, height) == (800, 600)
        })?;
        done(&page, "await currentWindow.set({ theme: 'dark' })")?;
        page.wait_for("the dark theme", "return matchMedia('(prefers-color-scheme: dark)').matches", EDIT)?;
        done(&page, "await currentWindow.set({ theme: 'light', zoom: 2 })")?;
        page.wait_for(
            "the zoom",
            "return innerWidth === 400 && matchMedia('(prefers-color-scheme: light)').matches",
            EDIT,
        )?;
        stage.screenshot("zoomed");
        Ok(())
    });
}

#[test]
fn a_window_without_a_title_bar_is_dragged_and_resized_by_what_its_page_says() {
    play("looks-frameless", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let (_dev, page) = Dev::live(stage, &project)?;
        let window = stage.display.window("Counter under test", EDIT)?;
        done(
            &page,
            "await currentWindow.set({ decorations: false, size: [600, 400], position: [100, 100] })",
        )?;
        let at = wait_place(stage, &window, "its place", |[x, y, width, height]| {
            (x, y) == (100, 100) && (width, height) == (600, 400)
        })?;
        page.run(
            "document.documentElement.style.overflow = 'hidden'; window.ups = 0; addEventListener('mouseup', () => window.ups++); \
             const bar = document.createElement('header'); bar.dataset.staysailDrag = ''; bar.textContent = 'My own title bar'; \
             bar.style.cssText = 'position:fixed;inset:0 0 auto 0;height:40px;background:#234;color:#fff;z-index:9'; \
             const button = document.createElement('button'); button.textContent = '×'; button.id = 'close'; \
             button.style.cssText = 'position:absolute;right:8px;top:8px'; button.onclick = () => (window.pressed = true); \
             bar.append(button); const corner = document.createElement('div'); \
             corner.style.cssText = 'position:fixed;right:0;bottom:0;width:24px;height:24px;background:#c63;z-index:9'; \
             corner.onmousedown = () => fixture.staysail.currentWindow.startResizing('south_east'); document.body.append(bar, corner)",
            &[],
        )?;
        go(stage, at[0] + 200, at[1] + 20)?;
        stage.display.tool("xdotool", &["mousedown", "1"])?;
        // The window manager takes the drag over when it is asked to; until then motions are the page's.
        let mut far = 0;
        let moved = staysail_e2e::wait_until("the window to follow the mouse", EDIT, || {
            far = (far + 6).min(240);
            go(stage, at[0] + 200 + far, at[1] + 20 + far / 2).map_err(|error| format!("{error:#}"))?;
            let now = place(stage, &window).map_err(|error| format!("{error:#}"))?;
            if now[0] > at[0] + 30 && now[1] > at[1] + 12 { Ok(now) } else { Err(format!("{now:?}")) }
        })?;
        stage.display.tool("xdotool", &["mouseup", "1"])?;
        stage.screenshot("dragged");
        // The release was the window manager's, and yet the page is not left with its button down.
        page.wait_for("the page to be told of the release", "return window.ups >= 1", EDIT)?;
        let [x, y, width, height] = moved;
        go(stage, x + width - 10, y + height - 10)?;
        stage.display.tool("xdotool", &["mousedown", "1"])?;
        let mut far = 0;
        staysail_e2e::wait_until("the window to grow", EDIT, || {
            far = (far + 6).min(240);
            go(stage, x + width - 10 + far, y + height - 10 + far).map_err(|error| format!("{error:#}"))?;
            let now = place(stage, &window).map_err(|error| format!("{error:#}"))?;
            if now[2] > width + 20 && now[3] > height + 20 { Ok(()) } else { Err(format!("{now:?}")) }
        })?;
        stage.display.tool("xdotool", &["mouseup", "1"])?;
        // The page has caught up with the window, and the window with the mouse.
        let [x, y, width, _] = staysail_e2e::wait_until("the page to fill the window", EDIT, || {
            let inner =
                page.run("return [innerWidth, innerHeight]", &[]).map_err(|error| format!("{error:#}"))?;
            let now = place(stage, &window).map_err(|error| format!("{error:#}"))?;
            if inner == json!([now[2], now[3]]) { Ok(now) } else { Err(format!("{inner} in {now:?}")) }
        })?;
        stage.screenshot("resized");
        go(stage, x + width - 18, y + 18)?;
        stage.display.tool("xdotool", &["click", "1"])?;
        page.wait_for("the button in the title bar", "return window.pressed === true", EDIT)?;
        go(stage, x + 100, y + 20)?;
        stage.display.tool("xdotool", &["click", "--repeat", "2", "--delay", "40", "1"])?;
        wait_property(stage, &window, "_NET_WM_STATE", |text| text.contains("MAXIMIZED_VERT"))?;
        Ok(())
    });
}

#[test]
fn modal_transparent_and_icon_windows_are_what_the_desktop_takes_them_for() {
    play("looks-kinds", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        // A red square of 16 × 16 pixels.
        std::fs::write(project.file("frontend/icon.png"), icon())?;
        project.write(
            "frontend/clear.html",
            "<!doctype html><meta charset=utf-8><body style='margin:40px;background:transparent'><p style='background:#fc6;padding:20px'>paper</p>",
        )?;
        let (_dev, page) = Dev::live(stage, &project)?;
        done(
            &page,
            "await openWindow({ label: 'modal', url: '/deep/', title: 'Modal one', width: 300, height: 200, parent: 'main', modal: true })",
        )?;
        let main = stage.display.window("Counter under test", EDIT)?;
        let modal = stage.display.window("Modal one", EDIT)?;
        wait_property(stage, &modal, "_NET_WM_STATE", |text| text.contains("_NET_WM_STATE_MODAL"))?;
        let id: i64 = main.parse()?;
        wait_property(stage, &modal, "WM_TRANSIENT_FOR", |text| text.contains(&format!("{id:#x}")))?;
        let middle = |[x, y, width, height]: [i32; 4]| (x + width / 2, y + height / 2);
        let (ours, theirs) = (middle(place(stage, &main)?), middle(place(stage, &modal)?));
        let (x, y) = ((ours.0 - theirs.0).abs(), (ours.1 - theirs.1).abs());
        ensure!(x < 20 && y < 40, "not over its parent: {ours:?} {theirs:?}");
        stage.screenshot("modal");
        // Pressed beside it the parent takes no input; closed, it has it again.
        page.run(
            "window.downs = []; addEventListener('mousedown', event => window.downs.push(event.button))",
            &[],
        )?;
        let press = |button: &str| {
            let [x, y, _, height] = place(stage, &main)?;
            let at = [(x + 40).to_string(), (y + height - 30).to_string()];
            stage.display.tool("xdotool", &["mousemove", &at[0], &at[1], "click", button]).map(drop)
        };
        press("1")?;
        done(&page, "await new AppWindow('modal').destroy()")?;
        stage.display.focus(&main)?;
        let downs = staysail_e2e::wait_until("the parent to take input", EDIT, || {
            let pressed = press("2").and_then(|()| page.run("return window.downs", &[]));
            let downs = pressed.map_err(|error| format!("{error:#}"))?;
            if downs == json!([]) { Err("none yet".into()) } else { Ok(downs) }
        })?;
        ensure!(downs.as_array().is_some_and(|downs| downs.iter().all(|button| button == 1)), "{downs}");

        done(
            &page,
            "await openWindow({ label: 'clear', url: '/clear.html', title: 'Clear one', width: 300, height: 200, transparent: true, decorations: false })",
        )?;
        let clear = stage.display.window("Clear one", EDIT)?;
        let info = stage.display.tool("xwininfo", &["-id", &clear])?;
        ensure!(info.contains("Depth: 32"), "no alpha channel: {info}");
        // What lies below is seen beside the paper, and the paper where it is.
        let [x, y, width, height] = place(stage, &main)?;
        page.run("document.documentElement.style.background = '#1346a0'; document.body.hidden = true", &[])?;
        let _compositor = stage.display.composite()?;
        stage.display.focus(&clear)?;
        let (middle_x, middle_y) = (x + width / 2, y + height / 2);
        let left_top = [(middle_x - 150).to_string(), (middle_y - 100).to_string()];
        stage.display.tool("xdotool", &["windowmove", "--sync", &clear, &left_top[0], &left_top[1]])?;
        for (what, at, wanted) in [
            ("the window below", (middle_x, middle_y - 80), [0x13, 0x46, 0xa0]),
            ("the paper", (middle_x + 90, middle_y - 36), [0xff, 0xcc, 0x66]),
        ] {
            staysail_e2e::wait_until(what, EDIT, || match stage.display.colour_at(at.0, at.1) {
                Ok(colour) if colour == wanted => Ok(()),
                other => Err(format!("{other:?}")),
            })?;
        }
        stage.screenshot("transparent");

        done(&page, "await currentWindow.set({ icon: '/icon.png' })")?;
        wait_property(stage, &main, "_NET_WM_ICON", |text| text.contains("16 x 16"))?;
        Ok(())
    });
}

/// A PNG of one colour, written by hand: signature, header, one stored block of pixels, end.
fn icon() -> Vec<u8> {
    const SIDE: u32 = 16;
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        png.extend((data.len() as u32).to_be_bytes());
        let body = [kind.as_slice(), data].concat();
        png.extend(&body);
        png.extend(crc(&body).to_be_bytes());
    };
    let header = [SIDE.to_be_bytes().as_slice(), &SIDE.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
    chunk(b"IHDR", &header);
    let row = [[0].as_slice(), &[200, 30, 30, 255].repeat(SIDE as usize)].concat();
    let raw = row.repeat(SIDE as usize);
    let length = raw.len() as u16;
    let (a, b) = raw.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    let stored = [
        [0x78, 0x01, 1].as_slice(),
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        &raw,
        &(b << 16 | a).to_be_bytes(),
    ]
    .concat();
    chunk(b"IDAT", &stored);
    chunk(b"IEND", &[]);
    png
}

fn crc(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 },
        )
    })
}

#[test]
fn a_page_from_right_to_left_at_twice_the_pixels_with_dead_keys_is_as_it_should_be() {
    play("looks-rtl", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let html = project.read("frontend/index.html")?;
        project.write(
            "frontend/index.html",
            &html.replace("<html lang=\"en\">", "<html lang=\"ar\" dir=\"rtl\">"),
        )?;
        project.edit("frontend/index.html", ">page-0<", ">مرحبا بالعالم – שלום עולם<")?;
        let mut dev = Dev::start_with(stage, &project, &[("GDK_SCALE", "2")])?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach(stage, dev.port, EDIT)?;
        ensure!(page.run("return devicePixelRatio", &[])? == 2);
        let aligned = page.run(
            "const range = document.createRange(); range.selectNodeContents(document.querySelector('#heading')); \
             return innerWidth - range.getBoundingClientRect().right < 60",
            &[],
        )?;
        ensure!(aligned == true, "the heading does not begin at the right");
        let state = run(&page, "return [(await currentWindow.state()).scale, (await screens())[0].scale]")?;
        ensure!(state == json!([2, 2]), "{state}");
        stage.screenshot("twice");

        let window = stage.display.window("Counter under test", EDIT)?;
        stage.display.focus(&window)?;
        page.run("document.querySelector('#name').focus()", &[])?;
        // A dead key and the letter it goes with: one letter arrives.
        stage.display.tool("setxkbmap", &["us", "-variant", "intl"])?;
        stage.display.tool("xdotool", &["key", "dead_acute", "e"])?;
        page.wait_for(
            "the letter with its accent",
            "return document.querySelector('#name').value === 'é'",
            EDIT,
        )?;
        Ok(())
    });
}

#[test]
fn progress_is_told_to_the_desktops_task_bar() {
    play("looks-progress", |stage| {
        let bus = DesktopBus::start(stage)?;
        let ear = bus.listen()?;
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let mut dev = Dev::start_with(stage, &project, &[bus.variable()])?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach(stage, dev.port, EDIT)?;
        let told = |count: usize| -> anyhow::Result<(String, f64, bool, bool)> {
            let update = ear.wait("Update", count)?;
            let entry = update.child_value(0).get::<String>().context("no entry")?;
            let properties = VariantDict::new(Some(&update.child_value(1)));
            let flag = |name: &str| properties.lookup::<bool>(name).ok().flatten().context("no flag");
            let progress = properties.lookup::<f64>("progress").ok().flatten().context("no progress")?;
            Ok((entry, progress, flag("progress-visible")?, flag("urgent")?))
        };
        for (progress, wanted) in [
            ("{ percent: 40 }", (0.4, true, false)),
            ("{ error: 70 }", (0.7, true, true)),
            ("'none'", (0.0, false, false)),
        ] {
            ear.forget();
            done(&page, &format!("await currentWindow.set({{ progress: {progress} }})"))?;
            let (entry, fraction, shown, urgent) = told(1)?;
            ensure!(entry.starts_with("application://") && entry.ends_with(".desktop"), "{entry}");
            ensure!((fraction, shown, urgent) == wanted, "{progress}: {fraction} {shown} {urgent}");
            // One for an app that is installed, one for one that has registered itself.
            told(2)?;
        }
        Ok(())
    });
}

#[test]
fn a_swap_takes_the_focus_from_nobody() {
    play("looks-focus", |stage| {
        let project = Project::fixture(stage)?;
        project.allow(ALL)?;
        let (mut dev, page) = Dev::live(stage, &project)?;
        let ours = stage.display.window("Counter under test", EDIT)?;
        let mut other = stage.command(std::path::Path::new(env!("CARGO_BIN_EXE_drag-source")));
        other.arg("file:///tmp");
        let _other = staysail_e2e::child::Program::start("another program", other)?;
        let window = stage.display.window("drag source", EDIT)?;
        stage.display.focus(&window)?;
        let active = || stage.display.tool("xdotool", &["getactivewindow"]).map(|id| id.trim().to_string());
        ensure!(active()? == window);
        let from = dev.position();
        project.edit(
            "backend/app/src/main.rs",
            ".title(\"Counter under test\").size(900.0",
            ".title(\"Counter again\").size(900.0",
        )?;
        dev.wait("swap_done", from, EDIT)?;
        stage.display.window("Counter again", EDIT)?;
        let load = page.load()?;
        project.edit("frontend/index.html", "page-0", "page-1")?;
        page.wait_for(
            "the page's reload",
            &format!("return !!window.fixture && fixture.load !== {load:?}"),
            EDIT,
        )?;
        ensure!(active()? == window && window != ours, "the window took the focus");
        Ok(())
    });
}
