//! What goes from worker to worker: the declared state, inside a frame or beside it when it is large, and exclusive
//! resources.

use crate::handle::{AppHandle, Inner};
use crate::packing::Packed;
use crate::runtime::panicked;
use staysail_protocol::limits::EXCLUSIVE_IN_USE_MS;
use staysail_protocol::worker::{Attached, ToShell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Delivers the state as it is now, or says why it can not be delivered.
pub(crate) fn deliver(inner: &Inner) {
    let delivered = catch_unwind(AssertUnwindSafe(|| {
        let mut grows = || inner.outbox.send(0, &ToShell::SnapshotGrows, Vec::new());
        let grows: Option<&mut dyn FnMut()> = match inner.courier {
            Some(_) => Some(&mut grows),
            None => None,
        };
        inner.kept.snapshot(grows, |packed| match packed {
            Ok(Packed::Inline(snapshot)) => {
                inner.outbox.send(0, &ToShell::Snapshot { attached: None }, snapshot);
            }
            Ok(Packed::Apart(attachment)) => {
                let number = match &inner.courier {
                    Some(courier) => courier.send(&attachment),
                    None => Err(io::ErrorKind::NotConnected.into()),
                };
                let message = match number {
                    Ok(number) => {
                        let attached = Some(Attached { number, bytes: attachment.len() });
                        ToShell::Snapshot { attached }
                    }
                    Err(error) => {
                        failed(String::new(), format!("it could not be handed to the shell: {error}"))
                    }
                };
                inner.outbox.send(0, &message, Vec::new());
            }
            Err((state, message)) => inner.outbox.send(0, &failed(state, message), Vec::new()),
        });
    }));
    if let Err(panic) = delivered {
        let message = panicked("serialising a state", panic.as_ref()).message;
        inner.outbox.send(0, &failed(String::new(), message), Vec::new());
    }
}

fn failed(state: String, message: String) -> ToShell {
    ToShell::SnapshotFailed { state, message }
}

/// Takes a snapshot over and answers.
pub(crate) fn take_over(inner: &Inner, body: &[u8], attached: Option<Attached>) {
    let restored = catch_unwind(AssertUnwindSafe(|| match attached {
        None => inner.kept.restore(body),
        Some(attached) => {
            let unreadable =
                |error: io::Error| (String::new(), format!("what was handed over can not be read: {error}"));
            let courier = inner.courier.as_ref().ok_or(io::ErrorKind::NotConnected.into());
            let received = courier.and_then(|courier| courier.receive(attached.number, attached.bytes));
            let content = received.and_then(|attachment| attachment.read()).map_err(unreadable)?;
            inner.kept.restore(&content)
        }
    }));
    let message = match restored
        .unwrap_or_else(|panic| Err((String::new(), panicked("a migration", panic.as_ref()).message)))
    {
        Ok(()) => ToShell::Restored,
        Err((state, message)) => ToShell::RestoreFailed { state, message },
    };
    inner.outbox.send(0, &message, Vec::new());
}

/// Releases what is held, for another worker, and answers.
pub(crate) fn release(app: &AppHandle) {
    let message = match app.inner.exclusive.release(Duration::from_millis(EXCLUSIVE_IN_USE_MS)) {
        Ok(()) => ToShell::Released,
        Err((resource, message)) => ToShell::ReleaseFailed { resource, message },
    };
    app.inner.outbox.send(0, &message, Vec::new());
}

/// Acquires what is not held, and answers.
pub(crate) fn acquire(app: &AppHandle) {
    let message = match app.inner.exclusive.acquire(app) {
        Ok(()) => ToShell::Acquired,
        Err((resource, message)) => ToShell::AcquireFailed { resource, message },
    };
    app.inner.outbox.send(0, &message, Vec::new());
}

/// An older shell does not ask to acquire before it activates.
pub(crate) fn acquire_late(app: &AppHandle) {
    if let Err((resource, reason)) = app.inner.exclusive.acquire(app) {
        app.log("error", format!("`{resource}` could not be acquired: {reason}"));
    }
}

/// Lets go of what is still held: the process ends, or an older shell did not ask to release.
pub(crate) fn let_go(app: &AppHandle) {
    for (resource, reason) in app.inner.exclusive.let_go() {
        app.log("error", format!("`{resource}` was not released in order: {reason}"));
    }
}
