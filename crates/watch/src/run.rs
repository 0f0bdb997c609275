//! The loop: signs are collected until it is quiet, then looked at.

use crate::event::{Batch, Report, Subject};
use crate::notifier::{Sign, signs};
use crate::scan::Scan;
use crate::tree::Known;
use staysail_protocol::limits;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// What the loop is told.
#[derive(Debug)]
pub enum Input {
    /// The system saw something.
    Event(notify::Result<notify::Event>),
    /// Further files to watch.
    Also(Vec<PathBuf>),
    /// Nobody wants to know any longer.
    End,
}

/// Signs that have not been looked at.
#[derive(Default)]
struct Pending {
    places: BTreeMap<PathBuf, Sign>,
    pairs: Vec<(PathBuf, PathBuf)>,
    everything: bool,
    /// Of the first and the last sign.
    times: Option<(Instant, Instant)>,
    /// The last name taken away: systems without pairs tell the new name right after it.
    taken: Option<PathBuf>,
    /// Nothing more is to be waited for.
    whole: bool,
}

/// Runs until nobody holds the watch any longer.
pub fn run(mut scan: Scan, inbox: &Receiver<Input>, mut report: impl FnMut(Report)) {
    let begun = Instant::now();
    scan.take_notices().into_iter().for_each(|notice| report(Report::Notice(notice)));
    if scan.settings.initial {
        let events = scan.present();
        if !events.is_empty() {
            report(Report::Changed(Batch { events, first: begun }));
        }
    }
    let folders = scan.tree.folders.values().filter(|folder| !folder.flat).count();
    let inside = scan.tree.folders.values().flat_map(|folder| folder.entries.values());
    let files = inside.filter(|known| !known.is_folder()).count();
    report(Report::Ready { folders, files });

    let mut pending = Pending::default();
    let mut next_look = begun + scan.settings.interval;
    loop {
        let looks = !scan.polled.is_empty() || scan.roots.iter().any(|root| !root.there);
        let ends = pending.end(scan.settings.quiet);
        let held = scan.held.values().map(|(_, until)| *until).min();
        let next = [ends, held, looks.then_some(next_look)].into_iter().flatten().min();
        let input = match next {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(at) => inbox.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match input {
            Ok(Input::Event(event)) => pending.take(event, &mut scan),
            Ok(Input::Also(files)) => scan.also(files),
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Input::End) | Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = Instant::now();
        let mut events = Vec::new();
        let mut first = now;
        if looks && next_look <= now {
            events = scan.look();
            // However slow the disk, looking leaves most of the processor to others.
            let pause = now.elapsed().saturating_mul(limits::WATCH_POLL_SHARE.saturating_sub(1));
            next_look = Instant::now() + pause.max(scan.settings.interval);
        }
        if pending.whole || pending.end(scan.settings.quiet).is_some_and(|end| end <= now) {
            let Pending { places, pairs, everything, times, .. } = std::mem::take(&mut pending);
            first = times.map_or(now, |(first, _)| first);
            events.extend(scan.examine(&places, everything, &pairs));
        } else if pending.times.is_none() && held.is_some_and(|at| at <= now) {
            let due: Vec<_> = scan.held.iter().filter(|(_, (_, until))| *until <= now).collect();
            first = due.iter().map(|(_, (since, _))| *since).min().unwrap_or(now);
            let due = due.into_iter().map(|(path, _)| (path.clone(), Sign::default())).collect();
            events.extend(scan.examine(&due, false, &[]));
            // What was held for a reason that is no more is not asked for again.
            for path in due.keys() {
                scan.held.remove(path);
            }
        }
        scan.take_notices().into_iter().for_each(|notice| report(Report::Notice(notice)));
        if !events.is_empty() {
            report(Report::Changed(Batch { events, first }));
        }
    }
}

impl Pending {
    /// When the signs are looked at, if nothing more comes.
    fn end(&self, quiet: Duration) -> Option<Instant> {
        let (first, last) = self.times?;
        // A longer quiet time than usual is meant to be waited for.
        let longest = Duration::from_millis(limits::WATCH_QUIET_MAX_MS).max(quiet.saturating_mul(4));
        Some((last + quiet).min(first + longest))
    }

    fn take(&mut self, event: notify::Result<notify::Event>, scan: &mut Scan) {
        let signs = match event {
            Ok(event) => signs(event),
            Err(error) => {
                let message =
                    format!("the system's events failed ({error}); everything is compared once more");
                scan.notice_again(Subject::Overflow, Path::new(""), message);
                self.everything = true;
                self.touch();
                return;
            }
        };
        if signs.lost {
            let message =
                "more happened at once than the system's queue holds; everything is compared once more";
            scan.notice_again(Subject::Overflow, Path::new(""), message.into());
            self.everything = true;
            self.touch();
        }
        self.pairs.extend(signs.pair);
        for (path, sign) in signs.places {
            if sign.taken {
                self.taken = Some(path.clone());
            } else if let Some(from) = self.taken.take().filter(|_| sign.arrived) {
                self.pairs.push((from, path.clone()));
            }
            for place in scan.places(path) {
                if scan.may_count(&place) {
                    self.touch();
                    let before = self.places.get(&place).copied().unwrap_or_default();
                    self.places.insert(place.clone(), before.and(sign));
                    self.whole = scan.settings.eager && sign.arrived && self.is_whole(&place, scan);
                }
            }
        }
    }

    fn touch(&mut self) {
        let now = Instant::now();
        self.times = Some((self.times.map_or(now, |(first, _)| first), now));
    }

    /// Whether all that happened is that one known file was replaced by a rename: it can not be half written.
    fn is_whole(&self, place: &Path, scan: &Scan) -> bool {
        let known_file = |path: &Path| matches!(scan.tree.known(path), Some(Known::File(_)));
        let is_gone = |path: &Path| scan.tree.known(path).is_none() && path.symlink_metadata().is_err();
        !self.everything
            && self.places.len() <= 4
            && known_file(place)
            && self.places.keys().all(|other| other == place || is_gone(other))
    }
}
