//! The kitchen sink's page itself: by keyboard, small, enlarged, dark, and with every section whole.

use anyhow::ensure;
use serde_json::json;
use staysail_e2e::dev::EDIT;
use staysail_e2e::kitchen_sink::KitchenSink;
use staysail_e2e::stage::{Stage, play};

#[test]
fn every_section_is_whole_reached_by_keyboard_and_fits_small_large_and_dark() {
    play("kitchen-sink", |stage| {
        let sink = KitchenSink::start(stage)?;
        whole(&sink)?;
        keyboard(stage, &sink)?;
        sizes(stage, &sink)
    });
}

/// Each section shows the code of all its demos, nothing is without a name, nothing wider than the page.
fn whole(sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    let script = "return [...document.querySelectorAll('nav a')].map(link => link.hash.slice(1))";
    let sections = sink.page.run(script, &[])?;
    let sections: Vec<&str> =
        sections.as_array().into_iter().flatten().filter_map(|section| section.as_str()).collect();
    ensure!(sections.len() > 10, "{sections:?}");
    for section in sections {
        sink.go(section)?;
        sink.wait_code()?;
        // The other tabs, too: a region that is gone is an error in its place.
        let tabs = "const tabs = [...document.querySelectorAll('section:not([hidden]) [role=tab]')]; const bad = []; \
                    for (const tab of tabs) { tab.click(); const panel = document.getElementById(tab.getAttribute('aria-controls')); \
                    for (let i = 0; i < 400 && panel.getAttribute('aria-labelledby') === tab.id && !panel.querySelector('code, .error'); i++) \
                    await new Promise(resolve => setTimeout(resolve, 5)); \
                    await new Promise(resolve => setTimeout(resolve, 20)); \
                    if (!panel.querySelector('code')?.textContent.trim()) bad.push(tab.id + ': ' + panel.textContent) } return bad";
        let bad = sink.page.run_async(tabs, &[])?;
        ensure!(bad == json!([]), "{section}: {bad}");
        let stays = "const link = document.querySelector('nav a[aria-current]').getBoundingClientRect(); \
                     const list = document.querySelector('nav').getBoundingClientRect(); \
                     return [document.documentElement.scrollHeight <= innerHeight, link.top >= list.top - 1 && link.bottom <= list.bottom + 1]";
        let stays = sink.page.run(stays, &[])?;
        ensure!(
            stays == json!([true, true]),
            "{section}: the page scrolls, or its link is out of sight: {stays}"
        );
        let twice = "const ids = [...document.querySelectorAll('[id]')].map(one => one.id); \
                     return ids.filter((id, place) => ids.indexOf(id) !== place)";
        let twice = sink.page.run(twice, &[])?;
        ensure!(twice == json!([]), "{section}: ids that are there twice: {twice}");
        let nameless = "return [...document.querySelectorAll('section:not([hidden]) :is(input, select, textarea, button, canvas)')] \
                        .filter(one => !(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim())).map(one => one.outerHTML)";
        let nameless = sink.page.run(nameless, &[])?;
        ensure!(nameless == json!([]), "{section}: {nameless}");
    }
    Ok(())
}

fn keyboard(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    let display = &stage.display;
    sink.page.run("document.activeElement.blur(); document.getElementById('filter').focus()", &[])?;
    display.type_text("greet")?;
    // Few features are left. Tab goes to the first, Return shows it, and its heading has the focus: Tab goes on from there.
    let left = "return document.querySelectorAll('nav li:not([hidden])').length < 4";
    sink.page.wait_for("the list to be filtered", left, EDIT)?;
    display.key("Tab")?;
    display.key("Return")?;
    let heading = "return document.activeElement?.id === 'heading-calls'";
    sink.page.wait_for("the heading of the section to have the focus", heading, EDIT)?;
    display.key("Tab")?;
    display.key("ctrl+a")?;
    display.type_text("Keyboard")?;
    display.key("Return")?;
    sink.wait_answer("calls-greet", |text| text == "Ahoy, Keyboard!")?;
    // On to the button, and to the tabs of the code, of which the last was shown before.
    for key in ["Tab", "Tab", "Right"] {
        display.key(key)?;
    }
    let code = "return document.activeElement?.role === 'tab' && document.activeElement.textContent === 'JavaScript' \
                && document.getElementById('calls-greet-code').textContent.includes('invoke(') \
                || document.activeElement?.outerHTML";
    sink.page.wait_for("the other code by the arrow key", code, EDIT)?;
    sink.page.run("const filter = document.getElementById('filter'); filter.value = ''; filter.dispatchEvent(new Event('input'))", &[])?;
    Ok(())
}

fn sizes(stage: &Stage, sink: &KitchenSink<'_>) -> anyhow::Result<()> {
    let fits = "const wide = [...document.querySelectorAll('main, section, article, .what, form, output, aside')] \
                .filter(one => one.offsetParent && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === 'visible'); \
                return document.documentElement.scrollWidth <= innerWidth && wide.length === 0 \
                || [document.documentElement.scrollWidth, innerWidth, ...wide.map(one => one.id || one.className)].join()";
    sink.go("calls")?;
    sink.run("await api.currentWindow.set({ size: [900, 600] })")?;
    sink.page.wait_for("the small window", "return innerWidth === 900", EDIT)?;
    sink.page.wait_for("the page to fit a small window", fits, EDIT)?;
    sink.picture("small")?;
    sink.run("await api.currentWindow.set({ zoom: 2 })")?;
    sink.page.wait_for("the enlarged page", "return innerWidth === 450", EDIT)?;
    sink.page.wait_for("the page to fit enlarged", fits, EDIT)?;
    sink.picture("enlarged")?;
    sink.run("await api.currentWindow.set({ zoom: 1, size: [1180, 800] })")?;
    sink.page.wait_for("the page in its own size", "return innerWidth === 1180", EDIT)?;
    sink.page.run(
        "const theme = document.getElementById('theme'); theme.value = 'dark'; theme.dispatchEvent(new Event('change'))",
        &[],
    )?;
    let dark = "return matchMedia('(prefers-color-scheme: dark)').matches";
    sink.page.wait_for("the dark page", dark, EDIT)?;
    sink.go("streams")?;
    stage.display.tool("xdotool", &["mousemove", "--sync", "1200", "880"])?;
    sink.picture("dark")
}
