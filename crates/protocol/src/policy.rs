//! When updates may be looked for, downloaded and applied: what a release says of it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Conditions of a release, as its author wrote them under `[update.policy]`. They travel in the signed manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UpdatePolicy {
    /// An expression that must be true for the app to look for releases by itself; always when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// An expression that must be true for this release to be downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download: Option<String>,
    /// An expression that must be true for this release to be applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply: Option<String>,
    /// Days a release can be postponed by conditions and by the user; afterwards it is taken in the next quiet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postpone_days_max: Option<u32>,
    /// What is done where bytes cost money.
    #[serde(skip_serializing_if = "Metered::is_default")]
    pub metered: Metered,
    /// When it goes live, once it is there and its conditions hold.
    #[serde(skip_serializing_if = "Live::is_now")]
    pub live: Live,
    /// Rules (POSIX `TZ`) of the time zones the expressions name, as they were when the release was built.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub zones: BTreeMap<String, String>,
}

impl UpdatePolicy {
    /// Nothing is said: every release is taken at once.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether there is anything to be looked at before a release is taken, beside the moment it goes live.
    pub fn has_conditions(&self) -> bool {
        !Self { live: Live::Now, ..self.clone() }.is_none()
    }
}

/// When a release goes live. The user's *now* and what is critical go before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Live {
    /// As soon as it is there; pages are loaded again with their state where that is needed.
    #[default]
    Now,
    /// When a window next loads its page; other windows keep the page they have until they do. At the next launch in any
    /// case.
    NextLoad,
    /// When the app is next launched.
    NextLaunch,
}

impl Live {
    fn is_now(&self) -> bool {
        *self == Self::Now
    }
}

impl std::str::FromStr for Live {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "now" => Ok(Self::Now),
            "next-load" => Ok(Self::NextLoad),
            "next-launch" => Ok(Self::NextLaunch),
            _ => Err("it is now, next-load or next-launch".into()),
        }
    }
}

/// What is downloaded without being asked for while bytes cost money on the connection. A connection that does not tell
/// costs none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metered {
    /// Releases and asset groups, as everywhere.
    #[default]
    Download,
    /// Nothing: a release waits like for a condition, a group that is fetched ahead until it is asked for.
    Wait,
}

impl Metered {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a download is to wait on a connection that says this of itself.
    pub fn waits(self, metered: Option<bool>) -> bool {
        self == Self::Wait && metered == Some(true)
    }
}

/// How urgent a release is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Urgency {
    /// It is taken at once by everybody, whatever conditions and users say.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub critical: bool,
    /// It is taken at once by those who run a version below this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_below: Option<String>,
}

impl Urgency {
    /// Nothing is urgent.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// A value of the app's own that expressions know as `custom.NAME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CustomValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// A text.
    Text(String),
}

impl From<bool> for CustomValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for CustomValue {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for CustomValue {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

impl From<&str> for CustomValue {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}
