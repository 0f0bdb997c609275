//! The demo's own copy of the notebook, and the commands run on it.

use crate::display::Display;
use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A copy of `examples/notebook` that may be changed.
pub struct Project {
    root: PathBuf,
    work: PathBuf,
}

impl Project {
    /// Copies the notebook into a fresh folder; what cargo built for an earlier copy is kept.
    pub fn copy(root: &Path, demo: &Path) -> anyhow::Result<Self> {
        let work = demo.join("work");
        if work.exists() {
            std::fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))?;
        }
        let project = Self { root: root.into(), work };
        copy_folder(&root.join("examples/notebook"), &project.folder())?;
        std::fs::create_dir_all(project.repository())?;
        std::fs::create_dir_all(project.notes_of_user())?;
        if project.notes_of_developer().exists() {
            std::fs::remove_dir_all(project.notes_of_developer())?;
        }
        // The copy lies elsewhere: its way to the crate is written out.
        let staysail = root.join("crates/staysail");
        for manifest in ["backend/app/Cargo.toml", "backend/core/Cargo.toml"] {
            let staysail = staysail.display().to_string();
            project.change(manifest, &[("../../../../crates/staysail", staysail.as_str())])?;
        }
        Ok(project)
    }

    /// The project's folder.
    pub fn folder(&self) -> PathBuf {
        self.work.join("notebook")
    }

    /// Where releases are published.
    pub fn repository(&self) -> PathBuf {
        self.work.join("releases")
    }

    /// Cargo's output, kept from one demo to the next; the notes of development lie there, too.
    fn target(&self) -> PathBuf {
        self.root.join("target/demo/cargo")
    }

    /// The notes a developer has while the app is developed.
    pub fn notes_of_developer(&self) -> PathBuf {
        self.target().join("apps/dev.staysail.notebook/data")
    }

    /// The home of a user's data.
    pub fn notes_of_user(&self) -> PathBuf {
        self.work.join("data")
    }

    /// What `staysail build` made.
    pub fn executable(&self) -> PathBuf {
        self.folder().join("build/notebook")
    }

    /// One of our programs.
    pub fn program(&self, name: &str) -> Command {
        Command::new(self.root.join("target/debug").join(name))
    }

    /// The command, in the project's folder.
    pub fn staysail(&self, display: &Display) -> Command {
        let mut command = self.program("staysail");
        command
            .current_dir(self.folder())
            .envs(display.variables())
            .env("STAYSAIL_TARGET_DIR", self.target())
            // The shell that was built just now, not an optimised one that may lie about from before.
            .env("STAYSAIL_SHELL", self.root.join("target/debug/staysail-shell"))
            .env("XDG_DATA_HOME", self.notes_of_user())
            .env("CI", "true")
            .env("NO_COLOR", "1");
        command
    }

    /// The built app, as a user starts it.
    pub fn built(&self, display: &Display) -> Command {
        let mut command = Command::new(self.executable());
        command
            .current_dir(&self.work)
            .envs(display.variables())
            .env("XDG_DATA_HOME", self.notes_of_user())
            .env("NO_COLOR", "1");
        command
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// With all it said, when it fails.
    pub fn run(&self, command: &mut Command) -> anyhow::Result<String> {
        let output = command.stdin(std::process::Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let arguments: Vec<_> = command.get_args().map(|part| part.to_string_lossy()).collect();
            bail!(
                "{} {} failed:\n{said}{}",
                command.get_program().to_string_lossy(),
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(said)
    }

    /// Publishes the project as it is.
    pub fn publish(&self, display: &Display, version: &str) -> anyhow::Result<String> {
        let begun = Instant::now();
        let mut command = self.staysail(display);
        command.arg("publish").arg("--to").arg(self.repository()).args(["--version", version]);
        let said = self.run(&mut command)?;
        let is_size = |line: &&str| line.contains(" files, ") || line.contains(" from the version before");
        let sizes: Vec<&str> = said.lines().map(str::trim).filter(is_size).collect();
        Ok(format!("published in {:.1} s: {}", begun.elapsed().as_secs_f64(), sizes.join("; ")))
    }

    /// Saves a file with each of these texts exchanged, the way editors do: a new file renamed over the old one.
    ///
    /// # Errors
    /// When a text is not there: the demo would show nothing.
    pub fn change(&self, path: &str, exchanges: &[(&str, &str)]) -> anyhow::Result<()> {
        let path = self.folder().join(path);
        let mut text =
            std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        for (old, new) in exchanges {
            ensure!(text.contains(old), "{} does not hold {old:?}", path.display());
            text = text.replace(old, new);
        }
        let fresh = path.with_extension("saving");
        std::fs::write(&fresh, text)?;
        std::fs::rename(&fresh, &path).with_context(|| format!("saving {}", path.display()))
    }

    /// Saves the backend with this line for the page's footer.
    pub fn say(&self, line: &str) -> anyhow::Result<()> {
        self.assign("backend/core/src/lib.rs", "pub const TAGLINE: &str = ", &[&format!("\"{line}\";")])
    }

    /// Saves the style sheet with these accent colours, for light and for dark.
    pub fn paint(&self, light: &str, dark: &str) -> anyhow::Result<()> {
        self.assign("frontend/style.css", "--accent: ", &[&format!("{light};"), &format!("{dark};")])
    }

    /// Gives the values to the lines that begin so, one after the other.
    fn assign(&self, path: &str, begin: &str, values: &[&str]) -> anyhow::Result<()> {
        let text =
            std::fs::read_to_string(self.folder().join(path)).with_context(|| format!("reading {path}"))?;
        let old: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with(begin)).collect();
        ensure!(old.len() >= values.len(), "{path} holds {} lines that begin with {begin:?}", old.len());
        let new: Vec<String> = values.iter().map(|value| format!("{begin}{value}")).collect();
        let exchanges: Vec<(&str, &str)> =
            old.iter().zip(&new).map(|(old, new)| (old.trim_start(), new.as_str())).collect();
        self.change(path, &exchanges)
    }

    /// Adds the address of the releases, and a probation short enough to be watched.
    pub fn look_for_releases_at(&self, url: &str) -> anyhow::Result<()> {
        self.change("staysail.toml", &[("[production]\n", "[production]\nprobation_s = 5\n")])?;
        let path = self.folder().join("staysail.toml");
        let text = std::fs::read_to_string(&path)?;
        let section = format!("\n[update]\nurl = \"{url}\"\nroot = \"keys/root.json\"\n");
        Ok(std::fs::write(path, text + &section)?)
    }

    /// The backend then lives long enough to go live, and ends itself well within its probation.
    pub fn make_it_crash(&self) -> anyhow::Result<()> {
        let main = "fn main() -> staysail::Result {\n";
        let bomb = "    if std::env::args().len() == 1 {\n        std::thread::spawn(|| {\n            \
                    std::thread::sleep(std::time::Duration::from_millis(2500));\n            std::process::abort();\n        \
                    });\n    }\n";
        self.change("backend/app/src/main.rs", &[(main, &format!("{main}{bomb}"))])
    }

    /// Waits until a note on the disk holds the text, whole, as often as it was typed and with nothing in between.
    pub fn wait_for_note(&self, folder: &Path, sentence: &str, typed: &str) -> anyhow::Result<()> {
        const SAVED_WITHIN: Duration = Duration::from_secs(10);
        let (sentence, typed) = (sentence.trim_end(), typed.trim_end());
        let begun = Instant::now();
        loop {
            let texts = markdown_below(folder);
            if texts.iter().any(|text| text.contains(typed)) {
                return Ok(());
            }
            if begun.elapsed() > SAVED_WITHIN {
                let count = |text: &str| text.matches(sentence).count();
                let most = texts.iter().map(|text| count(text)).max().unwrap_or(0);
                let folder = folder.display();
                bail!(
                    "typed text was lost: {most} of {} sentences are in the notes in {folder}",
                    count(typed)
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn markdown_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(markdown_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.extend(std::fs::read_to_string(&path));
        }
    }
    found
}

/// Copies sources; what was built or is hidden stays behind.
pub fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let built = ["target", "node_modules", "build", "keys"].iter().any(|built| name == *built);
        if built {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(&name))?;
        } else {
            std::fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}
