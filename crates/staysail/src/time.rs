//! The types of `std::time` as serde writes them, for the page.

use std::marker::PhantomData;
use std::time::{Duration, SystemTime};
use ts_rs::{Config, TS};

/// Stands for a field's type that is written `Duration` or `SystemTime`; put there by the macros, because the trait
/// that describes types does not know the standard library's times.
pub struct StandardTime<T>(PhantomData<T>);

/// What [`StandardTime`] knows.
#[diagnostic::on_unimplemented(
    message = "this type is written like one of `std::time`, but is another one",
    note = "write it with its path, e.g. `self::{Self}` or `chrono::Duration`, so that it is described as what it is"
)]
pub trait Shape: 'static {
    /// Its TypeScript.
    const TYPESCRIPT: &'static str;
}

impl Shape for Duration {
    const TYPESCRIPT: &'static str = "{ secs: number, nanos: number }";
}

impl Shape for SystemTime {
    const TYPESCRIPT: &'static str = "{ secs_since_epoch: number, nanos_since_epoch: number }";
}

impl<T: Shape> TS for StandardTime<T> {
    type WithoutGenerics = Self;
    type OptionInnerType = Self;
    fn name(_: &Config) -> String {
        T::TYPESCRIPT.into()
    }
    fn inline(_: &Config) -> String {
        T::TYPESCRIPT.into()
    }
}
