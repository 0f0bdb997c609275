//! What was promised about the moment at which a release goes live: at once, when a page is next loaded, or when the app is next
//! started. The user who says now does not wait for it (see [`crate::promises`]).

use crate::world::Known;
use staysail_protocol::policy::Live;
use std::collections::BTreeSet;

/// Between a load and what is seen of it no more time passes than this.
const RACE_MS: u64 = 1_000;

/// What one process has seen of moments.
#[derive(Debug, Default, Clone)]
pub struct Moments {
    /// Versions that were staged in this process: for them it is not the next launch.
    staged: BTreeSet<String>,
    /// When a page was loaded last.
    loaded_ms: Option<u64>,
}

impl Moments {
    /// A window is about to load its page.
    pub fn loads(&mut self, now_ms: u64) {
        self.loaded_ms = Some(now_ms);
    }

    /// A release is told to be staged.
    pub fn staged(&mut self, version: &str) {
        self.staged.insert(version.to_owned());
    }

    /// Whether this is the moment for a release.
    ///
    /// # Errors
    /// Why not.
    pub fn may_apply(&self, known: &Known, now_ms: u64) -> Result<(), &'static str> {
        let loads = self.loaded_ms.is_some_and(|loaded| loaded + RACE_MS >= now_ms);
        match known.live {
            _ if !self.staged.contains(&known.version) => Ok(()),
            Live::NextLoad if !loads => Err("no page is being loaded"),
            Live::NextLaunch => Err("it was staged after the launch"),
            Live::NextLoad | Live::Now => Ok(()),
        }
    }
}
