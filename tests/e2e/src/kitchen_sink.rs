//! `examples/kitchen-sink` under test: started by `staysail dev`, its buttons pressed, its answers read.
//!
//! # Theory of operation
//! A section of the page is drawn when it is gone to. Ids are made of names: of the demo `greet` in the section
//! `calls` the form is `calls-greet`, its button `greet` is `calls-greet-greet`, its answer `calls-greet-answer`.

use crate::built::{self, Running};
use crate::dev::{Dev, EDIT};
use crate::page::Page;
use crate::project::{COLD_BUILD, Project};
use crate::stage::{Stage, cargo_target};
use anyhow::Context;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for an answer to be shown.
const ANSWER: Duration = Duration::from_secs(20);

/// The running example.
pub struct KitchenSink<'a> {
    stage: &'a Stage,
    /// Its project, a copy.
    pub project: Project,
    /// The tool that runs it; of a built one the app itself.
    pub dev: Dev,
    /// The page in its main window.
    pub page: Page,
    /// X11's name of the main window.
    pub window: String,
}

impl<'a> KitchenSink<'a> {
    /// Starts it and waits until its page is up.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(stage: &'a Stage) -> anyhow::Result<Self> {
        Self::start_with(stage, &[])
    }

    /// Starts it with more in its environment.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_with(stage: &'a Stage, variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        // Data of development lie beside what cargo builds, which all tests share.
        let data = cargo_target().join("apps/dev.staysail.kitchen-sink");
        if data.exists() {
            std::fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))?;
        }
        let project = Project::kitchen_sink(stage)?;
        let mut dev = Dev::start_with(stage, &project, variables)?;
        let begun = |line: &str| {
            let said: Value = serde_json::from_str(line).ok()?;
            let kind = said["kind"].as_str()?;
            matches!(kind, "swap_done" | "swap_failed" | "build_failed")
                .then(|| (kind == "swap_done", said.clone()))
        };
        let (live, said) = dev.program.wait_line("the backend to be live", 0, COLD_BUILD, begun)?;
        anyhow::ensure!(live, "{said}");
        Self::attach(stage, project, dev)
    }

    /// Builds it and starts what was built, with more in its environment.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_built(stage: &'a Stage, variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let project = Project::kitchen_sink(stage)?;
        let executable = built::build(stage, &project, true)?;
        let Running { program, port } = Running::start_with(stage, &executable, &[], variables)?;
        Self::attach(stage, project, Dev { program, port })
    }

    fn attach(stage: &'a Stage, project: Project, dev: Dev) -> anyhow::Result<Self> {
        let page = Page::attach_only(stage, dev.port, EDIT)?;
        page.wait_for(
            "the list of features",
            "return !!document.querySelector('nav a[aria-current]')",
            EDIT,
        )?;
        let window = stage.display.window("^Kitchen Sink$", EDIT)?;
        stage.display.focus(&window)?;
        Ok(Self { stage, project, dev, page, window })
    }

    /// Goes to a section by its link.
    ///
    /// # Errors
    /// When there is none, or it is not shown.
    pub fn go(&self, section: &str) -> anyhow::Result<()> {
        // The list scrolls; WebKit's driver finds what it has scrolled to not interactable at times.
        self.page
            .run("document.querySelector(`nav a[href='#${arguments[0]}']`).click()", &[json!(section)])?;
        let shown = format!("return document.getElementById('section-{section}')?.hidden === false");
        self.page.wait_for(&format!("the section {section}"), &shown, ANSWER)
    }

    /// Presses a button, by keys or mouse as WebDriver does it; what it answers is waited for elsewhere.
    ///
    /// # Errors
    /// When there is none.
    pub fn press(&self, button: &str) -> anyhow::Result<()> {
        let show = "document.getElementById(arguments[0]).scrollIntoView({ block: 'center' })";
        self.page.run(show, &[json!(button)])?;
        self.page.click(&self.page.find(&format!("#{button}"))?)
    }

    /// Fills a field in place of what is in it.
    ///
    /// # Errors
    /// When there is none.
    pub fn fill(&self, field: &str, text: &str) -> anyhow::Result<()> {
        let script = "const field = document.getElementById(arguments[0]); field.value = ''; field.focus()";
        self.page.run(script, &[json!(field)])?;
        self.page.send_keys(&self.page.find(&format!("#{field}"))?, text)
    }

    /// What is shown as the answer of a demo now.
    ///
    /// # Errors
    /// When there is no such demo.
    pub fn answer(&self, demo: &str) -> anyhow::Result<String> {
        let script = "return document.getElementById(arguments[0] + '-answer').textContent";
        Ok(self.page.run(script, &[json!(demo)])?.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the answer of a demo is as wanted, and says it.
    ///
    /// # Errors
    /// When it is not; it is named.
    pub fn wait_answer(&self, demo: &str, wanted: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        self.wait_answer_for(demo, ANSWER, wanted)
    }

    /// As [`Self::wait_answer`], for as long as this.
    ///
    /// # Errors
    /// When it is not; it is named.
    pub fn wait_answer_for(
        &self,
        demo: &str,
        patience: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        crate::wait_until(&format!("the answer of {demo}"), patience, || {
            let text = self.answer(demo).map_err(|error| format!("{error:#}"))?;
            if wanted(&text) { Ok(text) } else { Err(format!("{text:?}")) }
        })
    }

    /// Presses a button of a demo and waits for this answer. The answer before must be another.
    ///
    /// # Errors
    /// When another one is shown.
    pub fn try_out(&self, demo: &str, button: &str, answer: &str) -> anyhow::Result<()> {
        self.press(&format!("{demo}-{button}"))?;
        self.wait_answer(demo, |text| text == answer).map(drop)
    }

    /// Types a path into the file dialog that is open until a demo answers: keys that come while its field opens are lost.
    ///
    /// # Errors
    /// When the answer stays out.
    pub fn choose(&self, path: &str, demo: &str, wanted: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        let mut tries = 0;
        loop {
            for key in ["ctrl+l", "ctrl+a"] {
                self.stage.display.key(key)?;
            }
            self.stage.display.type_text(path)?;
            self.stage.display.key("Return")?;
            match self.wait_answer_for(demo, Duration::from_secs(3), &wanted) {
                Err(_) if tries < 4 => tries += 1,
                other => return other.map(drop),
            }
        }
    }

    /// Runs async script in the page, with the library as `api`.
    ///
    /// # Errors
    /// When it throws.
    pub fn run(&self, script: &str) -> anyhow::Result<Value> {
        self.page.run_async(&format!("const api = await import('/__staysail/api.js'); {script}"), &[])
    }

    /// Waits for a window with this title and leaves it the focus.
    ///
    /// # Errors
    /// When it does not come.
    pub fn window(&self, title: &str) -> anyhow::Result<String> {
        self.stage.display.window(&format!("^{title}$"), EDIT)
    }

    /// Waits until a window has painted its page: more than a background.
    ///
    /// # Errors
    /// When it stays empty.
    pub fn wait_painted(&self, window: &str) -> anyhow::Result<()> {
        crate::wait_until("the page of the window to be painted", ANSWER, || {
            let colours = self.colours(window).map_err(|error| format!("{error:#}"))?;
            if colours.trim().parse::<u32>().is_ok_and(|colours| colours > 8) { Ok(()) } else { Err(colours) }
        })
    }

    /// How many colours there are where a window is on the screen.
    fn colours(&self, window: &str) -> anyhow::Result<String> {
        let told = self.stage.display.tool("xwininfo", &["-id", window])?;
        let value = |name: &str| {
            let line = told.lines().find_map(|line| line.trim().strip_prefix(name));
            line.with_context(|| format!("no {name} in {told}")).map(str::trim)
        };
        let (width, height) = (value("Width:")?, value("Height:")?);
        let (x, y) = (value("Absolute upper-left X:")?, value("Absolute upper-left Y:")?);
        let part = format!("{width}x{height}+{x}+{y}");
        let shot = ["-window", "root", "-crop", &part, "-format", "%k", "info:"];
        self.stage.display.tool("import", &shot)
    }

    /// Waits until the app shows so many windows, dialogs with them: those have no title.
    ///
    /// # Errors
    /// When it shows more or fewer.
    pub fn wait_windows(&self, count: usize) -> anyhow::Result<()> {
        crate::wait_until(&format!("{count} windows of the app"), ANSWER, || {
            let shown = self.stage.display.programs_windows().len();
            if shown == count { Ok(()) } else { Err(format!("{shown} windows")) }
        })
    }

    /// Waits until no window has this title.
    ///
    /// # Errors
    /// When one still has.
    pub fn wait_gone(&self, title: &str) -> anyhow::Result<()> {
        crate::wait_until(&format!("the end of the window {title}"), ANSWER, || {
            let left = self.stage.display.windows(&format!("^{title}$"));
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
    }

    /// Waits until X11's properties of a window hold a text.
    ///
    /// # Errors
    /// When they do not; they are named.
    pub fn wait_property(&self, window: &str, property: &str, wanted: &str) -> anyhow::Result<()> {
        crate::wait_until(&format!("{property} with {wanted}"), ANSWER, || {
            let told = self.stage.display.tool("xprop", &["-id", window, property]);
            let told = told.map_err(|error| format!("{error:#}"))?;
            if told.contains(wanted) { Ok(()) } else { Err(told) }
        })
    }

    /// Waits until the code of every demo that is drawn is shown, and no error in its place.
    ///
    /// # Errors
    /// When one is missing.
    pub fn wait_code(&self) -> anyhow::Result<()> {
        let script = "const all = [...document.querySelectorAll('section:not([hidden]) .listing')]; \
                      const bad = all.filter(one => !one.querySelector('code')?.textContent.trim()); \
                      return all.length > 0 && bad.length === 0 || bad.map(one => one.id + ': ' + one.textContent).join()";
        self.page.wait_for("the code of all demos", script, ANSWER)
    }

    /// Leaves a picture of the screen, with the section from its top.
    ///
    /// # Errors
    /// When the code that belongs on it is missing.
    pub fn picture(&self, what: &str) -> anyhow::Result<()> {
        self.wait_code()?;
        self.page.run("document.getElementById('content').scrollTop = 0", &[])?;
        self.stage.screenshot(what);
        Ok(())
    }
}

impl Drop for KitchenSink<'_> {
    fn drop(&mut self) {
        // Of a test that failed: what was on the screen then.
        self.stage.screenshot("at-the-end");
    }
}
