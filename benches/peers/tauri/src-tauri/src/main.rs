//! Entry of the Tauri peer, as its template has it.

// Prevents additional console window on Windows in release, DO NOT REMOVE!!
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

fn main() {
    staysail_peer_tauri_lib::run()
}
