//! The record of a command, and what its parameters are filled with.

use crate::call::Outcome;
use crate::describe::Types;
use crate::handle::{AppHandle, WindowHandle};
use crate::kept::Kept;
use staysail_protocol::interface::CommandSpec;
use staysail_protocol::{CallError, ErrorCode};
use std::any::TypeId;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

/// A command as `#[command]` makes it.
pub struct Command {
    /// Name the page calls.
    pub name: &'static str,
    /// Describes it for the page.
    pub describe: fn(&mut Types) -> CommandSpec,
    /// What the app must have been given.
    pub needs: fn() -> Vec<Option<Need>>,
    /// Takes the arguments out of a call and makes what is to be run.
    pub prepare: fn(Call) -> Result<Run, CallError>,
}

/// Something a command's parameter needs.
pub struct Need {
    /// Type of the state.
    pub ty: TypeId,
    /// Its name, for people.
    pub name: &'static str,
    /// What of the app it is.
    pub kind: Kind,
}

/// What of the app a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A [`State`].
    State,
    /// A [`Kept`].
    Kept,
    /// A [`Held`](crate::Held).
    Held,
}

impl Kind {
    /// How an app is given it.
    pub(crate) fn how(self) -> &'static str {
        match self {
            Self::State => "App::manage or App::service",
            Self::Kept => "App::keep",
            Self::Held => "App::exclusive",
        }
    }
}

/// One call of a page.
pub struct Call {
    /// The app.
    pub app: AppHandle,
    /// Its number.
    pub number: u64,
    /// Name of the command.
    pub command: String,
    /// Label of the window that calls.
    pub window: String,
    /// The page's bytes.
    pub body: Vec<u8>,
    /// The bytes are raw rather than JSON.
    pub raw: bool,
}

/// A command that is ready to run.
pub enum Run {
    /// May wait or compute: runs on a thread of its own.
    Blocking(Box<dyn FnOnce() -> Outcome + Send>),
    /// Waits without holding a thread.
    Async(Pin<Box<dyn Future<Output = Outcome> + Send>>),
}

/// Raw bytes: as a parameter the body of a binary call, as an answer what the page gets as an `ArrayBuffer`.
/// Never turned into JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// Something the app was given by [`App::manage`](crate::App::manage) or [`AppHandle::manage`], as a parameter of a
/// command. It belongs to one worker: what must survive a swap is a [`Kept`].
pub struct State<T>(pub(crate) Arc<T>);

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for State<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

/// What a parameter that is no argument is filled with.
pub trait FromCall: Sized {
    /// Finds it.
    fn from_call(call: &Call) -> Result<Self, CallError>;
    /// What the app must have been given for it.
    fn need() -> Option<Need> {
        None
    }
}

fn missing<T>(how: &str) -> CallError {
    let name = std::any::type_name::<T>();
    CallError::new(ErrorCode::Internal, format!("the app was never given a {name}; give it with {how}"))
}

impl<T: Send + Sync + 'static> FromCall for State<T> {
    fn from_call(call: &Call) -> Result<Self, CallError> {
        call.app.state::<T>().ok_or_else(|| missing::<T>("App::manage"))
    }
    fn need() -> Option<Need> {
        Some(Need { ty: TypeId::of::<T>(), name: std::any::type_name::<T>(), kind: Kind::State })
    }
}

impl<T: Send + Sync + 'static> FromCall for Kept<T> {
    fn from_call(call: &Call) -> Result<Self, CallError> {
        call.app.kept::<T>().ok_or_else(|| missing::<T>("App::keep"))
    }
    fn need() -> Option<Need> {
        Some(Need { ty: TypeId::of::<T>(), name: std::any::type_name::<T>(), kind: Kind::Kept })
    }
}

impl FromCall for AppHandle {
    fn from_call(call: &Call) -> Result<Self, CallError> {
        Ok(call.app.clone())
    }
}

impl FromCall for WindowHandle {
    fn from_call(call: &Call) -> Result<Self, CallError> {
        Ok(call.app.window(&call.window))
    }
}
