//! Resources that only one worker can hold, from one worker to the next.
//!
//! # Theory of operation
//! The second phase of a swap, with the gate closed and the state handed over: the worker before releases, then the new one
//! acquires. A release that fails, and an acquisition that fails, call the swap off: the new worker is ended, and when its
//! process is gone, so that nothing of it holds anything, the worker before acquires again. A worker that dies in the middle
//! has released everything by that; its process, too, is waited for. Workers without such resources are asked nothing.

use super::{Refusal, Seat};
use staysail_protocol::limits;
use staysail_protocol::worker::ToWorker;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Why a worker did not do what it was asked.
enum Failure {
    /// Its connection has ended.
    Gone,
    /// It could not, or not in time.
    Failed(String),
}

impl Failure {
    fn said(self) -> String {
        match self {
            Self::Gone => "it ended".into(),
            Self::Failed(reason) => reason,
        }
    }
}

/// An answer to such a question.
pub(super) type Answer = Result<(), String>;

fn holds_any(seat: &Seat) -> bool {
    !seat.worker.hello.exclusive.is_empty()
}

/// Hands the resources of `old` over to `new`. On an error `old` has them again, and `new` is gone.
pub(super) async fn hand_over(old: Option<&Arc<Seat>>, new: &Arc<Seat>) -> Result<(), Refusal> {
    let old = old.filter(|old| holds_any(old));
    if let Some(old) = old {
        match release(old).await {
            Ok(()) => {}
            Err(Failure::Gone) => drop(old.worker.exit_reason().await),
            Err(Failure::Failed(reason)) => {
                new.worker.kill();
                let reason = format!("the backend before did not release {reason}");
                return Err(Refusal::of_old(given_back(old, reason).await));
            }
        }
    }
    if holds_any(new)
        && let Err(failure) = acquire(new).await
    {
        end(new).await;
        let reason = format!("the new backend could not acquire {}", failure.said());
        return Err(match old {
            Some(old) => given_back(old, reason).await,
            None => reason,
        }
        .into());
    }
    Ok(())
}

/// Takes what a worker that is given up still holds, and ends it. Returns when nothing of it is left that could hold anything.
pub(super) async fn take_back(bad: &Arc<Seat>) {
    if holds_any(bad)
        && !bad.gone.load(Ordering::SeqCst)
        && let Err(failure) = release(bad).await
    {
        tracing::warn!(reason = failure.said(), "the backend that is given up did not release in order");
    }
    end(bad).await;
}

async fn end(seat: &Arc<Seat>) {
    seat.worker.kill();
    if holds_any(seat) {
        let _ = seat.worker.exit_reason().await;
    }
}

/// Has a worker that is started, or returned to, acquire its resources.
pub(super) async fn give(seat: &Arc<Seat>) -> Result<(), String> {
    if !holds_any(seat) {
        return Ok(());
    }
    acquire(seat).await.map_err(|failure| format!("the backend could not acquire {}", failure.said()))
}

/// Has the worker before acquire its resources again; until it has, for a bounded time.
pub(super) async fn give_again(seat: &Arc<Seat>) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_millis(limits::EXCLUSIVE_TIMEOUT_MS);
    loop {
        let given = give(seat).await;
        if given.is_ok() || seat.gone.load(Ordering::SeqCst) || Instant::now() >= deadline {
            return given;
        }
        tokio::time::sleep(Duration::from_millis(limits::EXCLUSIVE_RETRY_MS)).await;
    }
}

/// The reason of a refusal, with what became of the resources.
async fn given_back(old: &Arc<Seat>, reason: String) -> String {
    match give_again(old).await {
        Ok(()) => reason,
        Err(error) => format!("{reason}; and it did not get its resources back: {error}"),
    }
}

async fn release(seat: &Arc<Seat>) -> Result<(), Failure> {
    let answer = seat.ask(|replies| &mut replies.released, &ToWorker::Release, Vec::new());
    within(seat, answer).await
}

async fn acquire(seat: &Arc<Seat>) -> Result<(), Failure> {
    let answer = seat.ask(|replies| &mut replies.acquired, &ToWorker::Acquire, Vec::new());
    within(seat, answer).await
}

async fn within(seat: &Seat, answer: oneshot::Receiver<Answer>) -> Result<(), Failure> {
    let patience = seat.worker.launch.patience(Duration::from_millis(limits::EXCLUSIVE_TIMEOUT_MS));
    match tokio::time::timeout(patience, answer).await {
        Ok(Ok(result)) => result.map_err(Failure::Failed),
        Ok(Err(_)) => Err(Failure::Gone),
        Err(_) => Err(Failure::Failed(format!(
            "its exclusive resources within {} ms (exclusive_timeout_ms)",
            limits::EXCLUSIVE_TIMEOUT_MS
        ))),
    }
}

/// A worker's answer.
pub(super) fn answered(waiting: Option<oneshot::Sender<Answer>>, answer: Answer) {
    if let Some(waiting) = waiting {
        let _ = waiting.send(answer);
    }
}

/// How a resource that failed is told of.
pub(super) fn failed(resource: &str, message: &str) -> Answer {
    Err(format!("`{resource}`: {message}"))
}
