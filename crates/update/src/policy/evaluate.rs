//! What an expression comes to, with the facts of one moment.
//!
//! CEL's semantics: whole numbers do not wrap, kinds of numbers are compared but never mixed in arithmetic, and `&&` and
//! `||` come to their result when one side alone decides, whatever is wrong with the other.

use super::facts::Facts;
use super::syntax::{Kind, Node, Operator};
use super::{Value, window};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// It may have one another time: a fact is missing. Otherwise it has none with these facts.
    pub unknown: bool,
    /// In words.
    pub why: String,
}

fn fail<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop { unknown: false, why: why.into() })
}

fn unknown(why: String) -> Stop {
    Stop { unknown: true, why }
}

/// What an expression is looked at with.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The facts.
    pub facts: &'a Facts,
    /// Rules of the time zones, by name.
    pub zones: &'a BTreeMap<String, String>,
}

/// The value of an expression.
///
/// # Errors
/// A [`Stop`] when a fact it needs is missing, or an operation has no result.
pub fn evaluate(node: &Node, with: Surroundings<'_>) -> Result<Value, Stop> {
    let value = |node: &Node| evaluate(node, with);
    Ok(match &node.kind {
        Kind::Bool(value) => Value::Bool(*value),
        Kind::Int(value) => Value::Int(*value),
        Kind::Double(value) => Value::Double(*value),
        Kind::Text(text) => Value::Text(text.clone()),
        Kind::List(items) => Value::List(items.iter().map(value).collect::<Result<_, _>>()?),
        Kind::Name(name) => with.facts.get(name).map_err(unknown)?,
        Kind::Call(name, arguments) => call(name, arguments, with)?,
        Kind::Not(inner) => match value(inner)? {
            Value::Bool(value) => Value::Bool(!value),
            other => return no_such("!", &other, None),
        },
        Kind::Minus(inner) => match value(inner)? {
            Value::Int(value) => Value::Int(value.checked_neg().ok_or_else(overflow)?),
            Value::Double(value) => Value::Double(-value),
            other => return no_such("-", &other, None),
        },
        Kind::Two(Operator::And, left, right) => Value::Bool(both(value(left), || value(right), false)?),
        Kind::Two(Operator::Or, left, right) => Value::Bool(both(value(left), || value(right), true)?),
        Kind::Two(operator, left, right) => two(*operator, value(left)?, value(right)?)?,
        Kind::Choice(parts) => match value(&parts[0])? {
            Value::Bool(true) => value(&parts[1])?,
            Value::Bool(false) => value(&parts[2])?,
            other => return no_such("?", &other, None),
        },
    })
}

/// `&&` (`decisive` is false) and `||` (true).
fn both(
    left: Result<Value, Stop>,
    right: impl FnOnce() -> Result<Value, Stop>,
    decisive: bool,
) -> Result<bool, Stop> {
    let truth = |side: Result<Value, Stop>| match side? {
        Value::Bool(value) => Ok(value),
        other => no_such(if decisive { "||" } else { "&&" }, &other, None),
    };
    let left = truth(left);
    if left == Ok(decisive) {
        return Ok(decisive);
    }
    match (left, truth(right())) {
        (_, Ok(right)) if right == decisive => Ok(decisive),
        (Ok(_), right) => right,
        // What is not known may decide once it is; an error never will.
        (Err(left), Err(right)) if right.unknown && !left.unknown => Err(right),
        (Err(left), _) => Err(left),
    }
}

fn two(operator: Operator, left: Value, right: Value) -> Result<Value, Stop> {
    use Operator as O;
    let ordering = match operator {
        O::Equal => return Ok(Value::Bool(left.equals(&right))),
        O::Different => return Ok(Value::Bool(!left.equals(&right))),
        O::In => {
            let Value::List(items) = &right else { return no_such("in", &left, Some(&right)) };
            return Ok(Value::Bool(items.iter().any(|item| item.equals(&left))));
        }
        O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual => left.compare(&right),
        _ => return arithmetic(operator, left, right),
    };
    let Some(ordering) = ordering else { return no_such(operator.sign(), &left, Some(&right)) };
    Ok(Value::Bool(match operator {
        O::Less => ordering == Some(Ordering::Less),
        O::LessOrEqual => ordering.is_some_and(Ordering::is_le),
        O::Greater => ordering == Some(Ordering::Greater),
        _ => ordering.is_some_and(Ordering::is_ge),
    }))
}

fn arithmetic(operator: Operator, left: Value, right: Value) -> Result<Value, Stop> {
    use Operator as O;
    Ok(match (operator, left, right) {
        (O::Divide | O::Remainder, Value::Int(_), Value::Int(0)) => return fail("a division by zero"),
        (_, Value::Int(a), Value::Int(b)) => Value::Int(
            match operator {
                O::Plus => a.checked_add(b),
                O::Minus => a.checked_sub(b),
                O::Times => a.checked_mul(b),
                O::Divide => a.checked_div(b),
                _ => a.checked_rem(b),
            }
            .ok_or_else(overflow)?,
        ),
        (O::Plus, Value::Double(a), Value::Double(b)) => Value::Double(a + b),
        (O::Minus, Value::Double(a), Value::Double(b)) => Value::Double(a - b),
        (O::Times, Value::Double(a), Value::Double(b)) => Value::Double(a * b),
        (O::Divide, Value::Double(a), Value::Double(b)) => Value::Double(a / b),
        (O::Plus, Value::Duration(a), Value::Duration(b)) => {
            Value::Duration(a.checked_add(b).ok_or_else(overflow)?)
        }
        (O::Minus, Value::Duration(a), Value::Duration(b)) => {
            Value::Duration(a.checked_sub(b).ok_or_else(overflow)?)
        }
        (O::Plus, Value::Text(a), Value::Text(b)) => Value::Text(a + &b),
        (_, left, right) => return no_such(operator.sign(), &left, Some(&right)),
    })
}

fn call(name: &str, arguments: &[Node], with: Surroundings<'_>) -> Result<Value, Stop> {
    let mut texts = Vec::with_capacity(arguments.len());
    for argument in arguments {
        match evaluate(argument, with)? {
            Value::Text(text) => texts.push(text),
            other => return no_such(name, &other, None),
        }
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    match (name, texts.as_slice()) {
        ("duration", [text]) => match super::duration(text) {
            Some(duration) => Ok(Value::Duration(duration)),
            None => fail(format!("{text:?} is no duration")),
        },
        ("version", [text]) => match semver::Version::parse(text) {
            Ok(version) => Ok(Value::version(version)),
            Err(_) => fail(format!("{text:?} is no version")),
        },
        ("within", [from, to, zone @ ..]) if zone.len() <= 1 => {
            let zone = match zone.first() {
                Some(name) => {
                    let rules = with.zones.get(*name).and_then(|rules| super::Zone::parse(rules));
                    Some(rules.ok_or_else(|| unknown(format!("this release has no rules of {name}")))?)
                }
                None => None,
            };
            let minute = with.facts.local_minute(zone.as_ref()).map_err(unknown)?;
            window::contains(from, to, minute).map(Value::Bool).or_else(fail)
        }
        // A function of a newer version: another time, after an update, it may be known.
        _ => Err(unknown(format!("this version of the app knows no function `{name}` of {}", texts.len()))),
    }
}

fn overflow() -> Stop {
    Stop { unknown: false, why: "a number became too large".into() }
}

fn no_such<T>(sign: &str, left: &Value, right: Option<&Value>) -> Result<T, Stop> {
    let and = right.map(|right| format!(" and {}", right.kind().name())).unwrap_or_default();
    fail(format!("`{sign}` is not for {}{and}", left.kind().name()))
}
