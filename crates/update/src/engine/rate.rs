//! How fast files of releases may come.
//!
//! # Theory of operation
//! Every piece that came is paid for before the next one is read, so the server is held back by its own connection and
//! nothing heaps up here. Pieces are paid in small parts, and who pays waits in one line: transfers at the same time get the
//! same share, however large the pieces are that their connections give. A part is worth at most a tenth of a second, so a
//! limit that is changed counts at once.

use staysail_protocol::limits::DOWNLOAD_BYTES_PER_S_MIN;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Most bytes that one transfer pays for before it is another one's turn.
const PART_BYTES_MAX: u64 = 16 << 10;
/// A line that stood empty lets so much pass at once, as if it had been paid for; it also makes up for clocks that wake late.
const BURST_MS: u64 = 100;

/// A limit for the files of releases and asset groups, which all who hold a clone of it share. Metadata are not limited, they
/// are small. A limit below `download_bytes_per_s_min` counts as that.
#[derive(Debug, Clone, Default)]
pub struct RateLimit {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Bytes per second; 0 for none.
    bytes_per_s: AtomicU64,
    /// When everything that came is paid for.
    paid_at: Mutex<Option<Instant>>,
}

impl RateLimit {
    /// So many bytes per second, or any number.
    pub fn new(bytes_per_s_max: Option<u64>) -> Self {
        let limit = Self::default();
        limit.set(bytes_per_s_max);
        limit
    }

    /// From now on so many bytes per second, or any number; also for what is under way.
    pub fn set(&self, bytes_per_s_max: Option<u64>) {
        let rate = bytes_per_s_max.map_or(0, |rate| rate.max(DOWNLOAD_BYTES_PER_S_MIN));
        self.inner.bytes_per_s.store(rate, Ordering::Relaxed);
    }

    /// Waits until so many bytes that came are paid for. How long that took.
    pub(crate) async fn pay(&self, mut bytes: u64) -> Duration {
        let began = Instant::now();
        while bytes > 0 {
            let mut paid_at = self.inner.paid_at.lock().await;
            let rate = self.inner.bytes_per_s.load(Ordering::Relaxed);
            if rate == 0 {
                break;
            }
            let part = bytes.min(PART_BYTES_MAX).min(rate / 10);
            let earliest = Instant::now().checked_sub(Duration::from_millis(BURST_MS));
            let begun = paid_at.max(earliest).unwrap_or(began);
            let paid = begun + Duration::from_micros(part * 1_000_000 / rate);
            *paid_at = Some(paid);
            tokio::time::sleep_until(paid).await;
            bytes -= part;
        }
        began.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds that transfers of so many bytes take side by side, each told in pieces of its own size.
    async fn seconds(limit: &RateLimit, transfers: &[(u64, u64)]) -> Vec<u64> {
        let began = Instant::now();
        let transfers: Vec<_> = transfers
            .iter()
            .map(|&(bytes, piece)| {
                let limit = limit.clone();
                tokio::spawn(async move {
                    for _ in 0..bytes / piece {
                        limit.pay(piece).await;
                    }
                    began.elapsed().as_millis().div_ceil(1_000) as u64
                })
            })
            .collect();
        let mut ended = Vec::new();
        for transfer in transfers {
            ended.push(transfer.await.unwrap());
        }
        ended
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_come_as_fast_as_the_limit_says_and_no_faster() {
        let limit = RateLimit::new(Some(100_000));
        assert_eq!(seconds(&limit, &[(1_000_000, 1_000)]).await, [10]);
        assert_eq!(seconds(&limit, &[(1_000_000, 1_000_000)]).await, [10]);
        assert_eq!(seconds(&RateLimit::default(), &[(1 << 40, 1 << 30)]).await, [0]);
        // So slow that every transfer would count as failed: the least there is.
        assert_eq!(seconds(&RateLimit::new(Some(1)), &[(10_240, 1_024)]).await, [10]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_not_made_up_for() {
        let limit = RateLimit::new(Some(10_000));
        limit.pay(10_000).await;
        tokio::time::advance(Duration::from_secs(100)).await;
        let waited = limit.pay(10_000).await;
        assert!(waited >= Duration::from_millis(1_000 - BURST_MS), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn transfers_at_once_share_alike_however_large_their_pieces_are() {
        let limit = RateLimit::new(Some(100_000));
        let ended = seconds(&limit, &[(250_000, 1_000), (250_000, 250_000), (250_000, 10_000)]).await;
        // In turns, every one of them would end after a third of the time.
        assert!(ended.iter().all(|seconds| *seconds >= 6), "{ended:?}");
        assert_eq!(ended.iter().max(), Some(&8));
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_is_changed_counts_for_what_is_under_way() {
        let limit = RateLimit::new(Some(DOWNLOAD_BYTES_PER_S_MIN));
        let slow = tokio::spawn({
            let limit = limit.clone();
            async move { limit.pay(1 << 30).await }
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        limit.set(None);
        assert!(slow.await.unwrap() < Duration::from_secs(6));
    }
}
