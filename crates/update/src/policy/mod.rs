//! Conditions on updates: when an app may look, download and apply.
//!
//! # Theory of operation
//! Conditions are expressions in a part of CEL (`syntax`). `staysail build` checks them ([`check`]), with types, and
//! resolves the time zones they name; so in the app an expression is true, false, or not to be told because a fact is
//! missing. What is not to be told counts as not true: the update waits. The host gathers the [`Facts`]; [`decide`] makes
//! of all that and of the user's choices what happens. Nothing in here knows a clock or a system.

mod check;
mod decide;
mod evaluate;
mod facts;
pub mod pin;
mod syntax;
mod window;
mod zone;

pub use check::{check, zones};
pub use decide::{Choice, Decision, Question, decide};
pub use evaluate::{Stop, Surroundings, evaluate};
pub use facts::{FACTS, Facts, Type, WEEKDAYS};
pub use syntax::{Fault, Kind, Node, Operator, parse};
pub use zone::Zone;

use staysail_protocol::policy::CustomValue;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// A text.
    Text(String),
    /// Nanoseconds.
    Duration(i64),
    /// A semantic version.
    Version(Box<semver::Version>),
    /// Values in brackets.
    List(Vec<Value>),
}

impl Value {
    fn version(version: semver::Version) -> Self {
        Self::Version(Box::new(version))
    }

    fn kind(&self) -> Type {
        match self {
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Double(_) => Type::Double,
            Self::Text(_) => Type::Text,
            Self::Duration(_) => Type::Duration,
            Self::Version(_) => Type::Version,
            Self::List(_) => Type::List,
        }
    }

    /// Numbers are equal on the line of numbers, whatever their kind; values of different kinds never are.
    fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b)),
            _ => self.compare(other).flatten() == Some(Ordering::Equal),
        }
    }

    /// The order of two values; `Some(None)` when one of them is no number (NaN), `None` when they have no order.
    /// Builds of a version count as in semantic versioning: not at all.
    fn compare(&self, other: &Self) -> Option<Option<Ordering>> {
        Some(match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) | (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(b),
            (Self::Int(a), Self::Double(b)) => compare_kinds(*a, *b),
            (Self::Double(a), Self::Int(b)) => compare_kinds(*b, *a).map(Ordering::reverse),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Version(a), Self::Version(b)) => Some(a.cmp_precedence(b)),
            _ => return None,
        })
    }
}

impl From<&CustomValue> for Value {
    fn from(value: &CustomValue) -> Self {
        match value {
            CustomValue::Bool(value) => Self::Bool(*value),
            CustomValue::Int(value) => Self::Int(*value),
            CustomValue::Double(value) => Self::Double(*value),
            CustomValue::Text(value) => Self::Text(value.clone()),
        }
    }
}

/// Exactly, where a conversion would round.
fn compare_kinds(whole: i64, number: f64) -> Option<Ordering> {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if number.is_nan() {
        return None;
    }
    if number >= BEYOND {
        return Some(Ordering::Less);
    }
    if number < -BEYOND {
        return Some(Ordering::Greater);
    }
    let floor = number.trunc();
    Some(whole.cmp(&(floor as i64)).then_with(|| floor.total_cmp(&number)))
}

/// Nanoseconds of a duration as CEL (and Go) write it: `1h30m`, `1.5s`, `-200ms`.
fn duration(text: &str) -> Option<i64> {
    const UNITS: [(&str, i64); 7] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut sum = 0_i64;
    while !rest.is_empty() {
        let length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(length);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(after.bytes().take_while(u8::is_ascii_digit).count()),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (name, unit) =
            UNITS.iter().filter(|(name, _)| after.starts_with(name)).max_by_key(|(name, _)| name.len())?;
        let whole = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()? };
        let mut part = whole.checked_mul(*unit)?;
        let mut place = *unit;
        for digit in fraction.bytes() {
            place /= 10;
            part = part.checked_add(i64::from(digit - b'0') * place)?;
        }
        sum = sum.checked_add(part)?;
        rest = &after[name.len()..];
    }
    Some(if negative { -sum } else { sum })
}

/// A condition with the facts of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds, or there is none.
    True,
    /// It does not hold.
    False,
    /// The connection is metered, and the policy has downloads wait for another.
    Metered,
    /// That can not be told, and why.
    Unknown(String),
}

/// Looks at a condition.
pub fn verdict(condition: Option<&str>, zones: &BTreeMap<String, String>, facts: &Facts) -> Verdict {
    let Some(text) = condition else { return Verdict::True };
    let node = match parse(text) {
        Ok(node) => node,
        Err(fault) => return Verdict::Unknown(fault.to_string()),
    };
    match evaluate(&node, Surroundings { facts, zones }) {
        Ok(Value::Bool(true)) => Verdict::True,
        Ok(Value::Bool(false)) => Verdict::False,
        Ok(other) => Verdict::Unknown(format!("it comes to {}", other.kind().name())),
        Err(stop) => Verdict::Unknown(stop.why),
    }
}

/// Names of the app's own values that conditions ask for, `custom.` left out.
pub fn custom_names<'a>(conditions: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    fn collect(node: &Node, names: &mut BTreeSet<String>) {
        match &node.kind {
            Kind::Name(name) => names.extend(name.strip_prefix("custom.").map(str::to_owned)),
            Kind::List(nodes) | Kind::Call(_, nodes) => nodes.iter().for_each(|node| collect(node, names)),
            Kind::Not(node) | Kind::Minus(node) => collect(node, names),
            Kind::Two(_, left, right) => [left, right].into_iter().for_each(|node| collect(node, names)),
            Kind::Choice(nodes) => nodes.iter().for_each(|node| collect(node, names)),
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    for node in conditions.into_iter().filter_map(|text| parse(text).ok()) {
        collect(&node, &mut names);
    }
    names
}

#[cfg(test)]
#[path = "cel_tests.rs"]
mod cel_tests;

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
