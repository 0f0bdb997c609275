//! Scenarios of the life cycle, and random walks through it.

use super::*;

pub(super) fn release(sequence: u64) -> Candidate {
    Candidate {
        hash: format!("h{sequence}"),
        version: format!("1.{sequence}.0"),
        sequence,
        ..Candidate::default()
    }
}

fn running() -> State {
    State {
        current: Candidate { version: "1.0.0".into(), hash: "h0".into(), ..Candidate::default() },
        ..State::default()
    }
}

fn play(mut state: State, events: impl IntoIterator<Item = Event>) -> (State, Vec<Effect>) {
    let mut all = Vec::new();
    for event in events {
        let (next, effects) = step(state, event, 0);
        state = next;
        all.extend(effects);
    }
    (state, all)
}

fn live(sequence: u64) -> Vec<Event> {
    vec![Event::Look, Event::Found(Some(release(sequence))), Event::Staged, Event::Applied(1.0)]
}

#[test]
fn a_good_release_is_committed_and_the_next_look_follows_at_once() {
    let mut events = live(3);
    events.extend([Event::Good, Event::Committed]);
    let (state, effects) = play(running(), events);
    assert_eq!((state.current.sequence, state.floor, state.phase), (3, 3, Phase::Checking));
    let commit = effects.iter().position(|effect| *effect == Effect::Commit).unwrap();
    assert_eq!(effects[commit + 1], Effect::Tidy);
    assert!(matches!(effects[commit + 2], Effect::Tell(UpdateEvent::Committed { .. })));
    assert_eq!(effects.last(), Some(&Effect::Look));
}

#[test]
fn a_commit_that_is_not_stored_is_a_failure_and_raises_no_floor_and_the_release_runs_on() {
    let mut events = live(3);
    events.extend([Event::Good, Event::CommitNotStored("the disk is full".into())]);
    let (state, effects) = play(running(), events);
    assert_eq!((state.current.sequence, state.floor, state.phase), (3, 0, Phase::Checking));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Tell(UpdateEvent::Committed { .. }))));
    assert!(
        matches!(&effects[effects.len() - 2], Effect::Tell(UpdateEvent::Failed { reason }) if reason.contains("full"))
    );
    let (state, effects) = play(state, [Event::Found(Some(release(3)))]);
    assert_eq!((state.phase, effects), (Phase::Idle, vec![]));
}

#[test]
fn a_release_that_could_not_be_left_is_banned_and_not_told_to_be_rolled_back() {
    let mut events = live(3);
    events.push(Event::Stuck("it hangs".into()));
    let (state, effects) = play(running(), events);
    assert!(effects.contains(&Effect::Ban { hash: "h3".into(), reason: "it hangs".into() }));
    assert!(effects.contains(&Effect::Tell(UpdateEvent::Failed { reason: "it hangs".into() })));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Tell(UpdateEvent::RolledBack { .. }))));
    // The next one takes its place.
    let (state, _) = play(state, [Event::Found(Some(release(4)))]);
    assert_eq!(state.phase, Phase::Downloading);
}

#[test]
fn what_could_not_be_stored_is_told_whatever_is_under_way_and_changes_nothing_else() {
    let (state, _) = play(running(), live(3));
    let refused = || Event::NotStored("no room".into());
    let (after, effects) = play(state.clone(), [refused(), refused()]);
    assert_eq!(effects, [Effect::Tell(UpdateEvent::Failed { reason: "no room".into() })]);
    assert_eq!(State { failure_told: None, ..after }, state);
}

#[test]
fn a_bad_release_is_banned_before_it_is_reported_and_never_wanted_again() {
    for bad in [vec![Event::Bad("panics".into())], vec![]] {
        let mut events = live(3);
        if bad.is_empty() {
            events.pop();
            events.push(Event::ApplyFailed("no hello".into()));
        }
        events.extend(bad);
        let (state, effects) = play(running(), events);
        assert_eq!(state.floor, 0);
        let ban = effects.iter().position(|effect| matches!(effect, Effect::Ban { .. })).unwrap();
        let told =
            effects.iter().position(|e| matches!(e, Effect::Tell(UpdateEvent::RolledBack { .. }))).unwrap();
        assert!(ban < told);
        let (state, effects) = play(state, [Event::Found(Some(release(3)))]);
        assert_eq!((state.phase, effects), (Phase::Idle, vec![]));
        let (state, _) = play(state, [Event::Look, Event::Found(Some(release(4)))]);
        assert_eq!(state.phase, Phase::Downloading);
    }
}

#[test]
fn what_is_older_equal_below_the_floor_or_unusable_is_ignored() {
    let state = State { floor: 5, current: release(4), ..State::default() };
    for sequence in [1, 3, 4] {
        let (after, effects) = play(state.clone(), [Event::Look, Event::Found(Some(release(sequence)))]);
        assert_eq!((after.phase, effects), (Phase::Idle, vec![Effect::Look]), "{sequence}");
    }
    // At the floor: a release that was good once and whose files were lost.
    let (after, _) = play(state.clone(), [Event::Look, Event::Found(Some(release(5)))]);
    assert_eq!(after.phase, Phase::Downloading);
    let installed =
        State { current: Candidate { version: "2.0.0".into(), ..Candidate::default() }, ..State::default() };
    let (after, _) = play(installed, [Event::Look, Event::Found(Some(release(5)))]);
    assert_eq!(after.phase, Phase::Idle);
    let unusable = Candidate { unusable: Some("no backend".into()), ..release(9) };
    let (after, effects) = play(state, [Event::Look, Event::Found(Some(unusable))]);
    assert!(matches!(effects.last(), Some(Effect::Tell(UpdateEvent::Failed { .. }))));
    assert_eq!(after.phase, Phase::Idle);
}

#[test]
fn what_is_newer_than_what_runs_and_older_than_what_once_ran_well_is_not_taken() {
    let state = State { floor: 6, current: release(4), ..State::default() };
    for (sequence, phase) in [(5, Phase::Idle), (6, Phase::Downloading), (7, Phase::Downloading)] {
        let (state, _) = play(state.clone(), [Event::Look, Event::Found(Some(release(sequence)))]);
        assert_eq!((state.phase, state.floor), (phase, 6), "{sequence}");
    }
}

#[test]
fn the_same_content_only_raises_the_floor() {
    let same = Candidate { same_as_current: true, ..release(1) };
    let (state, effects) = play(running(), [Event::Look, Event::Found(Some(same))]);
    assert_eq!(effects, [Effect::Look, Effect::RaiseFloor(1)]);
    assert_eq!((state.phase, state.floor), (Phase::Idle, 1));
}

#[test]
fn a_deferred_release_waits_and_the_wish_to_apply_ends_the_wait() {
    let defer = Event::Wish(UpdateWish::Defer { seconds: 60 });
    let (state, effects) =
        play(running(), [defer, Event::Look, Event::Found(Some(release(1))), Event::Staged]);
    assert_eq!(effects.first(), Some(&Effect::RememberLater(Some(60_000))));
    assert_eq!((state.phase, effects.last()), (Phase::Waiting, Some(&Effect::Weigh(Gate::Apply))));
    let weighed = |overdue, quiet| Event::Weighed {
        hash: release(1).hash,
        gate: Gate::Apply,
        condition: Verdict::True,
        overdue,
        quiet,
    };
    // No longer than the user said, and looked at in between: it may be overdue before.
    let (state, effects) = step(state, weighed(false, true), 10_000);
    assert!(
        matches!(&effects[0], Effect::Tell(UpdateEvent::Waiting { reason, .. }) if reason.contains("later"))
    );
    assert_eq!(effects[1..], [Effect::WakeAt(40_000)]);
    assert_eq!(step(state.clone(), weighed(true, false), 50_000).1, [Effect::WakeAt(60_000)]);
    let applied = (Phase::Applying, vec![Effect::RememberLater(None), Effect::Apply]);
    for (event, now) in
        [(Event::Woken, 60_000), (Event::Wish(UpdateWish::Apply), 5), (weighed(true, true), 50_000)]
    {
        let (after, effects) = step(state.clone(), event, now);
        assert_eq!((after.phase, effects), applied);
    }
    // However long that is, it has an end.
    let (for_ever, _) = play(running(), [Event::Wish(UpdateWish::Defer { seconds: u64::MAX })]);
    assert_eq!(for_ever.deferred_until, Some(LATER_MAX_S * 1_000));
    // A newer release takes the place of the one that waits.
    let (newer, _) = play(state, [Event::Look, Event::Found(Some(release(2))), Event::Staged]);
    assert_eq!((newer.phase, newer.staged.unwrap().sequence), (Phase::Waiting, 2));
}

#[test]
fn a_critical_release_is_taken_whatever_was_said_and_a_skipped_one_is_not() {
    let urgent = Candidate { critical: true, conditional: true, ..release(1) };
    let skip = || Event::Wish(UpdateWish::Skip { version: release(1).version });
    let defer = || Event::Wish(UpdateWish::Defer { seconds: 60 });
    let found = |candidate: &Candidate| Event::Found(Some(candidate.clone()));
    let (state, effects) = play(running(), [skip(), defer(), Event::Look, found(&urgent), Event::Staged]);
    assert_eq!((state.phase, effects.last()), (Phase::Applying, Some(&Effect::Apply)));

    let (state, effects) = play(running(), [skip(), Event::Look, found(&release(1))]);
    assert_eq!((state.phase, effects.last()), (Phase::Idle, Some(&Effect::Look)));
    // "Now" takes it back, and finds it again.
    let (state, _) = play(state, [Event::Wish(UpdateWish::Apply), found(&release(1)), Event::Staged]);
    assert_eq!((state.phase, state.skipped.len()), (Phase::Applying, 0));
    // What is live, or about to be, is not skipped any more.
    for events in [vec![], vec![Event::Applied(1.0)]] {
        let (live, _) = play(state.clone(), events);
        let (after, effects) = play(live.clone(), [skip()]);
        assert_eq!((&after, effects.is_empty()), (&live, true), "{:?}", live.phase);
    }
    // However many are skipped, a bounded number is remembered.
    let many = (0..100).map(|n| Event::Wish(UpdateWish::Skip { version: format!("2.{n}.0") }));
    assert_eq!(play(running(), many).0.skipped.len(), SKIPS_MAX);
}

#[test]
fn what_is_staged_need_not_wait_for_the_download_of_what_is_newer() {
    let conditional = |sequence| Candidate { conditional: true, ..release(sequence) };
    let weighed = |sequence, gate, condition| Event::Weighed {
        hash: release(sequence).hash,
        gate,
        condition,
        overdue: false,
        quiet: true,
    };
    let (state, _) = play(
        running(),
        [
            Event::Look,
            Event::Found(Some(conditional(1))),
            weighed(1, Gate::Download, Verdict::True),
            Event::Staged,
            weighed(1, Gate::Apply, Verdict::False),
            Event::Look,
            Event::Found(Some(conditional(2))),
            // An answer about another release than the one that waits at this gate.
            weighed(1, Gate::Download, Verdict::True),
            weighed(2, Gate::Download, Verdict::False),
        ],
    );
    assert_eq!(state.phase, Phase::Waiting);
    let (state, effects) = play(state, [weighed(1, Gate::Apply, Verdict::True)]);
    assert_eq!((state.phase, effects), (Phase::Applying, vec![Effect::Apply]));
    let (state, _) =
        play(state, [Event::Applied(1.0), Event::Good, Event::Committed, Event::Found(Some(conditional(2)))]);
    assert_eq!((state.current.sequence, state.candidate.unwrap().sequence), (1, 2));
}

#[test]
fn looks_that_come_while_something_is_done_become_one() {
    let mut events = live(1);
    events.extend([Event::Look, Event::Look, Event::Wish(UpdateWish::Check), Event::Good, Event::Committed]);
    let (_, effects) = play(running(), events);
    assert_eq!(effects.iter().filter(|effect| **effect == Effect::Look).count(), 2);
}

#[test]
fn the_same_failure_is_told_once_until_something_works() {
    let failure = || Event::LookFailed("no network".into());
    let (state, effects) = play(running(), [Event::Look, failure(), Event::Look, failure()]);
    let told = |effects: &[Effect]| effects.iter().filter(|effect| matches!(effect, Effect::Tell(_))).count();
    assert_eq!(told(&effects), 1);
    let (_, effects) = play(state, [Event::Look, Event::Found(None), Event::Look, failure()]);
    assert_eq!(told(&effects), 1);
}

#[test]
fn a_barrier_is_taken_like_any_release_and_one_that_proved_bad_holds_up_what_comes_after_it() {
    let barrier = Candidate { towards: Some("1.5.0".into()), ..release(1) };
    let found = || Event::Found(Some(barrier.clone()));
    let (state, _) = play(running(), [Event::Look, found(), Event::Staged]);
    assert_eq!(state.phase, Phase::Applying);
    let (state, effects) = play(state, [Event::Applied(1.0), Event::Bad("it crashed".into()), found()]);
    let Some(Effect::Tell(UpdateEvent::Held { version, reason })) = effects.last() else {
        panic!("{effects:?}")
    };
    assert!(version == "1.5.0" && reason.contains("version 1.1.0 has to be taken before 1.5.0"), "{reason}");
    // Told once, and what replaces the barrier is taken.
    let (state, effects) = play(state, [Event::Look, found()]);
    assert_eq!(effects, [Effect::Look]);
    let (state, _) = play(
        state,
        [Event::Look, Event::Found(Some(Candidate { towards: Some("1.5.0".into()), ..release(2) }))],
    );
    assert_eq!(state.phase, Phase::Downloading);
    // Who skips what it leads to skips it, too; "now" takes both back.
    let skip = Event::Wish(UpdateWish::Skip { version: "1.5.0".into() });
    let (state, _) = play(running(), [skip, Event::Look, found()]);
    assert_eq!(state.phase, Phase::Idle);
    let (state, _) = play(state, [Event::Wish(UpdateWish::Apply), found(), Event::Staged]);
    assert_eq!(state.phase, Phase::Applying);
}

#[test]
fn a_barrier_staged_in_an_earlier_run_is_taken_or_left_for_what_it_leads_to() {
    let staged = || State { staged: Some(release(2)), ..running() };
    let found =
        |critical| Event::Found(Some(Candidate { towards: Some("1.6.0".into()), critical, ..release(2) }));
    let pinned = State { pinned: Some("1.6.x".into()), ..staged() };
    let (state, _) = play(pinned, [Event::Look, found(false)]);
    assert_eq!(state.phase, Phase::Applying);
    let skipped = State { skipped: ["1.6.0".into()].into(), ..staged() };
    let (state, _) = play(skipped.clone(), [Event::Look, found(false)]);
    assert_eq!((state.phase, state.staged), (Phase::Idle, None));
    let (state, _) = play(skipped, [Event::Look, found(true)]);
    assert_eq!(state.phase, Phase::Applying);
}

fn follow(channel: &str) -> Event {
    Event::Wish(UpdateWish::Follow { channel: Some(channel.into()) })
}

fn of(channel: &str, sequence: u64, version: &str) -> Candidate {
    let hash = format!("{channel}{sequence}");
    Candidate { hash, version: version.into(), channel: channel.into(), ..release(sequence) }
}

fn on_stable() -> State {
    let own = "stable".to_owned();
    State {
        channel: own.clone(),
        own_channel: own,
        current: of("stable", 40, "1.4.0"),
        floor: 40,
        ..State::default()
    }
}

#[test]
fn another_channel_counts_for_itself_and_never_takes_an_app_back() {
    let found = |candidate| Event::Found(Some(candidate));
    let (state, effects) = play(on_stable(), [follow("beta")]);
    let chosen = Effect::RememberChoice { channel: "beta".into(), pinned: None };
    let told = UpdateEvent::Following { channel: "beta".into(), pinned: None };
    assert_eq!(effects, [chosen, Effect::Tell(told), Effect::Look]);
    // A lower sequence of a higher version is newer here, and raises this channel's floor only.
    let newer = of("beta", 3, "2.0.0-beta.1");
    let events = [found(newer), Event::Staged, Event::Applied(1.0), Event::Good, Event::Committed];
    let (state, _) = play(state, events);
    assert_eq!((state.current.sequence, state.floor, state.floors["stable"]), (3, 3, 40));
    // Back: what is lower there waits until it is passed, however high its sequence, and that is told once.
    let (state, _) = play(state, [Event::Found(None), Event::Wish(UpdateWish::Follow { channel: None })]);
    let (state, effects) = play(state, [found(of("stable", 41, "1.5.0"))]);
    let [Effect::Tell(UpdateEvent::Held { version, reason })] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert!(version == "1.5.0" && reason.contains("2.0.0-beta.1 stays"), "{reason}");
    let (state, effects) = play(state, [Event::Look, found(of("stable", 41, "1.5.0"))]);
    assert_eq!((state.phase, state.floor, effects), (Phase::Idle, 40, vec![Effect::Look]));
    let (state, _) = play(state, [Event::Look, found(of("stable", 42, "2.0.0"))]);
    assert_eq!(state.phase, Phase::Downloading);
}

#[test]
fn what_was_found_or_staged_of_a_channel_is_left_when_another_is_followed() {
    let found = |candidate| Event::Found(Some(candidate));
    let next = || of("stable", 41, "1.5.0");
    let defer = || Event::Wish(UpdateWish::Defer { seconds: 60 });
    // While it is looked for, downloaded, and while it waits.
    let (looked, _) = play(on_stable(), [Event::Look, follow("beta"), found(next())]);
    let (loaded, _) = play(on_stable(), [Event::Look, found(next()), follow("beta"), Event::Staged]);
    let (waited, _) = play(on_stable(), [defer(), Event::Look, found(next()), Event::Staged, follow("beta")]);
    for state in [looked, loaded, waited] {
        assert_eq!((state.phase, &state.candidate, &state.staged), (Phase::Checking, &None, &None));
    }
    // What is live already ends its probation first.
    let live = [Event::Look, found(next()), Event::Staged, Event::Applied(1.0), follow("beta")];
    let (state, _) = play(on_stable(), live);
    let (state, _) = play(state, [Event::Good, Event::Committed]);
    assert_eq!((state.current.version.as_str(), state.floors["stable"]), ("1.5.0", 41));
}

#[test]
fn a_channel_that_is_none_is_told_and_the_apps_own_is_followed_again() {
    let gone = Event::ChannelGone { channel: "nightly".into(), known: "beta, stable".into() };
    let (state, effects) = play(on_stable(), [follow("nightly"), gone]);
    assert_eq!((state.channel.as_str(), state.floor), ("stable", 40));
    let told = |effect: &Effect| matches!(effect, Effect::Tell(UpdateEvent::Failed { reason }) if reason.contains("beta, stable"));
    assert!(effects.iter().any(told), "{effects:?}");
    let (state, effects) = play(on_stable(), [follow("../stable")]);
    assert_eq!(state.channel, "stable");
    assert!(matches!(effects.as_slice(), [Effect::Tell(UpdateEvent::Failed { .. })]), "{effects:?}");
}

#[test]
fn an_app_that_is_to_stay_at_a_version_takes_nothing_else_not_even_what_is_critical_until_it_may_go_on() {
    let found = |candidate| Event::Found(Some(candidate));
    let pin = |version: Option<&str>| Event::Wish(UpdateWish::Pin { version: version.map(Into::into) });
    let urgent = || Candidate { critical: true, ..of("stable", 42, "1.5.0") };
    let (state, effects) = play(on_stable(), [pin(Some("1.4.x")), found(urgent())]);
    let Some(Effect::Tell(UpdateEvent::Held { version, reason })) = effects.last() else {
        panic!("{effects:?}")
    };
    assert!(version == "1.5.0" && reason.contains("1.4.x") && reason.contains("critical"), "{reason}");
    assert_eq!(state.phase, Phase::Idle);
    let (state, _) = play(state, [Event::Look, found(of("stable", 41, "1.4.7"))]);
    assert_eq!(state.phase, Phase::Downloading);
    // What waits and does not fit is left.
    let defer = Event::Wish(UpdateWish::Defer { seconds: 60 });
    let waiting = [defer, Event::Look, found(of("stable", 42, "1.5.0")), Event::Staged, pin(Some("1.4.0"))];
    let (state, _) = play(on_stable(), waiting);
    assert_eq!(state.staged, None);
    let (state, effects) = play(state, [Event::Found(None), pin(None), found(urgent())]);
    assert!(effects.contains(&Effect::RememberChoice { channel: "stable".into(), pinned: None }));
    assert_eq!(state.phase, Phase::Downloading);
    let (_, effects) = play(on_stable(), [pin(Some("the newest"))]);
    assert!(matches!(effects.as_slice(), [Effect::Tell(UpdateEvent::Failed { .. })]), "{effects:?}");
}

/// Any order of events, also answers nobody waits for: the floor never falls, a banned release is never applied, a release
/// is applied only after it was staged, committed only after it passed.
#[test]
fn no_order_of_events_breaks_a_law() {
    for seed in 0..400_u64 {
        let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut pick = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut state = running();
        for now in 0..200 {
            let event = match pick(17) {
                0 | 1 => Event::Look,
                2 | 3 => Event::Found(Some(release(pick(6)))),
                4 => Event::LookFailed("x".into()),
                5 | 6 => Event::Staged,
                7 => Event::DownloadFailed("x".into()),
                8 => Event::Applied(1.0),
                9 => Event::ApplyFailed("x".into()),
                10 => Event::Good,
                11 => Event::Bad("x".into()),
                12 => Event::Stuck("x".into()),
                13 => Event::Committed,
                14 => Event::CommitNotStored("x".into()),
                15 => Event::NotStored("x".into()),
                _ => match pick(4) {
                    0 => Event::Wish(UpdateWish::Defer { seconds: pick(2) }),
                    1 => Event::Wish(UpdateWish::Apply),
                    2 => Event::Woken,
                    _ => Event::ApplyPostponed("x".into()),
                },
            };
            let before = state.clone();
            let (after, effects) = step(state, event.clone(), now * 100);
            assert!(after.floor >= before.floor, "seed {seed}");
            assert!(after.banned.is_superset(&before.banned), "seed {seed}");
            assert!(!after.banned.contains(&after.current.hash), "seed {seed}");
            for effect in &effects {
                match effect {
                    Effect::Apply => {
                        let staged = after.staged.as_ref().expect("something is staged");
                        assert!(!after.banned.contains(&staged.hash), "seed {seed}");
                        assert!(staged.sequence > after.current.sequence, "seed {seed}");
                    }
                    Effect::Commit => assert_eq!((before.phase, &event), (Phase::Probation, &Event::Good)),
                    _ => {}
                }
            }
            state = after;
        }
        let (state, effects) = step(state, Event::ShutDown, 0);
        assert_eq!(effects, [Effect::Stop]);
        assert_eq!(step(state, Event::Look, 0).1, []);
    }
}

/// Everything an answer to a gate's question can meet: what the machine makes of it follows from the sentences below, in which
/// the code's own decision does not occur.
#[test]
fn at_a_gate_every_answer_meets_every_choice_as_promised() {
    let yes_no = [true, false];
    let mut cases = 0;
    for (gate, critical, overdue, quiet, chosen) in yes_no.into_iter().flat_map(|download| {
        let gate = if download { Gate::Download } else { Gate::Apply };
        (0..32).map(move |bits: u8| (gate, bits & 1 > 0, bits & 2 > 0, bits & 4 > 0, bits >> 3))
    }) {
        for condition in [Verdict::True, Verdict::False, Verdict::Unknown("x".into())] {
            let holds = condition == Verdict::True;
            let [now, later, skip] = [1, 2, 3].map(|choice| chosen == choice);
            let waiting = Some(Candidate { conditional: true, critical, ..release(1) });
            let mut state = State { phase: Phase::Waiting, wanted_now: now, ..running() };
            state.deferred_until = later.then_some(600_000);
            state.skipped.extend(skip.then(|| release(1).version));
            match gate {
                Gate::Download => state.candidate = waiting,
                Gate::Apply => state.staged = waiting,
            }
            let case = format!(
                "{gate:?} critical {critical} overdue {overdue} quiet {quiet} {condition:?} {state:?}"
            );
            let hash = release(1).hash;
            let (after, effects) = step(state, Event::Weighed { hash, gate, condition, overdue, quiet }, 0);

            // "Later" is about being applied; what is urgent or wanted now asks for nothing; days end in a quiet moment.
            let put_off = later && gate == Gate::Apply;
            let by_itself = (holds && !put_off) || (overdue && quiet);
            let wanted = match (critical || now, skip) {
                (true, _) => 2,
                (false, true) => 0,
                (false, false) => 1 + u8::from(by_itself),
            };
            let did = match (after.phase, effects.last()) {
                (Phase::Downloading, Some(Effect::Download)) if gate == Gate::Download => 2,
                (Phase::Applying, Some(Effect::Apply)) if gate == Gate::Apply => 2,
                (Phase::Waiting, Some(Effect::WakeAt(at))) if *at == POLICY_PAUSE_S * 1_000 => 1,
                (Phase::Idle, None) if after.staged.is_none() && after.candidate.is_none() => 0,
                _ => 9,
            };
            assert_eq!(did, wanted, "{case}\n{effects:?}");
            cases += 1;
        }
    }
    assert_eq!(cases, 2 * 2 * 2 * 2 * 4 * 3);
}

#[test]
fn a_file_is_taken_at_once_beside_a_staged_release_that_waits_unless_it_is_put_off_afterwards() {
    let conditional = |sequence| Candidate { conditional: true, ..release(sequence) };
    let waiting = || State { phase: Phase::Checking, staged: Some(conditional(1)), ..running() };
    let given = || Event::Found(Some(Candidate { given: true, ..conditional(2) }));
    let (state, effects) = play(waiting(), [given()]);
    assert_eq!(state.phase, Phase::Downloading);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Weigh(_))), "{effects:?}");
    let (state, effects) = play(state, [Event::Staged]);
    assert_eq!((state.phase, effects.last()), (Phase::Applying, Some(&Effect::Apply)));
    assert_eq!(state.staged.unwrap().sequence, 2);

    // Found again in the repository before it was fetched.
    let (state, _) = play(State { look_again: true, ..waiting() }, [given()]);
    assert_eq!(state.phase, Phase::Checking);
    let (state, _) = play(state, [Event::Found(Some(conditional(2)))]);
    assert_eq!(state.phase, Phase::Downloading);

    // It can not be had: the one before waits on, as it did.
    let (state, effects) = play(state, [Event::DownloadFailed("the file is damaged".into())]);
    assert_eq!((state.phase, effects.last()), (Phase::Waiting, Some(&Effect::Weigh(Gate::Apply))));

    let (state, _) = play(State { look_again: true, ..waiting() }, [given()]);
    let (state, _) = play(state, [Event::Wish(UpdateWish::Defer { seconds: 60 })]);
    let (state, _) = play(state, [Event::Found(Some(conditional(2)))]);
    assert_ne!(state.phase, Phase::Downloading);
}

#[test]
fn a_release_that_can_not_be_installed_is_told_once_and_not_at_every_look() {
    let found = || Event::Found(Some(Candidate { unusable: Some("no backend".into()), ..release(1) }));
    let (state, effects) = play(running(), [Event::Look, found()]);
    assert!(matches!(effects.last(), Some(Effect::Tell(UpdateEvent::Failed { .. }))), "{effects:?}");
    let (_, effects) = play(state, [Event::Look, found()]);
    assert_eq!(effects, [Effect::Look]);
}

#[test]
fn a_release_that_needs_the_shell_it_brings_waits_for_the_next_start_and_is_told_once() {
    let brought = || Candidate { next_start: true, ..release(3) };
    let staged = [Event::Look, Event::Found(Some(brought())), Event::Staged];
    let (state, effects) = play(running(), staged);
    assert_eq!(state.phase, Phase::Idle);
    assert!(
        matches!(effects.last(), Some(Effect::Tell(UpdateEvent::Waiting { version, .. })) if version == "1.3.0")
    );
    // Neither a wish nor another look makes anything of it.
    let again = [Event::Wish(UpdateWish::Apply), Event::Look, Event::Found(Some(brought()))];
    let (state, effects) = play(state, again);
    assert_eq!((state.phase, state.wanted_now, effects), (Phase::Idle, false, vec![Effect::Look]));
    // One that runs as it is takes its place.
    let (after, _) = play(state.clone(), [Event::Look, Event::Found(Some(release(4))), Event::Staged]);
    assert_eq!((after.phase, after.staged.unwrap().sequence), (Phase::Applying, 4));
    // One that the user does not want does not wait either.
    let (state, _) = play(state, [Event::Wish(UpdateWish::Skip { version: "1.3.0".into() })]);
    assert_eq!(state.staged, None);
}

#[test]
fn a_release_for_the_next_load_goes_live_when_a_page_is_loaded_and_one_for_the_next_launch_does_not() {
    let staged = |release: Candidate| [Event::Look, Event::Found(Some(release)), Event::Staged];
    let told = |effects: &[Effect], what: &str| matches!(effects.last(), Some(Effect::Tell(UpdateEvent::Waiting { reason, .. })) if reason.contains(what));
    let next_load = || Candidate { live: Live::NextLoad, ..release(3) };
    let (waits, effects) = play(running(), staged(next_load()));
    assert!(waits.phase == Phase::Idle && told(&effects, "next loaded"), "{effects:?}");
    let (state, effects) = play(waits.clone(), [Event::Loads]);
    assert_eq!((state.phase, state.loading, effects), (Phase::Applying, true, vec![Effect::Apply]));
    let (state, _) = play(state, [Event::Applied(1.0)]);
    assert_eq!((state.phase, state.loading), (Phase::Probation, false));
    // Its conditions are asked for by the load; where they do not hold, the page is loaded as it was.
    let conditional = Candidate { conditional: true, ..next_load() };
    let weighed_at =
        |gate, condition| Event::Weighed { hash: "h3".into(), gate, condition, overdue: false, quiet: false };
    let weighed = |condition| weighed_at(Gate::Apply, condition);
    let [look, found, brought] = staged(conditional);
    let steps = [look, found, weighed_at(Gate::Download, Verdict::True), brought];
    let (state, effects) = play(running(), steps);
    assert!(state.phase == Phase::Idle && !effects.contains(&Effect::Weigh(Gate::Apply)), "{effects:?}");
    let (refused, _) = play(state.clone(), [Event::Loads, weighed(Verdict::False)]);
    assert_eq!((refused.phase, refused.loading), (Phase::Waiting, false));
    assert_eq!(play(refused, [weighed(Verdict::True)]).0.phase, Phase::Waiting, "the load is over");
    assert_eq!(play(state, [Event::Loads, weighed(Verdict::True)]).0.phase, Phase::Applying);

    let next_launch = || Candidate { live: Live::NextLaunch, ..release(3) };
    let (state, effects) = play(running(), staged(next_launch()));
    assert!(told(&effects, "next started"), "{effects:?}");
    let (state, effects) = play(state, [Event::Loads, Event::Woken, Event::Loads]);
    assert_eq!((state.phase, state.loading, effects), (Phase::Idle, false, vec![]));
    // What is critical, and what the user wants now, does not wait.
    assert_eq!(play(state, [Event::Wish(UpdateWish::Apply)]).0.phase, Phase::Applying);
    assert_eq!(play(waits, [Event::Wish(UpdateWish::Apply)]).0.phase, Phase::Applying);
    let critical = Candidate { critical: true, ..next_launch() };
    assert_eq!(play(running(), staged(critical)).0.phase, Phase::Applying);
}
