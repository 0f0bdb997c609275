//! What is durable: what earlier runs left, and what the next ones have to know.

use super::super::locked;
use super::super::look::{Found, barrier_missed, is_critical};
use super::super::trouble::{Trouble, Troubles};
use super::{Driver, Message};
use crate::Error;
use crate::lifecycle::{Candidate, Event, State, is_newer};
use crate::store::state::{Chosen, State as Durable};
use crate::store::{Release, Store, Trial, misfit};
use crate::trust::CHANNEL;
use staysail_protocol::limits;
use staysail_protocol::notice::UpdateEvent;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

fn describe(release: &Release) -> Candidate {
    let manifest = release.manifest();
    Candidate {
        hash: release.hash().to_owned(),
        version: manifest.version.clone(),
        sequence: manifest.sequence,
        notes: manifest.notes.clone(),
        channel: release.channel().to_owned(),
        ..Candidate::default()
    }
}

/// What an earlier run staged: the launch it may have waited for is this one.
fn staged_as(release: &Release, current_version: &str) -> Candidate {
    let manifest = release.manifest();
    Candidate {
        next_start: misfit(manifest).is_some(),
        conditional: manifest.policy.has_conditions(),
        critical: is_critical(&manifest.urgency, current_version),
        ..describe(release)
    }
}

impl Driver {
    /// What earlier runs left: floor, bans, a release that was staged.
    pub(super) async fn remember(&mut self) {
        let (store, root) = (self.parts.store.clone(), self.parts.root.clone());
        let memory = store.clone();
        let remembered = store.blocking(move || Ok((memory.state(), memory.staged(&root)))).await;
        let (durable, staged) = remembered.unwrap_or_default();
        let current = describe(&self.parts.current);
        let source = &self.parts.source;
        let own_channel = if source.channel.is_empty() { CHANNEL.to_owned() } else { source.channel.clone() };
        let channel = durable.chosen.channel.clone().unwrap_or_else(|| own_channel.clone());
        let pinned = durable.chosen.pinned.clone().or_else(|| source.pin.clone());
        let pinned = pinned.filter(|pinned| !pinned.is_empty());
        let mut floors = durable.floors.clone();
        floors.insert(CHANNEL.to_owned(), durable.floor);
        let at_least = if current.channel == channel { current.sequence } else { 0 };
        self.staged = staged.filter(|staged| {
            staged.channel() == channel
                && is_newer(&describe(staged), &current)
                && (misfit(staged.manifest()).is_none() || self.parts.store.fits_next_start(staged.manifest()))
                // What ran before may have gone back beyond a barrier.
                && barrier_missed(staged.manifest(), &current.version).is_none()
        });
        // What was chosen is told once a start; without a choice there is nothing to tell.
        if *durable.chosen != Chosen::default() {
            let (channel, pinned) = (channel.clone(), pinned.clone());
            self.parts.host.event(UpdateEvent::Following { channel, pinned });
        }
        let now_s = (self.parts.surroundings.clock)().as_second();
        self.state = State {
            deferred_until: durable.postponed.left_ms(now_s).map(|left| self.now().saturating_add(left)),
            floor: floors.remove(&channel).unwrap_or_default().max(at_least),
            floors,
            channel,
            own_channel,
            pinned,
            banned: durable.banned.into_keys().collect(),
            staged: self.staged.as_ref().map(|staged| staged_as(staged, &current.version)),
            skipped: durable.postponed.skipped,
            current,
            ..State::default()
        };
    }

    pub(super) async fn tidy(&self) -> Option<Event> {
        let store = self.parts.store.clone();
        let tidied = self.parts.store.blocking(move || store.collect_garbage()).await;
        not_stored(&self.troubles, tidied, Trouble::NotTidied, NOT_TIDIED)
    }

    pub(super) async fn unstage(&mut self) -> Option<Event> {
        self.staged = None;
        let store = self.parts.store.clone();
        let unstaged = self.parts.store.blocking(move || store.unstage()).await;
        not_stored(&self.troubles, unstaged, Trouble::ChoiceNotStored, NOT_UNSTAGED)
    }

    /// Of the channel that is followed: the look just said that what runs is the newest there.
    pub(super) async fn raise_floor(&self, sequence: u64) -> Option<Event> {
        let (store, channel) = (self.parts.store.clone(), self.state.channel.clone());
        let raised = self.parts.store.blocking(move || store.raise_floor(&channel, sequence)).await;
        not_stored(&self.troubles, raised, Trouble::FloorNotStored, FLOOR_NOT_STORED)
    }

    pub(super) async fn remember_skips(&self, skipped: BTreeSet<String>) -> Option<Event> {
        self.remember_that(move |state| state.postponed.skipped = skipped, SKIPS_NOT_STORED).await
    }

    /// Of clocks only the wall's goes on while the app does not run.
    pub(super) async fn remember_later(&self, until: Option<u64>) -> Option<Event> {
        let said_s = (self.parts.surroundings.clock)().as_second();
        let left_ms = until.map(|until| until.saturating_sub(self.now()));
        // A second more than begun: never too early.
        let later = left_ms.map(|ms| (said_s, said_s.saturating_add_unsigned(ms / 1_000 + 1)));
        self.remember_that(move |state| state.postponed.later_s = later, LATER_NOT_STORED).await
    }

    pub(super) async fn remember_choice(&self, channel: String, pinned: Option<String>) -> Option<Event> {
        // What is as the app was built is not stored: the next version may be built otherwise.
        let chosen = Chosen {
            channel: Some(channel).filter(|channel| *channel != self.state.own_channel),
            pinned: (pinned != self.parts.source.pin).then(|| pinned.unwrap_or_default()),
        };
        self.remember_that(move |state| *state.chosen = chosen, CHOICE_NOT_STORED).await
    }

    async fn remember_that(
        &self,
        change: impl FnOnce(&mut Durable) + Send + 'static,
        what: &str,
    ) -> Option<Event> {
        let store = self.parts.store.clone();
        let stored = self.parts.store.blocking(move || store.change(change)).await;
        not_stored(&self.troubles, stored, Trouble::ChoiceNotStored, what)
    }

    pub(super) async fn ban(&mut self, hash: String, reason: String) -> Option<Event> {
        let store = self.parts.store.clone();
        let staged = self.staged.take().filter(|staged| staged.hash() == hash);
        let what = match &staged {
            Some(release) => format!("version {}", release.manifest().version),
            None => format!("release {hash}"),
        };
        let ban = move || match staged {
            Some(release) => store.ban_release(&release, &reason),
            None => store.ban(&hash, &reason),
        };
        let banned = self.parts.store.blocking(ban).await;
        locked(&self.trial).trial = None;
        let what = format!(
            "{what} is bad and not tried again, but that could not be stored and holds until the app ends"
        );
        not_stored(&self.troubles, banned, Trouble::BanNotStored, &what)
    }

    pub(super) async fn commit(&mut self) -> Option<Event> {
        let release = self.staged.take()?;
        let (store, good) = (self.parts.store.clone(), release.clone());
        let committed = self.parts.store.blocking(move || store.commit(&good)).await;
        let trial = locked(&self.trial).trial.take();
        let answer = match committed {
            Ok(()) => Event::Committed,
            Err(error) => {
                self.troubles.raise_error(Trouble::CommitNotStored, &error);
                trial.into_iter().for_each(Trial::give_up);
                Event::CommitNotStored(format!(
                    "version {} is good, but that could not be stored: {error}. It goes on running; the next start begins \
                     with the version before and applies it again",
                    release.manifest().version
                ))
            }
        };
        // A file that held a barrier holds what comes after it, too.
        let on_the_way =
            |found: &&Found| found.candidate.hash == release.hash() && found.candidate.towards.is_some();
        if self.found.as_ref().filter(on_the_way).is_some() {
            self.archive = self.archive.take().or_else(|| self.found_in.clone());
        }
        self.parts.current = release;
        // It waits for what the release before said of looks.
        self.before_look.take().into_iter().for_each(|task| task.abort());
        Some(answer)
    }
}

const NOT_TIDIED: &str = "what is no longer needed could not be removed, the next time tries again";
const SKIPS_NOT_STORED: &str = "what the user skips could not be stored and holds until the app ends";
const LATER_NOT_STORED: &str =
    "until when updates are put off could not be stored and holds until the app ends";
const CHOICE_NOT_STORED: &str =
    "the channel or version that was chosen could not be stored and holds until the app ends";
const NOT_UNSTAGED: &str =
    "a release that was withdrawn waits to be applied, and that it is not to be could not be stored";
const FLOOR_NOT_STORED: &str =
    "the published release is what runs, but the floor it raises could not be stored";

/// Something that is no part of the way of a release was refused by the disk: counted, and told.
fn not_stored(troubles: &Troubles, result: Result<(), Error>, trouble: Trouble, what: &str) -> Option<Event> {
    let error = result.err()?;
    troubles.raise_error(trouble, &error);
    Some(Event::NotStored(format!("{what}: {error}")))
}

/// A release that has been running for the time of a probation starts well; the store is tidied up then.
pub(super) async fn good_start(
    store: Store,
    release: Release,
    troubles: Arc<Troubles>,
    messages: mpsc::WeakUnboundedSender<Message>,
) {
    tokio::time::sleep(Duration::from_secs(limits::PROBATION_S)).await;
    let memory = store.clone();
    let tidied = store.blocking(move || {
        memory.good_start(&release);
        // Also what the clean-up after a commit could not remove, and what a crash left.
        memory.collect_garbage()
    });
    let told = not_stored(&troubles, tidied.await, Trouble::NotTidied, NOT_TIDIED);
    if let (Some(event), Some(messages)) = (told, messages.upgrade()) {
        let _ = messages.send(Message::Event(event));
    }
}
