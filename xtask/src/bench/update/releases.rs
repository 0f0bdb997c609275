//! A repository with a server, and what is published to it: two backends, by turns.

use crate::bench::apps::{Apps, STEP_LIMIT, Which, succeed};
use crate::demo::copy_folder;
use crate::program::Program;
use std::path::PathBuf;
use std::process::Command;

/// Names of the two copies of the app's sources; the first is the one that is installed.
const COPIES: [&str; 2] = ["app", "app-other"];
/// What a copy's backend answers.
pub const ANSWERS: [&str; 2] = ["backend-0", "backend-1"];
const REVISION: &str = "src/main.rs";
const STYLES: &str = "frontend/styles.css";
const SCRIPT: &str = "frontend/measure.js";
const PROJECT: &str = "staysail.toml";

/// What publishes.
pub struct Releases<'a> {
    apps: &'a Apps<'a>,
    repository: PathBuf,
    /// The number of a style that stands in each copy.
    styles: [usize; 2],
    /// The number of a script's line that stands in both.
    script: usize,
    /// How many were published.
    count: usize,
    _server: Program,
}

/// What is new in a release, beside its backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// A style, exchanged where it stands.
    Style,
    /// A line of a script, so that the page is loaded again.
    Script,
}

impl<'a> Releases<'a> {
    /// Copies of the sources, keys, a server, and a first release that is the one to be installed.
    pub fn prepare(apps: &'a Apps<'a>) -> anyhow::Result<Self> {
        let repository = apps.work("releases");
        for old in [&repository, &apps.work("data/dev.staysail.bench")] {
            if old.exists() {
                std::fs::remove_dir_all(old)?;
            }
        }
        std::fs::create_dir_all(&repository)?;
        let mut serve = apps.tool("staysail-server");
        let mut server = Program::start("staysail-server", serve.arg("--repo").arg(&repository))?;
        let url = server.lines.until("its address", STEP_LIMIT, |heard| {
            heard.text.strip_prefix("listening on ").map(|url| url.trim().to_owned())
        })?;
        for (copy, answer) in COPIES.iter().zip(ANSWERS) {
            apps.copy_ours(copy)?;
            let source = format!("\n[update]\nurl = \"{url}\"\nroot = \"keys/root.json\"\n");
            let project = apps.work(copy).join(PROJECT);
            std::fs::write(&project, std::fs::read_to_string(&project)? + &source)?;
            if answer != ANSWERS[0] {
                apps.edit(&format!("{copy}/{REVISION}"), ANSWERS[0], answer)?;
            }
            let styles = apps.work(copy).join(STYLES);
            std::fs::write(&styles, std::fs::read_to_string(&styles)? + "#said { order: 0; }\n")?;
        }
        let mut releases = Self { apps, repository, styles: [0; 2], script: 0, count: 0, _server: server };
        succeed(releases.staysail(0).args(["keys", "init", "--unencrypted"]))?;
        copy_folder(&apps.work(COPIES[0]).join("keys"), &apps.work(COPIES[1]).join("keys"))?;
        releases.publish(0)?;
        Ok(releases)
    }

    /// Publishes a copy with something new in its page. Gives the version.
    pub fn publish_new(&mut self, copy: usize, page: Page) -> anyhow::Result<String> {
        // What is the same content as before would be no new release.
        let next = self.count + 1;
        let edit = |copy: usize, file: &str, old: String, new: String| {
            self.apps.edit(&format!("{}/{file}", COPIES[copy]), &old, &new)
        };
        match page {
            Page::Style => {
                let old = self.styles[copy];
                edit(copy, STYLES, format!("order: {old};"), format!("order: {next};"))?;
                self.styles[copy] = next;
            }
            // Of both: otherwise every release after this one had the page loaded again.
            Page::Script => {
                for copy in 0..COPIES.len() {
                    let old = self.script;
                    edit(copy, SCRIPT, format!("\"page-{old}\""), format!("\"page-{next}\""))?;
                }
                self.script = next;
            }
        }
        self.publish(copy)
    }

    /// Has releases of a copy stay on probation for so long.
    pub fn set_probation(&self, copy: usize, seconds: u64) -> anyhow::Result<()> {
        let new = format!("probation_s = {seconds}");
        self.apps.edit(&format!("{}/{PROJECT}", COPIES[copy]), "probation_s = 1", &new)
    }

    fn publish(&mut self, copy: usize) -> anyhow::Result<String> {
        let version = format!("1.{}.0", self.count);
        self.count += 1;
        let mut publish = self.staysail(copy);
        publish.args(["publish", "--version", &version, "--to"]).arg(&self.repository);
        succeed(&mut publish)?;
        Ok(version)
    }

    /// The command in a copy. Each has a target folder of its own: to cargo both are the same package.
    fn staysail(&self, copy: usize) -> Command {
        let mut command = self.apps.around(self.apps.tool("staysail"), &self.apps.work(COPIES[copy]));
        command.env("STAYSAIL_TARGET_DIR", self.apps.target(Which::Ours, ["release", "other"][copy]));
        command
    }
}
