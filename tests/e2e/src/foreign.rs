//! A foreign origin on the loopback, and the user's browser: what is asked of the one, and opened in the other.

use crate::stage::Stage;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A web server of somebody else. Every path is a page titled `stranger` with the path as its text.
pub struct Foreign {
    /// Its origin.
    pub origin: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Foreign {
    /// Starts it; it ends with the test.
    ///
    /// # Errors
    /// When the loopback can not be used.
    pub fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let origin = format!("http://{}", listener.local_addr()?);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = heard.clone();
                // One that opens a connection ahead of need holds up no other.
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    let mut first = String::new();
                    let _ = reader.read_line(&mut first);
                    let mut line = String::new();
                    while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
                        line.clear();
                    }
                    let Some(path) = first.split(' ').nth(1) else { return };
                    lock(&heard).push(path.to_owned());
                    let body = format!("<!doctype html><title>stranger</title><p id=path>{path}</p>");
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = reader.get_mut().write_all((head + &body).as_bytes());
                });
            }
        });
        Ok(Self { origin, asked })
    }

    /// Paths that were asked for, without the icon browsers look for by themselves.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).iter().filter(|path| *path != "/favicon.ico").cloned().collect()
    }
}

fn lock(asked: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The user's browser: it writes down what it is given.
pub struct Browser {
    folder: PathBuf,
}

impl Browser {
    /// Puts it into the test's folder.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn install(stage: &Stage) -> anyhow::Result<Self> {
        let folder = stage.folder.path().join("browser");
        std::fs::create_dir(&folder)?;
        let program = folder.join("xdg-open");
        std::fs::write(&program, format!("#!/bin/sh\necho \"$1\" >> {}\n", folder.join("opened").display()))?;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        Ok(Self { folder })
    }

    /// The search path under which it is found first.
    pub fn path(&self) -> String {
        format!("{}:{}", self.folder.display(), std::env::var("PATH").unwrap_or_default())
    }

    /// What was opened so far.
    pub fn opened(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("opened")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until this address was opened.
    ///
    /// # Errors
    /// When it is not; what was opened is named.
    pub fn wait_opened(&self, address: &str) -> anyhow::Result<()> {
        crate::wait_until(&format!("{address} in the browser"), crate::dev::EDIT, || {
            let opened = self.opened();
            if opened.iter().any(|one| one == address) { Ok(()) } else { Err(format!("{opened:?}")) }
        })
    }
}
