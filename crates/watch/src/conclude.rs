//! Taking findings over into what is known: what is held back, what moved, what is read.

use crate::disk;
use crate::event::{Event, Subject};
use crate::order::{Findings, Moves, arrange, pair};
use crate::scan::{Found, Scan};
use crate::tree::{File, Known};
use staysail_protocol::limits;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

impl Scan {
    /// Decides what findings mean, takes them over and gives the events.
    pub(crate) fn conclude(
        &mut self,
        found: Found,
        hints: &[(PathBuf, PathBuf)],
        now: Instant,
    ) -> Vec<Event> {
        let mut findings = Findings { gone: found.replaced, new: found.new, changed: found.changed };
        let tops = self.topmost(found.gone);
        for top in &tops {
            let all = self.tree.known(top).map(|known| (top.clone(), known)).into_iter();
            for (path, known) in all.chain(self.tree.below(top)) {
                // What came in this round and went with its folder was never there.
                if findings.new.remove(&path).is_some() {
                    findings.changed.remove(&path);
                    self.leave(&path);
                } else {
                    findings.gone.insert(path, known);
                }
            }
        }
        findings.cancel();
        if findings.is_empty() {
            return Vec::new();
        }
        let moves = if self.settings.split_renames { Moves::default() } else { pair(&findings, hints) };
        self.take_away(&tops, &moves, &mut findings, now);
        for (to, from) in moves.files.iter().chain(&moves.along) {
            if findings.changed.remove(from) {
                findings.changed.insert(to.clone());
            }
        }
        let Findings { gone, new, changed } = &mut findings;
        changed.retain(|path| !gone.contains_key(path) || new.contains_key(path));
        self.compare_moved(&moves, &mut findings, now);
        self.budget = (limits::WATCH_START_READ_BYTES_MAX, limits::WATCH_START_READ_FILES_MAX);
        let unread: Vec<PathBuf> = findings
            .new
            .keys()
            .filter(|path| !moves.files.contains_key(*path) && !moves.along.contains_key(*path))
            .cloned()
            .collect();
        self.read_new(&unread);
        let mut events = arrange(&findings, &moves);
        let flat: HashSet<&Path> = self.roots.iter().filter(|it| it.flat).map(|it| &*it.path).collect();
        let entered = |path: &Path| self.tree.folders.get(path).is_some_and(|folder| !folder.flat);
        events.retain(|event| match event {
            Event::AddDir(path) => !flat.contains(&**path) || entered(path),
            // A folder that was only watched for files in it was never reported.
            Event::UnlinkDir(path) => !flat.contains(&**path),
            _ => true,
        });
        events
    }

    /// Only those that are below no other.
    fn topmost(&self, gone: BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let is_top = |path: &&PathBuf| !path.ancestors().skip(1).any(|above| gone.contains(above));
        gone.iter().filter(is_top).cloned().collect()
    }

    /// Forgets what is gone for good; what may come back is held and taken out of the findings.
    fn take_away(&mut self, tops: &BTreeSet<PathBuf>, moves: &Moves, findings: &mut Findings, now: Instant) {
        let moved: HashSet<PathBuf> =
            moves.folders.values().chain(moves.files.values()).chain(moves.along.values()).cloned().collect();
        for top in tops {
            if moved.contains(top) || self.is_due(top, now) {
                self.held.remove(top);
                self.leave(top);
                self.root_is_gone(top);
                continue;
            }
            let below = |path: &Path| path.starts_with(top);
            let inside: Vec<PathBuf> = findings.gone.keys().filter(|path| below(path)).cloned().collect();
            for path in inside {
                // What is known no longer was replaced before its folder went, and is told now.
                if self.tree.known(&path).is_none() {
                    continue;
                }
                if moved.contains(&path) {
                    self.leave(&path);
                } else {
                    findings.gone.remove(&path);
                }
            }
        }
    }

    fn root_is_gone(&mut self, path: &Path) {
        let mut gone = Vec::new();
        for root in self.roots.iter_mut().filter(|root| root.there && root.path.starts_with(path)) {
            root.there = false;
            gone.push(root.path.clone());
        }
        for root in gone {
            let message = format!("{} is gone; it is watched again as soon as it is back", root.display());
            self.notice_again(Subject::Root, &root, message);
        }
    }

    /// Whether something gone or empty has been so for long enough; begins to count otherwise.
    pub(crate) fn is_due(&mut self, path: &Path, now: Instant) -> bool {
        if let Some((_, until)) = self.held.get(path) {
            return *until <= now;
        }
        // Who waits longer for quiet than usual waits longer here, too.
        let mut wait =
            Duration::from_millis(limits::WATCH_SETTLE_MS).max(self.settings.quiet.saturating_mul(4));
        let folder = path.parent().unwrap_or(path);
        if self.polled.contains(folder) || self.polled.contains(path) {
            // Half of a rename may have been seen: the next look sees the rest.
            wait += self.settings.interval;
        }
        self.held.insert(path.into(), (now, now + wait));
        false
    }

    /// What moved keeps its known content, unless it was written at the same time.
    fn compare_moved(&mut self, moves: &Moves, findings: &mut Findings, now: Instant) {
        for (to, from) in moves.files.iter().chain(&moves.along) {
            let (Some(Known::File(old)), Some(Known::File(new))) =
                (findings.gone.get(from).copied(), findings.new.get(to).copied())
            else {
                continue;
            };
            let mut file = File { young: Some(now), ..new };
            let facts = |file: &File| (file.stamp.length, file.stamp.modified, file.stamp.id, file.link);
            if facts(&old) == facts(&new) && old.young.is_none() || new.link {
                file.hash = old.hash.filter(|_| !new.link).or(new.hash);
            } else {
                self.read_into(to, &mut file);
                let same = match (old.hash, file.hash) {
                    (Some(old), Some(new)) => old == new,
                    _ => facts(&old) == facts(&file),
                };
                if !same {
                    findings.changed.insert(to.clone());
                }
            }
            if new.link && old.hash != new.hash {
                findings.changed.insert(to.clone());
            }
            self.tree.put(to, Known::File(file));
        }
    }

    /// Reads files that are new, as far as the budget goes, so that the next change of them is told from a touch.
    pub(crate) fn read_new(&mut self, paths: &[PathBuf]) {
        for path in paths {
            if let Some(Known::File(mut file)) = self.tree.known(path)
                && !file.link
            {
                self.read_into(path, &mut file);
                self.tree.put(path, Known::File(file));
            }
        }
    }

    /// Reads a file, as far as the budget goes.
    pub(crate) fn read_into(&mut self, path: &Path, file: &mut File) {
        let (bytes, files) = &mut self.budget;
        if file.link || *files == 0 || file.stamp.length > *bytes {
            return;
        }
        *files -= 1;
        *bytes -= file.stamp.length;
        // One that can not be read is compared by its stamp; a sign of change has it tried again.
        if let Ok(Some((stamp, hash))) = disk::content(path, limits::WATCH_COMPARED_BYTES_MAX) {
            (file.stamp, file.hash) = (stamp, hash);
        }
    }

    /// Everything that is known, as events.
    pub(crate) fn present(&self) -> Vec<Event> {
        let mut all = BTreeMap::new();
        for root in self.roots.iter().filter(|root| root.there) {
            if !root.flat {
                all.insert(root.path.clone(), true);
            }
            all.extend(
                self.tree.below(&root.path).into_iter().map(|(path, known)| (path, known.is_folder())),
            );
        }
        let folders = all.iter().filter(|(_, folder)| **folder).map(|(path, _)| Event::AddDir(path.clone()));
        let files = all.iter().filter(|(_, folder)| !**folder).map(|(path, _)| Event::Add(path.clone()));
        folders.chain(files).collect()
    }
}
