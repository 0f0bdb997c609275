//! What an existing page is: its bundler, package manager, dev command, address and output folder.
//!
//! Configurations of bundlers are programs. They are not run, only searched for the few settings that matter, in the forms
//! people write them in; what is found is shown before anything is written, and stands in staysail.toml to be corrected.

use crate::package_manager::PackageManager;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;

/// Folders in which a page without a bundler is looked for.
const STATIC_FOLDERS: [&str; 9] = ["public", "site", "www", "page", "web", "html", "frontend", "src", "dist"];

/// What makes the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Vite.
    Vite,
    /// Webpack with its dev server.
    Webpack,
    /// Nothing: files as they are.
    Static,
}

/// An existing page.
#[derive(Debug, PartialEq, Eq)]
pub struct Existing {
    /// What makes it.
    pub kind: Kind,
    /// Name in package.json, or of the folder.
    pub name: String,
    /// What installs its packages.
    pub manager: Option<PackageManager>,
    /// Starts the dev server.
    pub dev: Option<String>,
    /// Makes the page.
    pub build: Option<String>,
    /// Where the dev server listens.
    pub url: Option<String>,
    /// Folder of the built page.
    pub dist: String,
    /// Where the declarations go.
    pub types: String,
}

/// Looks at the folder.
///
/// # Errors
/// When it holds no page that can be understood.
pub fn look(folder: &Path) -> Result<Existing> {
    let folder_name = std::path::absolute(folder)?;
    let folder_name =
        folder_name.file_name().map_or("app".into(), |name| name.to_string_lossy().into_owned());
    let manifest = folder.join("package.json");
    if !manifest.is_file() {
        return without_packages(folder, folder_name);
    }
    let text = std::fs::read_to_string(&manifest).context("reading package.json")?;
    let package: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .context("package.json can not be understood; nothing was written")?;
    let name = package["name"].as_str().map_or(folder_name.clone(), str::to_owned);
    let depends =
        |on: &str| ["dependencies", "devDependencies"].iter().any(|kind| package[*kind].get(on).is_some());
    let vite = configuration(folder, "vite.config");
    let webpack = configuration(folder, "webpack.config");
    let kind = match () {
        () if vite.is_some() || depends("vite") => Kind::Vite,
        () if webpack.is_some() || depends("webpack-dev-server") => Kind::Webpack,
        () if package["scripts"]["dev"].is_string() || package["scripts"]["start"].is_string() => bail!(
            "this is a project of npm, but neither of Vite nor of Webpack. Nothing was written.\n  Any dev server will do: make a project beside it with `staysail init NAME`, and give [frontend.dev] in its staysail.toml the command and url of yours."
        ),
        () => return without_packages(folder, name),
    };
    let manager = PackageManager::of(folder);
    let config = if kind == Kind::Vite { vite } else { webpack }.unwrap_or_default();
    let script = |names: &[&str]| {
        let found = names.iter().find(|name| package["scripts"][**name].is_string());
        found.map(|name| format!("{} run {name}", manager.program))
    };
    let text_of = |names: &[&str]| -> String {
        let texts = names.iter().filter_map(|name| package["scripts"][*name].as_str());
        texts.collect::<Vec<_>>().join("\n")
    };
    let (dev_names, build_names) = (["dev", "serve", "start"], ["build"]);
    let (own_dev, own_build) = match kind {
        Kind::Vite => ("npx vite", "npx vite build"),
        _ => ("npx webpack serve --mode development", "npx webpack --mode production"),
    };
    let dev = script(&dev_names).unwrap_or_else(|| own_dev.into());
    let build = script(&build_names).unwrap_or_else(|| own_build.into());
    let port = number_after(&text_of(&dev_names), "--port")
        .or_else(|| number_after(&config, "port:"))
        .unwrap_or(if kind == Kind::Vite { 5173 } else { 8080 });
    let secure = ["https:", "basicSsl(", "mkcert(", "type: \"https\"", "type: 'https'"];
    let secure = secure.iter().any(|sign| config.replace("https://", "").contains(sign));
    let scheme = if secure { "https" } else { "http" };
    let dist = match kind {
        Kind::Vite => {
            text_after(&text_of(&build_names), "--outDir ").or_else(|| text_after(&config, "outDir:"))
        }
        _ => output_path(&config),
    };
    let dist = dist.map(|dist| dist.trim_start_matches("./").trim_end_matches('/').to_owned());
    let dist =
        dist.filter(|dist| !dist.is_empty() && !dist.starts_with(['/', '.', '$'])).unwrap_or("dist".into());
    let types = if folder.join("src").is_dir() { "src/staysail.d.ts" } else { "staysail.d.ts" };
    Ok(Existing {
        kind,
        name,
        manager: Some(manager),
        dev: Some(dev),
        build: Some(build),
        url: Some(format!("{scheme}://localhost:{port}")),
        dist,
        types: types.into(),
    })
}

fn without_packages(folder: &Path, name: String) -> Result<Existing> {
    let found = STATIC_FOLDERS.iter().find(|below| folder.join(below).join("index.html").is_file());
    let Some(dist) = found else {
        let at_root = folder.join("index.html").is_file();
        if at_root {
            bail!(
                "index.html lies in this folder itself, where everything beside it would be shipped with the page: the backend, and keys. Nothing was written.\n  Move the page into a folder of its own, such as page/, and try again."
            );
        }
        bail!(
            "there is no page here: no package.json, and no index.html in this folder or in {}. Nothing was written.\n  For a new project: `staysail init NAME`.",
            STATIC_FOLDERS.join(", ")
        );
    };
    Ok(Existing {
        kind: Kind::Static,
        name,
        manager: None,
        dev: None,
        build: None,
        url: None,
        dist: (*dist).to_owned(),
        types: format!("{dist}/staysail.d.ts"),
    })
}

/// The text of the bundler's configuration.
fn configuration(folder: &Path, name: &str) -> Option<String> {
    let endings = ["js", "ts", "mjs", "mts", "cjs", "cts"];
    endings.iter().find_map(|end| std::fs::read_to_string(folder.join(format!("{name}.{end}"))).ok())
}

/// `port: 3000`, `--port 3000`, `--port=3000`; not `port: env.PORT`.
fn number_after(text: &str, key: &str) -> Option<u16> {
    text.match_indices(key).find_map(|(at, _)| {
        let rest = text[at + key.len()..].trim_start_matches([' ', '=', '\t']);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().filter(|port| *port != 0)
    })
}

/// `outDir: "build"`, `--outDir build`.
fn text_after(text: &str, key: &str) -> Option<String> {
    let (_, rest) = text.split_once(key)?;
    let rest = rest.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'));
    match quote {
        Some(quote) => rest[1..].split(quote).next().map(str::to_owned),
        None if key.starts_with("--") => rest.split_whitespace().next().map(str::to_owned),
        None => None,
    }
}

/// `path: path.resolve(__dirname, "build")` and its kin: the last text of the value. A value without one is computed.
fn output_path(config: &str) -> Option<String> {
    let (_, rest) = config.split_once("path:")?;
    let mut open = 0_usize;
    let end = rest.find(|letter| {
        match letter {
            '(' => open += 1,
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        open == 0 && matches!(letter, ',' | '}' | '\n')
    });
    let value = &rest[..end.unwrap_or(rest.len())];
    let texts = value.split(['"', '\'', '`']).skip(1).step_by(2);
    texts.last().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_vite_project_is_understood_by_its_configuration_scripts_and_lock_file() {
        let folder = folder(&[
            ("package.json", r#"{"name": "shop", "scripts": {"dev": "vite", "build": "tsc && vite build"}}"#),
            ("vite.config.ts", "export default { server: { port: 3000 }, build: { outDir: './build' } }"),
            ("pnpm-lock.yaml", ""),
            ("src/main.ts", ""),
        ]);
        let existing = look(folder.path()).unwrap();
        assert_eq!(existing.kind, Kind::Vite);
        assert_eq!(existing.manager.and_then(|manager| manager.lock), Some("pnpm-lock.yaml"));
        assert_eq!(existing.dev.as_deref(), Some("pnpm run dev"));
        assert_eq!(existing.url.as_deref(), Some("http://localhost:3000"));
        assert_eq!((existing.dist.as_str(), existing.types.as_str()), ("build", "src/staysail.d.ts"));
    }

    #[test]
    fn a_webpack_project_is_understood_too() {
        let folder = folder(&[
            ("package.json", r#"{"scripts": {"start": "webpack serve --port=9000"}}"#),
            ("webpack.config.js", "module.exports = { output: { path: path.resolve(__dirname, 'out') } }"),
        ]);
        let existing = look(folder.path()).unwrap();
        assert_eq!(existing.kind, Kind::Webpack);
        assert_eq!(existing.dev.as_deref(), Some("npm run start"));
        assert_eq!(existing.build.as_deref(), Some("npx webpack --mode production"));
        assert_eq!(existing.url.as_deref(), Some("http://localhost:9000"));
        assert_eq!(existing.dist, "out");
    }

    #[test]
    fn webpacks_output_folder_is_the_last_text_of_its_value_and_of_nothing_behind_it() {
        for (config, path) in [
            ("output: { path: resolve('out'), publicPath: '/' }", Some("out")),
            ("output: {\n path: path.join(resolve(__dirname), \"out\"),\n filename: 'x.js' }", Some("out")),
            ("output: { path: DIST, filename: 'x.js' }, plugins: [new Html({ template: 'a.html' })]", None),
            ("entry: './src/main.js'", None),
        ] {
            assert_eq!(output_path(config).as_deref(), path, "{config}");
        }
    }

    #[test]
    fn settings_that_are_computed_fall_back_to_the_bundlers_own() {
        let folder = folder(&[
            ("package.json", r#"{"devDependencies": {"vite": "8"}, "packageManager": "yarn@4.9.0"}"#),
            (
                "vite.config.js",
                "export default { plugins: [basicSsl()], server: { port: env.PORT }, build: { outDir: out } }",
            ),
        ]);
        let existing = look(folder.path()).unwrap();
        assert_eq!(existing.url.as_deref(), Some("https://localhost:5173"));
        assert_eq!((existing.dist.as_str(), existing.manager.unwrap().program), ("dist", "yarn"));
        assert_eq!(existing.dev.as_deref(), Some("npx vite"));
    }

    #[test]
    fn a_page_without_a_bundler_must_have_a_folder_of_its_own() {
        let page = folder(&[("site/index.html", "")]);
        let existing = look(page.path()).unwrap();
        assert_eq!((existing.kind, existing.dist.as_str(), existing.dev), (Kind::Static, "site", None));
        let bare = folder(&[("index.html", "")]);
        assert!(
            look(bare.path()).unwrap_err().to_string().contains("Move the page into a folder of its own")
        );
        let nothing = folder(&[]);
        assert!(look(nothing.path()).unwrap_err().to_string().contains("there is no page here"));
    }
}
