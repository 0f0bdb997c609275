//! The world of two channels: who publishes where, on which day, and what nobody jumps over.
//!
//! The app's own channel is listed by the top role, the other one, `beta`, by a role of its own with its own key. On the first
//! day there is no `beta` yet. Barriers are listed beside the newest release; on the last day an old one is lifted, and
//! another comes with the newest release.

use crate::chance::Chance;
use crate::world::{
    BAD, DAYS, EPOCH_OF_TERMS, EXPIRES_OF_TERMS, Files, Known, Made, OWN, Plan, World, attach, blob_path,
    downloaded, edited, forged, key, make, no_archives, put, root, sign,
};
use serde_json::{Value, json};
use staysail_protocol::policy::Live;
use staysail_update::hash;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The channel beside the app's own.
pub const OTHER: &str = "beta";

struct Published {
    day: usize,
    channel: &'static str,
    version: &'static str,
    content: u32,
    barrier: Range<usize>,
}

const NO_BARRIER: Range<usize> = 0..0;

const fn published(
    day: usize,
    channel: &'static str,
    version: &'static str,
    content: u32,
    barrier: Range<usize>,
) -> Published {
    Published { day, channel, version, content, barrier }
}

/// In the order in which they are published. What is bad here is bad there, too.
const PLAN: [Published; 9] = [
    published(1, OWN, "1.1.0", 1, NO_BARRIER),
    published(2, OWN, "1.2.0", 3, 2..5),
    published(2, OTHER, "1.3.0", 4, NO_BARRIER),
    published(3, OWN, "1.4.0", BAD, NO_BARRIER),
    published(3, OTHER, "1.5.0", 5, 3..DAYS),
    published(4, OWN, "1.6.0", 6, NO_BARRIER),
    published(4, OTHER, "1.6.1", BAD, NO_BARRIER),
    published(5, OWN, "1.7.0", 7, 5..DAYS),
    published(5, OTHER, "1.8.0", 8, NO_BARRIER),
];
/// Published right after the barrier before it.
const NEWEST: Published = published(5, OWN, "1.9.0", 9, NO_BARRIER);

/// What a channel lists on a day.
#[derive(Default)]
struct List {
    sequence: u64,
    newest: Option<String>,
    /// Version and path of each barrier, with the days on which it is one.
    barriers: Vec<(&'static str, String, Range<usize>)>,
    targets: BTreeMap<String, Value>,
}

struct Building {
    files: Files,
    worker: Vec<u8>,
    releases: BTreeMap<String, Known>,
    downloads: BTreeMap<String, Vec<String>>,
    lists: BTreeMap<&'static str, List>,
}

impl Building {
    fn publish(&mut self, plan: &Published) {
        let Published { day, channel, version, content, barrier } = plan;
        let list = self.lists.entry(*channel).or_default();
        list.sequence += 1;
        list.barriers.retain(|(_, path, days)| {
            let stays = days.contains(day);
            if !stays {
                list.targets.remove(path);
            }
            stays
        });
        let old = self.worker.clone();
        let bad = self.releases.values().find(|known| known.content == BAD && *content == BAD);
        self.worker = match bad {
            Some(bad) => bad.worker.clone(),
            None => edited(&self.worker, u64::from(*content)),
        };
        let (sequence, page) = (list.sequence, 40 + u64::from(*content));
        let plan = Plan { version, sequence, content: *content, page, group: true, live: Live::Now };
        let mut made: Made = make(plan, &self.worker, None);
        made.patched_from(&old, &self.worker);
        made.manifest.barrier = !barrier.is_empty();
        made.manifest.after_barrier = list.barriers.last().map(|(version, ..)| (*version).to_owned());
        (made.known.channel, made.known.barrier) = (channel, barrier.clone());

        let (name, target) = put(&mut self.files, &made, &format!("{channel}.json"));
        list.targets.insert(format!("releases/{channel}.json"), target.clone());
        if !barrier.is_empty() {
            let path = format!("{channel}.{sequence}.json");
            put(&mut self.files, &made, &path);
            list.barriers.push((version, format!("releases/{path}"), barrier.clone()));
            list.targets.insert(format!("releases/{path}"), target);
        }
        list.newest = Some(name.clone());
        for blob in downloaded(&made) {
            self.downloads.entry(blob_path(blob)).or_default().push(name.clone());
        }
        self.releases.insert(name, made.known);
    }

    /// The lists of a day, each signed by its own key.
    fn sign(&mut self, day: usize) {
        let (top, other) = (key(1), key(3));
        let own = &self.lists[OWN].targets;
        let roles = match self.lists.get(OTHER) {
            None => vec![("targets", &top, json!({ "targets": own }))],
            Some(list) => {
                let role = json!({
                    "name": OTHER, "keyids": [other.id], "threshold": 1, "terminating": true,
                    "paths": [format!("releases/{OTHER}.json"), format!("releases/{OTHER}.*.json")],
                });
                let delegations = json!({ "keys": { other.id.clone(): other.public }, "roles": [role] });
                vec![
                    ("targets", &top, json!({ "targets": own, "delegations": delegations })),
                    (OTHER, &other, json!({ "targets": list.targets })),
                ]
            }
        };
        sign(&mut self.files, day as u64, &roles, (&top, EXPIRES_OF_TERMS));
    }
}

pub(crate) fn build() -> World {
    let first = key(1);
    let pinned = root(1, &first, &[&first]);
    let worker = Chance::new(2).noise(1_500);
    let plan = Plan { version: "1.0.0", sequence: 0, content: 0, page: 40, group: true, live: Live::Now };
    let installed = make(plan, &worker, None);
    let embedded = hash::of(&installed.manifest.to_bytes());
    let mut building = Building {
        files: Files::new(),
        worker,
        releases: BTreeMap::from([(embedded.clone(), installed.known.clone())]),
        downloads: BTreeMap::new(),
        lists: BTreeMap::new(),
    };
    for entry in installed.manifest.group_files() {
        let blob = &entry.blob.sha256;
        building.files.insert(blob_path(blob), Arc::new(installed.blobs[blob].clone()));
    }
    let (mut days, mut of_day) = (vec![building.files.clone()], vec![embedded.clone()]);
    let mut other_of_day = vec![None];
    for day in 1..DAYS {
        PLAN.iter().chain([&NEWEST]).filter(|plan| plan.day == day).for_each(|plan| building.publish(plan));
        building.sign(day);
        days.push(building.files.clone());
        let newest = |channel| building.lists.get(channel).and_then(|list: &List| list.newest.clone());
        of_day.push(newest(OWN).unwrap_or_default());
        other_of_day.push(newest(OTHER));
    }
    World {
        attached: attach(&installed, &pinned),
        embedded,
        root: pinned,
        newest: of_day[DAYS - 1].clone(),
        epoch: EPOCH_OF_TERMS.parse().expect("a time"),
        forged: forged(EXPIRES_OF_TERMS),
        archives: no_archives(),
        releases: building.releases,
        downloads: building.downloads,
        of_day,
        other_of_day,
        days,
    }
}
