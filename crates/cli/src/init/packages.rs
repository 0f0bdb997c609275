//! Where a new project finds Staysail's own packages: on crates.io and npm, or beside this command.
//!
//! They are not published yet. A command built from a checkout names the checkout; one that has lost its checkout writes
//! its built-in copies of the npm packages into the project, so that `npm install` finds them without a registry.

use crate::shell_binary::checkout;
use std::path::{Path, PathBuf};

macro_rules! built_in {
    ($package:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/packages/", $package, "/", $path)))),+]
    };
}

/// A package's name below `@staysail`, and its files.
type Package = (&'static str, &'static [(&'static str, &'static str)]);

const PACKAGES: [Package; 2] = [
    (
        "api",
        built_in!("api": "package.json", "README.md", "dist/index.js", "dist/index.d.ts", "dist/update-notice.js", "dist/update-notice.d.ts"),
    ),
    (
        "vite-plugin",
        built_in!("vite-plugin":
            "package.json", "README.md", "client.d.ts", "dist/index.js", "dist/index.d.ts", "dist/late.js", "dist/late.d.ts",
            "dist/page.js", "dist/page.d.ts", "dist/saves.js", "dist/saves.d.ts", "dist/session.js", "dist/session.d.ts",
        ),
    ),
];
/// Folder of the copies, beside package.json.
const VENDOR: &str = "vendor/staysail";

/// Where the npm packages are.
pub enum Packages {
    /// In this checkout.
    Checkout(PathBuf),
    /// In the project, as copies.
    Copies,
}

impl Packages {
    /// Looks where they are.
    pub fn find() -> Self {
        checkout().map_or(Self::Copies, Self::Checkout)
    }

    /// What stands in package.json for this one.
    pub fn dependency(&self, package: &str) -> String {
        match self {
            // npm reads the text as a part of an address: no backslashes.
            Self::Checkout(root) => {
                format!("file:{}", root.join("packages").join(package).display()).replace('\\', "/")
            }
            Self::Copies => format!("file:./{VENDOR}/{package}"),
        }
    }

    /// Files that must lie in the project for that: none beside a checkout.
    pub fn copies(&self, frontend: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        if matches!(self, Self::Checkout(_)) {
            return Vec::new();
        }
        let files = PACKAGES.iter().flat_map(|(package, files)| {
            let folder = frontend.join(VENDOR).join(package);
            files.iter().map(move |(path, text)| (folder.join(path), text.as_bytes().to_vec()))
        });
        files.collect()
    }
}

/// What stands in Cargo.toml for the crate `staysail`.
pub fn staysail() -> String {
    match checkout() {
        Some(root) => {
            let path = root.join("crates").join("staysail").display().to_string();
            format!("{{ path = {} }}", serde_json::to_string(&path).unwrap_or_default())
        }
        None => format!("{:?}", env!("CARGO_PKG_VERSION")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_checkout_the_packages_lie_in_the_project_where_its_package_json_says() {
        let copies = Packages::Copies.copies(Path::new("frontend"));
        for package in ["api", "vite-plugin"] {
            let folder = Packages::Copies.dependency(package).replace("file:./", "frontend/");
            let (_, manifest) =
                copies.iter().find(|(path, _)| *path == Path::new(&folder).join("package.json")).unwrap();
            let manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
            assert_eq!(manifest["name"], format!("@staysail/{package}"));
            let entry = manifest["exports"]["."]["default"].as_str().unwrap();
            let path = Path::new(&folder).join(entry.trim_start_matches("./"));
            assert!(copies.iter().any(|(copy, _)| *copy == path), "{} is missing", path.display());
        }
    }
}
