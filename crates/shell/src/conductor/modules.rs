//! Wasm modules exchanged in the worker that runs: no process starts, no state moves, no call waits.
//!
//! The worker takes all of the new modules or none, in one moment; calls of the old ones end on these. Then it is asked
//! for its health through the probation, as after a swap. Going back is the same exchange, with the modules of before.

use super::probation;
use super::{Conductor, Refusal, Seat};
use crate::shell::Shell;
use crate::wasm::Modules;
use staysail_protocol::limits;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A finished exchange.
pub struct Exchanged {
    seat: Arc<Seat>,
    /// What the worker had.
    pub before: Modules,
    /// What it has now.
    pub new: Modules,
    /// How long the worker took, in milliseconds.
    pub milliseconds: f64,
}

impl Seat {
    /// Hands modules over, and hears whether they are taken.
    async fn give_modules(&self, modules: &Modules, back: bool) -> Result<(), String> {
        let (message, body) = modules.frame(back);
        let answer = self.ask(|replies| &mut replies.modules, &message, body);
        self.modules_taken(answer, modules).await
    }

    /// Waits for the answer of a worker that was handed modules at its start or later.
    pub(super) async fn modules_taken(
        &self,
        answer: oneshot::Receiver<Result<(), String>>,
        modules: &Modules,
    ) -> Result<(), String> {
        let patience = self.worker.launch.patience(Duration::from_millis(limits::MODULES_TIMEOUT_MS));
        match tokio::time::timeout(patience, answer).await {
            Ok(Ok(answer)) => answer?,
            Ok(Err(_)) => return Err("the backend ended while it took its modules over".into()),
            Err(_) => {
                return Err(format!(
                    "the backend did not take its modules over within {} ms (modules_timeout_ms)",
                    limits::MODULES_TIMEOUT_MS
                ));
            }
        }
        *self.modules.lock().unwrap_or_else(PoisonError::into_inner) = modules.clone();
        Ok(())
    }

    /// The modules it has now.
    pub(super) fn modules(&self) -> Modules {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Conductor {
    /// Whether the worker that serves can have its modules exchanged, and has others than these.
    pub async fn has_other_modules(&self, modules: &Modules) -> bool {
        let active = self.lineup.lock().await.active.clone();
        active.is_some_and(|seat| seat.worker.hello.description.modules && seat.modules() != *modules)
    }

    /// Gives the worker that serves these modules in place of its own. On an error it has those it had.
    ///
    /// # Errors
    /// Why not.
    pub async fn exchange_modules(&self, modules: &Modules) -> Result<Exchanged, Refusal> {
        self.hand_over(modules, false).await
    }

    /// Gives the worker that serves the modules of before an exchange.
    pub async fn take_modules_back(&self, exchanged: &Exchanged) {
        if let Err(Refusal { reason, .. }) = self.hand_over(&exchanged.before, true).await {
            tracing::error!(reason, "the modules before were not taken back");
        }
    }

    async fn hand_over(&self, modules: &Modules, back: bool) -> Result<Exchanged, Refusal> {
        let begun = Instant::now();
        let _one_at_a_time = self.swapping.lock().await;
        let Some(seat) = self.lineup.lock().await.active.clone() else {
            return Err(Refusal::of_others("no backend runs that could take the modules over".into()));
        };
        let before = seat.modules();
        if let Err(reason) = seat.give_modules(modules, back).await {
            let ended = seat.gone.load(std::sync::atomic::Ordering::SeqCst);
            return Err(Refusal { of_others: ended, ..reason.into() });
        }
        let mut lineup = self.lineup.lock().await;
        if !lineup.is_active(&seat) {
            return Err(Refusal::of_others("the backend ended while it took its modules over".into()));
        }
        // Who is started in its place has them, too.
        if let Some(launch) = &mut lineup.last_launch {
            launch.modules = modules.clone();
        }
        drop(lineup);
        Ok(Exchanged {
            seat,
            before,
            new: modules.clone(),
            milliseconds: begun.elapsed().as_secs_f64() * 1000.0,
        })
    }

    /// Watches new modules: the app's health checks pass, and the modules' calls do not keep failing. `None` when another
    /// worker has come meanwhile.
    pub async fn prove_modules(
        &self,
        shell: &Arc<Shell>,
        exchanged: &Exchanged,
    ) -> Option<Result<(), String>> {
        let (begun, probation) = (Instant::now(), Duration::from_secs(shell.facts().config.probation_s));
        loop {
            if !self.lineup.lock().await.is_active(&exchanged.seat) {
                return None;
            }
            if let Err((reason, _)) = probation::health(&exchanged.seat).await {
                return Some(Err(format!(
                    "with the new modules the health check of the backend fails: {reason}"
                )));
            }
            let left = probation.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Some(Ok(()));
            }
            tokio::time::sleep(left.min(Duration::from_millis(limits::HEARTBEAT_INTERVAL_MS))).await;
        }
    }
}
