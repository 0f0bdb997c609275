//! What a swap must leave alone, seen from outside: windows by the X server, the tray by the bus, page and menu by an
//! assistive program, a text in the middle of its composition by the page.

#![cfg(target_os = "linux")]

use anyhow::ensure;
use serde_json::json;
use staysail_e2e::accessibility::{self, Accessibility, Object, role};
use staysail_e2e::child::Program;
use staysail_e2e::desktop_bus::{DesktopBus, Stub};
use staysail_e2e::dev::{Dev, EDIT};
use staysail_e2e::page::Page;
use staysail_e2e::project::{Backend, COLD_BUILD, Project};
use staysail_e2e::stage::{Stage, play};
use staysail_e2e::tray::{self, Icon};

const DECLARED: &str = "        .window(Window::new(\"second\").title(\"Second\").url(\"/deep/\").size(300.0, 200.0).decorations(false))\n        \
    .menu(staysail::Menu::new()\n            \
    .menu(\"&Chart\", staysail::Menu::new().item(staysail::MenuItem::new(\"open\", \"&Open\")))\n            \
    .menu(\"&View\", staysail::Menu::new()\n                \
    .item(staysail::MenuItem::check(\"grid\", \"Grid\", false))\n                \
    .item(staysail::MenuItem::new(\"harbour\", \"Harbour\"))))\n        \
    .tray(staysail::Tray::new(\"tray.png\").tooltip(\"Charts\").menu(staysail::Menu::new()\n            \
    .item(staysail::MenuItem::new(\"show\", \"Show\"))))\n";
const SOURCE: &str = "backend/app/src/main.rs";

fn project(stage: &Stage) -> anyhow::Result<Project> {
    let project = Project::fixture(stage)?;
    project.allow("windows = [\"*\"]\nallow = [\"*\"]")?;
    project.edit(SOURCE, "        .keep(\"tally\"", &format!("{DECLARED}        .keep(\"tally\""))?;
    let picture = format!("PNG32:{}", project.file("frontend/tray.png").display());
    stage.display.tool("convert", &["-size", "1x1", "xc:#ff8000ff", &picture])?;
    let button = "<h1 id=\"heading\">page-0</h1><button id=\"press\">Weigh anchor</button>";
    project.edit("frontend/index.html", "<h1 id=\"heading\">page-0</h1>", button)?;
    Ok(project)
}

/// Makes the backend another one, which declares the same.
fn swap(dev: &mut Dev, project: &Project, version: &str) -> anyhow::Result<()> {
    let from = dev.position();
    project.backend(&Backend::good(version))?;
    dev.wait("swap_done", from, EDIT).map(drop)
}

#[test]
fn a_swap_leaves_readers_compositions_windows_menus_and_the_tray_alone() {
    play("unharmed", |stage| {
        let bus = DesktopBus::start(stage)?;
        let reader = Accessibility::start(stage, &bus)?;
        let watcher = tray::start(&bus)?;
        let project = project(stage)?;
        let variables = [bus.variable(), accessibility::VARIABLE, ("GTK_IM_MODULE", "gtk-im-context-simple")];
        let mut dev = Dev::start_with(stage, &project, &variables)?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach(stage, dev.port, EDIT)?;
        let load = page.load()?;
        page.run(
            "window.pressed = 0; document.querySelector('#press').onclick = () => window.pressed++; \
             window.chosen = []; fixture.staysail.menu.onChosen(event => window.chosen.push(event.id))",
            &[],
        )?;
        let icon = Icon::named(&bus, tray::registered(&watcher, 1)?)?;

        reading(&reader, &page, || swap(&mut dev, &project, "second"))?;
        composing(stage, &page, || swap(&mut dev, &project, "third"))?;
        standing(stage, &reader, &page, &icon, &watcher, &mut dev, &project)?;
        ensure!(page.load()? == load, "the page was loaded again");
        Ok(())
    });
}

/// A screen reader finds the page's button and presses it, before a swap and after it.
fn reading(
    reader: &Accessibility,
    page: &Page,
    swap: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let button = reader.find(role::PUSH_BUTTON, "Weigh anchor")?;
    reader.act(&button)?;
    page.wait_for("the press", "return window.pressed === 1", EDIT)?;
    swap()?;
    let after = reader.find(role::PUSH_BUTTON, "Weigh anchor")?;
    ensure!(after.is(&button), "another button than before the swap: {after:?} {button:?}");
    reader.act(&button)?;
    page.wait_for("the press after the swap", "return window.pressed === 2", EDIT)
}

/// GTK's own input method: a letter by its number. The composition is open while the backend is exchanged.
fn composing(stage: &Stage, page: &Page, swap: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let window = stage.display.window("Counter under test", EDIT)?;
    stage.display.focus(&window)?;
    page.run(
        "window.told = []; const name = document.querySelector('#name'); name.value = ''; name.focus(); \
         for (const kind of ['start', 'update', 'end']) \
         name.addEventListener(`composition${kind}`, event => window.told.push([kind, event.data]))",
        &[],
    )?;
    stage.display.key("ctrl+shift+u")?;
    stage.display.type_text("e")?;
    let open = "const told = JSON.stringify(window.told); \
                return told.startsWith('[[\"start\"') && told.endsWith('e\"]]') && !told.includes('end') || told";
    page.wait_for("the composition", open, EDIT)?;
    stage.screenshot("composing");
    swap()?;
    page.wait_for("the composition after the swap", open, EDIT)?;
    stage.display.type_text("9")?;
    stage.display.key("Return")?;
    page.wait_for(
        "the letter",
        "const told = window.told; return document.querySelector('#name').value === '\\u00e9' && told.at(-1)[0] === 'end' \
         && told.at(-1)[1] === '\\u00e9' && told.filter(([kind]) => kind === 'start').length === 1 || JSON.stringify(told)",
        EDIT,
    )
}

/// Somebody who hears what the X server tells of a window, or of all that are on the screen.
struct Watcher {
    program: Program,
    of: Vec<String>,
    from: usize,
}

impl Watcher {
    fn start(stage: &Stage, of: &[&str], events: &str) -> anyhow::Result<Self> {
        let mut command = stage.command("xev".as_ref());
        command.args(of).args(["-event", events, "-event", "property"]);
        let program = Program::start(&format!("xev {}", of.join(" ")), command)?;
        Ok(Self { program, of: of.iter().map(|word| (*word).to_string()).collect(), from: 0 })
    }

    /// Has something told of it that nobody else makes, and waits for that: what was told since the mark before.
    fn mark(&mut self, stage: &Stage, name: &str) -> anyhow::Result<Vec<String>> {
        let set = ["-f", name, "8s", "-set", name, "here"];
        let of = self.of.iter().map(String::as_str);
        let arguments: Vec<&str> = of.chain(set).collect();
        let (told, from) = staysail_e2e::wait_until(name, EDIT, || {
            // Again and again: one that was just started may not listen yet.
            stage.display.tool("xprop", &arguments).map_err(|error| format!("{error:#}"))?;
            let lines = self.program.lines();
            let marked = lines[self.from..].iter().position(|line| line.contains(name));
            let end = self.from + marked.ok_or_else(|| lines.join("\n"))?;
            Ok((lines[self.from..end].to_vec(), end))
        })?;
        self.from = from;
        Ok(told)
    }
}

/// What a window that is left alone never hears.
const DISTURBANCES: [&str; 7] = [
    "MapNotify",
    "UnmapNotify",
    "CreateNotify",
    "DestroyNotify",
    "ReparentNotify",
    "ConfigureNotify",
    "CirculateNotify",
];

/// Entries of the application's menu.
fn entries(reader: &Accessibility) -> anyhow::Result<Vec<Object>> {
    let kinds = [role::MENU, role::MENU_ITEM, role::CHECK_MENU_ITEM];
    let mut objects = reader.objects()?;
    objects.retain(|object| kinds.contains(&object.role));
    Ok(objects)
}

/// Swaps while a menu is open: no window is mapped, unmapped or moved, and of menus and tray only what is declared
/// otherwise changes.
fn standing(
    stage: &Stage,
    reader: &Accessibility,
    page: &Page,
    icon: &Icon,
    watcher: &Stub,
    dev: &mut Dev,
    project: &Project,
) -> anyhow::Result<()> {
    let main = stage.display.window("Counter under test", EDIT)?;
    let second = stage.display.window("^Second$", EDIT)?;
    stage.display.focus(&main)?;
    let mut watchers = [
        Watcher::start(stage, &["-root"], "substructure")?,
        Watcher::start(stage, &["-id", &second], "structure")?,
        Watcher::start(stage, &["-id", &main], "structure")?,
    ];
    for watcher in &mut watchers {
        watcher.mark(stage, "STAYSAIL_READY")?;
    }
    stage.display.key("alt+c")?;
    let [everything, ..] = &mut watchers;
    let mapped = |line: &str| line.starts_with("MapNotify").then_some(());
    everything.program.wait_line("the open menu", everything.from, EDIT, mapped)?;
    let open = reader.find(role::MENU_ITEM, "Open")?;
    let before = entries(reader)?;
    ensure!(before.iter().any(|entry| entry.is(&open)) && before.len() >= 5, "{before:?}");
    icon.ear.forget();
    for watcher in &mut watchers {
        watcher.mark(stage, "STAYSAIL_BEFORE")?;
    }

    swap(dev, project, "fourth")?;
    let position = dev.position();
    project.edit(SOURCE, "\"Harbour\"", "\"Port\"")?;
    dev.wait("swap_done", position, EDIT)?;
    reader.find(role::MENU_ITEM, "Port")?;
    for watcher in &mut watchers {
        let told = watcher.mark(stage, "STAYSAIL_AFTER")?;
        let disturbed = told.iter().any(|line| DISTURBANCES.iter().any(|kind| line.starts_with(kind)));
        ensure!(!disturbed, "a swap disturbed a window, {:?}: {told:#?}", watcher.of);
    }

    let after = entries(reader)?;
    ensure!(after.len() == before.len(), "{before:?} {after:?}");
    for (old, new) in before.iter().zip(&after) {
        let renamed = old.name == "Harbour" && new.name == "Port";
        ensure!(new.is(old) && (new.name == old.name || renamed), "the menu was made anew: {old:?} {new:?}");
    }
    for signal in ["LayoutUpdated", "ItemsPropertiesUpdated", "NewIcon", "NewToolTip", "NewStatus"] {
        ensure!(icon.ear.heard(signal).is_empty(), "{signal} without a reason");
    }
    ensure!(watcher.calls().len() == 1, "the icon was not to be touched: {:?}", watcher.calls());
    stage.screenshot("menu-still-open");
    // The menu has been open all the time: its letter chooses.
    stage.display.key("o")?;
    page.wait_for("the entry", "return window.chosen.length === 1 && window.chosen[0] === 'open'", EDIT)?;
    ensure!(page.call("say", &json!({ "text": "ahoy" }))?["value"] == "ahoy");
    Ok(())
}
