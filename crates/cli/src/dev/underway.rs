//! What is under way: one build at most, and the swaps the shell has not answered yet.

use super::explain::Trace;
use staysail_supervise::Tree;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// A build under way.
pub struct Build {
    pub number: u64,
    pub tree: Arc<Tree>,
    /// First file event that led to it, and start of cargo.
    pub saved: Option<Instant>,
    pub started: Instant,
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
    /// Its executable was handed to the shell.
    pub swapped: bool,
    pub unchanged: bool,
    /// Cargo was not needed.
    pub replayed: bool,
    /// What it does, when the time of saves is to be explained.
    pub trace: Option<Trace>,
}

/// A swap under way.
pub struct Swap {
    pub build: u64,
    pub path: PathBuf,
    /// Where cargo put it.
    pub built: PathBuf,
    pub saved: Option<Instant>,
    pub started: Instant,
    pub cargo_ms: f64,
    /// The executable was there, and had a path of its own.
    pub asked: Instant,
    pub copied: Instant,
    pub trace: Option<Trace>,
    /// Cargo was not needed to build it.
    pub replayed: bool,
}
