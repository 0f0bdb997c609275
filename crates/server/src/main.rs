//! `staysail-server`: serves a repository of releases.
//!
//! **Invariant:** reads its arguments, starts the library, waits for the end; nothing else.

use anyhow::Context;
use clap::Parser;
use std::io::Write;
use std::path::PathBuf;

/// Serves a repository of Staysail releases and tells apps of new ones at once.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Folder of the repository (`staysail publish --to FOLDER` fills it).
    #[arg(long)]
    repo: PathBuf,
    /// Address to listen on; port 0 lets the system choose.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// File with the token `staysail publish --to URL` must present. Without it nothing can be uploaded.
    #[arg(long)]
    publish_token_file: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let token = match &arguments.publish_token_file {
        None => None,
        Some(path) => {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
            let token = text.trim().to_owned();
            anyhow::ensure!(
                token.len() >= 16,
                "the token in {} is shorter than 16 characters",
                path.display()
            );
            Some(token)
        }
    };
    let options = staysail_server::Options { repository: arguments.repo, listen: arguments.listen, token };
    let running = staysail_server::start(options).await?;
    println!("listening on {}", running.url());
    std::io::stdout().flush().context("writing the address")?;
    ended().await;
    running.stop().await;
    Ok(())
}

/// Waits until somebody wants the server to end.
async fn ended() {
    #[cfg(unix)]
    if let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}
