//! Between the page's bytes and a command's types: arguments in, answers and errors out.
//!
//! # Theory of operation
//! Rust has no specialisation; generated code picks among traits by the number of `&` before the receiver ("autoref
//! specialisation", dtolnay's case study): of several methods that fit, the one that needs fewest references
//! removed wins. So `Bytes` is answered raw and everything else as JSON; an error that serialises gives its
//! `details`, one that displays its message, and one that does both gives both.

use crate::channel::within;
use crate::command::{Bytes, Call};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use staysail_protocol::{CallError, ErrorCode};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;

/// What a command ends with: the body and whether it is raw, or an error.
pub type Outcome = Result<(Vec<u8>, bool), CallError>;

/// The page's arguments, parsed once.
pub struct Arguments<'a> {
    values: HashMap<Cow<'a, str>, &'a RawValue>,
    raw: &'a [u8],
    call: &'a Call,
}

#[derive(serde::Deserialize)]
struct Object<'a>(#[serde(borrow)] HashMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Arguments<'a> {
    /// Reads the arguments of a call.
    pub fn read(call: &'a Call) -> Result<Self, CallError> {
        let values = if call.raw || call.body.is_empty() || call.body == b"null" {
            HashMap::new()
        } else {
            let object: Object<'a> = serde_json::from_slice(&call.body).map_err(|error| {
                invalid(format!("the arguments of `{}` must be one JSON object: {error}", call.command))
            })?;
            object.0
        };
        Ok(Self { values, raw: &call.body, call })
    }

    /// Takes one argument. A missing one counts as `null`, so that it may be an `Option`.
    pub fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, CallError> {
        let command = &self.call.command;
        match self.values.remove(name) {
            Some(value) => within(&self.call.app, self.call.number, || serde_json::from_str(value.get()))
                .map_err(|error| invalid(format!("argument `{name}` of `{command}`: {error}"))),
            None => serde_json::from_str("null").map_err(|_| {
                let given: Vec<_> = self.values.keys().map(Cow::as_ref).collect();
                let given = if given.is_empty() { "nothing".into() } else { given.join(", ") };
                invalid(format!("`{command}` needs the argument `{name}`; given: {given}"))
            }),
        }
    }

    /// The raw body.
    pub fn raw(&self) -> Bytes {
        Bytes(self.raw.to_vec())
    }
}

fn invalid(message: String) -> CallError {
    CallError::new(ErrorCode::InvalidArguments, message)
}

/// The value a command returned, on its way to bytes.
pub struct Answer<T>(std::cell::Cell<Option<T>>);

impl<T> Answer<T> {
    /// Wraps the value.
    pub fn of(value: T) -> Self {
        Self(std::cell::Cell::new(Some(value)))
    }
}

/// Raw bytes are answered as they are.
pub trait AnswerBytes {
    /// The outcome.
    fn answer(&self) -> Outcome;
}

impl AnswerBytes for &Answer<Bytes> {
    fn answer(&self) -> Outcome {
        Ok((self.0.take().map(|bytes| bytes.0).unwrap_or_default(), true))
    }
}

/// A text is answered as JSON by a quicker way.
pub trait AnswerText {
    /// The outcome.
    fn answer(&self) -> Outcome;
}

impl AnswerText for &Answer<String> {
    fn answer(&self) -> Outcome {
        Ok((crate::text::to_json(&self.0.take().unwrap_or_default()), false))
    }
}

/// Everything else is answered as JSON.
pub trait AnswerJson {
    /// The outcome.
    fn answer(&self) -> Outcome;
}

impl<T: Serialize> AnswerJson for Answer<T> {
    fn answer(&self) -> Outcome {
        let bytes = serde_json::to_vec(&self.0.take());
        bytes.map(|bytes| (bytes, false)).map_err(|error| {
            CallError::new(ErrorCode::Internal, format!("the answer can not be written as JSON: {error}"))
        })
    }
}

/// The error a command returned.
pub struct Failure<E>(pub E);

/// An error with details and a message.
pub trait FailureFull {
    /// What the page gets.
    fn failure(&self) -> CallError;
}

impl<E: Serialize + Display> FailureFull for &&Failure<E> {
    fn failure(&self) -> CallError {
        let details = serde_json::to_value(&self.0).unwrap_or_default();
        CallError { details, ..CallError::new(ErrorCode::App, self.0.to_string()) }
    }
}

/// An error with details.
pub trait FailureJson {
    /// What the page gets.
    fn failure(&self) -> CallError;
}

impl<E: Serialize> FailureJson for &Failure<E> {
    fn failure(&self) -> CallError {
        let details = serde_json::to_value(&self.0).unwrap_or_default();
        let message = details.as_str().map_or_else(|| details.to_string(), str::to_string);
        CallError { details, ..CallError::new(ErrorCode::App, message) }
    }
}

/// An error with a message.
pub trait FailureDisplay {
    /// What the page gets.
    fn failure(&self) -> CallError;
}

impl<E: Display> FailureDisplay for Failure<E> {
    fn failure(&self) -> CallError {
        // The alternate form of anyhow-like errors tells the whole chain of causes.
        CallError::new(ErrorCode::App, format!("{:#}", self.0))
    }
}

/// Takes a `Result`, under whatever alias, apart.
pub trait ResultParts {
    /// Its value.
    type Value;
    /// Its error.
    type Error;
}

impl<T, E> ResultParts for Result<T, E> {
    type Value = T;
    type Error = E;
}
