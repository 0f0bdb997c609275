//! Streams: many messages for one call, either way.

use staysail::{Bytes, Channel, Receiver, State, command};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

// #region progress
/// Packs a hundred crates, and tells how far it is.
#[command]
pub async fn pack(progress: Channel<u32>) -> String {
    for percent in 0..=100 {
        tokio::time::sleep(Duration::from_millis(12)).await;
        if progress.send(&percent).await.is_err() {
            return "The page has closed the stream".into();
        }
    }
    "All packed".into()
}
// #endregion

// #region iterate
/// A buoy on the way.
#[staysail::data]
pub struct Buoy {
    number: u32,
    miles: f64,
}

/// Every buoy there is; the page takes as many as it wants. Says how many were looked up.
#[command]
pub async fn buoys(buoys: Channel<Buoy>) -> u32 {
    let mut number = 0;
    while buoys.send(&Buoy { number, miles: f64::from(number) * 1.5 }).await.is_ok() {
        number += 1;
    }
    number
}
// #endregion

// #region pressure
/// How many pieces `pour` has sent.
#[derive(Default)]
pub struct Poured(AtomicU32);

/// Sends sixteen pieces of 1 MB, as fast as the page takes them: `send` waits while 4 MB are under way.
#[command]
pub async fn pour(pieces: Channel<Bytes>, poured: State<Poured>) {
    for piece in 0..16 {
        if pieces.send(&Bytes(vec![piece; 1 << 20])).await.is_err() {
            return;
        }
        poured.0.store(u32::from(piece) + 1, Relaxed);
    }
}

/// How far `pour` is.
#[command]
pub fn poured(poured: State<Poured>) -> u32 {
    poured.0.load(Relaxed)
}
// #endregion

// #region upload
/// What was counted.
#[staysail::data]
#[derive(Debug, Default, PartialEq)]
pub struct Count {
    lines: u32,
    words: u32,
}

/// Counts lines and words while they come in.
#[command]
pub async fn count_words(mut lines: Receiver<String>) -> Count {
    let mut count = Count::default();
    while let Some(line) = lines.next().await {
        count.lines += 1;
        count.words += line.split_whitespace().count() as u32;
    }
    count
}
// #endregion
