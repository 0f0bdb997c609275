//! What takes time: looking, downloading, applying, watching. Each runs in a task of its own and answers with a message.

use super::super::Surroundings;
use super::super::download::download;
use super::super::fetch::Remote;
use super::super::look::{self, Looked, Standpoint};
use super::super::network::Network;
use super::super::progress::Progress;
use super::super::rate::RateLimit;
use super::super::trouble::{Trouble, Troubles};
use super::super::{
    APPLY_TIMEOUT_S, Host, LOOK_TIMEOUT_S, NotApplied, PROBATION_SLACK_S, SHADOW_SLACK_S, locked,
};
use super::{Driver, Message, Parts};
use crate::Error;
use crate::archive::Archive;
use crate::awake;
use crate::lifecycle::{Event, Gate};
use crate::store::{Release, Store, Trial};
use crate::trust::CHANNEL;
use staysail_protocol::limits;
use std::sync::Arc;
use std::time::Duration;

impl Driver {
    /// The repository, or the file that was given instead of it.
    pub(super) fn remote(&self, archive: Option<&Arc<Archive>>) -> Remote {
        match archive {
            None => self.parts.remote.clone(),
            Some(archive) => {
                let network = Arc::clone(archive) as Arc<dyn Network>;
                let rate = RateLimit::default();
                Remote::new(&Surroundings { network, rate, ..self.parts.surroundings.clone() })
            }
        }
    }

    pub(super) fn look(&mut self) {
        self.looked_in = self.archive.take();
        let from =
            self.looked_in.as_ref().map_or_else(String::new, |archive| format!(" in {}", archive.name()));
        let Parts { store, root, current, surroundings, .. } = &self.parts;
        let (store, root, current, now) =
            (store.clone(), root.clone(), current.clone(), (surroundings.clock)());
        let (channel, own) = (self.state.channel.clone(), self.state.channel == self.state.own_channel);
        let (floor, early, pinned) = (self.state.floor, self.state.wanted_now, self.state.pinned.clone());
        let chance = surroundings.chance;
        let remote = self.remote(self.looked_in.as_ref());
        let (troubles, is_file) = (Arc::clone(&self.troubles), self.looked_in.is_some());
        self.job(async move {
            remote.network().begin();
            let (store, root, current, pinned) = (&store, &root[..], &current, pinned.as_deref());
            let standpoint =
                Standpoint { store, root, current, channel: &channel, floor, pinned, chance, early };
            let look = look::look(&remote, standpoint, now);
            let looked = tokio::time::timeout(Duration::from_secs(LOOK_TIMEOUT_S), look).await;
            match looked.unwrap_or_else(|_| Err(Error::Network(format!("no end after {LOOK_TIMEOUT_S} s")))) {
                Ok(Looked::Found(found)) => Message::Found(found),
                Ok(Looked::NoChannel(known)) if !own && !is_file => {
                    let gone = format!("{channel} is not among {known}");
                    troubles.raise(Trouble::ChannelGone, &gone);
                    Message::Event(Event::ChannelGone { channel, known })
                }
                // Before the first publish nothing is there, which is none. But whoever named another channel meant one.
                Ok(Looked::NoChannel(known)) if !is_file && channel != CHANNEL && !known.is_empty() => {
                    let gone = format!(
                        "the repository has no channel {channel}, only {known}; correct `channel` in staysail.toml, or publish \
                         with --channel {channel}"
                    );
                    troubles.raise(Trouble::ChannelGone, &gone);
                    Message::Event(Event::LookFailed(gone))
                }
                Ok(Looked::Nothing | Looked::NoChannel(_)) => Message::Event(Event::Found(None)),
                Err(error) => {
                    leave(&remote, &error);
                    troubles.raise_error(Trouble::LookFailed, &error);
                    let what = format!("looking for a release{from} failed");
                    Message::Event(Event::LookFailed(explain(&what, &error)))
                }
            }
        });
    }

    pub(super) fn weigh(&mut self, gate: Gate) {
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

    pub(super) fn download(&mut self) {
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
            match download(&remote, &store, &root, &current, &found, &progress).await {
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

    pub(super) fn apply(&mut self) {
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
                        awake::timeout(Duration::from_secs(APPLY_TIMEOUT_S), host.apply(release)).await;
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

    pub(super) fn watch(&mut self) {
        let (host, troubles) = (Arc::clone(&self.parts.host), Arc::clone(&self.troubles));
        let before = self.parts.current.clone();
        let staged = self.staged.as_ref().map(Release::manifest);
        let version = staged.map(|manifest| manifest.version.clone()).unwrap_or_default();
        let probation_s = staged.map_or(0, |manifest| manifest.config.probation_s);
        let patience_s = probation_s.saturating_add(PROBATION_SLACK_S);
        self.job(async move {
            let watched = awake::timeout(Duration::from_secs(patience_s), host.probation()).await;
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
}

/// A release that has rules for it is tried beside what runs. On an error why it is not applied.
async fn shadow(host: &dyn Host, store: &Store, release: &Release, troubles: &Troubles) -> Result<(), Event> {
    let Some(rules) = &release.manifest().shadow else { return Ok(()) };
    let postponed = |reason: String| {
        troubles.raise(Trouble::ApplyPostponed, &reason);
        Event::ApplyPostponed(reason)
    };
    // It is about to run.
    let files = release.clone();
    if let Err(error) = store.blocking(move || files.verify()).await {
        let what = format!("version {} could not be tried", release.manifest().version);
        return Err(postponed(explain(&what, &error)));
    }
    let patience_s = rules.clone().bounded().seconds_max + SHADOW_SLACK_S;
    match awake::timeout(Duration::from_secs(patience_s), host.shadow(release.clone())).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(NotApplied::AtFault(reason))) => {
            troubles.raise(Trouble::ShadowFailed, &reason);
            store.reject_compared(release);
            Err(Event::ApplyFailed(reason))
        }
        Ok(Err(NotApplied::NotNow(reason))) => Err(postponed(reason)),
        Err(_) => Err(postponed(format!("its answers were not compared after {patience_s} s"))),
    }
}

/// The host gave no verdict: the release before is applied as if it were a new one.
async fn go_back(host: &dyn Host, before: Release) -> Result<(), String> {
    match awake::timeout(Duration::from_secs(APPLY_TIMEOUT_S), host.apply(before)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(NotApplied::AtFault(reason) | NotApplied::NotNow(reason))) => Err(reason),
        Err(_) => Err(format!("it was not live after {APPLY_TIMEOUT_S} s")),
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
