//! The socket to the shell.

use crate::{Error, Result};
use serde::Serialize;
use staysail_link::{Courier, Link, Socket};
use staysail_protocol::frame::Frame;
use staysail_protocol::worker::{ATTACHMENTS_VARIABLE, SOCKET_VARIABLE, TOKEN_VARIABLE, ToShell};
use staysail_protocol::{CallError, ErrorCode};

/// Messages on their way to the shell, in order. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbox(pub Link);

impl Outbox {
    /// Sends a message. One that exceeds a limit fails its call instead.
    pub fn send(&self, call: u64, message: &impl Serialize, body: Vec<u8>) {
        let Err(error) = self.0.pass(Frame::new(call, message, body)) else { return };
        eprintln!("staysail: a message was not sent: {error}");
        let error = CallError::new(ErrorCode::TooLarge, error.to_string());
        let _ = self.0.send(&Frame::new(call, &ToShell::Failed { error }, Vec::new()));
    }
}

/// Where the shell waits, and the token it knows this process by.
pub(crate) struct Invitation {
    address: String,
    /// The way of attachments; absent when the shell takes none.
    attachments: Option<String>,
    /// Repeated in the hello.
    pub token: String,
}

impl Invitation {
    /// Takes them out of the environment, so that no process the app starts sees them.
    pub fn take() -> Result<Self> {
        let (Ok(address), Ok(token)) = (std::env::var(SOCKET_VARIABLE), std::env::var(TOKEN_VARIABLE)) else {
            return Err(Error::NoShell);
        };
        let attachments = std::env::var(ATTACHMENTS_VARIABLE).ok();
        // SAFETY: called at the start of App::run, before any thread of Staysail's own exists; an app that starts
        // threads which read the environment before that races with its own main function.
        unsafe {
            std::env::remove_var(SOCKET_VARIABLE);
            std::env::remove_var(TOKEN_VARIABLE);
            std::env::remove_var(ATTACHMENTS_VARIABLE);
        }
        Ok(Self { address, attachments, token })
    }

    /// The way of what is too large for frames.
    #[cfg(unix)]
    pub fn courier(&self) -> Option<Courier> {
        Courier::inherited(inherited(self.attachments.as_deref()?).ok()?).ok()
    }

    /// The way of what is too large for frames.
    #[cfg(windows)]
    pub fn courier(&self) -> Option<Courier> {
        self.attachments.as_ref().map(|_| Courier::of_started())
    }

    /// Connects. Must be called on the runtime.
    #[cfg(unix)]
    pub fn connect(&self) -> Result<Socket> {
        Ok(Socket::new(inherited(&self.address)?.into())?)
    }

    /// Connects. Must be called on the runtime.
    #[cfg(windows)]
    pub fn connect(&self) -> Result<Socket> {
        Ok(tokio::net::windows::named_pipe::ClientOptions::new().open(&self.address)?.into())
    }
}

/// A descriptor that the shell has handed on under this number. Called once for each.
#[cfg(unix)]
fn inherited(number: &str) -> Result<std::os::fd::OwnedFd> {
    use std::os::fd::{AsFd, FromRawFd, OwnedFd};
    let descriptor: i32 = number.parse().map_err(|_| Error::NoShell)?;
    // SAFETY: the number was inherited from the shell for this purpose and is taken once, see `take`.
    let inherited = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // Cloned, because a clone is closed in processes that the app starts, and the inherited one is not.
    Ok(inherited.as_fd().try_clone_to_owned()?)
}
