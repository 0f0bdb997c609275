//! The one task that owns the state of the life cycle and performs its effects.

use super::conditions::Conditions;
use super::fetch::Remote;
use super::look::{self, Found, is_critical};
use super::network::Network;
use super::progress::Progress;
use super::trouble::{Trouble, Troubles};
use super::{
    APPLY_TIMEOUT_S, Host, LOOK_TIMEOUT_S, NotApplied, OnTrial, PROBATION_SLACK_S, SHADOW_SLACK_S,
    Surroundings, locked, notices,
};
use crate::Error;
use crate::archive::Archive;
use crate::lifecycle::{Candidate, Effect, Event, Gate, Phase, State, step};
use crate::store::{Release, Store, Trial};
use staysail_protocol::limits;
use staysail_protocol::manifest::UpdateSource;
use staysail_protocol::notice::UpdateEvent;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What the driver hears.
pub(crate) enum Message {
    /// Something for the life cycle.
    Event(Event),
    /// A look found this.
    Found(Box<Found>),
    /// A download staged this.
    Staged(Release),
    /// The user wants what this file holds.
    Archive(Arc<Archive>),
}

/// What an engine works with.
pub(crate) struct Parts {
    pub store: Store,
    pub source: UpdateSource,
    pub root: Vec<u8>,
    pub current: Release,
    pub host: Arc<dyn Host>,
    pub surroundings: Surroundings,
    pub remote: Remote,
}

pub(crate) struct Driver {
    parts: Parts,
    state: State,
    /// What the last look found.
    found: Option<Found>,
    /// What is staged, or live and on probation.
    staged: Option<Release>,
    /// Where the next look looks, instead of in the repository.
    archive: Option<Arc<Archive>>,
    /// Where the last look looked, when that was not the repository.
    looked_in: Option<Arc<Archive>>,
    /// Where what was found is, when that is not the repository.
    found_in: Option<Arc<Archive>>,
    job: Option<JoinHandle<()>>,
    /// Waits until the conditions of what runs allow a look.
    before_look: Option<JoinHandle<()>>,
    wake: Option<u64>,
    /// Weak: the driver ends when nobody else can speak to it.
    messages: mpsc::WeakUnboundedSender<Message>,
    trial: Arc<Mutex<OnTrial>>,
    troubles: Arc<Troubles>,
    started: Instant,
}

fn describe(release: &Release) -> Candidate {
    let manifest = release.manifest();
    Candidate {
        hash: release.hash().to_owned(),
        version: manifest.version.clone(),
        sequence: manifest.sequence,
        notes: manifest.notes.clone(),
        ..Candidate::default()
    }
}

fn staged_as(release: &Release, current_version: &str) -> Candidate {
    let manifest = release.manifest();
    Candidate {
        conditional: !manifest.policy.is_none(),
        critical: is_critical(&manifest.urgency, current_version),
        ..describe(release)
    }
}

impl Driver {
    pub fn new(
        parts: Parts,
        messages: mpsc::WeakUnboundedSender<Message>,
        trial: Arc<Mutex<OnTrial>>,
        troubles: Arc<Troubles>,
    ) -> Self {
        Self {
            parts,
            state: State::default(),
            found: None,
            staged: None,
            archive: None,
            looked_in: None,
            found_in: None,
            job: None,
            before_look: None,
            wake: None,
            messages,
            trial,
            troubles,
            started: Instant::now(),
        }
    }

    pub async fn run(mut self, mut received: mpsc::UnboundedReceiver<Message>) {
        self.remember().await;
        let (news, mut heard) = mpsc::channel(1);
        let listener = tokio::spawn(notices::listen(self.parts.remote.clone(), news));
        let good = tokio::spawn(good_start(
            self.parts.store.clone(),
            self.parts.current.clone(),
            Arc::clone(&self.troubles),
            self.messages.clone(),
        ));
        let mut next_look = Instant::now();
        let mut listening = true;
        while self.state.phase != Phase::Stopped {
            let wake = self.wake.map(|at| self.started + Duration::from_millis(at));
            let message = tokio::select! {
                // In this order, so that the same things happen for the same reasons.
                biased;
                message = received.recv() => message.unwrap_or(Message::Event(Event::ShutDown)),
                news = heard.recv(), if listening => {
                    listening = news.is_some();
                    if !listening {
                        continue;
                    }
                    match self.may_look() {
                        true => Message::Event(Event::Look),
                        false => continue,
                    }
                }
                () = tokio::time::sleep_until(next_look) => {
                    next_look = Instant::now() + self.interval();
                    match self.may_look() {
                        true => Message::Event(Event::Look),
                        false => continue,
                    }
                }
                () = tokio::time::sleep_until(wake.unwrap_or(next_look)), if wake.is_some() => {
                    self.wake = None;
                    Message::Event(Event::Woken)
                }
            };
            self.handle(message).await;
        }
        listener.abort();
        good.abort();
        self.before_look.into_iter().for_each(|task| task.abort());
    }

    /// Pause until the next look, with a little chance in it so that not everybody comes at once.
    fn interval(&self) -> Duration {
        let seconds = match self.parts.source.check_interval_s {
            0 => limits::UPDATE_CHECK_INTERVAL_S,
            seconds => seconds,
        };
        let chance = u64::from((self.parts.surroundings.chance)());
        Duration::from_millis(seconds.saturating_mul(950 + chance * 100 / 255))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What earlier runs left: floor, bans, a release that was staged.
    async fn remember(&mut self) {
        let (store, root) = (self.parts.store.clone(), self.parts.root.clone());
        let memory = store.clone();
        let remembered = store.blocking(move || Ok((memory.state(), memory.staged(&root)))).await;
        let (durable, staged) = remembered.unwrap_or_default();
        let current = describe(&self.parts.current);
        self.staged = staged.filter(|staged| staged.manifest().sequence > current.sequence);
        self.state = State {
            floor: durable.floor.max(current.sequence),
            banned: durable.banned.into_keys().collect(),
            staged: self.staged.as_ref().map(|staged| staged_as(staged, &current.version)),
            skipped: durable.postponed.skipped,
            current,
            ..State::default()
        };
    }

    async fn handle(&mut self, message: Message) {
        let event = match message {
            Message::Event(event) => event,
            Message::Found(found) => {
                // Bans hold however they came to be: by another process, by a marker that outlived the state.
                if self.parts.store.is_banned_content(&found.candidate.hash, &found.manifest) {
                    self.state.banned.insert(found.candidate.hash.clone());
                }
                // Who gives the app a file wants it now, whatever was said before and whatever conditions say.
                let staged = self.state.staged.as_ref();
                if self.looked_in.is_some() && staged.is_none_or(|staged| staged.hash == found.candidate.hash)
                {
                    self.state.deferred_until = None;
                    self.state.wanted_now = true;
                    self.state.skipped.remove(&found.candidate.version);
                }
                let event = Event::Found(Some(found.candidate.clone()));
                self.found = Some(*found);
                self.found_in = self.looked_in.clone();
                event
            }
            Message::Staged(release) => {
                self.staged = Some(release);
                Event::Staged
            }
            Message::Archive(archive) => {
                self.archive = Some(archive);
                Event::Look
            }
        };
        let found = matches!(event, Event::Found(_));
        let mut effects = VecDeque::from(self.decide(event));
        let told = effects.iter().any(|effect| matches!(effect, Effect::Tell(_)));
        if found
            && !told
            && self.state.staged.is_none()
            && let Some(archive) = &self.looked_in
        {
            self.tell_of_nothing_newer(archive);
        }
        while let Some(effect) = effects.pop_front() {
            let Some(answer) = self.perform(effect).await else { continue };
            // What an answer asks for comes before what was still to be done.
            for effect in self.decide(answer).into_iter().rev() {
                effects.push_front(effect);
            }
        }
    }

    fn decide(&mut self, event: Event) -> Vec<Effect> {
        let (state, effects) = step(std::mem::take(&mut self.state), event, self.now());
        self.state = state;
        effects
    }

    /// Runs work in a task of its own; it answers with a message.
    fn job(&mut self, work: impl Future<Output = Message> + Send + 'static) {
        self.spawn(Box::pin(work));
    }

    /// Boxed, so that the runtime's code for a task is there once and not for each kind of work.
    fn spawn(&mut self, work: Pin<Box<dyn Future<Output = Message> + Send>>) {
        let messages = self.messages.clone();
        self.job = Some(tokio::spawn(async move {
            let message = work.await;
            if let Some(messages) = messages.upgrade() {
                let _ = messages.send(message);
            }
        }));
    }

    /// Does it, or begins it. What is known at once is answered here, everything else by a message.
    async fn perform(&mut self, effect: Effect) -> Option<Event> {
        failpoint!("effect {}", effect.moment());
        match effect {
            Effect::Look => self.look(),
            Effect::Download => self.download(),
            Effect::Apply => self.apply(),
            Effect::Watch => self.watch(),
            Effect::Commit => return self.commit().await,
            Effect::Tidy => {
                let store = self.parts.store.clone();
                let tidied = self.parts.store.blocking(move || store.collect_garbage()).await;
                return not_stored(&self.troubles, tidied, Trouble::NotTidied, NOT_TIDIED);
            }
            Effect::Ban { hash, reason } => return self.ban(hash, reason).await,
            Effect::RaiseFloor(sequence) => {
                let store = self.parts.store.clone();
                let raised = self.parts.store.blocking(move || store.raise_floor(sequence)).await;
                return not_stored(&self.troubles, raised, Trouble::FloorNotStored, FLOOR_NOT_STORED);
            }
            Effect::WakeAt(at) => self.wake = Some(at),
            Effect::Weigh(gate) => self.weigh(gate),
            Effect::RememberSkips(skipped) => {
                let store = self.parts.store.clone();
                let stored = self
                    .parts
                    .store
                    .blocking(move || store.change(|state| state.postponed.skipped = skipped));
                if let Err(error) = stored.await {
                    tracing::warn!(%error, "what the user skips could not be stored; it holds until the app ends");
                }
            }
            Effect::Tell(event) => self.parts.host.event(event),
            Effect::Stop => {
                if let Some(job) = self.job.take() {
                    job.abort();
                }
                let trial = locked(&self.trial).trial.take();
                if let Some(trial) = trial {
                    // Only when nobody called `shut_down`: the last handle is gone.
                    trial.give_up();
                }
            }
        }
        None
    }

    fn watch(&mut self) {
        let (host, troubles) = (Arc::clone(&self.parts.host), Arc::clone(&self.troubles));
        let before = self.parts.current.clone();
        let staged = self.staged.as_ref().map(Release::manifest);
        let version = staged.map(|manifest| manifest.version.clone()).unwrap_or_default();
        let probation_s = staged.map_or(0, |manifest| manifest.config.probation_s);
        let patience_s = probation_s.saturating_add(PROBATION_SLACK_S);
        self.job(async move {
            let watched = tokio::time::timeout(Duration::from_secs(patience_s), host.probation()).await;
            let (reason, back) = match watched {
                Ok(Ok(())) => return Message::Event(Event::Good),
                Ok(Err(reason)) => (reason, Ok(())),
                Err(_) => {
                    let to = before.manifest().version.clone();
                    let back = go_back(&*host, before).await.map_err(|why| format!("{to} could not be brought back: {why}"));
                    (format!("there was no verdict after {patience_s} s"), back)
                }
            };
            troubles.raise(Trouble::ProbationFailed, &reason);
            Message::Event(match back {
                Ok(()) => Event::Bad(reason),
                Err(why) => Event::Stuck(format!(
                    "version {version} proved bad ({reason}), but version {why}. The bad one runs on until the app is \
                     started again or a newer release is applied; it is not tried again"
                )),
            })
        });
    }

    async fn ban(&mut self, hash: String, reason: String) -> Option<Event> {
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

    /// Where a look in the repository that finds nothing newer is none of the user's business, one in a file is.
    fn tell_of_nothing_newer(&self, archive: &Archive) {
        let reason = format!(
            "{} holds nothing newer than version {}, which runs, or what it holds was tried before and proved bad; nothing was \
             changed",
            archive.name(),
            self.state.current.version
        );
        self.parts.host.event(UpdateEvent::Failed { reason });
    }

    /// The repository, or the file that was given instead of it.
    fn remote(&self, archive: Option<&Arc<Archive>>) -> Remote {
        match archive {
            None => self.parts.remote.clone(),
            Some(archive) => {
                let network = Arc::clone(archive) as Arc<dyn Network>;
                Remote::new(&Surroundings { network, ..self.parts.surroundings.clone() })
            }
        }
    }

    fn look(&mut self) {
        self.looked_in = self.archive.take();
        let from =
            self.looked_in.as_ref().map_or_else(String::new, |archive| format!(" in {}", archive.name()));
        let Parts { store, root, current, surroundings, .. } = &self.parts;
        let (store, root, current, now) =
            (store.clone(), root.clone(), current.clone(), (surroundings.clock)());
        let remote = self.remote(self.looked_in.as_ref());
        let troubles = Arc::clone(&self.troubles);
        self.job(async move {
            remote.network().begin();
            let look = look::look(&remote, &store, &root, &current, now);
            let looked = tokio::time::timeout(Duration::from_secs(LOOK_TIMEOUT_S), look).await;
            match looked.unwrap_or_else(|_| Err(Error::Network(format!("no end after {LOOK_TIMEOUT_S} s")))) {
                Ok(None) => Message::Event(Event::Found(None)),
                Ok(Some(found)) => Message::Found(Box::new(found)),
                Err(error) => {
                    leave(&remote, &error);
                    troubles.raise_error(Trouble::LookFailed, &error);
                    let what = format!("looking for a release{from} failed");
                    Message::Event(Event::LookFailed(explain(&what, &error)))
                }
            }
        });
    }

    fn conditions(&self) -> Conditions {
        let Parts { store, host, surroundings, current, .. } = &self.parts;
        Conditions {
            host: Arc::clone(host),
            store: store.clone(),
            clock: Arc::clone(&surroundings.clock),
            version: current.manifest().version.clone(),
        }
    }

    /// Whether what runs allows a look now. If it depends, the look follows as soon as it does.
    fn may_look(&mut self) -> bool {
        if self.parts.current.manifest().policy.check.is_none() {
            return true;
        }
        if self.before_look.as_ref().is_none_or(JoinHandle::is_finished) {
            let until_look = self.conditions().until_look(self.parts.current.clone());
            let messages = self.messages.clone();
            self.before_look = Some(tokio::spawn(async move {
                until_look.await;
                if let Some(messages) = messages.upgrade() {
                    let _ = messages.send(Message::Event(Event::Look));
                }
            }));
        }
        false
    }

    fn weigh(&mut self, gate: Gate) {
        let release = match gate {
            Gate::Download => {
                self.found.as_ref().map(|found| (found.manifest.clone(), found.candidate.hash.clone()))
            }
            Gate::Apply => {
                self.staged.as_ref().map(|staged| (staged.manifest().clone(), staged.hash().to_owned()))
            }
        };
        match release {
            Some((manifest, hash)) => {
                let weigh = self.conditions().weigh(manifest, hash, gate);
                self.job(async move { Message::Event(weigh.await) });
            }
            // It will be found again.
            None => self.wake = Some(self.now() + limits::POLICY_PAUSE_S * 1_000),
        }
    }

    fn download(&mut self) {
        let Some(found) = self.found.clone() else {
            let gone = Event::DownloadFailed("what was found is gone; the next look finds it again".into());
            return self.job(async { Message::Event(gone) });
        };
        let Parts { store, root, current, host, .. } = &self.parts;
        let (store, root, current) = (store.clone(), root.clone(), current.clone());
        let remote = self.remote(self.found_in.as_ref());
        let progress = Progress::new(&found.candidate, Arc::clone(host));
        let troubles = Arc::clone(&self.troubles);
        self.job(async move {
            match look::download(&remote, &store, &root, &current, &found, &progress).await {
                Ok(release) => Message::Staged(release),
                Err(error) => {
                    leave(&remote, &error);
                    troubles.raise_error(Trouble::DownloadFailed, &error);
                    let what = format!("version {} could not be downloaded", found.candidate.version);
                    Message::Event(Event::DownloadFailed(explain(&what, &error)))
                }
            }
        });
    }

    fn apply(&mut self) {
        let (store, host, trial) =
            (self.parts.store.clone(), Arc::clone(&self.parts.host), Arc::clone(&self.trial));
        let Some(release) = self.staged.clone() else {
            let gone = Event::ApplyPostponed("what was staged is gone; the next look finds it again".into());
            return self.job(async { Message::Event(gone) });
        };
        let troubles = Arc::clone(&self.troubles);
        self.job(async move {
            if let Err(event) = shadow(&*host, &store, &release, &troubles).await {
                return Message::Event(event);
            }
            let (on_trial, files, mine) = (release.clone(), store.clone(), Arc::clone(&trial));
            let begun = files.blocking(move || {
                let mut on_trial_now = locked(&trial);
                if on_trial_now.stopped {
                    return Ok(false);
                }
                on_trial.verify()?;
                on_trial_now.trial = Some(store.begin_trial(&on_trial)?);
                Ok(true)
            });
            Message::Event(match begun.await {
                Err(error) => {
                    troubles.raise_error(Trouble::ApplyPostponed, &error);
                    let what = format!("version {} could not be put on trial", release.manifest().version);
                    Event::ApplyPostponed(explain(&what, &error))
                }
                Ok(false) => Event::ShutDown,
                Ok(true) => {
                    failpoint!("on trial");
                    let applied =
                        tokio::time::timeout(Duration::from_secs(APPLY_TIMEOUT_S), host.apply(release)).await;
                    failpoint!("switched");
                    match applied {
                        Ok(Ok(milliseconds)) => Event::Applied(milliseconds),
                        Ok(Err(NotApplied::AtFault(reason))) => {
                            troubles.raise(Trouble::ApplyFailed, &reason);
                            Event::ApplyFailed(reason)
                        }
                        Ok(Err(NotApplied::NotNow(reason))) => {
                            troubles.raise(Trouble::ApplyPostponed, &reason);
                            let begun = locked(&mine).trial.take();
                            let ended = files.blocking(move || {
                                begun.into_iter().for_each(Trial::give_up);
                                Ok(())
                            });
                            if let Err(error) = ended.await {
                                tracing::warn!(%error, "the end of a trial could not be stored");
                            }
                            Event::ApplyPostponed(reason)
                        }
                        Err(_) => {
                            let reason = format!("it was not live after {APPLY_TIMEOUT_S} s");
                            troubles.raise(Trouble::ApplyFailed, &reason);
                            Event::ApplyFailed(reason)
                        }
                    }
                }
            })
        });
    }

    async fn commit(&mut self) -> Option<Event> {
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
        self.parts.current = release;
        // It waits for what the release before said of looks.
        self.before_look.take().into_iter().for_each(|task| task.abort());
        Some(answer)
    }
}

const NOT_TIDIED: &str = "what is no longer needed could not be removed, the next time tries again";
const FLOOR_NOT_STORED: &str =
    "the published release is what runs, but the floor it raises could not be stored";

/// Something that is no part of the way of a release was refused by the disk: counted, and told.
fn not_stored(troubles: &Troubles, result: Result<(), Error>, trouble: Trouble, what: &str) -> Option<Event> {
    let error = result.err()?;
    troubles.raise_error(trouble, &error);
    Some(Event::NotStored(format!("{what}: {error}")))
}

/// A release that has rules for it is tried beside what runs. On an error why it is not applied.
async fn shadow(host: &dyn Host, store: &Store, release: &Release, troubles: &Troubles) -> Result<(), Event> {
    let Some(rules) = &release.manifest().shadow else { return Ok(()) };
    let postponed = |reason: String| {
        troubles.raise(Trouble::ApplyPostponed, &reason);
        Err(Event::ApplyPostponed(reason))
    };
    // It is about to run.
    let files = release.clone();
    if let Err(error) = store.blocking(move || files.verify()).await {
        let what = format!("version {} could not be tried", release.manifest().version);
        return postponed(explain(&what, &error));
    }
    let patience_s = rules.clone().bounded().seconds_max + SHADOW_SLACK_S;
    match tokio::time::timeout(Duration::from_secs(patience_s), host.shadow(release.clone())).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(NotApplied::AtFault(reason))) => {
            troubles.raise(Trouble::ShadowFailed, &reason);
            Err(Event::ApplyFailed(reason))
        }
        Ok(Err(NotApplied::NotNow(reason))) => postponed(reason),
        Err(_) => postponed(format!("its answers were not compared after {patience_s} s")),
    }
}

/// The host gave no verdict: the release before is applied as if it were a new one.
async fn go_back(host: &dyn Host, before: Release) -> Result<(), String> {
    match tokio::time::timeout(Duration::from_secs(APPLY_TIMEOUT_S), host.apply(before)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(NotApplied::AtFault(reason) | NotApplied::NotNow(reason))) => Err(reason),
        Err(_) => Err(format!("it was not live after {APPLY_TIMEOUT_S} s")),
    }
}

/// A release that has been running for the time of a probation starts well; the store is tidied up then.
async fn good_start(
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

/// What an address gave led to nothing. Where the disk refused, the address is not to blame.
fn leave(remote: &Remote, error: &Error) {
    if !matches!(error, Error::Disk { .. }) {
        remote.network().leave();
    }
}

fn explain(what: &str, error: &Error) -> String {
    format!("{what}: {error}. What runs goes on running; the next look tries again")
}
