//! Resources that only one worker can hold, from one worker to the next.
//!
//! # Theory of operation
//! The second phase of a swap, with the gate closed and the state handed over: the worker before releases, then the new one
//! acquires. A release that fails, and an acquisition that fails, call the swap off: the new worker is ended, and when its
//! process is gone, so that nothing of it holds anything, the worker before acquires again. A worker that dies in the middle
//! has released everything by that; its process, too, is waited for. Workers without such resources are asked nothing.
//!
//! Whose fault a failure is decides whether a release is banned for it (law 6): where the worker before can not have the
//! resource back either, somebody else has it. A question that was not answered in time is answered some day: those answers
//! are counted off, so that none is taken for that of the next question.

use super::{Refusal, Replies, Seat};
use staysail_protocol::limits;
use staysail_protocol::worker::ToWorker;
use staysail_update::awake;
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

/// Whether `new` declares resources where `old` declared none.
pub(super) fn begins(old: &Seat, new: &Seat) -> bool {
    holds_any(new) && !holds_any(old)
}

/// Hands the resources of `old` over to `new`. On an error `old` has them again, and `new` is gone. With `fresh` an `old`
/// that does not release is ended instead: nothing of it is wanted any more.
pub(super) async fn hand_over(old: Option<&Arc<Seat>>, new: &Arc<Seat>, fresh: bool) -> Result<(), Refusal> {
    let old = old.filter(|old| holds_any(old));
    if let Some(old) = old {
        match release(old).await {
            Ok(()) => {}
            Err(Failure::Gone) => drop(old.worker.exit_reason().await),
            Err(Failure::Failed(reason)) if fresh => {
                tracing::warn!(reason, "the backend before did not release its resources; it is ended");
                end(old).await;
            }
            Err(Failure::Failed(reason)) => {
                new.worker.kill();
                let reason = format!("the backend before did not release {reason}");
                let (reason, _) = given_back(old, reason).await;
                return Err(Refusal::of_others(reason));
            }
        }
    }
    if holds_any(new)
        && let Err(failure) = acquire(new).await
    {
        end(new).await;
        let reason = format!("the new backend could not acquire {}", failure.said());
        return Err(match old {
            // Nobody had it before: another program has, or the disk is full. Every release would meet that.
            None => Refusal::of_others(reason),
            Some(old) => match given_back(old, reason).await {
                (reason, true) => reason.into(),
                (reason, false) => Refusal::of_others(reason),
            },
        });
    }
    Ok(())
}

/// Takes what a worker that is given up still holds, and ends it. Returns when nothing of it is left that could hold anything.
/// One that does not answer is ended at once.
pub(super) async fn take_back(bad: &Arc<Seat>, answers: bool) {
    if answers
        && holds_any(bad)
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

/// The reason of a refusal, with what became of the resources, and whether the worker has them again.
async fn given_back(old: &Arc<Seat>, reason: String) -> (String, bool) {
    match give_again(old).await {
        Ok(()) => (reason, true),
        Err(error) => (format!("{reason}; and it did not get its resources back: {error}"), false),
    }
}

async fn release(seat: &Arc<Seat>) -> Result<(), Failure> {
    ask(seat, |replies| &mut replies.released, &ToWorker::Release).await
}

async fn acquire(seat: &Arc<Seat>) -> Result<(), Failure> {
    ask(seat, |replies| &mut replies.acquired, &ToWorker::Acquire).await
}

/// Where the answers to one of the two questions go.
#[derive(Default)]
pub(super) struct Question {
    waiting: Option<oneshot::Sender<Answer>>,
    /// Answers that nobody waits for any longer, and that come before the next one.
    late: usize,
}

impl Question {
    /// Nobody waits any longer, and the answer may still come.
    fn give_up(&mut self) {
        self.late += usize::from(self.waiting.take().is_some());
    }

    /// An answer has come.
    fn hear(&mut self, answer: Answer) {
        if self.late > 0 {
            self.late -= 1;
        } else if let Some(waiting) = self.waiting.take() {
            let _ = waiting.send(answer);
        }
    }
}

async fn ask(
    seat: &Arc<Seat>,
    question: impl Fn(&mut Replies) -> &mut Question,
    message: &ToWorker,
) -> Result<(), Failure> {
    let answer = seat.ask(|replies| &mut question(replies).waiting, message, Vec::new());
    let patience = seat.worker.launch.patience(Duration::from_millis(limits::EXCLUSIVE_TIMEOUT_MS));
    match awake::timeout(patience, answer).await {
        Ok(Ok(result)) => result.map_err(Failure::Failed),
        Ok(Err(_)) => Err(Failure::Gone),
        Err(_) => {
            question(&mut seat.replies()).give_up();
            Err(Failure::Failed(format!(
                "its exclusive resources within {} ms (exclusive_timeout_ms)",
                limits::EXCLUSIVE_TIMEOUT_MS
            )))
        }
    }
}

/// A worker's answer.
pub(super) fn answered(seat: &Seat, question: impl Fn(&mut Replies) -> &mut Question, answer: Answer) {
    question(&mut seat.replies()).hear(answer);
}

/// How a resource that failed is told of.
pub(super) fn failed(resource: &str, message: &str) -> Answer {
    Err(format!("`{resource}`: {message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_comes_late_is_none_to_the_next_question() {
        let mut question = Question::default();
        let (waiting, first) = oneshot::channel();
        question.waiting = Some(waiting);
        question.give_up();
        drop(first);
        let (waiting, mut second) = oneshot::channel();
        question.waiting = Some(waiting);
        question.hear(Err("late".into()));
        assert!(second.try_recv().is_err(), "it waits on");
        question.hear(Ok(()));
        assert_eq!(second.try_recv().unwrap(), Ok(()));
    }
}
