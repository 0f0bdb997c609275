//! Which program installs the page's packages: npm, or the one that the project's lock file belongs to.

use std::path::Path;

/// Lock files, and the programs that write them.
const LOCKS: [(&str, &str); 6] = [
    ("pnpm", "pnpm-lock.yaml"),
    ("yarn", "yarn.lock"),
    ("bun", "bun.lock"),
    ("bun", "bun.lockb"),
    ("npm", "package-lock.json"),
    ("npm", "npm-shrinkwrap.json"),
];

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageManager {
    /// Its program.
    pub program: &'static str,
    /// The lock file that told.
    pub lock: Option<&'static str>,
}

impl PackageManager {
    /// The one of the project whose package.json is in `folder`: by its lock file, by the field `packageManager` that corepack
    /// reads, or npm.
    pub fn of(folder: &Path) -> Self {
        if let Some((program, lock)) = LOCKS.iter().find(|(_, lock)| folder.join(lock).is_file()) {
            return Self { program, lock: Some(lock) };
        }
        let manifest = std::fs::read(folder.join("package.json")).unwrap_or_default();
        // A manifest that can not be understood is npm's to complain about.
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap_or_default();
        let named = manifest["packageManager"].as_str().unwrap_or_default();
        let known = ["pnpm", "yarn", "bun"].into_iter().find(|program| named.starts_with(program));
        Self { program: known.unwrap_or("npm"), lock: None }
    }

    /// The command that installs what package.json names.
    pub fn install(self) -> &'static str {
        match self.program {
            "pnpm" => "pnpm install",
            "yarn" => "yarn install",
            "bun" => "bun install",
            _ => "npm install --no-fund --no-audit --loglevel=error",
        }
    }

    /// The command that adds packages.
    pub fn add(self) -> &'static str {
        match self.program {
            "pnpm" => "pnpm add",
            "yarn" => "yarn add",
            "bun" => "bun add",
            _ => "npm install",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_tells_then_the_field_of_corepack_then_it_is_npm() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        assert_eq!(PackageManager::of(folder.path()).add(), "npm install");
        write("package.json", r#"{"packageManager": "yarn@4.9.0"}"#);
        assert_eq!(PackageManager::of(folder.path()), PackageManager { program: "yarn", lock: None });
        write("pnpm-lock.yaml", "");
        assert_eq!(PackageManager::of(folder.path()).install(), "pnpm install");
    }
}
