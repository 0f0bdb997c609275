//! Asking the shell for native features.

use crate::handle::AppHandle;
use serde::Serialize;
use serde::de::DeserializeOwned;
use staysail_protocol::limits::FRAME_BODY_BYTES_MAX;
use staysail_protocol::worker::ToShell;
use staysail_protocol::{CallError, ErrorCode};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll};
use tokio::sync::oneshot;

type Outcome = Result<Vec<u8>, CallError>;

/// Requests that wait for their answer.
#[derive(Default)]
pub(crate) struct Asked {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    answers: HashMap<u64, oneshot::Sender<Outcome>>,
}

impl Asked {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn ask(&self) -> (u64, oneshot::Receiver<Outcome>) {
        let (answer_in, answer) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.last += 1;
        let number = waiting.last;
        waiting.answers.insert(number, answer_in);
        (number, answer)
    }

    /// Brings an answer of the shell to who asked.
    pub fn answer(&self, number: u64, outcome: Outcome) {
        let asked = self.waiting().answers.remove(&number);
        if let Some(asked) = asked {
            let _ = asked.send(outcome);
        }
    }
}

/// A request to the shell that is under way. Await it, or [`wait`](Request::wait) for it in a command that is not
/// async; dropped, the answer is passed over.
#[must_use = "the answer comes when this is awaited"]
pub struct Request<R> {
    answer: oneshot::Receiver<Outcome>,
    result: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> Request<R> {
    /// Waits for the answer on this thread.
    ///
    /// # Errors
    /// What the shell refused, or that the app is ending.
    ///
    /// # Panics
    /// In async code: await the request there.
    pub fn wait(self) -> Result<R, CallError> {
        read(self.answer.blocking_recv())
    }
}

impl<R: DeserializeOwned> Future for Request<R> {
    type Output = Result<R, CallError>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context).map(read)
    }
}

fn read<R: DeserializeOwned>(outcome: Result<Outcome, oneshot::error::RecvError>) -> Result<R, CallError> {
    let body = outcome.unwrap_or_else(|_| Err(CallError::new(ErrorCode::Internal, "the app is ending")))?;
    serde_json::from_slice(&body).map_err(|error| {
        CallError::new(ErrorCode::Internal, format!("the shell's answer does not fit: {error}"))
    })
}

impl AppHandle {
    pub(crate) fn ask<R>(&self, feature: &str, arguments: &impl Serialize) -> Request<R> {
        let (number, answer) = self.inner.asked.ask();
        match serde_json::to_vec(arguments) {
            Ok(body) if body.len() <= FRAME_BODY_BYTES_MAX => {
                self.inner.outbox.send(number, &ToShell::Desktop { name: feature.into() }, body);
            }
            Ok(body) => {
                let message = format!("`{feature}` with {} bytes exceeds frame_body_bytes_max", body.len());
                self.inner.asked.answer(number, Err(CallError::new(ErrorCode::TooLarge, message)));
            }
            Err(error) => {
                let error = CallError::new(ErrorCode::InvalidArguments, error.to_string());
                self.inner.asked.answer(number, Err(error));
            }
        }
        Request { answer, result: PhantomData }
    }

    /// Asks for something whose answer nobody waits for; a failure goes to the log.
    pub(crate) fn tell(&self, feature: &str, arguments: &impl Serialize) {
        match serde_json::to_vec(arguments) {
            Ok(body) => self.inner.outbox.send(0, &ToShell::Desktop { name: feature.into() }, body),
            Err(error) => self.log("error", format!("{feature}: {error}")),
        }
    }
}
