//! Reports of a download's progress.

use super::{Host, PROGRESS_INTERVAL_MS, PROGRESS_WINDOW_S};
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
    so_far: Mutex<SoFar>,
}

#[derive(Default)]
struct SoFar {
    bytes: u64,
    told: Option<Instant>,
    speed: Speed,
}

/// How fast bytes come just now: over the last one or two windows, so that neither a burst nor a pause counts alone.
#[derive(Default)]
struct Speed {
    /// When the window before began, and this one, and with how many bytes.
    before: Option<(Instant, u64)>,
    now: Option<(Instant, u64)>,
}

impl Speed {
    fn note(&mut self, now: Instant, bytes: u64) {
        match self.now {
            Some((begun, _)) if now.duration_since(begun) < Duration::from_secs(PROGRESS_WINDOW_S) => {}
            _ => (self.before, self.now) = (self.now, Some((now, bytes))),
        }
    }

    /// Seconds for so many bytes more at this speed; unknown at the beginning, and while nothing comes.
    fn time_for(&self, now: Instant, bytes: u64, left: u64) -> Option<u64> {
        let (begun, then) = self.before.or(self.now)?;
        let took_ms = now.duration_since(begun).as_millis();
        let came = u128::from(bytes.saturating_sub(then));
        if took_ms < u128::from(PROGRESS_INTERVAL_MS) || came == 0 {
            return None;
        }
        u64::try_from((u128::from(left) * took_ms).div_ceil(came * 1_000)).ok()
    }
}

impl Progress {
    pub fn new(candidate: &Candidate, host: Arc<dyn Host>) -> Self {
        Self { version: candidate.version.clone(), total: candidate.bytes, host, so_far: Mutex::default() }
    }

    /// So many bytes are there from an earlier try.
    pub fn had(&self, bytes: u64) {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner).bytes += bytes;
    }

    /// So many more have come; below zero: so many were there and have to come again.
    pub fn add(&self, bytes: i64) {
        let now = Instant::now();
        let event = {
            let mut so_far = self.so_far.lock().unwrap_or_else(PoisonError::into_inner);
            let before = so_far.bytes;
            so_far.speed.note(now, before);
            so_far.bytes = before.saturating_add_signed(bytes);
            let due = so_far
                .told
                .is_none_or(|told| now.duration_since(told) >= Duration::from_millis(PROGRESS_INTERVAL_MS));
            if !due && so_far.bytes < self.total {
                return;
            }
            so_far.told = Some(now);
            // A file whose patch failed comes whole, and is more than was planned.
            let total = self.total.max(so_far.bytes);
            UpdateEvent::Progress {
                version: self.version.clone(),
                bytes: so_far.bytes,
                total,
                left_s: so_far.speed.time_for(now, so_far.bytes, total - so_far.bytes),
            }
        };
        self.host.event(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Release;
    use crate::engine::{ApplyFuture, HostFuture};

    #[derive(Default)]
    struct Listener(Mutex<Vec<(u64, u64, Option<u64>)>>);

    impl Host for Listener {
        fn apply(&self, _: Release) -> ApplyFuture<'_> {
            Box::pin(async { Ok(0.0) })
        }

        fn probation(&self) -> HostFuture<'_, ()> {
            Box::pin(async { Ok(()) })
        }

        fn event(&self, event: UpdateEvent) {
            let UpdateEvent::Progress { bytes, total, left_s, .. } = event else { panic!("{event:?}") };
            self.0.lock().unwrap().push((bytes, total, left_s));
        }
    }

    fn download(bytes: u64) -> (Progress, Arc<Listener>) {
        let listener = Arc::new(Listener::default());
        let candidate = Candidate { bytes, ..Candidate::default() };
        (Progress::new(&candidate, Arc::clone(&listener) as Arc<dyn Host>), listener)
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_left_follows_the_speed_of_the_last_seconds_and_not_of_what_was_there_before() {
        let (progress, listener) = download(100_000);
        progress.had(40_000);
        let pause = Duration::from_secs(1);
        for bytes in [1_000; 4] {
            progress.add(bytes);
            tokio::time::advance(pause).await;
        }
        let told = std::mem::take(&mut *listener.0.lock().unwrap());
        assert_eq!(told[0], (41_000, 100_000, None), "the speed is not known yet");
        // 4,000 bytes in three seconds.
        assert_eq!(told[3], (44_000, 100_000, Some(42)));
        // Ten times as fast: the slow beginning is forgotten after two windows.
        for _ in 0..4 * PROGRESS_WINDOW_S / 2 {
            progress.add(5_000);
            tokio::time::advance(pause).await;
        }
        let told = std::mem::take(&mut *listener.0.lock().unwrap());
        assert_eq!(told[9].0, 94_000);
        assert!(told[9].2.is_some_and(|left| left <= 2), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn not_every_piece_is_told_but_the_last_one_is() {
        let (progress, listener) = download(100);
        for _ in 0..100 {
            progress.add(1);
        }
        assert_eq!(*listener.0.lock().unwrap(), [(1, 100, None), (100, 100, None)]);
        // More than was planned.
        progress.add(50);
        assert_eq!(listener.0.lock().unwrap().last(), Some(&(150, 150, None)));
    }
}
