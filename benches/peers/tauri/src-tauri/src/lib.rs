//! The Tauri 2 app that Staysail is measured against: its vanilla template with the bench's five commands.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// The bench changes this line and waits until a page sees the new value.
const REVISION: &str = "backend-0";

/// What the page should do: `idle`, `watch` or `calls`.
#[tauri::command]
fn task() -> String {
    std::env::var("BENCH_TASK").unwrap_or_else(|_| "idle".into())
}

#[tauri::command]
fn revision() -> &'static str {
    REVISION
}

/// Nanoseconds of the system's clock: two answers in a row are one round trip apart.
#[tauri::command]
fn stamp() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| (time.as_nanos() % 1_000_000_000_000_000) as u64)
}

#[tauri::command]
fn echo(request: tauri::ipc::Request<'_>) -> tauri::ipc::Response {
    match request.body() {
        tauri::ipc::InvokeBody::Raw(bytes) => tauri::ipc::Response::new(bytes.clone()),
        tauri::ipc::InvokeBody::Json(_) => tauri::ipc::Response::new(Vec::new()),
    }
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
        .invoke_handler(tauri::generate_handler![task, revision, stamp, echo, report])
        .run(tauri::generate_context!())
        .expect("error while running tauri application");
}
