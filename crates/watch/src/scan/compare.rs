//! One place compared with what is known of it; a folder entered, or listed once more.

use super::{Found, How, Reach, Scan, Written};
use crate::disk::{self, Id, Seen, Stamp};
use crate::event::Subject;
use crate::tree::{File, Known};
use staysail_protocol::limits;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

impl Scan {
    pub(super) fn check(&mut self, path: &Path, how: How, now: Instant, found: &mut Found) {
        // A watched folder may be a link.
        let follow = self.settings.follow || self.is_root(path);
        match disk::look(path, follow) {
            Ok(seen) => self.compare(path, seen, how, now, found),
            // What may not be looked at is not taken for gone.
            Err(error) => self.denied(path, &error),
        }
    }

    pub(super) fn compare(
        &mut self,
        path: &Path,
        seen: Option<Seen>,
        how: How,
        now: Instant,
        found: &mut Found,
    ) {
        let root = self.is_root(path);
        let wanted = seen.filter(|seen| match seen {
            Seen::Folder(_) if root => true,
            seen => self.wants(path, seen),
        });
        match (self.tree.known(path), wanted) {
            (None, None) => {}
            (None, Some(seen)) => self.arrive(path, seen, found),
            (Some(known), None) if seen.is_some_and(|seen| known.same_kind(&seen)) => self.leave(path),
            (Some(_), None) if found.new.contains_key(path) => self.forget_new(path, found),
            (Some(_), None) => drop(found.gone.insert(path.into())),
            (Some(known), Some(seen)) if !known.same_kind(&seen) => {
                found.gone.remove(path);
                if found.new.contains_key(path) {
                    self.forget_new(path, found);
                } else {
                    let below = self.tree.below(path).into_iter().chain([(path.to_path_buf(), known)]);
                    for (path, known) in below.collect::<Vec<_>>() {
                        found.changed.remove(&path);
                        if found.new.remove(&path).is_none() {
                            // What was there at first is what counts, if it is replaced twice.
                            found.replaced.entry(path).or_insert(known);
                        }
                    }
                    self.leave(path);
                }
                self.arrive(path, seen, found);
            }
            (Some(Known::Folder(id)), Some(Seen::Folder(now_id))) => {
                self.held.remove(path);
                found.gone.remove(path);
                let mut how = how;
                if id != now_id {
                    let others = self.tree.replace(path, now_id);
                    self.tree.put(path, Known::Folder(now_id));
                    self.let_go(path, others);
                    how.into = Reach::Everything;
                    how.rewatch = true;
                }
                if how.rewatch {
                    self.watch(path);
                }
                if how.into != Reach::No {
                    self.relist(path, how, now, found);
                }
            }
            (Some(Known::File(file)), Some(Seen::File(stamp, _))) => {
                found.gone.remove(path);
                self.compare_file(path, file, stamp, how, now, found);
            }
            (Some(Known::File(mut file)), Some(Seen::Link(stamp, target))) => {
                self.held.remove(path);
                found.gone.remove(path);
                if file.hash != Some(target) {
                    found.changed.insert(path.into());
                }
                (file.stamp, file.hash) = (stamp, Some(target));
                self.tree.put(path, Known::File(file));
            }
            (Some(Known::Folder(_)), Some(_)) | (Some(Known::File(_)), Some(Seen::Folder(_))) => {}
        }
    }

    pub(super) fn compare_file(
        &mut self,
        path: &Path,
        file: File,
        stamp: Stamp,
        how: How,
        now: Instant,
        found: &mut Found,
    ) {
        let polled = path.parent().is_some_and(|folder| self.polled.contains(folder));
        let same = stamp == file.stamp;
        if same && (file.young.is_none() || (how.written == Written::No && !polled)) {
            self.held.remove(path);
            return;
        }
        if !same && stamp.length == 0 && file.stamp.length > 0 && !self.is_due(path, now) {
            return;
        }
        let long = stamp.length > limits::WATCH_COMPARED_BYTES_MAX;
        let (stamp, hash) = match disk::content(path, limits::WATCH_COMPARED_BYTES_MAX) {
            Ok(Some(read)) => read,
            // Gone this moment; its event is on the way, and the next look sees it.
            Ok(None) => return,
            Err(error) => {
                self.denied(path, &error);
                (stamp, None)
            }
        };
        if stamp != file.stamp && stamp.length == 0 && file.stamp.length > 0 && !self.is_due(path, now) {
            return;
        }
        self.held.remove(path);
        let changed = match (file.hash, hash) {
            (Some(old), Some(new)) => old != new,
            // Nothing tells what it held: it was never read. A sign of writing is believed then.
            (None, _) if same => how.written == Written::Yes && !polled && !long,
            _ => {
                let facts = |stamp: &Stamp| (stamp.length, stamp.modified, stamp.id);
                facts(&stamp) != facts(&file.stamp)
            }
        };
        let since = file.young.filter(|_| stamp == file.stamp).unwrap_or(now);
        let step = Duration::from_millis(limits::WATCH_TIME_STEP_MS);
        let young = (now.saturating_duration_since(since) < step).then_some(since);
        self.tree.put(path, Known::File(File { stamp, hash, young, link: false }));
        if changed {
            found.changed.insert(path.into());
        }
    }

    /// What came in this round and went again was never there.
    pub(super) fn forget_new(&mut self, path: &Path, found: &mut Found) {
        found.new.retain(|new, _| !new.starts_with(path));
        found.changed.retain(|changed| !changed.starts_with(path));
        self.leave(path);
    }

    /// Takes in something new; a folder with everything in it.
    pub(super) fn arrive(&mut self, path: &Path, seen: Seen, found: &mut Found) {
        let root = self.is_root(path);
        if !root && !path.parent().is_some_and(|folder| self.tree.folders.contains_key(folder)) {
            return;
        }
        self.held.remove(path);
        let Seen::Folder(id) = seen else { return self.insert_file(path, seen, &mut found.new) };
        if self.is_full(path) || self.tree.goes_round(path, id) {
            return;
        }
        let mut flat = false;
        if let Some(root) = self.roots.iter_mut().find(|root| root.path == path) {
            flat = root.flat;
            if !std::mem::replace(&mut root.there, true) {
                let message = format!("{} is there again and watched as before", path.display());
                self.notice_again(Subject::Root, path, message);
            }
        }
        self.tree.put(path, Known::Folder(id));
        if !flat {
            found.new.insert(path.into(), Known::Folder(id));
        }
        self.appear(path, id, flat, &mut found.new);
    }

    /// Watches a folder, then takes in what is in it.
    pub(super) fn appear(
        &mut self,
        path: &Path,
        id: Option<Id>,
        flat: bool,
        found: &mut BTreeMap<PathBuf, Known>,
    ) {
        self.tree.enter(path, id, flat);
        self.watch(path);
        self.select.enter(path);
        let entries = match disk::list(path, self.settings.follow) {
            Ok(entries) => entries,
            // It may be gone again; the folder above tells.
            Err(error) => return self.denied(path, &error),
        };
        for (name, seen) in entries {
            let child = path.join(name);
            if !self.wants(&child, &seen) {
                continue;
            }
            let Seen::Folder(id) = seen else {
                self.insert_file(&child, seen, found);
                continue;
            };
            if self.is_full(&child) || self.tree.goes_round(&child, id) {
                continue;
            }
            self.tree.put(&child, Known::Folder(id));
            // One of the watched folders may lie in another.
            if self.tree.folders.get(&child).is_none_or(|folder| folder.flat) {
                found.insert(child.clone(), Known::Folder(id));
                self.appear(&child, id, false, found);
            }
        }
    }

    pub(super) fn insert_file(&mut self, path: &Path, seen: Seen, found: &mut BTreeMap<PathBuf, Known>) {
        if self.is_full(path) {
            return;
        }
        let young = Some(Instant::now());
        let file = match seen {
            Seen::File(stamp, linked) => {
                if linked && let Some(folder) = path.parent() {
                    // No event tells of what is behind a link.
                    self.polled.insert(folder.into());
                }
                File { stamp, hash: None, young, link: false }
            }
            Seen::Link(stamp, target) => File { stamp, hash: Some(target), young: None, link: true },
            Seen::Folder(_) => return,
        };
        self.tree.put(path, Known::File(file));
        found.insert(path.into(), Known::File(file));
    }

    pub(super) fn relist(&mut self, folder: &Path, how: How, now: Instant, found: &mut Found) {
        let mut how = how;
        if self.select.enter(folder) {
            how.into = Reach::Everything;
        }
        let entries = match disk::list(folder, self.settings.follow) {
            Ok(entries) => entries,
            Err(error) if disk::is_gone(&error) => {
                found.gone.insert(folder.into());
                return;
            }
            Err(error) => return self.denied(folder, &error),
        };
        if self.told.remove(&(Subject::Denied, folder.to_path_buf())) {
            // It could not be watched before either; what came between the listing and the watch is seen by another.
            self.watch(folder);
            self.again.insert(folder.into());
        }
        let into = if how.into == Reach::Everything { Reach::Everything } else { Reach::No };
        // A name taken from a folder says nothing of the files in it.
        let written = if how.written == Written::Yes { Written::Perhaps } else { how.written };
        let below = How { into, written, ..how };
        let Some(known) = self.tree.folders.get(folder) else { return };
        let mut missing: HashSet<_> = known.entries.keys().cloned().collect();
        let changed_rules = into == Reach::Everything;
        for (name, seen) in entries {
            missing.remove(&name);
            let settled = self.tree.folders.get(folder).and_then(|it| it.entries.get(&name)).is_some_and(
                |known| matches!((known, seen), (Known::File(file), Seen::File(stamp, _)) if file.stamp == stamp && file.young.is_none()),
            );
            let path = folder.join(name);
            // The quick way of most files at most looks; a hold on it ends, too.
            if !settled || changed_rules || self.held.contains_key(&path) {
                self.compare(&path, Some(seen), below, now, found);
            }
        }
        for name in missing {
            self.check(&folder.join(name), below, now, found);
        }
    }
}
