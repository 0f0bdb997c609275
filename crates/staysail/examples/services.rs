//! Services that need each other, start and stop, and go wrong as `SERVICES_MODE` says. For tests.

use staysail::{App, AppHandle, Kept, State, WindowHandle, command, commands, service};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

fn mode(name: &str) -> bool {
    std::env::var("SERVICES_MODE").is_ok_and(|mode| mode == name)
}

#[staysail::data]
#[derive(Default)]
struct Tally {
    calls: u32,
}

/// Needs nothing, so it starts first and stops last.
struct Settings {
    app: AppHandle,
    language: String,
}

#[service]
impl Settings {
    #[start]
    fn start(app: AppHandle) -> Self {
        app.emit("started", &"settings");
        Self { app, language: "en".into() }
    }

    #[stop]
    fn stop(&self) {
        self.app.emit("stopped", &"settings");
    }
}

/// Notes by title.
struct Library {
    app: AppHandle,
    language: String,
    titles: Mutex<Vec<String>>,
}

#[service]
impl Library {
    #[start]
    async fn start(app: AppHandle, settings: State<Settings>, _tally: Kept<Tally>) -> Result<Self, String> {
        if mode("start-fails") {
            return Err("the disk is full".into());
        }
        assert!(!mode("start-panics"), "started on the wrong foot");
        if mode("start-hangs") {
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
        app.emit("started", &"library");
        Ok(Self { app, language: settings.language.clone(), titles: Mutex::default() })
    }

    /// Adds a title.
    #[command]
    async fn add(&self, title: String, tally: Kept<Tally>) -> u32 {
        tokio::task::yield_now().await;
        tally.write().calls += 1;
        let mut titles = self.titles.lock().unwrap();
        titles.push(title);
        titles.len() as u32
    }

    /// Searches.
    #[command]
    fn search(&self, query: String, window: WindowHandle) -> Result<Vec<String>, String> {
        if query.is_empty() {
            return Err(format!("nothing to look for ({}, {})", self.language, window.label()));
        }
        Ok(self.titles.lock().unwrap().iter().filter(|title| title.contains(&query)).cloned().collect())
    }

    #[stop]
    async fn stop(&self) -> Result<(), String> {
        assert!(!mode("stop-panics"), "stopped on the wrong foot");
        if mode("stop-hangs") {
            self.app.emit("stopping", &"library");
            std::future::pending::<()>().await;
        }
        self.app.emit("stopped", &"library");
        if mode("stop-fails") { Err("the notes were not saved".into()) } else { Ok(()) }
    }
}

/// Made by its `Default`, without a start of its own.
#[derive(Default)]
struct Counter {
    count: AtomicU32,
}

#[service(name = "ticks")]
impl Counter {
    #[command]
    fn count(&self) -> u32 {
        self.count.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Needs the library.
struct Index {
    library: State<Library>,
    app: AppHandle,
}

#[service]
impl Index {
    #[start]
    fn start(app: AppHandle, library: State<Library>) -> Self {
        app.emit("started", &"index");
        Self { library, app }
    }

    #[stop]
    fn stop(&self) {
        self.app.emit("stopped", &"index");
    }
}

/// A free command reaches services as well.
#[command]
fn titles(index: State<Index>, app: AppHandle) -> (u32, bool) {
    (index.library.titles.lock().unwrap().len() as u32, app.state::<Counter>().is_some())
}

fn main() -> staysail::Result {
    App::new("dev.staysail.services")
        .keep("tally", Tally::default())
        .service::<Index>()
        .service::<Library>()
        .service::<Counter>()
        .service::<Settings>()
        .commands(commands![titles])
        .run()
}
