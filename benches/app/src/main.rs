//! The Staysail app that is measured against its peers: the same commands as theirs, nothing else.
//!
//! **Invariant:** whatever it does beside answering calls would be measured with them, so it does nothing.

use staysail::{App, AppHandle, Bytes, Channel, Number, Receiver, Window, command, commands};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The bench changes this line and waits until a page sees the new value.
const REVISION: &str = "backend-0";

/// Nanoseconds of the system's clock, short enough for a page's numbers.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| (time.as_nanos() % 1_000_000_000_000_000) as u64)
}

fn variable(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// What the page should do: `idle`, `watch`, `load`, `calls`, `sizes`, `streams` or `events`.
#[command]
fn task() -> String {
    std::env::var("BENCH_TASK").unwrap_or_else(|_| "idle".into())
}

#[command]
fn revision() -> String {
    REVISION.into()
}

/// Two answers in a row are one round trip apart.
#[command]
fn stamp() -> Number<u64> {
    Number(now())
}

/// When `echo` and `say` were entered.
static ENTRIES: Mutex<Vec<u64>> = Mutex::new(Vec::new());

fn entered() {
    if let Ok(mut entries) = ENTRIES.lock() {
        entries.push(now());
    }
}

/// Microseconds from each entry to the next, since this was asked last.
#[command]
fn laps() -> Vec<f64> {
    let entries = ENTRIES.lock().map(|mut entries| std::mem::take(&mut *entries)).unwrap_or_default();
    entries.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1000.0).collect()
}

#[command]
fn echo(bytes: Bytes) -> Bytes {
    entered();
    bytes
}

#[command]
fn say(text: String) -> String {
    entered();
    text
}

/// Sends so many pieces of so many bytes.
#[command]
fn pour(pieces: u32, bytes: u32, out: Channel<Bytes>) {
    for piece in 0..pieces {
        if out.send_blocking(&Bytes(vec![piece as u8; bytes as usize])).is_err() {
            return;
        }
    }
}

/// Counts the bytes the page sends.
#[command]
fn drain(mut pieces: Receiver<Bytes>) -> u32 {
    let mut bytes = 0;
    while let Some(piece) = pieces.next_blocking() {
        bytes += piece.0.len() as u32;
    }
    bytes
}

static LISTENING: AtomicU32 = AtomicU32::new(0);
/// When each window had heard the last event of a flood, and how many it heard.
static HEARD: Mutex<Vec<(u64, u32)>> = Mutex::new(Vec::new());

#[command]
fn event_count() -> u32 {
    variable("BENCH_EVENTS", 1000)
}

#[command]
fn window_count() -> u32 {
    variable("BENCH_WINDOWS", 1)
}

#[command]
fn listens() {
    LISTENING.fetch_add(1, Ordering::SeqCst);
}

#[command]
fn listening() -> u32 {
    LISTENING.load(Ordering::SeqCst)
}

#[command]
async fn open_listeners(app: AppHandle, count: u32) -> Result<(), String> {
    for number in 0..count {
        let window = Window::new(format!("listener-{number}")).title("Listener").url("/listener.html").size(240.0, 160.0);
        app.open_window(window).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Sends events, one after the other, as fast as it can. Says when it began.
#[command]
fn flood(app: AppHandle, count: u32) -> Number<u64> {
    let begun = now();
    for number in 0..count {
        app.emit("tick", &number);
    }
    Number(begun)
}

#[command]
fn heard(received: u32) {
    if let Ok(mut heard) = HEARD.lock() {
        heard.push((now(), received));
    }
}

/// Once all windows have heard a flood: when the last of them had, and the smallest number of events heard.
#[command]
fn outcome(windows: u32) -> Option<(Number<u64>, u32)> {
    let mut heard = HEARD.lock().ok()?;
    if heard.len() < windows as usize {
        return None;
    }
    let all = std::mem::take(&mut *heard);
    Some((Number(all.iter().map(|(at, _)| *at).max()?), all.iter().map(|(_, received)| *received).min()?))
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
        .commands(commands![
            task, revision, stamp, laps, echo, say, pour, drain, event_count, window_count, listens, listening,
            open_listeners, flood, heard, outcome, report
        ])
        .run()
}
