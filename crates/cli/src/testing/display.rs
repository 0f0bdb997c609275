//! A display that nobody sees, for windows under test: Xvfb, for as long as the tests run.

use anyhow::{Context, Result, bail};
use staysail_supervise::{Spawn, Tree};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// The screen; 24 bits are what WebKitGTK draws.
const SCREEN: &str = "1280x900x24";

/// A virtual display. It ends when it is dropped.
pub struct Display {
    name: String,
    server: Tree,
}

impl Display {
    /// Starts one, on a number that is free.
    pub fn start() -> Result<Self> {
        let server = Spawn::new("Xvfb")
            // It chooses the number and writes it to its standard output.
            .args(["-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let server = match server {
            Ok(server) => server,
            Err(error) => bail!(
                "no display could be made for the windows: {error}.\n  It takes Xvfb (Debian and Ubuntu: apt install xvfb; Fedora: xorg-x11-server-Xvfb; Arch: xorg-server-xvfb), or a display of your own: staysail test --headed"
            ),
        };
        let mut number = String::new();
        let output = server.take_stdout().context("Xvfb says nothing")?;
        BufReader::new(output).read_line(&mut number).context("reading the number of the display")?;
        let number: u32 = number.trim().parse().context("Xvfb ended before it named its display")?;
        Ok(Self { name: format!(":{number}"), server })
    }

    /// Its name, for `DISPLAY`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.server.kill();
        let _ = self.server.wait();
    }
}
