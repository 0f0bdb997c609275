//! Releases in waves, whose shares change from day to day: the list of releases is signed by one key, the shares by another.
//! What is for this install on which day is written down here, not asked of the engine.

use crate::chance::Chance;
use crate::world::{
    BAD, DAYS, EPOCH, EXPIRES, Files, Known, Plan, World, attach, blob_path, downloaded, edited, forged, key,
    make, no_archives, put, root, sign,
};
use serde_json::{Value, json};
use staysail_protocol::policy::Live;
use staysail_update::hash;
use std::collections::BTreeMap;

/// For whom a release in waves is on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// For everybody, or not there yet.
    All,
    /// This install is among its share.
    Us,
    /// It is for others.
    Others,
    /// Its rollout is paused.
    Nobody,
}

/// What simulated chance makes of an install's number.
const INSTALL: &str = "80808080808080808080808080808080";
/// Shares without this install, and with it.
const NARROW: u64 = 2_000;
const WIDE: u64 = 7_000;

struct Published {
    day: usize,
    version: &'static str,
    content: u32,
    /// From the day on which it is published.
    given: [For; DAYS],
}

const ALL: [For; DAYS] = [For::All; DAYS];

/// On the third day the newest one is bad and the one before is to be taken; on the fourth both are paused, also for who has one of
/// them waiting; the last one is for everybody.
const PLAN: [Published; 4] = [
    Published { day: 1, version: "1.1.0", content: 1, given: ALL },
    Published {
        day: 2,
        version: "1.2.0",
        content: 3,
        given: [For::All, For::All, For::Others, For::Us, For::Nobody, For::All],
    },
    Published {
        day: 3,
        version: "1.3.0",
        content: BAD,
        given: [For::All, For::All, For::All, For::Us, For::Nobody, For::All],
    },
    Published { day: 5, version: "1.5.0", content: 5, given: ALL },
];

/// A salt with which this install stands between the two shares.
fn salt(sequence: u64) -> String {
    let between = |salt: &String| {
        let digest = hash::of(format!("{INSTALL}{salt}").as_bytes());
        let place = u64::from_str_radix(&digest[..16], 16).expect("hexadecimal") % 10_000;
        (NARROW..WIDE).contains(&place)
    };
    (0..).map(|number| format!("{sequence}-{number}")).find(between).expect("one of two is")
}

pub(crate) fn build() -> World {
    let (top, online) = (key(1), key(4));
    let pinned = root(1, &top, &[&top]);
    let mut worker = Chance::new(3).noise(1_500);
    let plan = Plan { version: "1.0.0", sequence: 0, content: 0, page: 60, group: false, live: Live::Now };
    let installed = make(plan, &worker, None);
    let embedded = hash::of(&installed.manifest.to_bytes());
    let mut releases: BTreeMap<String, Known> = [(embedded.clone(), installed.known.clone())].into();
    let (mut files, mut downloads) = (Files::new(), BTreeMap::<_, Vec<_>>::new());
    let (mut days, mut of_day) = (vec![files.clone()], vec![embedded.clone()]);
    let mut targets = BTreeMap::<String, Value>::new();
    // Sequence, and what is said of it on which day.
    let mut waves: Vec<(u64, String, [For; DAYS])> = Vec::new();
    for day in 1..DAYS {
        for plan in PLAN.iter().filter(|plan| plan.day == day) {
            let Published { version, content, given, .. } = plan;
            let (sequence, page) = (releases.len() as u64, 60 + u64::from(*content));
            let old = worker;
            worker = edited(&old, sequence);
            let plan = Plan { version, sequence, content: *content, page, group: false, live: Live::Now };
            let mut made = make(plan, &worker, None);
            made.patched_from(&old, &worker);
            made.known.given = *given;
            let in_waves = given[day] != For::All;
            let path =
                if in_waves { format!("stable.wave-{sequence}.json") } else { "stable.json".to_owned() };
            let (name, mut target) = put(&mut files, &made, &path);
            target["custom"]["sequence"] = sequence.into();
            if in_waves {
                target["custom"]["salt"] = salt(sequence).into();
                waves.push((sequence, name.clone(), *given));
            } else {
                targets.clear();
                waves.clear();
            }
            targets.insert(format!("releases/{path}"), target);
            for blob in downloaded(&made) {
                downloads.entry(blob_path(blob)).or_default().push(name.clone());
            }
            if !in_waves {
                of_day.truncate(day);
                of_day.push(name.clone());
            }
            releases.insert(name, made.known);
        }
        let said = waves.iter().map(|(sequence, _, given)| {
            let (share, paused) = match given[day] {
                For::Others => (NARROW, false),
                For::Nobody => (WIDE, true),
                For::Us | For::All => (WIDE, false),
            };
            (sequence.to_string(), json!({ "share": share, "paused": paused }))
        });
        let said = json!({ "waves": said.collect::<serde_json::Map<_, _>>() });
        let file = said.to_string();
        let shares = json!({ "rollouts/stable.json": {
            "length": file.len(), "hashes": { "sha256": hash::of(file.as_bytes()) }, "custom": said,
        } });
        let role = json!({
            "name": "rollout", "keyids": [online.id], "threshold": 1, "terminating": true,
            "paths": ["rollouts/*.json"],
        });
        let delegations = json!({ "keys": { online.id.clone(): online.public }, "roles": [role] });
        let roles = [
            ("targets", &top, json!({ "targets": targets, "delegations": delegations })),
            ("rollout", &online, json!({ "targets": shares })),
        ];
        sign(&mut files, day as u64, &roles, (&top, EXPIRES));
        days.push(files.clone());
        let ours = waves.iter().rev().find(|(_, _, given)| given[day] == For::Us);
        let for_all = of_day.iter().rev().find(|hash| releases[*hash].given == ALL);
        let offered = ours.map(|(_, hash, _)| hash).or(for_all).cloned().unwrap_or_default();
        of_day.truncate(day);
        of_day.push(offered);
    }
    World {
        attached: attach(&installed, &pinned),
        embedded,
        root: pinned,
        newest: of_day[DAYS - 1].clone(),
        epoch: EPOCH.parse().expect("a time"),
        forged: forged(EXPIRES),
        archives: no_archives(),
        other_of_day: vec![None; DAYS],
        releases,
        downloads,
        of_day,
        days,
    }
}
