//! The simulation itself: it replays, it covers what it claims to, and what it found once stays found.

use staysail_testkit::faults::Kind;
use staysail_testkit::schedule::{Outcome, Seed, run};

#[test]
fn a_seed_replays_effect_for_effect() {
    for kind in Kind::ALL {
        let seed = Seed { scenario: 7, kind, at: 90 };
        assert_eq!(Seed::from_number(seed.number()), seed);
        let (first, second) = (run(seed, true), run(seed, true));
        assert_eq!(first, second, "{kind:?}");
        assert!(first.trace.len() > 300, "{kind:?}: {}", first.trace.len());
    }
}

#[test]
fn every_sort_of_fault_strikes_and_stops_striking() {
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::None) {
        assert!(run(Seed { scenario: 1, kind, at: 1 }, false).struck, "{kind:?}");
        assert!(!run(Seed { scenario: 1, kind, at: 10_000 }, false).struck, "{kind:?}");
    }
}

/// Each of these broke a law once. Effects may have moved since: the ones around it are run, too.
#[test]
fn what_was_broken_once_holds() {
    let found: [(&str, &[u64]); 7] = [
        (
            "a listing that failed counted as empty; the clean-up removed what was committed",
            &[2_162_910, 2_179_177],
        ),
        ("a disk that refused a read while a release was made live had it banned", &[65_704, 82_088]),
        ("a power failure in the middle of a write left a file for ever", &[16_423, 16_525]),
        ("the last resort's worker was run from where it can not be read back", &[65_556, 81_928, 131_089]),
        (
            "a process was killed before what it had put in place was durable",
            &[2_293_930, 2_294_037, 9_633_947],
        ),
        ("a ban could not read what it bans, and the content came back", &[4_260_104, 12_648_678]),
        ("a name left by a crash kept the next process from writing", &[10_535_151, 10_535_152]),
    ];
    for (what, number) in
        found.iter().flat_map(|(what, numbers)| numbers.iter().map(move |number| (what, *number)))
    {
        let seed = Seed::from_number(number);
        for at in seed.at.saturating_sub(2)..=seed.at + 2 {
            let Outcome { broken, .. } = run(Seed { at, ..seed }, false);
            assert_eq!(broken, None, "{what}: {seed:?} at {at}");
        }
    }
}
