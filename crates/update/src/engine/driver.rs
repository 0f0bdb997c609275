//! The one task that owns the state of the life cycle and performs its effects.

mod memory;
mod work;

use super::conditions::Conditions;
use super::fetch::Remote;
use super::look::Found;
use super::network::Network;
use super::trouble::Troubles;
use super::{Host, OnTrial, Surroundings, locked, notices};
use crate::archive::Archive;
use crate::lifecycle::{Effect, Event, Phase, State, step};
use crate::store::{Release, Store};
use memory::good_start;
use staysail_protocol::limits;
use staysail_protocol::manifest::UpdateSource;
use staysail_protocol::notice::UpdateEvent;
use staysail_protocol::policy::Live;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
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
    /// A window is about to load its page, and waits until this is dropped.
    Loads(oneshot::Sender<()>),
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
    /// Windows that wait for what becomes of a release before they load their pages.
    loads: Vec<oneshot::Sender<()>>,
    awaits_load: Arc<AtomicBool>,
    /// Weak: the driver ends when nobody else can speak to it.
    messages: mpsc::WeakUnboundedSender<Message>,
    trial: Arc<Mutex<OnTrial>>,
    troubles: Arc<Troubles>,
    started: Instant,
}

impl Driver {
    pub fn new(
        parts: Parts,
        messages: mpsc::WeakUnboundedSender<Message>,
        trial: Arc<Mutex<OnTrial>>,
        troubles: Arc<Troubles>,
        awaits_load: Arc<AtomicBool>,
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
            loads: Vec::new(),
            awaits_load,
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
        // It waited for this launch, and for no network.
        if self.staged.as_ref().is_some_and(|staged| staged.manifest().policy.live != Live::Now) {
            self.state.phase = Phase::Waiting;
            self.handle(Message::Event(Event::Woken)).await;
        }
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

    async fn handle(&mut self, message: Message) {
        let mut lifted = Vec::new();
        let event = match message {
            Message::Event(event) => event,
            Message::Found(mut found) => {
                // Bans hold however they came to be: by another process, by a marker that outlived the state.
                if self.parts.store.is_banned_content(&found.candidate.hash, &found.manifest) {
                    self.state.banned.insert(found.candidate.hash.clone());
                }
                // Who gives the app a file wants it now, whatever was said before and whatever conditions say.
                if self.looked_in.is_some() {
                    let staged = self.state.staged.as_ref();
                    if staged.is_none_or(|staged| staged.hash == found.candidate.hash) {
                        self.state.wanted_now = true;
                    } else {
                        found.candidate.given = true;
                    }
                    let candidate = &found.candidate;
                    for version in
                        [Some(&candidate.version), candidate.towards.as_ref()].into_iter().flatten()
                    {
                        if self.state.skipped.remove(version) {
                            lifted.push(Effect::RememberSkips(self.state.skipped.clone()));
                        }
                    }
                    // What waits for the next start is wanted then, too.
                    if candidate.next_start && self.state.deferred_until.take().is_some() {
                        lifted.push(Effect::RememberLater(None));
                    }
                    // What was told before is told once more to whoever gave a file.
                    self.state.held_told = None;
                    self.state.failure_told = None;
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
            Message::Loads(load) => {
                self.loads.push(load);
                Event::Loads
            }
        };
        let found = matches!(event, Event::Found(_));
        let mut effects = VecDeque::from(self.decide(event));
        let told = effects
            .iter()
            .any(|effect| matches!(effect, Effect::Tell(_) | Effect::Download | Effect::Weigh(_)));
        if found
            && !told
            && self.state.staged.is_none()
            && let Some(archive) = &self.looked_in
        {
            self.tell_of_nothing_newer(archive);
        }
        lifted.into_iter().for_each(|effect| effects.push_front(effect));
        while let Some(effect) = effects.pop_front() {
            let Some(answer) = self.perform(effect).await else { continue };
            // What an answer asks for comes before what was still to be done.
            for effect in self.decide(answer).into_iter().rev() {
                effects.push_front(effect);
            }
        }
        if !self.state.loading {
            self.loads.clear();
        }
    }

    fn decide(&mut self, event: Event) -> Vec<Effect> {
        let (state, effects) = step(std::mem::take(&mut self.state), event, self.now());
        self.state = state;
        let rests = matches!(self.state.phase, Phase::Idle | Phase::Waiting);
        let awaits = self.state.staged.as_ref().is_some_and(|staged| staged.live == Live::NextLoad);
        self.awaits_load.store(rests && awaits, Ordering::Release);
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
            Effect::Tidy => return self.tidy().await,
            Effect::Ban { hash, reason } => return self.ban(hash, reason).await,
            Effect::RaiseFloor(sequence) => return self.raise_floor(sequence).await,
            Effect::WakeAt(at) => self.wake = Some(at),
            Effect::Weigh(gate) => self.weigh(gate),
            Effect::RememberSkips(skipped) => return self.remember_skips(skipped).await,
            Effect::RememberLater(until) => return self.remember_later(until).await,
            Effect::RememberChoice { channel, pinned } => return self.remember_choice(channel, pinned).await,
            Effect::Unstage => return self.unstage().await,
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
}
