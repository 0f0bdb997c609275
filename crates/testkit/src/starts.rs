//! Starts after which the app was gone: what they are held against, which releases are given up for them, and that no other is.

use crate::faults::Kind;
use std::collections::{BTreeMap, BTreeSet};

/// Starts in a row that may end with the app gone; the same number as in the product's promise, not its constant.
pub(crate) const CRASHED_MAX: usize = 3;
/// A release that comes up is shown after this time.
pub(crate) const SHOWN_S: u64 = 1;
/// Starts in a row in which a release may be seen not to come up.
const FAILED_MAX: u32 = 2;

/// How a release takes its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It comes up within a second. Where the app's life ends soon after that, it took the app down.
    Up,
    /// It does not, and the app sees it; the attached one always does.
    Fails,
    /// Nothing is shown: another instance takes the start over.
    NotShown,
}

/// What is known of the starts of releases, by their hash.
#[derive(Debug, Clone, Default)]
pub struct Starts {
    /// Those in a row after which the app was gone, at most.
    bad: BTreeMap<String, usize>,
    /// How often the app saw it not come up.
    failed: BTreeMap<String, u32>,
    /// What this process was started with, as long as its end would be held against that.
    under_way: Option<String>,
    /// Given up for their starts.
    given_up: BTreeSet<String>,
}

impl Starts {
    /// A process is about to start; it finds so many marks of each release. `refused` when the disk has refused something, and
    /// `boots` is the release whose marks are not removed with it.
    ///
    /// # Errors
    /// When they are not those of starts that ended badly.
    pub fn found(
        &mut self,
        marks: &BTreeMap<String, usize>,
        boots: Option<&str>,
        (kind, refused): (Kind, bool),
    ) -> Result<(), String> {
        self.under_way = None;
        for (hash, marks) in marks {
            let ended = self.bad.get(hash).copied().unwrap_or_default();
            // A mark that was removed and is there again after the second power failure, or could not be removed.
            if *marks > ended && !refused && kind != Kind::PowerFailsTwice {
                return Err(format!("{marks} starts of {hash} are held against it, {ended} ended badly"));
            }
            if *marks >= CRASHED_MAX {
                self.given_up.insert(hash.clone());
            }
        }
        let disturbed =
            refused || !matches!(kind, Kind::None | Kind::NetworkFailsOnce | Kind::NetworkFailsOn);
        let counts = |hash: &&str| !disturbed && !self.given_up.contains(*hash);
        let Some(hash) = boots.filter(counts) else { return Ok(()) };
        let count = |counts: &BTreeMap<String, usize>| counts.get(hash).copied().unwrap_or_default();
        if count(marks) < count(&self.bad) {
            return Err(format!("starts of {hash} ended badly, and that is not written down"));
        }
        Ok(())
    }

    /// A process was started with a release, and that is written down.
    pub fn begun(&mut self, hash: &str) {
        self.under_way = Some(hash.to_owned());
    }

    /// What was started has been up for the time of a probation, or ended in order after it was shown.
    pub fn good(&mut self, hash: &str) {
        self.under_way = None;
        self.bad.remove(hash);
        self.failed.remove(hash);
    }

    /// A release is good: that it was seen not to come up is forgotten.
    pub fn committed(&mut self, hash: &str) {
        self.failed.remove(hash);
    }

    /// Another release is to blame from here on, or the app ended in order.
    pub fn over(&mut self) {
        self.under_way = None;
    }

    /// The process is gone, whatever ended it.
    pub fn gone(&mut self) {
        if let Some(hash) = self.under_way.take() {
            *self.bad.entry(hash).or_default() += 1;
        }
    }

    /// The app saw that a release does not come up. `refused` when that may not have been written down: then it is given up.
    pub fn failed(&mut self, hash: &str, refused: bool) {
        self.under_way = None;
        let failed = self.failed.entry(hash.to_owned()).or_default();
        *failed += 1;
        if *failed >= FAILED_MAX || refused {
            self.given_up.insert(hash.to_owned());
        }
    }

    /// Whether a release may be banned for its starts.
    pub fn is_given_up(&self, hash: &str) -> bool {
        self.given_up.contains(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(count: usize) -> BTreeMap<String, usize> {
        BTreeMap::from([("a".to_owned(), count)])
    }

    #[test]
    fn marks_are_those_of_starts_that_ended_badly_and_three_of_them_are_enough() {
        let mut starts = Starts::default();
        for count in 0..3 {
            assert_eq!(starts.found(&marks(count), Some("a"), (Kind::None, false)), Ok(()));
            assert!(!starts.is_given_up("a"));
            starts.begun("a");
            starts.gone();
            assert!(
                starts.clone().found(&marks(count), Some("a"), (Kind::None, false)).is_err(),
                "one is missing"
            );
            assert!(
                starts.clone().found(&marks(count + 2), Some("a"), (Kind::Killed, false)).is_err(),
                "one too many"
            );
        }
        starts.found(&marks(3), Some("a"), (Kind::None, false)).unwrap();
        assert!(starts.is_given_up("a"));
    }

    #[test]
    fn a_good_start_an_end_in_order_and_the_trial_of_another_release_count_for_nothing() {
        let mut starts = Starts::default();
        for end in [|starts: &mut Starts| starts.good("a"), Starts::over] {
            starts.begun("a");
            end(&mut starts);
            starts.gone();
            assert_eq!(starts.found(&marks(0), Some("a"), (Kind::None, false)), Ok(()));
        }
        starts.failed("a", false);
        assert!(!starts.is_given_up("a"));
        starts.failed("a", false);
        assert!(starts.is_given_up("a"));
    }
}
