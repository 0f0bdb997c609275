//! Reports of a download's progress.

use super::{Host, PROGRESS_INTERVAL_MS};
use crate::lifecycle::Candidate;
use staysail_protocol::notice::UpdateEvent;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Reports of a download's progress, not too many.
pub(super) struct Progress {
    version: String,
    total: u64,
    host: Arc<dyn Host>,
    so_far: Mutex<(u64, Option<Instant>)>,
}

impl Progress {
    pub fn new(candidate: &Candidate, host: Arc<dyn Host>) -> Self {
        Self { version: candidate.version.clone(), total: candidate.bytes, host, so_far: Mutex::default() }
    }

    pub fn add(&self, bytes: u64) {
        let now = Instant::now();
        let so_far = {
            let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
            so_far.0 += bytes;
            let due = so_far
                .1
                .is_none_or(|told| now.duration_since(told) >= Duration::from_millis(PROGRESS_INTERVAL_MS));
            if !due && so_far.0 < self.total {
                return;
            }
            so_far.1 = Some(now);
            so_far.0
        };
        let (version, total) = (self.version.clone(), self.total.max(so_far));
        self.host.event(UpdateEvent::Progress { version, bytes: so_far, total });
    }
}
