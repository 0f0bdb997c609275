//! The machine against a tiny reference, and against its description in `docs/spec/update-states.md`.
//!
//! All states that can be reached with a few releases are visited, with every event in each of them. What is seen makes the
//! table and the diagram of the description, which is written anew by
//! `STAYSAIL_WRITE_SPEC=1 cargo test -p staysail-update --lib lifecycle`.

use super::follow_model::choices;
use super::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const SPEC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/spec/update-states.md");
const BEGIN: &str = "<!-- generated: begin -->";
const END: &str = "<!-- generated: end -->";

/// The third has conditions.
pub(super) fn release(sequence: u64) -> Candidate {
    Candidate {
        hash: format!("h{sequence}"),
        version: format!("1.{sequence}.0"),
        sequence,
        conditional: sequence == 3,
        ..Candidate::default()
    }
}

fn start() -> State {
    State { current: release(1), floor: 1, ..State::default() }
}

/// Every event, with the few releases that make a difference.
fn events() -> Vec<Event> {
    let found = |candidate| Event::Found(Some(candidate));
    let weighed = |gate, condition, due| Event::Weighed {
        hash: release(3).hash,
        gate,
        condition,
        overdue: due,
        quiet: due,
    };
    vec![
        weighed(Gate::Download, Verdict::True, false),
        weighed(Gate::Download, Verdict::False, false),
        weighed(Gate::Apply, Verdict::True, false),
        weighed(Gate::Apply, Verdict::False, false),
        weighed(Gate::Apply, Verdict::Unknown("x".into()), true),
        Event::Wish(UpdateWish::Skip { version: release(3).version }),
        Event::Look,
        Event::Found(None),
        found(release(1)),
        found(release(2)),
        found(release(3)),
        found(Candidate { same_as_current: true, ..release(2) }),
        found(Candidate { unusable: Some("no backend".into()), ..release(3) }),
        Event::LookFailed("x".into()),
        Event::Staged,
        Event::DownloadFailed("x".into()),
        Event::Wish(UpdateWish::Check),
        Event::Wish(UpdateWish::Apply),
        Event::Wish(UpdateWish::Defer { seconds: 60 }),
        Event::Woken,
        Event::Applied(1.0),
        Event::ApplyFailed("x".into()),
        Event::ApplyPostponed("x".into()),
        Event::Good,
        Event::Bad("x".into()),
        Event::Stuck("x".into()),
        Event::Committed,
        Event::CommitNotStored("x".into()),
        Event::NotStored("x".into()),
        Event::ShutDown,
    ]
}

/// The same where releases bring the shell they need: the fourth and the fifth, which is critical.
fn brought() -> Vec<Event> {
    let found = |candidate| Event::Found(Some(candidate));
    let next_start = |sequence| Candidate { next_start: true, critical: sequence == 5, ..release(sequence) };
    let skip = |sequence| Event::Wish(UpdateWish::Skip { version: release(sequence).version });
    vec![
        Event::Look,
        Event::Found(None),
        found(release(2)),
        found(next_start(4)),
        found(next_start(5)),
        Event::LookFailed("x".into()),
        Event::Staged,
        Event::DownloadFailed("x".into()),
        Event::Wish(UpdateWish::Apply),
        Event::Wish(UpdateWish::Defer { seconds: 60 }),
        skip(4),
        skip(5),
        Event::Woken,
        Event::Applied(1.0),
        Event::ApplyPostponed("x".into()),
        Event::Good,
        Event::Bad("x".into()),
        Event::Committed,
        Event::ShutDown,
    ]
}

/// The same where releases go live at another moment: the fourth at the next load of a page, and the fifth, which has
/// conditions, too; the sixth at the next launch.
fn awaited() -> Vec<Event> {
    let awaited = |sequence| Candidate {
        live: if sequence == 6 { Live::NextLaunch } else { Live::NextLoad },
        conditional: sequence == 5,
        ..release(sequence)
    };
    let found = |sequence| Event::Found(Some(awaited(sequence)));
    let weighed = |condition| Event::Weighed {
        hash: release(5).hash,
        gate: Gate::Apply,
        condition,
        overdue: false,
        quiet: false,
    };
    vec![
        Event::Look,
        found(4),
        found(5),
        found(6),
        Event::LookFailed("x".into()),
        Event::Staged,
        Event::Loads,
        weighed(Verdict::True),
        weighed(Verdict::False),
        Event::Wish(UpdateWish::Apply),
        Event::Wish(UpdateWish::Defer { seconds: 60 }),
        Event::Wish(UpdateWish::Skip { version: release(4).version }),
        Event::Woken,
        Event::Applied(1.0),
        Event::ApplyFailed("x".into()),
        Event::ApplyPostponed("x".into()),
        Event::Good,
        Event::Bad("x".into()),
        Event::Committed,
        Event::ShutDown,
    ]
}

/// Every state that can be reached, with what each event does there, before and after a wait of a minute.
pub(super) fn visit(events: &[Event], mut seen: impl FnMut(&State, &Event, &State, &[Effect])) -> usize {
    let mut known = BTreeMap::from([(format!("{:?}", start()), ())]);
    let mut open = vec![start()];
    while let Some(state) = open.pop() {
        for (event, now) in events.iter().flat_map(|event| [(event, 0), (event, 60_000)]) {
            let (next, effects) = step(state.clone(), event.clone(), now);
            seen(&state, event, &next, &effects);
            if known.insert(format!("{next:?}"), ()).is_none() {
                open.push(next);
            }
        }
    }
    known.len()
}

fn event_name(event: &Event) -> &'static str {
    match event {
        Event::Look => "Look",
        Event::Found(None) => "Found nothing",
        Event::Found(Some(_)) => "Found",
        Event::LookFailed(_) => "LookFailed",
        Event::Staged => "Staged",
        Event::DownloadFailed(_) => "DownloadFailed",
        Event::Wish(UpdateWish::Check) => "Wish: check",
        Event::Wish(UpdateWish::Apply) => "Wish: apply",
        Event::Wish(UpdateWish::Defer { .. }) => "Wish: defer",
        Event::Wish(UpdateWish::Skip { .. }) => "Wish: skip",
        Event::Wish(UpdateWish::Conditions { .. }) => "Wish: conditions",
        Event::Wish(UpdateWish::Follow { .. }) => "Wish: follow",
        Event::Wish(UpdateWish::Pin { .. }) => "Wish: pin",
        Event::ChannelGone { .. } => "ChannelGone",
        Event::Wish(UpdateWish::DownloadRate { .. }) => "Wish: download rate",
        Event::Loads => "Loads",
        Event::Woken => "Woken",
        Event::Weighed { .. } => "Weighed",
        Event::Applied(_) => "Applied",
        Event::ApplyFailed(_) => "ApplyFailed",
        Event::ApplyPostponed(_) => "ApplyPostponed",
        Event::Good => "Good",
        Event::Bad(_) => "Bad",
        Event::Stuck(_) => "Stuck",
        Event::Committed => "Committed",
        Event::CommitNotStored(_) => "CommitNotStored",
        Event::NotStored(_) => "NotStored",
        Event::ShutDown => "ShutDown",
    }
}

fn effect_name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Look => "Look",
        Effect::Download => "Download",
        Effect::Apply => "Apply",
        Effect::Watch => "Watch",
        Effect::Commit => "Commit",
        Effect::Tidy => "Tidy",
        Effect::Ban { .. } => "Ban",
        Effect::RaiseFloor(_) => "RaiseFloor",
        Effect::WakeAt(_) => "WakeAt",
        Effect::Weigh(Gate::Download) => "Weigh the download",
        Effect::Weigh(Gate::Apply) => "Weigh",
        Effect::RememberSkips(_) => "RememberSkips",
        Effect::Unstage => "Unstage",
        Effect::RememberLater(_) => "RememberLater",
        Effect::RememberChoice { .. } => "RememberChoice",
        Effect::Stop => "Stop",
        Effect::Tell(UpdateEvent::Available { .. }) => "tell available",
        Effect::Tell(UpdateEvent::Progress { .. }) => "tell progress",
        Effect::Tell(UpdateEvent::Staged { .. }) => "tell staged",
        Effect::Tell(UpdateEvent::Waiting { .. }) => "tell waiting",
        Effect::Tell(UpdateEvent::Held { .. }) => "tell held",
        Effect::Tell(UpdateEvent::Following { .. }) => "tell following",
        Effect::Tell(UpdateEvent::Skipped { .. }) => "tell skipped",
        Effect::Tell(UpdateEvent::Compared { .. }) => "tell compared",
        Effect::Tell(UpdateEvent::Applied { .. }) => "tell applied",
        Effect::Tell(UpdateEvent::Committed { .. }) => "tell committed",
        Effect::Tell(UpdateEvent::RolledBack { .. }) => "tell rolled back",
        Effect::Tell(UpdateEvent::Failed { .. }) => "tell failed",
    }
}

fn names(effects: &[Effect]) -> Vec<&'static str> {
    effects.iter().map(effect_name).collect()
}

/// The table and the diagram as the code has them.
fn generated() -> String {
    let mut rows: BTreeMap<(usize, &str, usize), Vec<String>> = BTreeMap::new();
    let mut edges: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
    let mut note = |before: &State, event: &Event, after: &State, effects: &[Effect]| {
        // What changes nothing and does nothing is not a transition.
        if before == after && effects.is_empty() {
            return;
        }
        let (from, to) = (before.phase as usize, after.phase as usize);
        let what = names(effects).join(", ");
        let row = rows.entry((from, event_name(event), to)).or_default();
        if !row.contains(&what) {
            row.push(what);
        }
        let edge = edges.entry((from, to)).or_default();
        if from != to && !edge.contains(&event_name(event)) {
            edge.push(event_name(event));
        }
    };
    let [states, followed, with_shells, later] =
        [events(), choices(), brought(), awaited()].map(|events| visit(&events, &mut note));
    const PHASES: [Phase; 8] = [
        Phase::Idle,
        Phase::Checking,
        Phase::Downloading,
        Phase::Waiting,
        Phase::Applying,
        Phase::Probation,
        Phase::Committing,
        Phase::Stopped,
    ];
    let mut text = format!(
        "{states} states can be reached with three releases, {followed} with two channels and a version to stay at, {with_shells} where \
         releases bring the shell they need, and {later} where they go live at the next load or launch.\n\n```mermaid\nstateDiagram-v2\n    [*] --> Idle\n"
    );
    for ((from, to), mut labels) in edges.into_iter().filter(|((from, to), _)| from != to) {
        labels.sort_unstable();
        // `:` would end a label.
        let labels = labels.join(", ").replace(": ", " ");
        let _ = writeln!(text, "    {:?} --> {:?} : {labels}", PHASES[from], PHASES[to]);
    }
    text += "```\n\n| In | on | goes to | and does, in this order; one of |\n|---|---|---|---|\n";
    for ((from, event, to), mut effects) in rows {
        effects.sort();
        let effects: Vec<_> =
            effects.iter().map(|what| if what.is_empty() { "nothing" } else { what.as_str() }).collect();
        let _ =
            writeln!(text, "| {:?} | {event} | {:?} | {} |", PHASES[from], PHASES[to], effects.join(" · "));
    }
    text
}

#[test]
fn the_description_says_what_the_machine_does() {
    let spec = std::fs::read_to_string(SPEC).unwrap();
    let (head, rest) = spec.split_once(BEGIN).expect("the description has a generated part");
    let (_, tail) = rest.split_once(END).expect("the generated part ends");
    let wanted = format!("{head}{BEGIN}\n{}{END}{tail}", generated());
    if std::env::var_os("STAYSAIL_WRITE_SPEC").is_some() {
        std::fs::write(SPEC, &wanted).unwrap();
        return;
    }
    assert!(
        spec == wanted,
        "docs/spec/update-states.md says something else than the code; if the code is right: \
         STAYSAIL_WRITE_SPEC=1 cargo test -p staysail-update --lib lifecycle"
    );
}

#[test]
fn in_no_state_that_can_be_reached_does_an_event_break_a_law() {
    let law = |before: &State, event: &Event, after: &State, effects: &[Effect]| {
        let floor = |state: &State, channel: &str| match state.channel == channel {
            true => state.floor,
            false => state.floors.get(channel).copied().unwrap_or_default(),
        };
        for channel in ["", "beta"] {
            assert!(floor(after, channel) >= floor(before, channel), "{before:?} {event:?}");
        }
        assert!(after.banned.is_superset(&before.banned), "{before:?} {event:?}");
        assert!(!after.banned.contains(&after.current.hash), "{before:?} {event:?}");
        let did = |name: &str| names(effects).iter().position(|did| *did == name);
        assert_eq!(did("Apply").is_some(), before.phase != Phase::Applying && after.phase == Phase::Applying);
        if did("Apply").is_some() {
            let staged = after.staged.as_ref().unwrap();
            assert!(!staged.next_start, "{before:?} {event:?}");
            let moment = match staged.live {
                Live::Now => true,
                Live::NextLoad => after.wanted_now || after.loading,
                Live::NextLaunch => after.wanted_now,
            };
            assert!(moment, "{before:?} {event:?}");
            assert!(
                !after.banned.contains(&staged.hash) && staged.channel == after.channel,
                "{before:?} {event:?}"
            );
            assert!(after.pinned.is_none() || staged.version.starts_with("1.1."), "{before:?} {event:?}");
        }
        if did("Commit").is_some() {
            assert_eq!((before.phase, event), (Phase::Probation, &Event::Good));
        }
        // Told only after it was made durable.
        assert!(did("tell rolled back").is_none_or(|told| did("Ban").is_some_and(|banned| banned < told)));
        let stored = (before.phase, event) == (Phase::Committing, &Event::Committed);
        assert_eq!(did("tell committed").is_some(), stored && before.staged.is_some());
        // Something is always under way, or a wake-up is ordered, or nothing is left to do.
        if after.phase == Phase::Idle {
            assert!(after.candidate.is_none() && !after.look_again, "{after:?}");
            let waits = |staged: &Candidate| staged.next_start || staged.live != Live::Now;
            assert!(after.staged.as_ref().is_none_or(waits), "{after:?}");
        }
        // A window that waits before it loads its page waits for something.
        let weighs = after.phase == Phase::Waiting && after.staged.is_some();
        assert!(
            !after.loading || weighs || matches!(after.phase, Phase::Applying | Phase::Stopped),
            "{after:?}"
        );
    };
    assert!(visit(&choices(), law) > 500);
    assert!(visit(&brought(), law) > 500);
    assert!(visit(&awaited(), law) > 500);
    let states = visit(&events(), law);
    assert!(states > 500, "{states}");
}

/// The machine in a few lines: less exact in what it says, but nothing in it can be misunderstood.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference {
    phase: Phase,
    current: u64,
    floor: u64,
    banned: BTreeSet<u64>,
    candidate: Option<u64>,
    staged: Option<u64>,
    until: u64,
    again: bool,
    skipped: BTreeSet<u64>,
    wanted: bool,
}

impl Reference {
    fn of(state: &State) -> Self {
        let sequence = |candidate: &Option<Candidate>| candidate.as_ref().map(|candidate| candidate.sequence);
        Self {
            phase: state.phase,
            current: state.current.sequence,
            floor: state.floor,
            banned: state.banned.iter().map(|hash| hash[1..].parse().unwrap()).collect(),
            candidate: sequence(&state.candidate),
            staged: sequence(&state.staged),
            until: state.deferred_until.unwrap_or_default(),
            again: state.look_again,
            skipped: state.skipped.iter().map(|version| version[2..3].parse().unwrap()).collect(),
            wanted: state.wanted_now,
        }
    }

    fn step(&mut self, event: &Event, now: u64) {
        let resting = matches!(self.phase, Phase::Idle | Phase::Waiting);
        match (self.phase, event) {
            (Phase::Stopped, _) => {}
            (_, Event::ShutDown) => self.phase = Phase::Stopped,
            (_, Event::Look | Event::Wish(UpdateWish::Check)) if resting => self.check(),
            (_, Event::Look | Event::Wish(UpdateWish::Check)) => self.again = true,
            (_, Event::Wish(UpdateWish::Apply)) => {
                self.until = 0;
                self.wanted = true;
                self.again |= !std::mem::take(&mut self.skipped).is_empty();
                self.again |= self.candidate.is_none() && self.staged.is_none();
                if resting {
                    self.rest(now);
                }
            }
            (phase, Event::Wish(UpdateWish::Skip { version })) => {
                let version = version[2..3].parse().unwrap();
                let trial = matches!(phase, Phase::Applying | Phase::Probation | Phase::Committing);
                if version == if trial { self.staged.unwrap_or(self.current) } else { self.current } {
                    return;
                }
                self.wanted = false;
                self.skipped.insert(version);
                if resting {
                    self.rest(now);
                }
            }
            (Phase::Waiting, Event::Weighed { gate, condition, overdue: due, .. }) => {
                let holds = *condition == Verdict::True;
                match gate {
                    Gate::Download if self.candidate != Some(3) => {}
                    Gate::Download if self.wanted || *due || holds => self.phase = Phase::Downloading,
                    Gate::Download => {
                        self.apply(now);
                    }
                    Gate::Apply if self.staged != Some(3) => {}
                    Gate::Apply if self.wanted || *due || (holds && self.until <= now) => {
                        (self.phase, self.until) = (Phase::Applying, 0);
                    }
                    Gate::Apply => {}
                }
            }
            (_, Event::Wish(UpdateWish::Defer { seconds })) => {
                self.wanted = false;
                self.until = now + seconds * 1_000;
                if resting {
                    self.rest(now);
                }
            }
            (Phase::Waiting, Event::Woken) | (Phase::Checking, Event::LookFailed(_)) => self.rest(now),
            (Phase::Checking, Event::Found(None)) => {
                self.candidate = None;
                self.rest(now);
            }
            (Phase::Checking, Event::Found(Some(found))) => {
                self.candidate = None;
                let unwanted = self.skipped.contains(&found.sequence) && !found.critical;
                let new = found.sequence > self.current && found.sequence >= self.floor;
                if unwanted
                    || !new
                    || self.banned.contains(&found.sequence)
                    || self.staged == Some(found.sequence)
                {
                    self.rest(now);
                } else if found.same_as_current {
                    self.floor = found.sequence;
                    self.rest(now);
                } else if found.unusable.is_some() {
                    self.rest(now);
                } else {
                    self.candidate = Some(found.sequence);
                    match found.sequence {
                        3 => self.rest(now),
                        _ => self.phase = Phase::Downloading,
                    }
                }
            }
            (Phase::Downloading, Event::Staged) => {
                self.staged = self.candidate.take();
                self.rest(now);
            }
            (Phase::Downloading, Event::DownloadFailed(_)) => {
                self.candidate = None;
                self.rest(now);
            }
            (Phase::Applying, Event::Applied(_)) => self.phase = Phase::Probation,
            (Phase::Applying, Event::ApplyPostponed(_)) => {
                self.staged = None;
                self.rest(now);
            }
            (Phase::Applying, Event::ApplyFailed(_))
            | (Phase::Probation, Event::Bad(_) | Event::Stuck(_)) => {
                self.banned.extend(self.staged.take());
                (self.wanted, self.again) = (false, true);
                self.rest(now);
            }
            (Phase::Probation, Event::Good) => {
                self.skipped.clear();
                self.phase = Phase::Committing;
            }
            (Phase::Committing, Event::Committed | Event::CommitNotStored(_)) => {
                self.current = self.staged.take().unwrap();
                if *event == Event::Committed {
                    self.floor = self.floor.max(self.current);
                }
                (self.wanted, self.again) = (false, true);
                self.rest(now);
            }
            _ => {}
        }
    }

    fn check(&mut self) {
        (self.phase, self.again) = (Phase::Checking, false);
    }

    fn rest(&mut self, now: u64) {
        self.phase = Phase::Idle;
        let usable = |release: &u64| !self.banned.contains(release) && *release > self.current;
        (self.staged, self.candidate) = (self.staged.filter(usable), self.candidate.filter(usable));
        if self.again {
            self.check();
        } else if !self.download() && !self.apply(now) {
            self.wanted = false;
        }
    }

    fn download(&mut self) -> bool {
        let Some(release) = self.candidate else { return false };
        if release == 3 && self.skipped.contains(&3) && !self.wanted {
            self.candidate = None;
            return false;
        }
        self.phase = if release == 3 && !self.wanted { Phase::Waiting } else { Phase::Downloading };
        true
    }

    fn apply(&mut self, now: u64) -> bool {
        let Some(release) = self.staged else { return false };
        if self.skipped.contains(&release) && !self.wanted && release != 5 {
            self.staged = None;
            return false;
        }
        // It waits for its shell, whoever wants it.
        if release >= 4 {
            return false;
        }
        if !self.wanted && (release == 3 || self.until > now) {
            self.phase = Phase::Waiting;
        } else {
            (self.phase, self.until) = (Phase::Applying, 0);
        }
        true
    }
}

#[test]
fn the_machine_does_what_its_reference_does_in_every_state_that_can_be_reached() {
    let agrees = |before: &State, event: &Event, after: &State, _: &[Effect]| {
        // `visit` steps at both times; the reference must agree with one of them, and with the same one.
        let agrees = [0, 60_000].into_iter().any(|now| {
            let mut reference = Reference::of(before);
            reference.step(event, now);
            reference == Reference::of(after) && step(before.clone(), event.clone(), now).0 == *after
        });
        assert!(agrees, "in {before:?}\non {event:?}\ncame {after:?}");
    };
    visit(&events(), agrees);
    visit(&brought(), agrees);
}
