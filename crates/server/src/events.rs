//! Telling listeners of a new release (server-sent events).
//!
//! # Theory of operation
//! The hash of `timestamp.json` is the news. It is looked at right after an upload and every [`crate::WATCH_INTERVAL_MS`],
//! for publishes straight into the folder. A listener that connects hears of the newest release at once, so one that was
//! away misses nothing.

use crate::{LISTENERS_MAX, Shared, WATCH_INTERVAL_MS, refuse};
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{StatusCode, header};
use axum::response::Response;
use staysail_protocol::notice::UpdateNotice;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Silence after which a listener is sent a comment, so that proxies keep the connection and dead ones are noticed.
const KEEP_ALIVE_S: u64 = 20;

/// The newest release, as far as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announcement {
    /// Hash of `timestamp.json`; empty when there is none.
    pub checksum: String,
    /// Version it leads to.
    pub version: String,
}

/// Looks at the timestamp and announces it if it changed.
pub async fn look(shared: &Shared) {
    let Ok(checksum) = shared.tags.of(&shared.root.join("metadata/timestamp.json")).await else { return };
    if shared.release.borrow().checksum == checksum {
        return;
    }
    let version = version(shared).await.unwrap_or_default();
    shared.release.send_replace(Announcement { checksum, version });
}

/// The version the metadata lead to. Not verified: it is a hint.
async fn version(shared: &Shared) -> Option<String> {
    let read = async |name: String| {
        let bytes = tokio::fs::read(shared.root.join("metadata").join(name)).await.ok()?;
        serde_json::from_slice::<serde_json::Value>(&bytes).ok()
    };
    let timestamp = read("timestamp.json".into()).await?;
    let number = timestamp["signed"]["meta"]["snapshot.json"]["version"].as_u64()?;
    let snapshot = read(format!("{number}.snapshot.json")).await?;
    let number = snapshot["signed"]["meta"]["targets.json"]["version"].as_u64()?;
    let targets = read(format!("{number}.targets.json")).await?;
    let target = &targets["signed"]["targets"]["releases/stable.json"];
    target["custom"]["version"].as_str().map(str::to_owned)
}

/// Watches for publishes that go past the server.
pub async fn watch(shared: Arc<Shared>) {
    let mut tick = tokio::time::interval(Duration::from_millis(WATCH_INTERVAL_MS));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tick.tick().await;
        look(&shared).await;
    }
}

/// Answers `GET /events`.
pub fn listen(shared: &Arc<Shared>) -> Response {
    if shared.release.receiver_count() >= LISTENERS_MAX {
        return refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many listeners; look for releases from time to time",
        );
    }
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(feed(shared.release.subscribe(), shared.stop.clone(), sender));
    Response::builder()
        .header(header::CONTENT_TYPE, "text/event-stream")
        .header(header::CACHE_CONTROL, "no-store")
        .header("x-accel-buffering", "no")
        .body(Body::new(Lines(receiver)))
        .unwrap_or_else(|_| refuse(StatusCode::INTERNAL_SERVER_ERROR, "no answer could be made"))
}

async fn feed(
    mut release: watch::Receiver<Announcement>,
    mut stop: watch::Receiver<bool>,
    out: mpsc::Sender<Bytes>,
) {
    let mut text = String::from("retry: 1000\n\n");
    loop {
        let news = release.borrow_and_update().clone();
        if !news.checksum.is_empty() {
            let notice = UpdateNotice {
                event: "release".into(),
                module: "*".into(),
                version: news.version,
                checksum: news.checksum,
            };
            let data = serde_json::to_string(&notice).unwrap_or_default();
            text += &format!("event: release\ndata: {data}\n\n");
        }
        loop {
            if !text.is_empty() && out.send(Bytes::from(std::mem::take(&mut text))).await.is_err() {
                return;
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = out.closed() => return,
                changed = release.changed() => if changed.is_ok() { break } else { return },
                () = tokio::time::sleep(Duration::from_secs(KEEP_ALIVE_S)) => text.push_str(":\n\n"),
            }
        }
    }
}

/// What one listener is sent, as a body without end.
struct Lines(mpsc::Receiver<Bytes>);

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        self.get_mut().0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(http_body::Frame::data(bytes))))
    }
}
