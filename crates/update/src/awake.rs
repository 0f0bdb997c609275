//! Time limits for others' answers, in which only time counts that this process itself was running.
//!
//! A machine that sleeps, and a user or debugger that stops the app, stop everybody: those that are waited for, too. What
//! happened then is that nobody ran, and the silence proves nothing.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;
use tokio::time::Instant;

/// Time is counted in steps of this.
const STEP: Duration = Duration::from_millis(500);
/// A step that ends later than this was slept through, and does not count.
const LATE: Duration = Duration::from_millis(500);

/// A time limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// Waits for `future`, but not beyond `limit` of time in which this process was running.
///
/// # Errors
/// [`Elapsed`] when it has not ended by then.
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let mut future = pin!(future);
    let mut left = limit;
    loop {
        let (step, begun) = (left.min(STEP), Instant::now());
        if let Ok(output) = tokio::time::timeout(step, future.as_mut()).await {
            return Ok(output);
        }
        if begun.elapsed() > step + LATE {
            continue;
        }
        left -= step;
        if left.is_zero() {
            return Err(Elapsed);
        }
    }
}

/// Waits for this much time in which this process was running.
pub async fn sleep(duration: Duration) {
    let _ = timeout(duration, std::future::pending::<()>()).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    const LIMIT: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_reached_after_its_time_and_not_by_a_jump_of_the_clock() {
        let begun = Instant::now();
        assert_eq!(timeout(LIMIT, std::future::pending::<()>()).await, Err(Elapsed));
        assert_eq!(begun.elapsed().as_secs(), LIMIT.as_secs());

        // The machine sleeps twice, for longer than the limit; the answer comes after that.
        let (answer, waits) = oneshot::channel();
        let waiting = tokio::spawn(timeout(LIMIT, waits));
        for _ in 0..2 {
            tokio::task::yield_now().await;
            tokio::time::advance(LIMIT * 10).await;
        }
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        answer.send(7).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(Ok(7)));
    }
}
