//! A project: its folder, its `staysail.toml`, and what follows from the two.

mod capabilities;
mod file;
mod modules;
mod policy;
mod scopes;
mod shadow;

pub use file::{AssetGroup, Config, address, check_id, parse};
pub use modules::Source;

use staysail_protocol::limits;
use staysail_protocol::manifest::ModeConfig;
use staysail_protocol::policy::UpdatePolicy;
use staysail_protocol::shadow::ShadowRules;
use std::path::{Path, PathBuf};

/// Name of the project file.
pub const FILE_NAME: &str = "staysail.toml";
/// Environment variable that overrides the mode.
pub const MODE_VARIABLE: &str = "STAYSAIL_ENV";
/// Environment variable that names another folder for everything that is built.
pub const TARGET_VARIABLE: &str = "STAYSAIL_TARGET_DIR";

/// Why a project can not be used.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// No project file anywhere.
    #[error(
        "there is no {FILE_NAME} in {} or above it.\n  Make a project with `staysail init NAME`, or name its folder with --project.",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file can not be read from disk.
    #[error("{} can not be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file says something wrong.
    #[error("{}:{line}: {problem}\n  {remedy}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// The mode's name is none.
    #[error("{MODE_VARIABLE} is {0:?}; it must be `debug` or `production`, or not be set")]
    Mode(String),
}

/// Which section of the project file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `[debug]`: what `staysail dev` uses.
    Debug,
    /// `[production]`: what `staysail build` uses.
    Production,
}

impl Mode {
    /// The name as it stands in the project file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Production => "production",
        }
    }

    /// The mode of the environment, or this one when it says nothing.
    pub fn or_environment(self) -> Result<Self, ProjectError> {
        match std::env::var(MODE_VARIABLE).as_deref() {
            Err(_) | Ok("") => Ok(self),
            Ok("debug") => Ok(Self::Debug),
            Ok("production") => Ok(Self::Production),
            Ok(other) => Err(ProjectError::Mode(other.to_owned())),
        }
    }
}

/// A project whose file was read and found right.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its folder, absolute.
    pub root: PathBuf,
    /// The project file as it was read.
    pub config: Config,
    /// The chosen mode.
    pub mode: Mode,
    /// Whether the environment chose it.
    pub mode_from_environment: bool,
}

impl Project {
    /// Reads the project in `folder`, or the one around the current folder.
    ///
    /// # Errors
    /// When there is none, or its file is wrong.
    pub fn find(folder: Option<&Path>, mode: Mode) -> Result<Self, ProjectError> {
        let unreadable = |path: &Path| {
            let path = path.to_path_buf();
            move |source| ProjectError::Unreadable { path, source }
        };
        let here = Path::new(".");
        let start = folder.unwrap_or(here);
        let start = start.canonicalize().map_err(unreadable(start))?;
        let start = without_verbatim(start);
        let found = match folder {
            Some(_) => Some(start.as_path()).filter(|folder| folder.join(FILE_NAME).is_file()),
            None => start.ancestors().find(|folder| folder.join(FILE_NAME).is_file()),
        };
        let root = found.ok_or_else(|| ProjectError::Missing(start.clone()))?.to_path_buf();
        let path = root.join(FILE_NAME);
        let text = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
        let config = parse(&text, &path)?;
        let chosen = mode.or_environment()?;
        let mode_from_environment = std::env::var(MODE_VARIABLE).is_ok_and(|value| !value.is_empty());
        Ok(Self { root, config, mode: chosen, mode_from_environment })
    }

    /// The project file.
    pub fn file(&self) -> PathBuf {
        self.root.join(FILE_NAME)
    }

    /// The name for people.
    pub fn name(&self) -> &str {
        self.config.app.name.as_deref().unwrap_or(&self.config.app.id)
    }

    /// The folder of the page as it is shipped.
    pub fn dist(&self) -> PathBuf {
        self.root.join(&self.config.frontend.dist)
    }

    /// The folder the shell serves the page from; `None` when a dev server serves it.
    pub fn served(&self) -> Option<PathBuf> {
        let by_server = self.config.frontend.dev.as_ref().is_some_and(|server| server.url.is_some());
        (!by_server).then(|| self.dist())
    }

    /// The generated TypeScript declarations.
    pub fn types(&self) -> PathBuf {
        self.root.join(&self.config.frontend.types)
    }

    /// The root that built apps trust; none where the project has none, or it can not be read.
    pub fn trust_root(&self) -> Option<Vec<u8>> {
        let update = self.config.update.as_ref()?;
        std::fs::read(self.root.join(&update.root)).ok()
    }

    /// Where the commands of the frontend run: the folder with a package.json nearest to the page, up to the root.
    pub fn frontend_folder(&self) -> PathBuf {
        let dist = self.dist();
        let found = dist.ancestors().take_while(|folder| folder.starts_with(&self.root));
        found
            .chain([self.root.join("frontend").as_path()])
            .find(|folder| folder.join("package.json").is_file())
            .unwrap_or(&self.root)
            .to_path_buf()
    }

    /// Everything that is built for development goes here.
    pub fn target(&self) -> PathBuf {
        match std::env::var_os(TARGET_VARIABLE).filter(|value| !value.is_empty()) {
            Some(folder) => self.root.join(folder),
            None => self.root.join("target").join("staysail"),
        }
    }

    /// What belongs to this app alone, also where projects share a target folder: its data, its last description.
    pub fn app_folder(&self) -> PathBuf {
        self.target().join("apps").join(&self.config.app.id)
    }

    /// The values of the chosen mode as they reach shell, backend and page.
    pub fn mode_config(&self) -> ModeConfig {
        let (section, log, inspector) = match self.mode {
            Mode::Debug => (&self.config.debug, "debug", true),
            Mode::Production => (&self.config.production, "info", false),
        };
        ModeConfig {
            mode: self.mode.name().into(),
            log: section.log.clone().unwrap_or_else(|| log.into()),
            inspector: section.inspector.unwrap_or(inspector),
            csp: section.csp.clone(),
            capabilities: self.config.capabilities.clone(),
            webview: Box::new(self.config.webview.clone()),
            constants: section.constants.clone(),
            hello_timeout_ms: section.hello_timeout_ms.unwrap_or(limits::HELLO_TIMEOUT_MS),
            probation_s: section.probation_s.unwrap_or(limits::PROBATION_S),
            drain_s: section.drain_s.unwrap_or(limits::DRAIN_S),
            page_ready_timeout_ms: section.page_ready_timeout_ms.unwrap_or(limits::PAGE_READY_TIMEOUT_MS),
        }
    }

    /// Files of Wasm modules, and folders of crates that become some.
    pub fn module_places(&self) -> Vec<PathBuf> {
        let sources = self.config.modules.values().map(modules::Module::source);
        sources.map(|(Source::File(path) | Source::Crate(path))| self.root.join(path)).collect()
    }

    /// What is compared before a release goes live, as it travels with it.
    pub fn shadow(&self) -> Option<Box<ShadowRules>> {
        let shadow = self.config.update.as_ref()?.shadow.as_ref()?;
        // Checked as the project was read.
        shadow::resolve(shadow).ok().map(Box::new)
    }

    /// When updates may be taken, as it travels with a release.
    pub fn policy(&self) -> UpdatePolicy {
        // Checked as the project was read.
        self.config
            .update
            .as_ref()
            .and_then(|update| policy::resolve(&update.policy).ok())
            .unwrap_or_default()
    }
}

/// Windows adds `\\?\` to canonical paths, which few programs read.
fn without_verbatim(path: PathBuf) -> PathBuf {
    match path.to_str().and_then(|text| text.strip_prefix(r"\\?\")) {
        Some(plain) if cfg!(windows) => PathBuf::from(plain),
        _ => path,
    }
}
