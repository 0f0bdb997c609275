//! The simulation itself: it replays, it covers what it claims to, and what it found once stays found.

use staysail_testkit::faults::Kind;
use staysail_testkit::schedule::{Outcome, Seed, run};
use staysail_testkit::world::Setting;

#[test]
fn a_seed_replays_effect_for_effect() {
    for (setting, kind) in Setting::ALL.into_iter().flat_map(|setting| Kind::ALL.map(|kind| (setting, kind)))
    {
        let seed = Seed { setting, scenario: 7, kind, at: 90 };
        assert_eq!(Seed::from_number(seed.number()), seed);
        let (first, second) = (run(seed, true), run(seed, true));
        assert_eq!(first, second, "{seed:?}");
        assert!(first.trace.len() > 300, "{seed:?}: {}", first.trace.len());
    }
}

#[test]
fn every_sort_of_fault_strikes_and_stops_striking() {
    for (setting, kind) in Setting::ALL.into_iter().flat_map(|setting| Kind::ALL.map(|kind| (setting, kind)))
    {
        let first = Seed { setting, scenario: 1, kind, at: 1 };
        assert_eq!(run(first, false).struck, kind != Kind::None, "{first:?}");
        assert!(!run(Seed { at: 10_000, ..first }, false).struck, "{first:?}");
    }
}

/// What happens in so many scenarios when nothing goes wrong.
fn undisturbed(setting: Setting, scenarios: u64) -> Vec<String> {
    let traces = (0..scenarios).flat_map(|scenario| {
        let Outcome { broken, trace, .. } = run(Seed { setting, scenario, kind: Kind::None, at: 1 }, true);
        assert_eq!(broken, None, "{scenario}");
        trace
    });
    traces.collect()
}

/// Each of these happens more than once or twice.
fn holds(traces: &[String], parts: &[&str]) {
    let counted = |part: &str| traces.iter().filter(|line| line.contains(part)).count();
    let found: Vec<_> = parts.iter().map(|part| (*part, counted(part))).collect();
    assert!(found.iter().all(|(_, count)| *count >= 3), "{found:#?}");
}

/// Where nothing goes wrong, the scenarios with terms have everything in them that they are about.
#[test]
fn lives_with_terms_hold_all_that_conditions_and_users_do() {
    let traces = undisturbed(Setting::Terms, 100);
    holds(
        &traces,
        &[
            "asked for Some(Look)",
            "asked for Some(Download)",
            "asked for Some(Apply)",
            "asked for None",
            ": Failure Facts",
            ": Nothing Facts",
            "the condition `download` of the policy does not hold",
            "the condition `apply` of the policy does not hold",
            "of the policy holds can not be told",
            "the user said later",
            "the user: Now",
            "the user: Archive",
            "Skipped {",
            "simulated: its state can not be handed over yet",
            "RolledBack",
            "maps/own.bin: Ok",
        ],
    );
}

/// The same of the scenarios in which the user chooses what is followed.
#[test]
fn lives_with_channels_hold_all_that_can_be_chosen() {
    let traces = undisturbed(Setting::Channels, 100);
    holds(
        &traces,
        &[
            "Following { channel: \"beta\", pinned: None }",
            "Following { channel: \"stable\", pinned: Some(\"1.",
            "there is no channel beta, only stable",
            "the app is to stay at",
            "Committed { version: \"1.2.0\" }",
            "Committed { version: \"1.5.0\" }",
            "Committed { version: \"1.7.0\" }",
            "RolledBack { version: \"1.4.0\"",
            "RolledBack { version: \"1.6.1\"",
            "the user: Rate(Some",
            "the user: Archive",
            "the user said later",
            "maps/own.bin: Ok",
        ],
    );
}

/// The same of the scenarios in which releases come in waves.
#[test]
fn lives_in_waves_hold_shares_that_grow_and_pause() {
    let traces = undisturbed(Setting::Waves, 100);
    holds(
        &traces,
        &[
            "Committed { version: \"1.1.0\" }",
            "Committed { version: \"1.2.0\" }",
            "Committed { version: \"1.5.0\" }",
            "RolledBack { version: \"1.3.0\"",
            "the user: Now",
            "the user: Later(100000)",
        ],
    );
}

/// The same of the scenarios in which what runs takes the app down, or does not come up.
#[test]
fn lives_with_bad_starts_hold_all_that_can_become_of_a_start() {
    let traces = undisturbed(Setting::Starts, 100);
    holds(
        &traces,
        &[
            "boots 1.0.0 (Some(\"version 1.1.0 is never tried again: the app was started 3 times",
            "boots 1.1.0 (Some(\"version 1.3.0 is never tried again: the app was started 3 times",
            "does not come up",
            "start: NotShown",
            "Committed { version: \"1.5.0\" }",
        ],
    );
}

/// Each of these broke a law once. Effects may have moved since: the ones around it are run, too.
#[test]
fn what_was_broken_once_holds() {
    let found: [(&str, &[u64]); 13] = [
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
        (
            "the clean-up removed what the floor was to be found again from",
            &[2_310_752, 2_310_795, 9_223_372_036_857_086_642, 2_305_843_009_213_907_501],
        ),
        (
            "a ban that a killed process had not made durable was acted on, and lost with the power",
            &[2_305_843_009_213_891_067],
        ),
        (
            "the store's folder itself, made by a process that was killed, was never made durable",
            &[21_794_652_356_620, 4_611_707_813_080_793_100],
        ),
        (
            "a barrier that an earlier run staged did not fit the version to stay at, and what it leads to was not asked",
            &[4_611_707_817_013_805_057, 4_611_707_818_317_185_025],
        ),
        (
            "what ended the app while another release was on trial was held against the one it was started with",
            &[6_291_457, 4_611_686_018_428_436_481],
        ),
        (
            "a release of which the disk refused a file counted as tried, though nothing of it ran",
            &[2_305_843_009_229_488_797],
        ),
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

/// The same of the scenarios in which releases have their moments to go live at.
#[test]
fn lives_with_moments_hold_all_at_which_a_release_goes_live() {
    let traces = undisturbed(Setting::Moments, 150);
    holds(
        &traces,
        &[
            "it goes live when a page is next loaded",
            "it goes live when the app is next started",
            "the user: Load",
            "the user: Now",
            "the user: Later(30)",
            "Committed { version: \"1.1.0\" }",
            "Committed { version: \"1.3.0\" }",
            "Committed { version: \"1.5.0\" }",
            "RolledBack { version: \"1.2.0\"",
        ],
    );
    let moves: Vec<_> = traces
        .iter()
        .filter(|line| ["the user: ", "apply 1.", "--- start"].iter().any(|part| line.contains(part)))
        .collect();
    let follows = |first: &str| {
        moves.windows(2).filter(|lines| lines[0].contains(first) && lines[1].contains("apply 1.")).count()
    };
    assert!(follows("the user: Load") >= 3 && follows("--- start") >= 3);
}
