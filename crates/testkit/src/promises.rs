//! What was promised about when: to the author of a release, whose conditions hold it up, and to the user, who says now,
//! later or never. Whatever is done is held against what the machine told just before, and never against the engine's state.
//!
//! Where it can not be known from outside what the engine knew (a wish that was heard in the same moment, a disk that
//! refused), everything is allowed that could have been right.

use crate::terms::Gate;
use crate::world::Known;
use staysail_protocol::limits::QUIET_IDLE_S;
use staysail_update::policy::Facts;
use std::collections::BTreeMap;

/// Between a decision and what is seen of it no more time passes than this, and none that is simulated.
const RACE_MS: u64 = 1_000;
/// The machine's answer is used within this time; a host that does not answer is waited for two seconds.
const FRESH_MS: u64 = 3_000;

/// What the machine told when it was asked.
#[derive(Debug, Clone)]
struct Told {
    facts: Facts,
    at_ms: u64,
    /// What the clock said since then.
    readings: Vec<i64>,
}

/// See the module.
#[derive(Debug, Default, Clone)]
pub struct Promises {
    now_ms: u64,
    /// The last answer for each gate; `None` for steps without a condition.
    told: BTreeMap<Option<Gate>, Told>,
    /// Since when a release may be known to have waited, and since when a look.
    release_since_s: Option<i64>,
    look_since_s: Option<i64>,
    /// When it was said, and until when.
    later: Option<(u64, u64)>,
    /// Version to when it was said.
    skipped: BTreeMap<String, u64>,
    /// The user wants what comes, until this time.
    wanted_until: u64,
    /// The user wanted something in this process: a download may still be under way.
    was_wanted: bool,
    /// A file was given in this process; what is in it is wanted once it is found, whatever is said until then.
    given: bool,
    /// Something other than its condition allowed a look in this process, or its condition has.
    may_look: bool,
}

fn is_quiet(facts: &Facts) -> bool {
    !facts.at_work && facts.idle.is_some_and(|idle| idle.as_secs() >= QUIET_IDLE_S)
}

impl Promises {
    /// The app is started with a release. Where the disk may not have kept it, nothing holds of what the user said; where the
    /// clock may have been changed, nothing of the time it was said for.
    pub fn started(&mut self, running: &Known, now_ms: u64, forgetful: bool, clock_jumps: bool) {
        // What was said in the moment in which the app ended may not be stored.
        let ended_ms = std::mem::replace(&mut self.now_ms, now_ms);
        self.later = self.later.filter(|(said, _)| !clock_jumps && said + RACE_MS < ended_ms);
        self.told.clear();
        (self.wanted_until, self.was_wanted, self.given) = (0, false, false);
        self.may_look = !running.terms.has(Gate::Look);
        if forgetful {
            self.skipped.clear();
            self.later = None;
        }
    }

    /// The time it was told last.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// It is so late, and the clock says that.
    pub fn reading(&mut self, now_ms: u64, now_s: i64) {
        self.now_ms = now_ms;
        for (gate, told) in &mut self.told {
            if told.at_ms + FRESH_MS < now_ms {
                continue;
            }
            told.readings.push(now_s);
            let since =
                if *gate == Some(Gate::Look) { &mut self.look_since_s } else { &mut self.release_since_s };
            *since = Some(since.map_or(now_s, |since| since.min(now_s)));
        }
    }

    /// It is so late.
    pub fn time_is(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// The machine was asked for the facts.
    pub fn told(&mut self, gate: Option<Gate>, facts: Facts) {
        self.told.insert(gate, Told { facts, at_ms: self.now_ms, readings: Vec::new() });
    }

    /// The user wants what there is now.
    pub fn now(&mut self) {
        (self.later, self.wanted_until, self.was_wanted, self.may_look) = (None, u64::MAX, true, true);
        self.skipped.clear();
    }

    /// The user gives the app a file.
    pub fn given(&mut self) {
        self.given = true;
        self.now();
    }

    /// The user says later.
    pub fn later(&mut self, seconds: u64) {
        self.later = Some((self.now_ms, self.now_ms + seconds * 1_000));
        self.want_no_more();
    }

    /// The user says never.
    pub fn never(&mut self) {
        self.want_no_more();
    }

    /// It is stored that the user does not want a version; unless something was wanted now after that was said.
    pub fn skip(&mut self, version: &str) {
        if self.wanted_until <= self.now_ms + RACE_MS {
            self.skipped.entry(version.to_owned()).or_insert(self.now_ms);
        }
    }

    /// The user asks for a look.
    pub fn look(&mut self) {
        self.may_look = true;
    }

    fn want_no_more(&mut self) {
        if !self.given {
            self.wanted_until = self.wanted_until.min(self.now_ms + RACE_MS);
        }
    }

    /// A release was found good; what is stored of that, and when, can not be seen.
    pub fn good(&mut self) {
        self.skipped.clear();
    }

    /// A release is committed; unless what was stored may be damaged, nothing waits any more.
    pub fn committed(&mut self, damaged: bool) {
        if !damaged {
            self.release_since_s = None;
        }
        self.ended();
    }

    /// Something came to its end, and a look follows.
    pub fn ended(&mut self) {
        self.want_no_more();
        self.may_look = true;
    }

    /// Something failed, and what was put off before may have been forgotten with it.
    pub fn failed(&mut self) {
        self.later = None;
        self.ended();
    }

    /// Whether the user wants what comes, now.
    pub fn is_wanted(&self) -> bool {
        self.wanted_until >= self.now_ms
    }

    /// Whether an answer lets something pass: at some moment the clock has told since.
    fn passes(&self, told: &Told, known: &Known, gate: Gate, since: Option<i64>, later: bool) -> bool {
        told.readings.iter().any(|now_s| {
            let facts = Facts { now_s: *now_s, ..told.facts.clone() };
            let overdue = since.is_some_and(|since| now_s - since >= known.terms.postpone_s());
            // Nobody is disturbed by a look.
            let undisturbed = gate == Gate::Look || is_quiet(&facts);
            (known.terms.hold(gate, &facts) && !later) || (overdue && undisturbed)
        })
    }

    fn answers(&self, known: &Known, gate: Gate) -> Option<&Told> {
        self.told.get(&known.terms.has(gate).then_some(gate))
    }

    /// Whether a release may be applied now.
    ///
    /// # Errors
    /// Why not.
    pub fn may_apply(&mut self, known: &Known, running: &Known) -> Result<(), String> {
        let now = self.now_ms;
        if self.is_wanted() || known.terms.is_critical(&running.version) {
            self.later = None;
            return Ok(());
        }
        if self.skipped.get(&known.version).is_some_and(|said| said + RACE_MS < now) {
            return Err("the user does not want it".into());
        }
        let later = self.later.is_some_and(|(said, until)| said + RACE_MS < now && now < until);
        if !known.terms.is_conditional() && !later {
            return Ok(());
        }
        let fresh = self.answers(known, Gate::Apply).filter(|told| told.at_ms + FRESH_MS >= now);
        match fresh {
            None => Err("nobody asked whether its conditions hold".into()),
            Some(told) if self.passes(told, known, Gate::Apply, self.release_since_s, later) => {
                self.later = None;
                Ok(())
            }
            Some(_) if later => Err("the user said later, and it is not overdue in the quiet".into()),
            Some(told) => {
                Err(format!("its condition does not hold, nor is it overdue in the quiet: {told:?}"))
            }
        }
    }

    /// Whether something of these releases may be downloaded now.
    pub fn may_download<'a>(&self, mut releases: impl Iterator<Item = &'a Known>, running: &Known) -> bool {
        self.was_wanted
            || releases.any(|known| {
                !known.terms.is_conditional()
                    || known.terms.is_critical(&running.version)
                    || self.answers(known, Gate::Download).is_some_and(|told| {
                        self.passes(told, known, Gate::Download, self.release_since_s, false)
                    })
            })
    }

    /// A look begins; whether it may. `undisturbed` when nothing has gone wrong yet, so that it is kept when this was.
    pub fn may_look(&mut self, running: &Known, undisturbed: bool) -> bool {
        let told = self.told.get(&Some(Gate::Look));
        let passes =
            told.is_some_and(|told| self.passes(told, running, Gate::Look, self.look_since_s, false));
        if passes && undisturbed {
            self.look_since_s = told.and_then(|told| told.readings.first()).copied();
        }
        self.may_look |= passes;
        self.may_look
    }
}
