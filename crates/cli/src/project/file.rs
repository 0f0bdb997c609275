//! `staysail.toml`: its sections, and errors that name the line and what to do.

use super::shadow::Shadow;
use super::{ProjectError, capabilities};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::Deserialize;
use staysail_protocol::limits;
use staysail_protocol::policy::{Live, Metered};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[app]`
    pub app: App,
    /// `[frontend]`
    #[serde(default)]
    pub frontend: Frontend,
    /// `[backend]`
    #[serde(default)]
    pub backend: Backend,
    /// `[debug]`
    #[serde(default)]
    pub debug: Section,
    /// `[production]`
    #[serde(default)]
    pub production: Section,
    /// `[[capabilities]]`
    #[serde(default)]
    pub capabilities: Vec<staysail_protocol::capability::Capability>,
    /// `[webview]`
    #[serde(default)]
    pub webview: staysail_protocol::webview::WebviewConfig,
    /// `[assets]`
    #[serde(default)]
    pub assets: Assets,
    /// `[modules.NAME]`
    #[serde(default)]
    pub modules: BTreeMap<String, super::modules::Module>,
    /// `[update]`
    pub update: Option<Update>,
}

/// `[app]`: what the app is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Reverse-domain identifier; also the name of its data folder.
    pub id: String,
    /// Name for people.
    pub name: Option<String>,
    /// Version; the backend package's when absent.
    pub version: Option<String>,
}

/// `[frontend]`: the page.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Frontend {
    /// Folder that is shipped, and served in development when there is no dev server.
    pub dist: PathBuf,
    /// The generated TypeScript declarations.
    pub types: PathBuf,
    /// `[frontend.dev]`: an external dev server.
    pub dev: Option<DevServer>,
    /// `[frontend.build]`: what makes `dist`.
    pub build: Option<FrontendBuild>,
}

impl Default for Frontend {
    fn default() -> Self {
        Self { dist: "frontend".into(), types: "frontend/staysail.d.ts".into(), dev: None, build: None }
    }
}

/// `[frontend.dev]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevServer {
    /// Starts it; without one, somebody else runs it.
    pub command: Option<String>,
    /// Where it listens; without one it only writes files, and the page is served from `dist`.
    pub url: Option<String>,
    /// When its port is taken, the next free one is used; the server must take it from its environment.
    #[serde(default)]
    pub any_port: bool,
}

/// `[frontend.build]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrontendBuild {
    /// Makes the page.
    pub command: String,
}

/// `[backend]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backend {
    /// Cargo package with the app's executable; the only one when absent.
    pub package: Option<String>,
}

/// `[debug]` and `[production]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Section {
    /// Log filter.
    pub log: Option<String>,
    /// Whether the web inspector can be opened.
    pub inspector: Option<bool>,
    /// Content security policy.
    pub csp: Option<String>,
    /// Constants for Rust and page.
    pub constants: BTreeMap<String, serde_json::Value>,
    /// Milliseconds a new worker has to say hello.
    pub hello_timeout_ms: Option<u64>,
    /// Seconds a new version is watched.
    pub probation_s: Option<u64>,
    /// Seconds the old worker has to finish its calls.
    pub drain_s: Option<u64>,
    /// Milliseconds a new page has to come up.
    pub page_ready_timeout_ms: Option<u64>,
}

/// `[assets]`: files of the page that are not shipped.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Assets {
    /// `[assets.groups.NAME]`
    pub groups: BTreeMap<String, AssetGroup>,
}

/// `[assets.groups.NAME]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetGroup {
    /// Patterns as in a `.gitignore`, from the page's folder on.
    pub files: Vec<String>,
    /// When it is fetched without being asked for.
    #[serde(default)]
    pub prefetch: staysail_protocol::assets::Prefetch,
}

impl AssetGroup {
    /// What its patterns fit.
    ///
    /// # Errors
    /// A sentence that names the pattern.
    pub fn matcher(&self) -> Result<Gitignore, String> {
        let mut builder = GitignoreBuilder::new("");
        for pattern in &self.files {
            builder.add_line(None, pattern).map_err(|error| format!("{pattern:?} is no pattern: {error}"))?;
        }
        builder.build().map_err(|error| error.to_string())
    }

    /// When a file of it is fetched among the others: as the patterns stand that it fits.
    pub fn place(&self, path: &str) -> usize {
        let fits = |pattern: &String| {
            let one = Self { files: vec![pattern.clone()], prefetch: self.prefetch };
            one.matcher().is_ok_and(|one| one.matched_path_or_any_parents(path, false).is_ignore())
        };
        self.files.iter().position(fits).unwrap_or(self.files.len())
    }
}

/// `[update]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    /// Repository of releases.
    pub url: String,
    /// Other addresses of it, asked in this order while the first does not answer.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// The pinned trust root.
    #[serde(default = "default_root")]
    pub root: PathBuf,
    /// Seconds between two checks.
    pub check_interval_s: Option<u64>,
    /// The channel to follow while the user chose no other.
    #[serde(default = "default_channel")]
    pub channel: String,
    /// The version to stay at while the user chose no other.
    pub pin: Option<String>,
    /// Most bytes of releases and asset groups per second.
    pub download_bytes_per_s_max: Option<u64>,
    /// Files of a release that are downloaded at once.
    pub download_parallel_max: Option<usize>,
    /// Whether releases carry the shell; when absent they do if it is an optimised one.
    pub shell: Option<bool>,
    /// `[update.policy]`
    #[serde(default)]
    pub policy: Policy,
    /// `[update.shadow]`
    pub shadow: Option<Shadow>,
}

/// `[update.policy]`: when updates may be looked for, downloaded and applied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Condition for looking.
    pub check: Option<String>,
    /// Condition for downloading a release.
    pub download: Option<String>,
    /// Condition for applying a release.
    pub apply: Option<String>,
    /// What is done where bytes cost money.
    pub metered: Metered,
    /// When a release goes live.
    pub live: Live,
    /// Days a release can be postponed.
    pub postpone_days_max: Option<u32>,
}

fn default_channel() -> String {
    staysail_update::trust::CHANNEL.into()
}

fn default_root() -> PathBuf {
    "keys/root.json".into()
}

/// Reads the file and checks what can be checked without touching anything else.
pub fn parse(text: &str, path: &Path) -> Result<Config, ProjectError> {
    let config: Config = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_at(text, span.start));
        let (problem, remedy) = explain(error.message());
        ProjectError::Invalid { path: path.into(), line, problem, remedy }
    })?;
    check(&config).map_err(|(field, problem, remedy)| ProjectError::Invalid {
        path: path.into(),
        line: line_of(text, field),
        problem,
        remedy,
    })?;
    let invalid =
        |(line, problem, remedy)| ProjectError::Invalid { path: path.into(), line, problem, remedy };
    capabilities::check(text, &config.capabilities).map_err(invalid)?;
    super::scopes::check(&config).map_err(|bad| ProjectError::Invalid {
        path: path.into(),
        line: text
            .lines()
            .position(|line| line.contains(&format!("{:?}", bad.pattern)))
            .map_or(1, |at| at + 1),
        problem: bad.problem,
        remedy: bad.remedy,
    })?;
    if let Some(update) = &config.update {
        super::policy::resolve(&update.policy).map_err(|bad| ProjectError::Invalid {
            path: path.into(),
            line: line_in(text, "[update.policy]", bad.step),
            problem: format!("[update.policy] {}: {}", bad.step, bad.problem),
            remedy: bad.remedy,
        })?;
        if let Some(shadow) = &update.shadow {
            super::shadow::resolve(shadow).map_err(|bad| ProjectError::Invalid {
                path: path.into(),
                line: line_in(text, "[update.shadow]", bad.key),
                problem: format!("[update.shadow] {}: {}", bad.key, bad.problem),
                remedy: "docs/guide/shadow.md says what each key means.".into(),
            })?;
        }
    }
    Ok(config)
}

/// The line of an offset, from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Turns the parser's message into a problem and a remedy.
fn explain(message: &str) -> (String, String) {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let unknown = ["unknown field", "unknown variant"].into_iter().find(|kind| message.starts_with(kind));
    if let Some(kind) = unknown.filter(|_| quoted.len() > 1) {
        let (wrong, known) = (quoted[0], &quoted[1..]);
        let close = known.iter().max_by(|a, b| similar(wrong, a).total_cmp(&similar(wrong, b)));
        let hint = close.filter(|name| similar(wrong, name) > 0.7);
        let list = format!("Known here: {}.", known.join(", "));
        let remedy = hint.map_or(list.clone(), |name| format!("Did you mean `{name}`? {list}"));
        let kind = kind.replace("variant", "name");
        return (format!("{kind} `{wrong}`"), remedy);
    }
    if let (true, Some(name)) = (message.starts_with("missing field"), quoted.first()) {
        let remedy = match *name {
            "app" => "Add:  [app]\n        id = \"com.example.hello\"".to_owned(),
            "id" => "Add `id = \"com.example.hello\"` to [app].".to_owned(),
            name => format!("Add `{name} = …`."),
        };
        return (message.to_owned(), remedy);
    }
    (
        message.trim_end().replace('\n', "; "),
        "Correct this line; docs/guide/project-file.md shows every field.".into(),
    )
}

/// How alike two names are, from 0 to 1.
pub(super) fn similar(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b)
}

type Wrong = (&'static str, String, String);

fn check(config: &Config) -> Result<(), Wrong> {
    if let Err(problem) = check_id(&config.app.id) {
        return Err(("id", problem, "Use a reverse domain such as \"com.example.hello\".".into()));
    }
    if let Some(version) = &config.app.version
        && let Err(error) = semver::Version::parse(version)
    {
        let problem = format!("version {version:?} is no semantic version: {error}");
        return Err(("version", problem, "Use three numbers, such as \"0.1.0\".".into()));
    }
    for (field, path) in [("dist", &config.frontend.dist), ("types", &config.frontend.types)] {
        if path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
            let problem = format!("{field} {:?} leaves the project's folder", path.display().to_string());
            return Err((field, problem, "Use a path relative to staysail.toml, without `..`.".into()));
        }
    }
    if let Some(server) = &config.frontend.dev
        && server.command.is_none()
        && server.url.is_none()
    {
        let problem = "[frontend.dev] has neither a command nor a url".to_owned();
        return Err(("[frontend.dev]", problem, "Give one or both, or take the section out.".into()));
    }
    if let Some(url) = config.frontend.dev.as_ref().and_then(|server| server.url.as_ref())
        && let Err(problem) = address(url)
    {
        return Err(("url", problem, "Use an address such as \"http://localhost:5173\".".into()));
    }
    if let Err(wrong) = config.webview.check() {
        return Err((wrong.key, wrong.problem, wrong.remedy.into()));
    }
    for (name, group) in &config.assets.groups {
        if let Err(problem) = staysail_protocol::assets::check_name(name) {
            return Err(("[assets.groups", problem, "Give it a plain name such as `maps`.".into()));
        }
        if let Err(problem) = group.matcher() {
            let problem = format!("the asset group `{name}`: {problem}");
            return Err(("[assets.groups", problem, "A pattern is such as \"maps/**\" or \"*.ogg\".".into()));
        }
    }
    if let Err((problem, remedy)) = super::modules::check(&config.modules) {
        return Err(("[modules", problem, remedy));
    }
    let is_address =
        |url: &str| ["https://", "http://", "file:///"].iter().any(|scheme| url.starts_with(scheme));
    if let Some(update) = &config.update {
        let addresses = update.mirrors.iter().map(|mirror| ("mirrors", mirror));
        let wrong = std::iter::once(("url", &update.url)).chain(addresses).find(|(_, url)| !is_address(url));
        if let Some((field, url)) = wrong {
            let problem = format!("update {field} {url:?} is no address");
            return Err((field, problem, "Use https://…, or file:///… to try it out.".into()));
        }
        if !staysail_update::trust::is_channel(&update.channel) {
            let problem = format!("{:?} can not be the name of a channel", update.channel);
            return Err(("channel", problem, "Use letters, digits, - and _, such as \"beta\".".into()));
        }
        if let Some(pin) = update.pin.as_ref().filter(|pin| !staysail_update::policy::pin::is_pin(pin)) {
            let problem = format!("{pin:?} is no version to stay at");
            return Err(("pin", problem, "Use a version such as \"1.4.2\", or \"1.4.x\".".into()));
        }
        check_downloads(update)?;
    }
    Ok(())
}

fn check_downloads(update: &Update) -> Result<(), Wrong> {
    let least = limits::DOWNLOAD_BYTES_PER_S_MIN;
    if let Some(rate) = update.download_bytes_per_s_max.filter(|rate| *rate < least) {
        let problem = format!("{rate} bytes per second are fewer than {least} (download_bytes_per_s_min)");
        return Err(("download_bytes_per_s_max", problem, "Leave it out for no limit.".into()));
    }
    let most = limits::DOWNLOAD_PARALLEL_CEILING;
    if let Some(files) = update.download_parallel_max.filter(|files| !(1..=most).contains(files)) {
        let problem = format!("{files} files at once are not from 1 to {most} (download_parallel_ceiling)");
        return Err(("download_parallel_max", problem, "Leave it out for the usual number.".into()));
    }
    Ok(())
}

/// A line that sets this field, for errors found after parsing.
fn line_of(text: &str, field: &str) -> usize {
    let sets = |line: &str| {
        let rest = line.trim_start().strip_prefix(field).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with('=') || field.starts_with('['))
    };
    text.lines().position(sets).map_or(1, |at| at + 1)
}

/// The line of a key within its section: other sections have keys of that name, too.
fn line_in(text: &str, section: &str, step: &str) -> usize {
    let section = text.lines().position(|line| line.trim_start().starts_with(section));
    let begin = section.unwrap_or(0);
    let sets = |line: &str| {
        line.trim_start().strip_prefix(step).is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    text.lines().skip(begin).position(sets).map_or(begin + 1, |at| begin + at + 1)
}

/// Checks an app identifier.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_id(id: &str) -> Result<(), String> {
    let part_is_good = |part: &str| {
        part.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if id.len() > 128 || id.split('.').count() < 2 || !id.split('.').all(part_is_good) {
        return Err(format!("the app id {id:?} is no reverse domain"));
    }
    Ok(())
}

/// Host and port of an address such as `http://localhost:5173/`.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn address(url: &str) -> Result<(String, u16), String> {
    let (rest, default) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (rest, 80),
        (_, Some(rest)) => (rest, 443),
        _ => return Err(format!("the address {url:?} begins with neither http:// nor https://")),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            (host, port.parse().map_err(|_| format!("the address {url:?} has no valid port"))?)
        }
        _ => (authority, default),
    };
    if host.is_empty() {
        return Err(format!("the address {url:?} names no host"));
    }
    Ok((host.trim_matches(['[', ']']).to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text, Path::new("staysail.toml")).unwrap_err().to_string()
    }

    const APP: &str = "[app]\nid = \"com.example.hello\"\n";

    const UPDATED: &str = "[app]\nid = \"com.example.hello\"\n[update]\nurl = \"https://example.com\"\n";

    #[test]
    fn an_unknown_field_is_named_with_its_line_and_the_nearest_known_one() {
        let message = refused(&format!("{APP}nmae = \"Hello\"\n"));
        assert!(message.starts_with("staysail.toml:3: unknown field `nmae`"), "{message}");
        assert!(message.contains("Did you mean `name`?"), "{message}");
    }

    #[test]
    fn a_missing_id_says_what_to_add() {
        let message = refused("[app]\nname = \"x\"\n");
        assert!(message.contains("missing field `id`") && message.contains("com.example.hello"), "{message}");
    }

    #[test]
    fn values_that_can_not_work_are_refused_at_their_line() {
        for (text, line, part) in [
            ("[app]\nid = \"hello\"\n".to_owned(), 2, "reverse domain"),
            (format!("{APP}version = \"1\"\n"), 3, "semantic version"),
            (format!("{APP}[frontend]\ndist = \"../x\"\n"), 4, "leaves the project"),
            (format!("{APP}[frontend.dev]\nurl = \"localhost:1\"\n"), 4, "neither http"),
            (format!("{APP}[debug]\nlog = 3\n"), 4, "invalid type"),
            (format!("{APP}[assets.groups.\"a b\"]\nfiles = []\n"), 3, "no name of an asset group"),
            (format!("{APP}[assets.groups.a]\nfiles = [\"[z-a]\"]\n"), 3, "is no pattern"),
            (format!("{APP}[assets.groups.a]\nfiles = []\nprefetch = \"now\"\n"), 5, "unknown name `now`"),
            (format!("{UPDATED}channel = \"a.b\"\n"), 5, "can not be the name of a channel"),
            (format!("{UPDATED}pin = \"^1.4\"\n"), 5, "is no version to stay at"),
            (format!("{UPDATED}download_bytes_per_s_max = 10\n"), 5, "download_bytes_per_s_min"),
            (format!("{UPDATED}download_parallel_max = 17\n"), 5, "download_parallel_ceiling"),
            (format!("{UPDATED}[update.policy]\nmetered = \"never\"\n"), 6, "unknown name `never`"),
            (format!("{APP}[webview]\nproxy = \"proxy:1\"\n"), 4, "no proxy's address"),
            (format!("{APP}[webview]\ndownloads = \"never\"\n"), 4, "unknown name `never`"),
        ] {
            let message = refused(&text);
            assert!(
                message.starts_with(&format!("staysail.toml:{line}: ")) && message.contains(part),
                "{message}"
            );
        }
    }

    #[test]
    fn the_smallest_file_has_sensible_values() {
        let config = parse(APP, Path::new("x")).unwrap();
        let downloads = format!(
            "{APP}[update]\nurl = \"https://example.com\"\ndownload_bytes_per_s_max = 500_000\ndownload_parallel_max = 2\n\
             [update.policy]\nmetered = \"wait\"\n"
        );
        let update = parse(&downloads, Path::new("x")).unwrap().update.unwrap();
        assert_eq!((update.download_bytes_per_s_max, update.download_parallel_max), (Some(500_000), Some(2)));
        assert_eq!(update.policy.metered, Metered::Wait);
        assert_eq!(config.frontend.dist, Path::new("frontend"));
        let update = parse(&format!("{UPDATED}pin = \"1.4.x\"\n"), Path::new("x")).unwrap().update.unwrap();
        assert_eq!((update.channel.as_str(), update.pin.as_deref()), ("stable", Some("1.4.x")));
        assert_eq!(address("http://[::1]:80/x"), Ok(("::1".into(), 80)));
        assert_eq!(address("https://example.com"), Ok(("example.com".into(), 443)));
    }
}
