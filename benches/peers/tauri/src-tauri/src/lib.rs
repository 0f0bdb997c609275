//! The Tauri 2 app that Staysail is measured against: its vanilla template with the bench's commands, and with the
//! updater plug-in, because Staysail's shell has its own update engine in it.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tauri::ipc::{Channel, InvokeBody, InvokeResponseBody, Request, Response};
use tauri::{AppHandle, Emitter, WebviewUrl, WebviewWindowBuilder};

/// The bench changes this line and waits until a page sees the new value.
const REVISION: &str = "backend-0";

/// Nanoseconds of the system's clock, short enough for a page's numbers.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| (time.as_nanos() % 1_000_000_000_000_000) as u64)
}

fn variable(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// What the page should do: `idle`, `watch`, `calls`, `sizes`, `streams` or `events`.
#[tauri::command]
fn task() -> String {
    std::env::var("BENCH_TASK").unwrap_or_else(|_| "idle".into())
}

#[tauri::command]
fn revision() -> &'static str {
    REVISION
}

/// Two answers in a row are one round trip apart.
#[tauri::command]
fn stamp() -> u64 {
    now()
}

/// When `echo` and `say` were entered.
static ENTRIES: Mutex<Vec<u64>> = Mutex::new(Vec::new());

fn entered() {
    if let Ok(mut entries) = ENTRIES.lock() {
        entries.push(now());
    }
}

/// Microseconds from each entry to the next, since this was asked last.
#[tauri::command]
fn laps() -> Vec<f64> {
    let entries = ENTRIES.lock().map(|mut entries| std::mem::take(&mut *entries)).unwrap_or_default();
    entries.windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1000.0).collect()
}

#[tauri::command]
fn echo(request: Request<'_>) -> Response {
    entered();
    match request.body() {
        InvokeBody::Raw(bytes) => Response::new(bytes.clone()),
        InvokeBody::Json(_) => Response::new(Vec::new()),
    }
}

#[tauri::command]
fn say(text: String) -> String {
    entered();
    text
}

/// Sends so many pieces of so many bytes.
#[tauri::command(async)]
fn pour(pieces: u32, bytes: u32, out: Channel<InvokeResponseBody>) {
    for piece in 0..pieces {
        if out.send(InvokeResponseBody::Raw(vec![piece as u8; bytes as usize])).is_err() {
            return;
        }
    }
}

static SUNK: AtomicU64 = AtomicU64::new(0);

/// Counts the bytes the page sends, call by call: Tauri has no stream upwards.
#[tauri::command]
fn sink(request: Request<'_>) {
    if let InvokeBody::Raw(bytes) = request.body() {
        SUNK.fetch_add(bytes.len() as u64, Ordering::SeqCst);
    }
}

#[tauri::command]
fn sunk() -> u64 {
    SUNK.swap(0, Ordering::SeqCst)
}

static LISTENING: AtomicU32 = AtomicU32::new(0);
/// When each window had heard the last event of a flood, and how many it heard.
static HEARD: Mutex<Vec<(u64, u32)>> = Mutex::new(Vec::new());

#[tauri::command]
fn event_count() -> u32 {
    variable("BENCH_EVENTS", 1000)
}

#[tauri::command]
fn window_count() -> u32 {
    variable("BENCH_WINDOWS", 1)
}

#[tauri::command]
fn listens() {
    LISTENING.fetch_add(1, Ordering::SeqCst);
}

#[tauri::command]
fn listening() -> u32 {
    LISTENING.load(Ordering::SeqCst)
}

#[tauri::command]
async fn open_listeners(app: AppHandle, count: u32) -> Result<(), String> {
    for number in 0..count {
        WebviewWindowBuilder::new(&app, format!("listener-{number}"), WebviewUrl::App("listener.html".into()))
            .title("Listener")
            .inner_size(240.0, 160.0)
            .build()
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Sends events, one after the other, as fast as it can. Says when it began.
#[tauri::command(async)]
fn flood(app: AppHandle, count: u32) -> u64 {
    let begun = now();
    for number in 0..count {
        let _ = app.emit("tick", number);
    }
    begun
}

#[tauri::command]
fn heard(received: u32) {
    if let Ok(mut heard) = HEARD.lock() {
        heard.push((now(), received));
    }
}

/// Once all windows have heard a flood: when the last of them had, and the smallest number of events heard.
#[tauri::command]
fn outcome(windows: u32) -> Option<(u64, u32)> {
    let mut heard = HEARD.lock().ok()?;
    if heard.len() < windows as usize {
        return None;
    }
    let all = std::mem::take(&mut *heard);
    Some((all.iter().map(|(at, _)| *at).max()?, all.iter().map(|(_, received)| *received).min()?))
}

/// Hands one line to the bench.
#[tauri::command]
fn report(line: String) {
    if let Ok(address) = std::env::var("BENCH_COLLECTOR")
        && let Ok(mut stream) = std::net::TcpStream::connect(address)
    {
        let _ = stream.write_all(line.as_bytes());
    }
}

#[cfg_attr(mobile, tauri::mobile_entry_point)]
pub fn run() {
    tauri::Builder::default()
        .plugin(tauri_plugin_opener::init())
        .plugin(tauri_plugin_updater::Builder::new().build())
        .invoke_handler(tauri::generate_handler![
            task, revision, stamp, laps, echo, say, pour, sink, sunk, event_count, window_count, listens, listening,
            open_listeners, flood, heard, outcome, report
        ])
        .run(tauri::generate_context!())
        .expect("error while running tauri application");
}
