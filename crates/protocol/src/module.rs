//! Wasm modules of a backend: what a release says of each, and how they reach the worker.
//!
//! All modules of a backend travel in one frame, [`ToWorker::Modules`](crate::worker::ToWorker::Modules), whose body is their
//! bytes one after the other. So the worker takes all of them or none, and no file lies between the check of their hashes
//! and their use. What a module has to export is in `docs/spec/modules.md`.

use crate::limits;
use serde::{Deserialize, Serialize};

/// What one call of a module may use. Each begins anew with every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModuleLimits {
    /// Fuel: about one unit per instruction, more for what copies memory.
    pub fuel_per_call: u64,
    /// Bytes of its memory.
    pub memory_bytes_max: usize,
    /// Milliseconds on the clock.
    pub call_timeout_ms: u64,
}

impl Default for ModuleLimits {
    fn default() -> Self {
        Self {
            fuel_per_call: limits::MODULE_FUEL_PER_CALL,
            memory_bytes_max: limits::MODULE_MEMORY_BYTES_MAX,
            call_timeout_ms: limits::MODULE_CALL_TIMEOUT_MS,
        }
    }
}

/// A module on its way to the worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleSpec {
    /// Name the app calls it by.
    pub name: String,
    /// Where it came from, for people.
    pub origin: String,
    /// Its part of the body, in bytes.
    pub bytes: usize,
    /// What it may use.
    #[serde(default)]
    pub limits: ModuleLimits,
}

/// A module of a project in development: read where it lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleFile {
    /// Name the app calls it by.
    pub name: String,
    /// The file.
    pub path: String,
    /// What it may use.
    #[serde(default)]
    pub limits: ModuleLimits,
}

/// Checks the name of a module: it is part of a file's name on every system.
///
/// # Errors
/// A sentence for people.
pub fn check_name(name: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        return Err(format!("{name:?} can not be the name of a module: it has 1 to 64 of a-z, 0-9, - and _"));
    }
    Ok(())
}
