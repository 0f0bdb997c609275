//! When a worker's connection ends by itself.

use super::state::{restore, tell_of_loss};
use super::{Conductor, Refusal, Seat, SwapOptions, exclusive, probation};
use crate::desktop::power::{Owner, Wishes};
use crate::shell::Shell;
use crate::worker::Launch;
use staysail_protocol::bridge::Overlay;
use staysail_protocol::limits;
use staysail_protocol::worker::ToWorker;
use staysail_protocol::{CallError, ErrorCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A worker's connection ended: expected when it was retired, a crash when it was the active one.
pub(super) async fn lost(shell: &Arc<Shell>, seat: &Arc<Seat>) {
    seat.nothing_more();
    let id = seat.worker.id;
    Wishes::forget(shell, move |owner| *owner == Owner::Worker(id));
    let reason = seat.worker.exit_reason().await;
    let mut lineup = shell.conductor.lineup.lock().await;
    if !lineup.is_active(seat) {
        if lineup.frozen.as_ref().is_some_and(|frozen| Arc::ptr_eq(frozen, seat)) {
            lineup.frozen = None;
        }
        drop(lineup);
        end_calls(shell, seat, &reason);
        return;
    }
    let can_return = lineup.frozen.is_some();
    drop(lineup);
    end_calls(shell, seat, &reason);
    tracing::error!(reason, "the backend ended by itself");
    tell_of_loss(shell, seat);
    if can_return
        && probation::go_back(shell, Some(seat), &format!("the backend ended: {reason}"), false).await
    {
        // Who waits for the verdict on it hears of that.
        return;
    }
    restart(shell, Some(seat), &reason).await;
}

/// What the worker left behind ends, its streams after its calls.
fn end_calls(shell: &Arc<Shell>, seat: &Arc<Seat>, reason: &str) {
    shell.router.worker_lost(&seat.worker, reason);
    let error = CallError::new(ErrorCode::WorkerLost, format!("the backend ended ({reason})"));
    shell.streams.end_worker(seat.worker.id, &error);
}

/// Starts the same worker again with growing pauses, until it runs or the tries are used up.
async fn restart(shell: &Arc<Shell>, seat: Option<&Arc<Seat>>, first_reason: &str) {
    let mut reason = first_reason.to_string();
    loop {
        let (attempt, pause) = {
            let mut lineup = shell.conductor.lineup.lock().await;
            if seat.is_some_and(|seat| !lineup.is_active(seat)) {
                return;
            }
            let window = Duration::from_secs(limits::CRASH_WINDOW_S);
            lineup.crashes.retain(|crash| crash.elapsed() < window);
            lineup.crashes.push(Instant::now());
            let attempt = lineup.crashes.len() as u32;
            let pause = limits::CRASH_BACKOFF_MS << (attempt - 1).min(16);
            (attempt, Duration::from_millis(pause.min(limits::CRASH_BACKOFF_MAX_MS)))
        };
        if attempt > limits::CRASH_RESTARTS_MAX {
            return give_up(shell, &reason).await;
        }
        shell.observe(|observer| observer.worker_lost(&reason, true));
        shell.announce(
            "staysail:worker",
            &serde_json::json!({ "kind": "lost", "reason": reason, "attempt": attempt }),
        );
        tokio::time::sleep(pause).await;

        let mut lineup = shell.conductor.lineup.lock().await;
        if seat.is_some_and(|seat| !lineup.is_active(seat)) {
            return;
        }
        let Some(launch) = lineup.last_launch.clone() else { return };
        match again(&shell.conductor, shell, launch).await {
            Ok(new) => {
                shell.router.switch(new.worker.clone(), false);
                lineup.active = Some(new.clone());
                let probation_s = shell.facts().config.probation_s;
                shell.runtime.spawn(probation::watch(shell.clone(), new, probation_s));
                drop(lineup);
                shell.announce("staysail:worker", &serde_json::json!({ "kind": "restarted" }));
                return;
            }
            Err(error) => reason = error,
        }
    }
}

async fn again(conductor: &Conductor, shell: &Arc<Shell>, launch: Launch) -> Result<Arc<Seat>, String> {
    let new = conductor.start(shell, launch).await?;
    if let Err(error) = restore(&new, &conductor.newest_checkpoint()).await {
        new.worker.kill();
        return Err(error);
    }
    if let Err(error) = exclusive::give(&new).await {
        new.worker.kill();
        return Err(error);
    }
    new.worker.tell(&ToWorker::Activate);
    Ok(new)
}

async fn give_up(shell: &Arc<Shell>, reason: &str) {
    let mut lineup = shell.conductor.lineup.lock().await;
    lineup.active = None;
    drop(lineup);
    let tries = limits::CRASH_RESTARTS_MAX;
    tracing::error!(reason, tries, "the backend keeps ending; not trying any further");
    shell.router.give_up(&format!("the backend ended {tries} times in a row, last with: {reason}"));
    shell.observe(|observer| observer.worker_lost(reason, false));
    shell.show_overlay(Some(Overlay {
        kind: "crash_loop".into(),
        title: "The backend keeps stopping".into(),
        detail: format!("{reason}\n\n{}", shell.recent_log()),
        advice:
            "The window and what you typed are safe. Try again, or wait for a repaired version: it is taken \
                 over by itself."
                .into(),
        retry: true,
        fresh: false,
    }));
    shell.announce("staysail:worker", &serde_json::json!({ "kind": "stopped", "reason": reason }));
}

impl Conductor {
    /// Tries again after the shell stopped trying, by wish of the user.
    pub async fn retry(&self, shell: &Arc<Shell>) {
        if !shell.router.has_given_up() {
            return;
        }
        let launch = {
            let mut lineup = self.lineup.lock().await;
            lineup.crashes.clear();
            lineup.last_launch.clone()
        };
        let Some(launch) = launch else { return };
        shell.router.hope_again();
        if let Err(Refusal { reason, .. }) = self.swap(shell, launch, SwapOptions::default()).await {
            give_up(shell, &reason).await;
        }
    }

    /// Returns to the worker before the active one, because the release it belongs to failed. Returns whether
    /// there was one.
    pub async fn go_back(&self, shell: &Arc<Shell>, reason: &str) -> bool {
        probation::go_back(shell, None, reason, true).await
    }
}
