//! The Staysail app that is measured against its peers: the same commands as theirs, nothing else.
//!
//! **Invariant:** whatever it does beside answering calls would be measured with them, so it does nothing.

use staysail::{App, Bytes, Number, Window, command, commands};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// The bench changes this line and waits until a page sees the new value.
const REVISION: &str = "backend-0";

/// What the page should do: `idle`, `watch` or `calls`.
#[command]
fn task() -> String {
    std::env::var("BENCH_TASK").unwrap_or_else(|_| "idle".into())
}

#[command]
fn revision() -> String {
    REVISION.into()
}

/// Nanoseconds of the system's clock: two answers in a row are one round trip apart.
#[command]
fn stamp() -> Number<u64> {
    let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| (time.as_nanos() % 1_000_000_000_000_000) as u64);
    Number(nanoseconds)
}

#[command]
fn echo(bytes: Bytes) -> Bytes {
    bytes
}

/// Hands one line to the bench.
#[command]
fn report(line: String) {
    if let Ok(address) = std::env::var("BENCH_COLLECTOR")
        && let Ok(mut stream) = std::net::TcpStream::connect(address)
    {
        let _ = stream.write_all(line.as_bytes());
    }
}

fn main() -> staysail::Result<()> {
    App::new("dev.staysail.bench")
        .window(Window::new("main").title("Staysail Bench").size(800.0, 600.0))
        .commands(commands![task, revision, stamp, echo, report])
        .run()
}
