//! Several ways to one repository, tried in order.
//!
//! What a mirror says is trusted no more than what the first address says: metadata are signed, blobs are named by their
//! hash. One that does not answer is left for the next one at once. Every look begins with the first address again, so that a
//! mirror that is behind is asked no longer than the first one is away; unless what was had from an address led to nothing
//! (it lies, it is frozen, it lacks files): then the next look begins with the one after it.

use super::network::{Answer, Body, Network, NetworkFuture};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug)]
pub(super) struct Mirrors {
    networks: Vec<Arc<dyn Network>>,
    /// The one that answered last.
    current: Arc<AtomicUsize>,
    /// The one the next look begins with.
    next: AtomicUsize,
}

impl Mirrors {
    /// These, in this order.
    pub fn new(networks: Vec<Arc<dyn Network>>) -> Self {
        Self { networks, current: Arc::default(), next: AtomicUsize::default() }
    }

    fn network(&self, current: usize) -> &Arc<dyn Network> {
        &self.networks[current % self.networks.len()]
    }
}

/// Leaves the mirror that was asked for the next one; unless another request that failed there has done so already.
fn leave_one(current: &AtomicUsize, asked: usize) {
    let _ = current.compare_exchange(asked, asked + 1, Ordering::Relaxed, Ordering::Relaxed);
}

/// Leaves the mirror it comes from when it breaks off, so that the rest is fetched from the next one.
struct Watched {
    body: Box<dyn Body>,
    current: Arc<AtomicUsize>,
    from: usize,
}

impl Body for Watched {
    fn piece(&mut self) -> NetworkFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            let piece = self.body.piece().await;
            if piece.is_err() {
                leave_one(&self.current, self.from);
            }
            piece
        })
    }
}

/// Whether the server said that it can not answer just now, or not at all; that it has no such file is an answer.
fn is_down(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

impl Network for Mirrors {
    fn get<'a>(&'a self, path: &'a str, start: u64) -> NetworkFuture<'a, Answer> {
        Box::pin(async move {
            let mut tries = self.networks.len();
            loop {
                tries -= 1;
                let from = self.current.load(Ordering::Relaxed);
                let answered = self.network(from).get(path, start).await;
                let down = answered.as_ref().map_or(true, |answer| is_down(answer.status));
                if down {
                    leave_one(&self.current, from);
                }
                if !down || tries == 0 {
                    let current = Arc::clone(&self.current);
                    return answered.map(|answer| Answer {
                        body: Box::new(Watched { body: answer.body, current, from }),
                        ..answer
                    });
                }
            }
        })
    }

    fn announcements(&self) -> Option<NetworkFuture<'_, Answer>> {
        // A folder announces nothing; that is no reason to hear of nothing for as long as the app runs.
        let others = || self.networks.iter().find_map(|network| network.announcements());
        self.network(self.current.load(Ordering::Relaxed)).announcements().or_else(others)
    }

    fn begin(&self) {
        self.current.store(self.next.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    fn leave(&self) {
        let next = self.current.load(Ordering::Relaxed) + 1;
        self.next.store(next % self.networks.len(), Ordering::Relaxed);
    }

    fn name(&self) -> String {
        self.network(self.current.load(Ordering::Relaxed)).name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Answers with the next of its statuses, 200 once there are no more; a body that breaks off after its first piece
    /// when the status is 299.
    #[derive(Debug)]
    struct Scripted(&'static str, Mutex<Vec<u16>>, Arc<Mutex<Vec<&'static str>>>);

    struct Piece(Option<&'static str>, bool);

    impl Body for Piece {
        fn piece(&mut self) -> NetworkFuture<'_, Option<Vec<u8>>> {
            let piece = self.0.take().map(|text| text.as_bytes().to_vec());
            let broken = piece.is_none() && self.1;
            Box::pin(async move { if broken { Err("broken off".into()) } else { Ok(piece) } })
        }
    }

    impl Network for Scripted {
        fn get<'a>(&'a self, _path: &'a str, _start: u64) -> NetworkFuture<'a, Answer> {
            self.2.lock().unwrap().push(self.0);
            let status = self.1.lock().unwrap().pop().unwrap_or(200);
            Box::pin(async move {
                match status {
                    0 => Err("no connection".into()),
                    299 => Ok((200, true)),
                    status => Ok((status, false)),
                }
                .map(|(status, broken)| Answer {
                    status,
                    range: None,
                    media: String::new(),
                    body: Box::new(Piece(Some(self.0), broken)),
                })
            })
        }

        fn announcements(&self) -> Option<NetworkFuture<'_, Answer>> {
            None
        }

        fn name(&self) -> String {
            self.0.into()
        }
    }

    fn mirrors(first: &[u16], second: &[u16]) -> (Mirrors, Arc<Mutex<Vec<&'static str>>>) {
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let network = |name, script: &[u16]| -> Arc<dyn Network> {
            let script = script.iter().rev().copied().collect();
            Arc::new(Scripted(name, Mutex::new(script), Arc::clone(&asked)))
        };
        (Mirrors::new(vec![network("first", first), network("second", second)]), asked)
    }

    #[tokio::test]
    async fn a_mirror_that_is_down_is_left_for_the_next_and_the_first_is_asked_again_at_the_end() {
        for down in [0, 503, 429] {
            let (mirrors, asked) = mirrors(&[down], &[200, down]);
            for expected in ["second", "first"] {
                let mut answer = mirrors.get("a", 0).await.unwrap();
                assert_eq!(answer.body.piece().await.unwrap().unwrap(), expected.as_bytes(), "{down}");
            }
            assert_eq!(*asked.lock().unwrap(), ["first", "second", "second", "first"], "{down}");
        }
    }

    #[tokio::test]
    async fn what_no_mirror_has_is_asked_of_one_and_when_all_are_down_the_last_says_so() {
        let (mirrors, asked) = mirrors(&[404, 0], &[500]);
        assert_eq!(mirrors.get("a", 0).await.unwrap().status, 404);
        assert_eq!(mirrors.get("a", 0).await.unwrap().status, 500);
        assert_eq!(*asked.lock().unwrap(), ["first", "first", "second"]);
    }

    #[tokio::test]
    async fn requests_that_fail_at_once_leave_a_mirror_together_for_the_next_one_and_not_for_the_one_after() {
        let (mirrors, asked) = mirrors(&[299, 299], &[]);
        let mut answers = [mirrors.get("a", 0).await.unwrap(), mirrors.get("b", 0).await.unwrap()];
        for answer in &mut answers {
            assert!(answer.body.piece().await.unwrap().is_some());
            assert!(answer.body.piece().await.is_err());
        }
        mirrors.get("a", 5).await.unwrap();
        assert_eq!(*asked.lock().unwrap(), ["first", "first", "second"]);
    }

    #[tokio::test]
    async fn the_rest_of_what_broke_off_comes_from_the_next_mirror() {
        let (mirrors, _) = mirrors(&[299], &[]);
        let mut answer = mirrors.get("a", 0).await.unwrap();
        assert!(answer.body.piece().await.unwrap().is_some());
        assert!(answer.body.piece().await.is_err());
        let mut answer = mirrors.get("a", 5).await.unwrap();
        assert_eq!(answer.body.piece().await.unwrap().unwrap(), b"second");
    }
}
