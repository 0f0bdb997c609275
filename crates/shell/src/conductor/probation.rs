//! After the switch: draining the worker before, and watching the new one until it is called good.

use super::state::restore;
use super::{Seat, exclusive};
use crate::shell::Shell;
use crate::worker::Launch;
use staysail_protocol::limits;
use staysail_protocol::worker::ToWorker;
use staysail_protocol::{CallError, ErrorCode};
use staysail_update::awake;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Lets the worker before finish its calls under a deadline. Then it is frozen; ended, when by then nobody would return
/// to it any more.
pub(super) fn drain(shell: &Arc<Shell>, old: &Arc<Seat>, retired: JoinHandle<()>, drain_s: u64) {
    let number = old.drains.newest.fetch_add(1, Ordering::SeqCst) + 1;
    old.drains.done.store(false, Ordering::SeqCst);
    shell.runtime.spawn(drain_to_end(shell.clone(), old.clone(), number, retired, drain_s));
}

async fn drain_to_end(shell: Arc<Shell>, old: Arc<Seat>, number: u64, retired: JoinHandle<()>, drain_s: u64) {
    let finished = tokio::time::timeout(Duration::from_secs(drain_s), retired).await.is_ok();
    let lineup = shell.conductor.lineup.lock().await;
    if old.drains.newest.load(Ordering::SeqCst) != number {
        // It was returned to meanwhile.
        return;
    }
    old.drains.done.store(true, Ordering::SeqCst);
    if !finished {
        shell.router.abandon(&old.worker, drain_s);
    }
    shell.streams.end_worker(
        old.worker.id,
        &CallError::new(ErrorCode::Superseded, "a newer version took over; ask it to go on"),
    );
    if lineup.frozen.as_ref().is_some_and(|frozen| Arc::ptr_eq(frozen, &old)) {
        old.worker.freeze();
    } else {
        old.worker.clone().retire();
    }
}

/// Nobody will return to this worker: it ends, as soon as its calls have. Called with the lineup locked.
pub(super) fn let_go(old: &Arc<Seat>) {
    // Otherwise its drain ends it.
    if old.drains.done.load(Ordering::SeqCst) {
        old.worker.clone().retire();
    }
}

/// Watches the active worker as long as it is active: signs of life always, health checks within probation.
/// Boxed, because watching may end in going back, which watches again.
pub(super) fn watch(
    shell: Arc<Shell>,
    seat: Arc<Seat>,
    probation_s: u64,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(watch_active(shell, seat, probation_s))
}

async fn watch_active(shell: Arc<Shell>, seat: Arc<Seat>, probation_s: u64) {
    // Only while the shell runs is anybody watched.
    let mut left = Duration::from_secs(probation_s);
    let mut missed = 0;
    let mut on_probation = true;
    loop {
        if !shell.conductor.lineup.lock().await.is_active(&seat) {
            return;
        }
        let interval = Duration::from_millis(limits::HEARTBEAT_INTERVAL_MS);
        if on_probation {
            if let Err((reason, answers)) = health(&seat).await {
                return fail(&shell, &seat, &format!("its health check failed: {reason}"), answers).await;
            }
            if left.is_zero() {
                on_probation = false;
                commit(&shell, &seat).await;
            } else {
                let pause = left.min(interval);
                awake::sleep(pause).await;
                left -= pause;
            }
            continue;
        }
        tokio::time::sleep(interval).await;
        if ping(&seat, seat.worker.launch.patience(interval)).await {
            missed = 0;
            continue;
        }
        missed += 1;
        if missed >= limits::HEARTBEATS_MISSED_MAX {
            tracing::error!(missed, "the backend gives no sign of life; it is ended and started again");
            // Its connection ends with it, and recovery takes over.
            seat.worker.kill();
            return;
        }
    }
}

async fn ping(seat: &Arc<Seat>, within: Duration) -> bool {
    let answer = seat.ask(|replies| &mut replies.pong, &ToWorker::Ping { n: 0 }, Vec::new());
    matches!(awake::timeout(within, answer).await, Ok(Ok(())))
}

/// On an error why, and whether the worker answers at all.
pub(super) async fn health(seat: &Arc<Seat>) -> Result<(), (String, bool)> {
    let _turn = seat.health_turn.lock().await;
    let answer = seat.ask(|replies| &mut replies.healthy, &ToWorker::Health, Vec::new());
    let patience = seat.worker.launch.patience(Duration::from_millis(limits::HELLO_TIMEOUT_MS));
    match awake::timeout(patience, answer).await {
        Ok(Ok(result)) => result.map_err(|reason| (reason, true)),
        Ok(Err(_)) => Err(("the backend ended".into(), false)),
        Err(_) => Err((format!("no answer within {} ms", limits::HELLO_TIMEOUT_MS), false)),
    }
}

/// Probation is over: the worker before is no longer needed.
async fn commit(shell: &Arc<Shell>, seat: &Arc<Seat>) {
    let mut lineup = shell.conductor.lineup.lock().await;
    if !lineup.is_active(seat) {
        return;
    }
    if let Some(old) = lineup.frozen.take() {
        let_go(&old);
    }
    if let Some(verdict) = lineup.verdict.take() {
        let _ = verdict.send(Ok(()));
    }
}

/// The active worker is bad: back to the one before, if there is one, else start again.
async fn fail(shell: &Arc<Shell>, seat: &Arc<Seat>, reason: &str, answers: bool) {
    if !go_back(shell, Some(seat), reason, answers).await {
        seat.worker.kill();
    }
}

/// Returns to the frozen worker. `of` must still be the active one when it is given. One that does not answer is asked for
/// nothing first: calls wait meanwhile. Returns whether it did.
pub(super) async fn go_back(shell: &Arc<Shell>, of: Option<&Arc<Seat>>, reason: &str, answers: bool) -> bool {
    let mut lineup = shell.conductor.lineup.lock().await;
    if of.is_some_and(|of| !lineup.is_active(of)) {
        return true;
    }
    let Some(old) = lineup.frozen.take() else { return false };
    // Its drain is called off.
    old.drains.newest.fetch_add(1, Ordering::SeqCst);
    tracing::warn!(reason, "returning to the backend before");
    shell.router.close();
    let bad = lineup.active.replace(old.clone());
    // Answers after the switch may have changed declared state; the newest of it goes along. A worker that
    // can not read the newer state keeps its own.
    let snapshot = shell.conductor.inherit(shell, bad.as_ref().filter(|_| answers)).await;
    if let Some(bad) = &bad {
        exclusive::take_back(bad, answers).await;
        shell.router.worker_lost(&bad.worker, reason);
    }
    old.worker.thaw();
    if let Err(error) = restore(&old, &snapshot).await {
        tracing::warn!(error, "the state of the newer backend does not fit; the older state is used");
    }
    if let Err(error) = exclusive::give_again(&old).await {
        shell.worker_line("error", &format!("after the return to the backend before: {error}"));
    }
    old.worker.tell(&ToWorker::Activate);
    let interface = |seat: &Arc<Seat>| seat.worker.hello.description.interface.clone();
    let new_interface = bad.as_ref().is_some_and(|bad| interface(bad) != interface(&old));
    shell.router.switch(old.worker.clone(), new_interface);
    lineup.last_launch = Some(Launch { modules: old.modules(), ..old.worker.launch.clone() });
    if let Some(verdict) = lineup.verdict.take() {
        let _ = verdict.send(Err(reason.to_string()));
    }
    let probation_s = shell.facts().config.probation_s;
    shell.runtime.spawn(watch(shell.clone(), old, probation_s));
    drop(lineup);
    shell.announce("staysail:worker", &serde_json::json!({ "kind": "returned", "reason": reason }));
    true
}
