//! What conditions are about: facts of the machine, of the moment, and values of the app's own.

use super::zone::weekday_of;
use super::{Value, Zone};
use staysail_protocol::limits::QUIET_IDLE_S;
use staysail_protocol::policy::CustomValue;
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything a condition can depend on, at one moment. What can not be told is `None`, and conditions that need it are
/// unknown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Seconds since 1970.
    pub now_s: i64,
    /// Seconds that the user's local time is ahead of universal time.
    pub local_offset_s: Option<i64>,
    /// Time since the user last touched mouse or keyboard.
    pub idle: Option<Duration>,
    /// Load average of the last minute, divided by the number of processors.
    pub load_per_core: Option<f64>,
    /// The machine runs on a battery that is being emptied.
    pub on_battery: Option<bool>,
    /// Charge from 0 to 100; 100 without a battery.
    pub battery_percent: Option<i64>,
    /// Bytes cost money on the connection.
    pub metered: Option<bool>,
    /// Bytes free for this user where the app keeps its releases.
    pub free_disk_bytes: Option<u64>,
    /// Version that runs.
    pub app_version: String,
    /// Values of the app's own, by name.
    pub custom: BTreeMap<String, CustomValue>,
    /// A dialog of the app is open, or a call is under way.
    pub at_work: bool,
}

/// What a fact is, for the check at build time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Double,
    /// A text.
    Text,
    /// A span of time.
    Duration,
    /// A semantic version.
    Version,
    /// Values in brackets.
    List,
    /// Known only while the app runs: a value of its own.
    Any,
}

impl Type {
    /// For messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Double => "a number with a point",
            Self::Text => "a text",
            Self::Duration => "a duration",
            Self::Version => "a version",
            Self::List => "a list",
            Self::Any => "a value of the app",
        }
    }
}

/// The facts by name. `custom.NAME` comes beside them.
pub const FACTS: [(&str, Type); 10] = [
    ("idle", Type::Duration),
    ("load_per_core", Type::Double),
    ("on_battery", Type::Bool),
    ("battery_percent", Type::Int),
    ("metered", Type::Bool),
    ("free_disk", Type::Int),
    ("app_version", Type::Version),
    ("hour", Type::Int),
    ("minute", Type::Int),
    ("weekday", Type::Text),
];

/// Weekdays as conditions write them.
pub const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

impl Facts {
    /// The value of a fact, or why it has none.
    pub(super) fn get(&self, name: &str) -> Result<Value, String> {
        let local = || self.local_minute(None).ok();
        let value = match name {
            "idle" => {
                self.idle.map(|idle| Value::Duration(i64::try_from(idle.as_nanos()).unwrap_or(i64::MAX)))
            }
            "load_per_core" => self.load_per_core.map(Value::Double),
            "on_battery" => self.on_battery.map(Value::Bool),
            "battery_percent" => self.battery_percent.map(Value::Int),
            "metered" => self.metered.map(Value::Bool),
            "free_disk" => {
                self.free_disk_bytes.map(|bytes| Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX)))
            }
            "app_version" => semver::Version::parse(&self.app_version).ok().map(Value::version),
            "hour" => local().map(|minute| Value::Int(minute % MINUTES_OF_DAY / 60)),
            "minute" => local().map(|minute| Value::Int(minute % 60)),
            "weekday" => local().map(|minute| {
                let day = usize::try_from(minute / MINUTES_OF_DAY).unwrap_or(0);
                Value::Text(WEEKDAYS[day % 7].into())
            }),
            _ => match name.strip_prefix("custom.").map(|name| self.custom.get(name)) {
                Some(Some(value)) => Some(Value::from(value)),
                Some(None) => {
                    return Err(format!(
                        "the app does not say `{name}`, or its windows say different things"
                    ));
                }
                None => return Err(format!("this version of the app knows no fact `{name}`")),
            },
        };
        value.ok_or_else(|| format!("this machine does not tell `{name}`"))
    }

    /// Minutes since the Sunday's midnight before, by the clock of a zone or of the user.
    pub(super) fn local_minute(&self, zone: Option<&Zone>) -> Result<i64, String> {
        let offset_s = match zone {
            Some(zone) => zone.offset_s(self.now_s),
            None => self.local_offset_s.ok_or("this machine does not tell its local time")?,
        };
        let minutes = (self.now_s + offset_s).div_euclid(60);
        Ok(weekday_of(minutes.div_euclid(MINUTES_OF_DAY)) * MINUTES_OF_DAY
            + minutes.rem_euclid(MINUTES_OF_DAY))
    }

    /// Nobody is disturbed: nothing was touched for long, no dialog is open, no call is under way.
    pub fn is_quiet(&self) -> bool {
        !self.at_work && self.idle.is_some_and(|idle| idle.as_secs() >= QUIET_IDLE_S)
    }
}

/// Minutes of a day.
pub(super) const MINUTES_OF_DAY: i64 = 24 * 60;
