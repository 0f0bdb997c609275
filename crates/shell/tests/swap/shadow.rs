//! A candidate answers calls beside the worker that serves: what comes of it when it answers alike, otherwise, late, never, or
//! with more than it may, and that the worker that serves never notices.

use crate::theatre::{PATIENCE, Test, Theatre, kill};
use serde_json::json;
use staysail::{App, Kept, command, commands};
use staysail_protocol::limits::{SHADOW_BYTES_MIN, SHADOW_CALL_BYTES_MAX};
use staysail_protocol::shadow::{ShadowRules, WhenQuiet};
use staysail_shell::conductor::shadow::tally::{Gate, Tally};
use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[
    ("a candidate that answers alike passes while the state changes and has no side effects", alike),
    ("a candidate that answers otherwise is rejected with the place", otherwise),
    ("a candidate that changes state in a read-only command is still asked from the right state", writing),
    ("a candidate that ends, sends too much or takes no state over is rejected", faulty),
    ("a candidate that never answers is rejected", silent),
    ("a candidate that takes too long is rejected by the median", slow),
    ("what few calls mean is said by the rules", quiet),
    ("commands whose types changed are not compared", other_types),
    ("a candidate that speaks only newer protocols is not blamed", of_newer_shells),
    ("the end of the worker that serves decides nothing", serving_killed),
    ("a rehearsal that is given up leaves no candidate behind", given_up),
    ("a share of the calls is copied and large ones are not", shares),
];

fn rules() -> ShadowRules {
    ShadowRules { calls_min: 20, seconds_max: 30, ignore: vec!["look:/2".into()], ..ShadowRules::default() }
}

/// Rehearses while a page calls, and checks every answer the page gets.
fn under_calls(theatre: &Theatre, role: &str, rules: &ShadowRules) -> (Gate, Tally) {
    let outcome = theatre.begin_rehearsal(role, rules);
    let mut count = theatre.call("look", json!({ "n": 0 })).unwrap()[1].as_u64().unwrap();
    let (serving, begun) = (theatre.process(), Instant::now());
    for n in 0.. {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for the end of a rehearsal of {role}");
        if let Ok(ended) = outcome.try_recv() {
            return ended;
        }
        if n % 3 == 0 {
            count += 1;
            assert_eq!(theatre.call("add", json!({})).unwrap(), json!(count));
        }
        assert_eq!(theatre.call("look", json!({ "n": n })).unwrap(), json!([n, count, serving]));
    }
    unreachable!("it returns")
}

fn assert_rejected((gate, _): (Gate, Tally), part: &str) {
    assert!(matches!(&gate, Gate::Rejected(why) if why.contains(part)), "{part}: {gate:?}");
}

/// Processes that did this.
fn doers(theatre: &Theatre, what: &str) -> Vec<u32> {
    let text = std::fs::read_to_string(theatre.folder.join(what)).unwrap_or_default();
    let mut doers: Vec<u32> = text.lines().map(|line| line.parse().unwrap()).collect();
    doers.sort_unstable();
    doers.dedup();
    doers
}

fn alike() {
    let theatre = Theatre::open();
    theatre.swap("books").unwrap();
    let serving = theatre.process();
    let (gate, tally) = under_calls(&theatre, "books", &rules());
    assert!(matches!(gate, Gate::Passed(_)), "{gate:?} {tally:?}");
    assert!(tally.calls >= 20 && tally.different == 0, "{tally:?}");
    assert_eq!(doers(&theatre, "looked").len(), 2, "both answered");
    for once in ["added", "activated"] {
        assert_eq!(doers(&theatre, once), [serving], "{once}: by the worker that serves alone");
    }
    // What follows is an exchange like any other.
    let before = theatre.call("look", json!({ "n": 0 })).unwrap();
    theatre.swap("books").unwrap();
    assert_eq!(theatre.call("look", json!({ "n": 0 })).unwrap()[1], before[1]);
}

fn otherwise() {
    let theatre = Theatre::open();
    theatre.swap("books").unwrap();
    let (gate, tally) = under_calls(&theatre, "books-wrong", &rules());
    assert_eq!(tally.differences[0].path, "/1", "{tally:?}");
    assert_rejected((gate, tally), "look");
    // Also what differs from process to process, unless it is ignored; and differences that may be are.
    let strict = ShadowRules { ignore: Vec::new(), ..rules() };
    assert_rejected(under_calls(&theatre, "books", &strict), "/2");
    let lenient = ShadowRules { differences_max: 1_000, ..rules() };
    let (gate, tally) = under_calls(&theatre, "books-wrong", &lenient);
    assert!(matches!(gate, Gate::Passed(_)) && tally.different == tally.calls, "{gate:?} {tally:?}");
}

fn writing() {
    let theatre = Theatre::open();
    theatre.swap("books").unwrap();
    // One at a time: what one of its calls changes, another one beside it would see.
    let one = ShadowRules { in_flight_max: 1, ..rules() };
    let (gate, tally) = under_calls(&theatre, "books-writing", &one);
    assert!(matches!(gate, Gate::Passed(_)), "{gate:?} {tally:?}");
}

fn faulty() {
    let theatre = Theatre::open();
    theatre.swap("books").unwrap();
    let small = ShadowRules { bytes_max: SHADOW_BYTES_MIN, ..rules() };
    assert_rejected(under_calls(&theatre, "books-aborting", &rules()), "ended");
    assert_rejected(under_calls(&theatre, "books-sending-much", &small), "was ended: frame body");
    assert_rejected(under_calls(&theatre, "books-of-another-state", &rules()), "could not be handed over");
    assert_rejected(under_calls(&theatre, "books-ending-at-once", &rules()), "ended");
}

fn silent() {
    let theatre = Theatre::open();
    theatre.swap("books").unwrap();
    // Also when the time is over before an answer would be late.
    let short = ShadowRules { seconds_max: 1, ..rules() };
    assert_rejected(under_calls(&theatre, "books-silent", &short), "differences_max");
}

fn slow() {
    let theatre = Theatre::open();
    theatre.swap("books").unwrap();
    let strict = ShadowRules { slower_max: Some(3.0), ..rules() };
    assert_rejected(under_calls(&theatre, "books-slow", &strict), "slower_max");
    let (gate, _) = under_calls(&theatre, "books-slow", &rules());
    assert!(matches!(gate, Gate::Passed(_)), "{gate:?}");
}

fn quiet() {
    let theatre = Theatre::open();
    theatre.swap("books").unwrap();
    let end = |when_quiet| {
        let rules = ShadowRules { seconds_max: 1, when_quiet, ..rules() };
        theatre.begin_rehearsal("books", &rules).recv_timeout(PATIENCE).expect("an end").0
    };
    assert!(matches!(end(WhenQuiet::Pass), Gate::Passed(why) if why.contains("0 calls")));
    assert!(matches!(end(WhenQuiet::Wait), Gate::Undecided(_)));
    assert!(matches!(end(WhenQuiet::Reject), Gate::Rejected(_)));
}

fn other_types() {
    let theatre = Theatre::open();
    theatre.swap("books").unwrap();
    let strict = ShadowRules { when_quiet: WhenQuiet::Reject, seconds_max: 600, ..rules() };
    let ended = theatre.begin_rehearsal("books-other", &strict).recv_timeout(PATIENCE).expect("an end");
    assert_rejected(ended, "no read-only command is the same");
}

fn of_newer_shells() {
    let theatre = Theatre::open();
    theatre.swap("books").unwrap();
    let (gate, tally) = theatre.begin_rehearsal("newer", &rules()).recv_timeout(PATIENCE).expect("an end");
    assert!(matches!(&gate, Gate::Undecided(why) if why.contains("made with a newer Staysail")), "{gate:?}");
    assert_eq!(tally.calls, 0);
    assert_eq!(theatre.call("look", json!({ "n": 1 })).unwrap()[0], 1, "the worker before serves on");
}

fn serving_killed() {
    let theatre = Theatre::open();
    theatre.swap("books").unwrap();
    theatre.call("add", json!({})).unwrap();
    let outcome = theatre.begin_rehearsal("books", &ShadowRules { seconds_max: 600, ..rules() });
    crate::theatre::wait("the candidate's start", || (doers(&theatre, "started").len() == 2).then_some(()));
    kill(theatre.process());
    let (gate, _) = outcome.recv_timeout(PATIENCE).expect("an end");
    assert!(matches!(&gate, Gate::Undecided(why) if why.contains("exchanged or ended")), "{gate:?}");
    assert_eq!(theatre.call("look", json!({ "n": 1 })).unwrap()[1], 1, "started again, with its state");
}

fn given_up() {
    let theatre = Theatre::open();
    theatre.swap("books").unwrap();
    let serving = theatre.process();
    let (outcome, give_up) = theatre.begin_rehearsal_to_give_up("books-silent", &rules());
    let candidate = crate::theatre::wait("the candidate to be asked", || {
        theatre.call("look", json!({ "n": 1 })).unwrap();
        doers(&theatre, "looked").into_iter().find(|process| *process != serving)
    });
    give_up.abort();
    let ended = || {
        let stat = std::fs::read_to_string(format!("/proc/{candidate}/stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    };
    crate::theatre::wait("the end of the candidate", ended);
    assert!(outcome.recv_timeout(PATIENCE).is_err() && theatre.shell.router.mirror().is_none());
    assert_eq!(theatre.call("look", json!({ "n": 2 })).unwrap(), json!([2, 0, serving]));
}

fn shares() {
    let theatre = Theatre::open();
    theatre.swap("books").unwrap();
    let rules = ShadowRules { share: 0.25, calls_min: 1_000, seconds_max: 3, ..rules() };
    let outcome = theatre.begin_rehearsal("books", &rules);
    let large = json!({ "text": "x".repeat(SHADOW_CALL_BYTES_MAX) });
    let (gate, tally) = loop {
        if let Ok(ended) = outcome.try_recv() {
            break ended;
        }
        theatre.call("look", json!({ "n": 1 })).unwrap();
        theatre.call("size", large.clone()).unwrap();
    };
    assert!(matches!(gate, Gate::Passed(_)), "{gate:?}");
    let looked = std::fs::read_to_string(theatre.folder.join("looked")).unwrap().lines().count() as u32;
    assert!(tally.calls > 0 && tally.calls <= looked / 3, "{} of {looked}: {tally:?}", tally.calls);
    assert!(!tally.commands.contains_key("size") && tally.passed_over > 0, "{tally:?}");
}

static ROLE: OnceLock<String> = OnceLock::new();

fn is(role: &str) -> bool {
    ROLE.get().is_some_and(|own| own == role)
}

/// One line, in one write: lines of several processes never mix.
fn note(what: &str) {
    let place = PathBuf::from(std::env::args_os().next().unwrap()).with_file_name(what);
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(place).unwrap();
    file.write_all(format!("{}\n", std::process::id()).as_bytes()).unwrap();
}

#[staysail::data]
#[derive(Default)]
struct Count {
    count: u32,
}

/// The number again, the count, and who answers.
#[command(read_only)]
fn look(n: u32, count: Kept<Count>) -> (u32, u32, u32) {
    note("looked");
    if is("books-aborting") {
        std::process::abort();
    } else if is("books-silent") {
        loop {
            std::thread::park();
        }
    } else if is("books-slow") {
        std::thread::sleep(Duration::from_millis(40));
    } else if is("books-writing") {
        count.write().count += 1;
        return (n, count.read().count - 1, std::process::id());
    }
    (n, count.read().count + u32::from(is("books-wrong")), std::process::id())
}

#[command(read_only)]
fn size(text: String) -> u32 {
    text.len() as u32
}

#[command]
fn add(count: Kept<Count>) -> u32 {
    note("added");
    count.write().count += 1;
    count.read().count
}

mod other {
    use super::{Count, Kept, command};

    #[command(read_only)]
    pub fn look(n: String, _count: Kept<Count>) -> String {
        n
    }
}

/// Plays it, if there is such a role.
pub fn play(role: &str) -> bool {
    if !role.starts_with("books") {
        return false;
    }
    ROLE.set(role.into()).unwrap();
    note("started");
    let app = App::new("dev.staysail.swap").on_activate(|_| note("activated")).setup(|app| {
        match is("books-ending-at-once") {
            true => Err("it does not start"),
            false => {
                if is("books-sending-much") {
                    app.emit("much", &"x".repeat(SHADOW_BYTES_MIN + 1));
                }
                Ok(())
            }
        }
    });
    let app = match role {
        "books-other" => app.commands(commands![other::look, add]),
        _ => app.commands(commands![look, size, add]),
    };
    let app = match role {
        "books-of-another-state" => {
            app.keep_versioned("count", 2, Count::default(), |_, _| Err("nobody knows how".into()))
        }
        _ => app.keep("count", Count::default()),
    };
    let ended = app.run();
    panic!("the worker ended: {ended:?}");
}
