//! `[modules.NAME]`: Wasm modules of the backend.

use serde::Deserialize;
use staysail_protocol::module::{ModuleLimits, check_name};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// `[modules.NAME]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// A file that somebody else makes.
    pub file: Option<PathBuf>,
    /// Folder of a crate that is built for `wasm32-unknown-unknown`.
    #[serde(rename = "crate")]
    pub package: Option<PathBuf>,
    /// Fuel of one call.
    pub fuel_per_call: Option<u64>,
    /// Bytes of memory of one call.
    pub memory_bytes_max: Option<usize>,
    /// Milliseconds of one call.
    pub call_timeout_ms: Option<u64>,
}

/// Where the bytes of a module come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// A file that is there.
    File(&'a Path),
    /// A crate that is built.
    Crate(&'a Path),
}

impl Module {
    /// Where it comes from; both in one, or neither, is refused as the project is read.
    pub fn source(&self) -> Source<'_> {
        match (&self.package, &self.file) {
            (Some(folder), _) => Source::Crate(folder),
            (None, file) => Source::File(file.as_deref().unwrap_or(Path::new(""))),
        }
    }

    /// What a call of it may use.
    pub fn limits(&self) -> ModuleLimits {
        let usual = ModuleLimits::default();
        ModuleLimits {
            fuel_per_call: self.fuel_per_call.unwrap_or(usual.fuel_per_call),
            memory_bytes_max: self.memory_bytes_max.unwrap_or(usual.memory_bytes_max),
            call_timeout_ms: self.call_timeout_ms.unwrap_or(usual.call_timeout_ms),
        }
    }
}

/// Checks all of them. On an error: what is wrong, and what to do.
pub fn check(modules: &BTreeMap<String, Module>) -> Result<(), (String, String)> {
    let most = staysail_protocol::limits::MODULES_MAX;
    if modules.len() > most {
        return Err((
            format!("there are more than {most} modules (modules_max)"),
            "Join some of them.".into(),
        ));
    }
    for (name, module) in modules {
        check_name(name).map_err(|problem| (problem, "Use a name such as [modules.rules].".into()))?;
        let of = |problem: &str| format!("[modules.{name}] {problem}");
        let path = match (&module.file, &module.package) {
            (Some(path), None) | (None, Some(path)) => path,
            (Some(_), Some(_)) => {
                return Err((of("has both a file and a crate"), "Take one of the two out.".into()));
            }
            (None, None) => {
                let remedy = format!("Add `file = \"{name}.wasm\"` or `crate = \"modules/{name}\"`.");
                return Err((of("has neither a file nor a crate"), remedy));
            }
        };
        if path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
            return Err((
                of(&format!("{:?} leaves the project's folder", path.display().to_string())),
                "Use a path relative to staysail.toml, without `..`.".into(),
            ));
        }
        let limits = module.limits();
        if limits.fuel_per_call == 0 || limits.call_timeout_ms == 0 || limits.memory_bytes_max < 1 << 16 {
            return Err((
                of("has a limit with which no call can succeed"),
                "Memory is 65536 bytes at least, fuel and time more than nothing.".into(),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::project::parse;
    use std::path::Path;

    #[test]
    fn a_module_has_one_source_and_limits_it_can_live_with() {
        let read = |text: &str| {
            let text = format!("[app]\nid = \"com.example.hello\"\n[modules.rules]\n{text}");
            parse(&text, Path::new("staysail.toml")).map_err(|error| error.to_string())
        };
        let config = read("file = \"rules.wasm\"\nfuel_per_call = 7\n").unwrap();
        let limits = config.modules["rules"].limits();
        assert_eq!((limits.fuel_per_call, limits.call_timeout_ms), (7, 5_000));
        assert!(read("crate = \"modules/rules\"\n").is_ok());
        for (text, part) in [
            ("", "neither a file nor a crate"),
            ("file = \"a.wasm\"\ncrate = \"a\"\n", "both a file and a crate"),
            ("file = \"../a.wasm\"\n", "leaves the project"),
            ("file = \"a.wasm\"\nmemory_bytes_max = 9\n", "no call can succeed"),
            ("file = \"a.wasm\"\nfuel = 9\n", "unknown field `fuel`"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.starts_with("staysail.toml:") && refused.contains(part), "{refused}");
        }
        let name = parse("[app]\nid = \"a.b\"\n[modules.A]\nfile = \"a\"\n", Path::new("x")).unwrap_err();
        assert!(name.to_string().contains("name of a module"), "{name}");
    }
}
