//! Everything that can go wrong while updating, by name: counted, and written to the log under that name.
//!
//! A failure has a step (what was being done) and, where an error says so, a cause. `docs/spec/update-states.md` lists both.

use crate::Error;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

macro_rules! troubles {
    ($($(#[doc = $what:literal])+ $name:ident = $text:literal,)+) => {
        /// What can go wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Trouble { $($(#[doc = $what])+ $name,)+ }

        impl Trouble {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name in logs and metrics; never changes.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($what),+).trim_ascii(),)+ }
            }
        }
    };
}

troubles! {
    /// The engine could not start: the address is none.
    NotStarted = "not_started",
    /// Looking for a release failed; the next look tries again.
    LookFailed = "look_failed",
    /// A release could not be downloaded; the next look tries again.
    DownloadFailed = "download_failed",
    /// A staged release was not switched to, through no fault of its own; the next look brings it back.
    ApplyPostponed = "apply_postponed",
    /// A release was rejected by shadow verification; it is banned.
    ShadowFailed = "shadow_failed",
    /// A release did not come up; it is banned.
    ApplyFailed = "apply_failed",
    /// A release failed on probation and is banned; the one before is back, or it is told that it is not.
    ProbationFailed = "probation_failed",
    /// A release is good, but that could not be stored; the next start begins with the one before.
    CommitNotStored = "commit_not_stored",
    /// A ban could not be stored; it holds until the app ends.
    BanNotStored = "ban_not_stored",
    /// A floor could not be stored.
    FloorNotStored = "floor_not_stored",
    /// What the user skips, puts off or follows could not be stored; it holds until the app ends.
    ChoiceNotStored = "choice_not_stored",
    /// A channel that was followed is not among those of the repository; the app's own is followed.
    ChannelGone = "channel_gone",
    /// The store could not be tidied up; the next time tries again.
    NotTidied = "not_tidied",
    /// Cause: the disk refused.
    Disk = "cause_disk",
    /// Cause: no bytes, too few, or too late.
    Network = "cause_network",
    /// Cause: signed metadata were refused.
    Trust = "cause_trust",
    /// Cause: content is not what its hash says.
    Tampered = "cause_tampered",
    /// Cause: the manifest, or what the app was installed with, can not be used.
    Unusable = "cause_unusable",
    /// Cause: a named limit was exceeded.
    Limit = "cause_limit",
}

impl Trouble {
    /// The cause an error stands for.
    pub fn cause(error: &Error) -> Self {
        match error {
            Error::Disk { .. } => Self::Disk,
            Error::Network(_) | Error::NotThere(_) => Self::Network,
            Error::Trust(_) | Error::Refused(_) => Self::Trust,
            Error::Tampered { .. } => Self::Tampered,
            Error::TooLarge { .. } => Self::Limit,
            _ => Self::Unusable,
        }
    }
}

/// How often each thing went wrong since the engine was started.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Mutex<BTreeMap<Trouble, u64>>);

impl Troubles {
    /// Something went wrong: counts it and writes it to the log.
    pub fn raise(&self, step: Trouble, why: &str) {
        self.count(step);
        tracing::warn!(trouble = step.name(), why, "update");
    }

    /// The same with the error that was the cause.
    pub fn raise_error(&self, step: Trouble, error: &Error) {
        let cause = Trouble::cause(error);
        self.count(step);
        self.count(cause);
        tracing::warn!(trouble = step.name(), cause = cause.name(), %error, "update");
    }

    /// Counts so far, of what happened at all.
    pub fn counts(&self) -> BTreeMap<Trouble, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, trouble: Trouble) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(trouble).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_lists_every_trouble_with_its_meaning() {
        let spec = include_str!("../../../../docs/spec/update-states.md");
        for trouble in Trouble::ALL {
            let row = format!("| `{}` | {} |", trouble.name(), trouble.meaning());
            assert!(spec.contains(&row), "docs/spec/update-states.md lacks:\n{row}");
        }
        assert_eq!(
            spec.matches("| `cause_").count() + spec.matches("_failed` |").count() + 8,
            Trouble::ALL.len()
        );
    }

    #[test]
    fn what_went_wrong_is_counted_by_step_and_by_cause() {
        let troubles = Troubles::default();
        troubles.raise_error(Trouble::LookFailed, &Error::Network("no route".into()));
        troubles.raise_error(Trouble::LookFailed, &Error::Trust("expired".into()));
        troubles.raise(Trouble::ProbationFailed, "it crashed");
        let counts = troubles.counts();
        assert_eq!(counts[&Trouble::LookFailed], 2);
        assert_eq!(counts[&Trouble::Network], 1);
        assert_eq!(counts[&Trouble::Trust], 1);
        assert_eq!(counts[&Trouble::ProbationFailed], 1);
        assert_eq!(counts.get(&Trouble::Disk), None);
    }
}
