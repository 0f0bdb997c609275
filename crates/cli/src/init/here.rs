//! `staysail init --here`.

use super::Arguments;
use anyhow::{Result, bail};
use std::process::ExitCode;

pub fn run(_: &Arguments, _: bool) -> Result<ExitCode> {
    bail!("x")
}
