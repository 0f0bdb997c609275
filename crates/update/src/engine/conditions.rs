//! Looking at the conditions of a release: facts from the host, the clock, and how long it was postponed already.

use super::{Clock, Host};
use crate::lifecycle::{Event, Gate};
use crate::policy::{Choice, Decision, Facts, Question, Verdict, custom_names, decide, verdict};
use crate::store::state::State;
use crate::store::{Release, Store};
use staysail_protocol::limits::{FACTS_TIMEOUT_MS, POLICY_PAUSE_S, POSTPONE_DAYS_MAX};
use staysail_protocol::manifest::Manifest;
use staysail_protocol::policy::UpdatePolicy;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const DAY_S: i64 = 86_400;

/// What conditions are looked at with.
#[derive(Clone)]
pub(super) struct Conditions {
    pub host: Arc<dyn Host>,
    pub store: Store,
    pub clock: Clock,
    /// Version that runs.
    pub version: String,
}

impl Conditions {
    /// What the policy of a found or staged release says about a step.
    pub async fn weigh(self, manifest: Manifest, hash: String, gate: Gate) -> Event {
        let condition = match gate {
            Gate::Download => manifest.policy.download.as_deref(),
            Gate::Apply => manifest.policy.apply.as_deref(),
        };
        let (mut condition, facts) = self.condition(condition, &manifest.policy).await;
        if matches!(gate, Gate::Download) && manifest.policy.metered.waits(facts.metered) {
            condition = Verdict::Metered;
        }
        let overdue = self
            .is_overdue(&manifest.policy, facts.now_s, |state| &mut state.postponed.waiting_since_s)
            .await;
        Event::Weighed { hash, gate, condition, overdue, quiet: facts.is_quiet() }
    }

    /// Waits until the release that runs allows to look for others, with a bound.
    pub async fn until_look(self, current: Release) {
        let policy = &current.manifest().policy;
        loop {
            let (condition, facts) = self.condition(policy.check.as_deref(), policy).await;
            // Nobody is disturbed by a look.
            let (critical, choice, quiet) = (false, Choice::None, true);
            let overdue = self.is_overdue(policy, facts.now_s, |state| &mut state.postponed.looked_s).await;
            if decide(&Question { critical, choice, condition, overdue, quiet }) == Decision::Go {
                self.keep(move |state| state.postponed.looked_s = Some(facts.now_s)).await;
                return;
            }
            tokio::time::sleep(Duration::from_secs(POLICY_PAUSE_S)).await;
        }
    }

    async fn condition(&self, condition: Option<&str>, policy: &UpdatePolicy) -> (Verdict, Facts) {
        let facts = self.facts(custom_names(condition)).await;
        let verdict = verdict(condition, &policy.zones, &facts);
        if let Verdict::Unknown(why) = &verdict {
            tracing::info!(condition, why, "a condition for updates can not be told and counts as not true");
        }
        (verdict, facts)
    }

    async fn facts(&self, custom: BTreeSet<String>) -> Facts {
        let told =
            tokio::time::timeout(Duration::from_millis(FACTS_TIMEOUT_MS), self.host.facts(custom)).await;
        let facts = match told.unwrap_or_else(|_| Err(format!("no answer after {FACTS_TIMEOUT_MS} ms"))) {
            Ok(facts) => facts,
            Err(why) => {
                tracing::warn!(why, "the facts for the conditions of updates can not be told");
                Facts::default()
            }
        };
        Facts { now_s: (self.clock)().as_second(), app_version: self.version.clone(), ..facts }
    }

    /// Whether more days than the policy allows have passed since a moment; it is now when it is not stored yet, or lies in
    /// the future because the clock was set back.
    async fn is_overdue(
        &self,
        policy: &UpdatePolicy,
        now_s: i64,
        moment: fn(&mut State) -> &mut Option<i64>,
    ) -> bool {
        let known = moment(&mut self.store.state()).filter(|since| *since <= now_s);
        if known.is_none() {
            self.keep(move |state| *moment(state) = Some(now_s)).await;
        }
        let days = policy.postpone_days_max.unwrap_or(POSTPONE_DAYS_MAX);
        now_s - known.unwrap_or(now_s) >= i64::from(days) * DAY_S
    }

    async fn keep(&self, change: impl FnOnce(&mut State) + Send + 'static) {
        let store = self.store.clone();
        if let Err(error) = self.store.blocking(move || store.change(change)).await {
            tracing::warn!(%error, "how long updates were postponed could not be stored; the time begins anew");
        }
    }
}
