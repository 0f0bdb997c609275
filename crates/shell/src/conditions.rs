//! What the conditions of updates are about: facts of the machine, and values of the app's own.
//!
//! # Theory of operation
//! The machine's facts are gathered where waiting holds nobody up. Values of the app's own are asked for by name, of the
//! active worker and of every page that has come up, and all of them answer, be it with nothing. Who does not in time, and
//! two who say different things, leave the value unknown: the update waits rather than disturb.

use crate::platform::machine;
use crate::shell::Shell;
use staysail_protocol::limits::{CUSTOM_VALUE_BYTES_MAX, FACTS_TIMEOUT_MS};
use staysail_protocol::policy::CustomValue;
use staysail_protocol::worker::ToWorker;
use staysail_update::policy::Facts;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;

/// Values by name, from a page or a worker.
pub type Values = BTreeMap<String, CustomValue>;

/// Questions under way.
#[derive(Default)]
pub struct Questions {
    open: Mutex<(u64, BTreeMap<u64, mpsc::Sender<Values>>)>,
}

/// Part of the time everything may take, so that what came is used before nobody waits for it any more.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(FACTS_TIMEOUT_MS / 2);

impl Questions {
    fn open(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, mpsc::Sender<Values>>)> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer; one that is late, or not asked for, is dropped.
    pub fn answered(&self, id: u64, values: Values) {
        if let Some(sender) = self.open().1.get(&id) {
            // Nobody has more answers than there are places for.
            let _ = sender.try_send(values);
        }
    }

    /// Asks everybody; `None` when somebody did not answer.
    async fn ask(&self, shell: &Arc<Shell>, names: &BTreeSet<String>) -> Option<Values> {
        let pages = shell.pages.come_up();
        let worker = shell.router.active().filter(|worker| worker.hello.conditions);
        let asked = pages.len() + usize::from(worker.is_some());
        let (sender, mut answers) = mpsc::channel(asked.max(1));
        let id = {
            let mut open = self.open();
            open.0 += 1;
            let id = open.0;
            open.1.insert(id, sender);
            id
        };
        let payload = serde_json::json!({ "id": id, "names": names });
        for page in &pages {
            shell.announce_to(page, "staysail:conditions", &payload);
        }
        if let Some(worker) = worker {
            worker.tell(&ToWorker::Conditions { id, names: names.iter().cloned().collect() });
        }
        let mut told = Vec::new();
        let collect = async {
            while told.len() < asked {
                told.extend(answers.recv().await);
            }
        };
        let all = tokio::time::timeout(ANSWER_TIMEOUT, collect).await;
        self.open().1.remove(&id);
        all.ok().map(|()| agreed(told, names))
    }
}

/// Values nobody contradicts, of those that were asked for, of a size that was allowed.
fn agreed(told: Vec<Values>, names: &BTreeSet<String>) -> Values {
    let mut agreed = Values::new();
    let mut disputed = BTreeSet::new();
    for (name, value) in told.into_iter().flatten() {
        let is_long = matches!(&value, CustomValue::Text(text) if text.len() > CUSTOM_VALUE_BYTES_MAX);
        if !names.contains(&name) || is_long {
            continue;
        }
        match agreed.get(&name) {
            Some(other) if *other != value => drop(disputed.insert(name)),
            _ => drop(agreed.insert(name, value)),
        }
    }
    agreed.retain(|name, _| !disputed.contains(name));
    agreed
}

/// Everything that can be told now.
pub async fn facts(shell: &Arc<Shell>, questions: &Questions, names: BTreeSet<String>) -> Facts {
    let folder = PathBuf::from(shell.facts().data_dir);
    let gathered = tokio::task::spawn_blocking(move || of_the_machine(folder));
    let custom =
        async { if names.is_empty() { Some(Values::new()) } else { questions.ask(shell, &names).await } };
    let gathered = tokio::time::timeout(ANSWER_TIMEOUT, gathered);
    let (gathered, custom) = tokio::join!(gathered, custom);
    if custom.is_none() {
        tracing::info!("a page or the backend did not say in time what conditions of updates ask for");
    }
    let calls = shell.router.active().is_some_and(|worker| shell.router.in_flight(worker.id) > 0);
    Facts {
        custom: custom.unwrap_or_default(),
        at_work: calls || shell.application.is_dialog_open(),
        ..gathered.ok().and_then(Result::ok).unwrap_or_default()
    }
}

fn of_the_machine(folder: PathBuf) -> Facts {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now_s = i64::try_from(now.as_secs()).unwrap_or_default();
    let (on_battery, battery_percent) = machine::battery();
    Facts {
        now_s,
        local_offset_s: machine::local_offset_s(now_s),
        idle: machine::idle(),
        load_per_core: machine::load_per_core(),
        on_battery,
        battery_percent,
        metered: machine::metered(),
        free_disk_bytes: machine::free_disk_bytes(&folder),
        ..Facts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_count_when_all_who_know_them_agree_and_only_those_asked_for() {
        let values = |of: &[(&str, bool)]| -> Values {
            of.iter().map(|(name, value)| ((*name).into(), CustomValue::Bool(*value))).collect()
        };
        let names = BTreeSet::from(["a".into(), "b".into(), "text".into()]);
        let mut long = values(&[]);
        long.insert("text".into(), CustomValue::Text("x".repeat(CUSTOM_VALUE_BYTES_MAX + 1)));
        let told = vec![
            values(&[("a", true), ("b", true)]),
            values(&[("b", false), ("c", true)]),
            values(&[("a", true), ("b", true)]),
            long,
        ];
        assert_eq!(agreed(told, &names), values(&[("a", true)]));
    }
}
