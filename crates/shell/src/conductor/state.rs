//! The declared state between two workers: what the shell keeps of it, takes from one and hands to the next.
//!
//! # Theory of operation
//! Small state travels inside frames and is kept as bytes. Large state comes as an [`Attachment`], which the shell keeps
//! open and hands on unread: neither its size nor its content costs the shell anything, and it is there for whoever needs
//! it next, also when the worker that wrote it is gone. A worker of an older version that takes no attachments gets the
//! bytes.
//!
//! What a worker that lives can not deliver is not replaced by something older behind the user's back: the exchange is
//! refused, and the worker before serves on with its state. A worker that is gone or hangs is another matter: then the
//! newest checkpoint is what there is.

use super::{Conductor, Seat, wait_until};
use crate::shell::Shell;
use staysail_link::Attachment;
use staysail_protocol::frame::Frame;
use staysail_protocol::limits;
use staysail_protocol::worker::{Attached, ToWorker};
use staysail_update::awake;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The declared state of an app: version that made it, and MessagePack.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Version of the app's crate.
    pub(super) version: String,
    pub(super) content: Content,
}

impl Snapshot {
    /// Bytes of memory it holds.
    pub(super) fn bytes(&self) -> usize {
        match &self.content {
            Content::Inline(bytes) => bytes.len(),
            Content::Apart(_) => 0,
        }
    }
}

/// Where the bytes of a snapshot are.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Empty when there is nothing to hand over.
    Inline(Vec<u8>),
    Apart(Arc<Attachment>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Inline(Vec::new())
    }
}

impl Content {
    /// What a worker delivered, beside a frame or in its body.
    pub fn delivered(seat: &Seat, body: Vec<u8>, attached: Option<Attached>) -> Result<Self, String> {
        let Some(Attached { number, bytes }) = attached else { return Ok(Self::Inline(body)) };
        if bytes > limits::SNAPSHOT_BYTES_MAX as u64 {
            return Err(format!(
                "it has {bytes} bytes, more than {} (snapshot_bytes_max)",
                limits::SNAPSHOT_BYTES_MAX
            ));
        }
        let received = seat.worker.courier.receive(number, bytes);
        received.map(|attachment| Self::Apart(Arc::new(attachment))).map_err(|error| error.to_string())
    }

    fn is_apart(&self) -> bool {
        matches!(self, Self::Apart(_))
    }
}

impl Conductor {
    /// Lets calls under way end, then takes the state; the newest checkpoint when the worker can not be asked.
    ///
    /// # Errors
    /// A sentence for people when the worker lives and can not deliver its state.
    pub(super) async fn take_state(
        &self,
        shell: &Arc<Shell>,
        old: Option<&Arc<Seat>>,
    ) -> Result<Snapshot, String> {
        let Some(old) = old else { return Ok(self.newest_checkpoint()) };
        match self.ask_state(shell, old).await? {
            Some(snapshot) => {
                self.keep_checkpoint(snapshot.clone());
                Ok(snapshot)
            }
            None => {
                tracing::warn!("the backend before did not deliver its state; its newest checkpoint is used");
                Ok(self.newest_checkpoint())
            }
        }
    }

    /// The state of a worker, from itself; `None` when it does not deliver it in time.
    pub(super) async fn ask_state(
        &self,
        shell: &Arc<Shell>,
        old: &Arc<Seat>,
    ) -> Result<Option<Snapshot>, String> {
        let id = old.worker.id;
        let quiet = wait_until(|| shell.router.in_flight(id) == 0);
        let _ = tokio::time::timeout(Duration::from_millis(limits::QUIESCE_MS), quiet).await;
        old.grows.store(false, Ordering::SeqCst);
        let mut answer = old.ask(|replies| &mut replies.snapshot, &ToWorker::Snapshot, Vec::new());
        let patience = Duration::from_millis(limits::SNAPSHOT_TIMEOUT_MS);
        let mut answered = awake::timeout(patience, &mut answer).await;
        if answered.is_err() && old.grows.load(Ordering::SeqCst) {
            let patience = Duration::from_millis(limits::SNAPSHOT_APART_TIMEOUT_MS);
            answered = awake::timeout(patience, answer).await;
            if answered.is_err() {
                return Err(format!(
                    "the backend before did not hand over its large state within {} ms (snapshot_apart_timeout_ms)",
                    limits::SNAPSHOT_APART_TIMEOUT_MS
                ));
            }
        }
        match answered {
            Ok(Ok(Ok(content))) => Ok(Some(Snapshot { version: old.worker.hello.version.clone(), content })),
            Ok(Ok(Err(reason))) => Err(reason),
            _ => Ok(None),
        }
    }

    pub(super) fn newest_checkpoint(&self) -> Snapshot {
        self.checkpoint.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(super) fn keep_checkpoint(&self, snapshot: Snapshot) {
        *self.checkpoint.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = snapshot;
    }

    /// What a worker that is given up leaves to the one before it: its state as it is, where checkpoints were too small
    /// for that and it still answers; the newest checkpoint otherwise.
    pub(super) async fn inherit(&self, shell: &Arc<Shell>, bad: Option<&Arc<Seat>>) -> Snapshot {
        let asked = bad.filter(|bad| bad.left_out.load(Ordering::SeqCst));
        let asked = asked.filter(|bad| !bad.gone.load(Ordering::SeqCst));
        if asked.is_none() {
            return self.newest_checkpoint();
        }
        self.take_state(shell, asked).await.unwrap_or_else(|reason| {
            tracing::warn!(
                reason,
                "the newer backend can not hand over its state; its newest checkpoint is used"
            );
            self.newest_checkpoint()
        })
    }
}

/// Says that a worker that is lost had state too large for checkpoints.
pub(super) fn tell_of_loss(shell: &Shell, seat: &Seat) {
    if seat.left_out.load(Ordering::SeqCst) {
        let message = format!(
            "the declared state was larger than {} bytes (checkpoint_bytes_max), so what changed since the backend was \
             last exchanged is lost with it",
            limits::CHECKPOINT_BYTES_MAX
        );
        shell.worker_line("warn", &message);
    }
}

/// A worker's answer to [`restore`]: on an error the state and why.
pub(super) fn restored(seat: &Seat, outcome: Result<(), (&str, &str)>) {
    if let Some(waiting) = seat.replies().restored.take() {
        let failed = |(state, message)| format!("{} could not be handed over: {message}", named(state));
        let _ = waiting.send(outcome.map_err(failed));
    }
}

/// Hands `snapshot` to a worker. An empty one means that there is nothing to hand over.
///
/// # Errors
/// A sentence for people when the worker does not take it over.
pub(super) async fn restore(seat: &Arc<Seat>, snapshot: &Snapshot) -> Result<(), String> {
    let from_version = snapshot.version.clone();
    let (attached, body) = match &snapshot.content {
        Content::Inline(bytes) if bytes.is_empty() => return Ok(()),
        Content::Inline(bytes) => (None, bytes.clone()),
        Content::Apart(attachment) => hand_on(seat, attachment).await?,
    };
    let question = ToWorker::Restore { from_version, attached };
    let answer = seat.ask(|replies| &mut replies.restored, &question, body);
    let (usual, name) = match snapshot.content.is_apart() {
        false => (limits::RESTORE_TIMEOUT_MS, "restore_timeout_ms"),
        true => (limits::SNAPSHOT_APART_TIMEOUT_MS, "snapshot_apart_timeout_ms"),
    };
    match awake::timeout(seat.worker.launch.patience(Duration::from_millis(usual)), answer).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err("the new backend ended while it took over the state".into()),
        Err(_) => Err(format!("the new backend did not take over the state within {usual} ms ({name})")),
    }
}

/// Large state as it is, or its bytes for a worker that takes no attachments.
async fn hand_on(
    seat: &Arc<Seat>,
    attachment: &Arc<Attachment>,
) -> Result<(Option<Attached>, Vec<u8>), String> {
    let failed = |error: std::io::Error| format!("the state could not be handed to the new backend: {error}");
    if seat.worker.hello.attachments {
        let number = seat.worker.courier.send(attachment).map_err(failed)?;
        return Ok((Some(Attached { number, bytes: attachment.len() }), Vec::new()));
    }
    let attachment = attachment.clone();
    let read = tokio::task::spawn_blocking(move || attachment.read().map(|content| content.to_vec()));
    Ok((None, read.await.unwrap_or_else(|error| Err(std::io::Error::other(error))).map_err(failed)?))
}

/// A worker's answer to the question for its state.
pub(super) fn answered(seat: &Seat, frame: Frame, attached: Option<Attached>) {
    let content = Content::delivered(seat, frame.body, attached)
        .map_err(|reason| format!("the state of the backend before could not be taken over: {reason}"));
    if let Some(waiting) = seat.replies().snapshot.take() {
        let _ = waiting.send(content);
    }
}

/// A worker's answer that it can not hand its state over.
pub(super) fn refused(seat: &Seat, state: &str, message: &str) {
    if let Some(waiting) = seat.replies().snapshot.take() {
        let _ = waiting.send(Err(format!("{} could not be handed over: {message}", named(state))));
    }
}

/// How a state is called in messages; one without a name stands for all of them.
pub(super) fn named(state: &str) -> String {
    if state.is_empty() { "the state".into() } else { format!("state `{state}`") }
}
