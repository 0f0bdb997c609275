//! The check of an expression at build time: names, types, texts. What passes can only lack a fact when it is looked at,
//! or meet a value of the app's own that is of another kind than it is used as.

use super::facts::{FACTS, Type, WEEKDAYS};
use super::syntax::{Fault, Kind, Node, Operator, parse};
use super::{Facts, Stop, Surroundings, evaluate, window};
use std::collections::{BTreeMap, BTreeSet};

/// Functions with the least and the most number of their arguments, and an example.
const FUNCTIONS: [(&str, usize, usize, &str); 3] = [
    ("duration", 1, 1, "duration(\"5m\")"),
    ("version", 1, 1, "version(\"1.2.0\")"),
    ("within", 2, 3, "within(\"22:00\", \"06:00\", \"Europe/Berlin\")"),
];

/// Checks an expression of a policy.
///
/// # Errors
/// A [`Fault`] at the first place that could never work.
pub fn check(expression: &str) -> Result<(), Fault> {
    let node = parse(expression)?;
    match type_of(&node)? {
        Type::Bool | Type::Any => Ok(()),
        other => Err(Fault::new(
            node.at,
            format!("a condition is true or false, this is {}", other.name()),
            "Compare it with something.",
        )),
    }
}

/// The time zones an expression names, and where.
pub fn zones(expression: &str) -> BTreeSet<(String, usize)> {
    fn collect(node: &Node, names: &mut BTreeSet<(String, usize)>) {
        match &node.kind {
            Kind::Call(name, arguments) => {
                if let (true, Some(Node { kind: Kind::Text(zone), at, .. })) =
                    (name == "within", arguments.get(2))
                {
                    names.insert((zone.clone(), *at));
                }
                arguments.iter().for_each(|node| collect(node, names));
            }
            Kind::List(nodes) => nodes.iter().for_each(|node| collect(node, names)),
            Kind::Not(node) | Kind::Minus(node) => collect(node, names),
            Kind::Two(_, left, right) => [left, right].into_iter().for_each(|node| collect(node, names)),
            Kind::Choice(nodes) => nodes.iter().for_each(|node| collect(node, names)),
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    if let Ok(node) = parse(expression) {
        collect(&node, &mut names);
    }
    names
}

fn type_of(node: &Node) -> Result<Type, Fault> {
    Ok(match &node.kind {
        Kind::Bool(_) => Type::Bool,
        Kind::Int(_) => Type::Int,
        Kind::Double(_) => Type::Double,
        Kind::Text(_) => Type::Text,
        Kind::List(items) => {
            for item in items {
                type_of(item)?;
            }
            Type::List
        }
        Kind::Name(name) => fact(node.at, name)?,
        Kind::Call(name, arguments) => call(node, name, arguments)?,
        Kind::Not(inner) => {
            wanted("!", inner, &[Type::Bool])?;
            Type::Bool
        }
        Kind::Minus(inner) => wanted("-", inner, &[Type::Int, Type::Double])?,
        Kind::Two(Operator::And | Operator::Or, left, right) => {
            let Kind::Two(operator, ..) = &node.kind else { return Ok(Type::Bool) };
            wanted(operator.sign(), left, &[Type::Bool])?;
            wanted(operator.sign(), right, &[Type::Bool])?;
            Type::Bool
        }
        Kind::Two(operator, left, right) => two(node.at, *operator, left, right)?,
        Kind::Choice(parts) => {
            wanted("?", &parts[0], &[Type::Bool])?;
            let (yes, no) = (type_of(&parts[1])?, type_of(&parts[2])?);
            match (yes, no) {
                (Type::Any, other) | (other, Type::Any) => other,
                _ if yes == no => yes,
                _ => return Err(mismatch(node.at, ":", yes, no)),
            }
        }
    })
}

fn fact(at: usize, name: &str) -> Result<Type, Fault> {
    if name.starts_with("custom.") {
        return Ok(Type::Any);
    }
    if let Some((_, kind)) = FACTS.iter().find(|(known, _)| *known == name) {
        return Ok(*kind);
    }
    let known = FACTS.iter().map(|(known, _)| *known);
    if let Some((_, _, _, example)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) {
        return Err(Fault::new(at, format!("`{name}` is a function"), format!("Write {example}.")));
    }
    let list = format!(
        "Known are {}, and values of the app as custom.NAME.",
        known.clone().collect::<Vec<_>>().join(", ")
    );
    let remedy = near(name, known).map_or(list.clone(), |near| format!("Did you mean `{near}`? {list}"));
    Err(Fault::new(at, format!("there is no fact `{name}`"), remedy))
}

fn call(node: &Node, name: &str, arguments: &[Node]) -> Result<Type, Fault> {
    let Some((_, least, most, example)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
        let known = FUNCTIONS.iter().map(|(known, ..)| *known);
        let list = format!("Known are {}.", known.clone().collect::<Vec<_>>().join(", "));
        let remedy = near(name, known).map_or(list.clone(), |near| format!("Did you mean `{near}`? {list}"));
        return Err(Fault::new(node.at, format!("there is no function `{name}`"), remedy));
    };
    if !(*least..=*most).contains(&arguments.len()) {
        let problem = format!("`{name}` has {} arguments here", arguments.len());
        return Err(Fault::new(node.at, problem, format!("Write it like {example}.")));
    }
    let mut texts = Vec::new();
    for argument in arguments {
        let Kind::Text(text) = &argument.kind else {
            let problem = format!("`{name}` takes texts in quotes only");
            return Err(Fault::new(argument.at, problem, format!("Write it like {example}.")));
        };
        texts.push(text.as_str());
    }
    if let ("within", [from, to, ..]) = (name, texts.as_slice()) {
        window::contains(from, to, 0)
            .map_err(|problem| Fault::new(arguments[0].at, problem, format!("Write it like {example}.")))?;
        return Ok(Type::Bool);
    }
    // Of the others the value is known now.
    let (facts, zones) = (Facts::default(), BTreeMap::new());
    match evaluate(node, Surroundings { facts: &facts, zones: &zones }) {
        Ok(value) => Ok(value.kind()),
        Err(Stop { why, .. }) => Err(Fault::new(arguments[0].at, why, format!("Write it like {example}."))),
    }
}

fn wanted(sign: &str, node: &Node, types: &[Type]) -> Result<Type, Fault> {
    let is = type_of(node)?;
    if is == Type::Any || types.contains(&is) {
        return Ok(is);
    }
    let wanted: Vec<_> = types.iter().map(|kind| kind.name()).collect();
    let problem = format!("`{sign}` needs {}, this is {}", wanted.join(" or "), is.name());
    Err(Fault::new(node.at, problem, "Compare it with something, or take it out."))
}

fn mismatch(at: usize, sign: &str, left: Type, right: Type) -> Fault {
    let remedy = match (left, right) {
        (Type::Int, Type::Double) | (Type::Double, Type::Int) => {
            "Write both with a point (1.0), or both without."
        }
        (Type::Duration, _) | (_, Type::Duration) => "Durations are written duration(\"5m\").",
        (Type::Version, _) | (_, Type::Version) => "Versions are written version(\"1.2.0\").",
        _ => "Both sides must be of one kind.",
    };
    Fault::new(at, format!("`{sign}` stands between {} and {}", left.name(), right.name()), remedy)
}

fn two(at: usize, operator: Operator, left: &Node, right: &Node) -> Result<Type, Fault> {
    use Operator as O;
    let (a, b) = (type_of(left)?, type_of(right)?);
    let numbers = |kind| matches!(kind, Type::Int | Type::Double);
    let any = a == Type::Any || b == Type::Any;
    weekday(left, right)?;
    weekday(right, left)?;
    match operator {
        O::Equal | O::Different if any || a == b || (numbers(a) && numbers(b)) => Ok(Type::Bool),
        O::Less | O::LessOrEqual | O::Greater | O::GreaterOrEqual
            if (any || a == b || (numbers(a) && numbers(b))) && a != Type::List && b != Type::List =>
        {
            Ok(Type::Bool)
        }
        O::In => {
            let Kind::List(items) = &right.kind else {
                return Err(Fault::new(
                    right.at,
                    "`in` needs a list",
                    "Write it like weekday in [\"Sat\", \"Sun\"].",
                ));
            };
            for item in items {
                two(item.at, O::Equal, left, item)?;
            }
            Ok(Type::Bool)
        }
        O::Plus | O::Minus | O::Times | O::Divide | O::Remainder => {
            let fits = |kind| match kind {
                Type::Any | Type::Int => true,
                Type::Double => operator != O::Remainder,
                Type::Duration => matches!(operator, O::Plus | O::Minus),
                Type::Text => operator == O::Plus,
                _ => false,
            };
            match (a, b) {
                (Type::Any, kind) | (kind, Type::Any) if fits(kind) => Ok(kind),
                _ if a == b && fits(a) => Ok(a),
                _ => Err(mismatch(at, operator.sign(), a, b)),
            }
        }
        _ => Err(mismatch(at, operator.sign(), a, b)),
    }
}

/// A weekday that is none would never come.
fn weekday(one: &Node, other: &Node) -> Result<(), Fault> {
    match (&one.kind, &other.kind) {
        (Kind::Name(name), Kind::Text(day)) if name == "weekday" && !WEEKDAYS.contains(&day.as_str()) => {
            let remedy = format!("Weekdays are {}.", WEEKDAYS.join(", "));
            Err(Fault::new(other.at, format!("{day:?} is no weekday"), remedy))
        }
        _ => Ok(()),
    }
}

/// The known name that is nearest to a wrong one, if one is near: by the least number of letters to change.
fn near<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |name: &str| {
        let (a, b): (Vec<char>, Vec<char>) = (wrong.chars().take(40).collect(), name.chars().collect());
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, from) in a.iter().enumerate() {
            let mut diagonal = std::mem::replace(&mut row[0], i + 1);
            for (j, to) in b.iter().enumerate() {
                let change = diagonal + usize::from(from != to);
                diagonal = row[j + 1];
                row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
            }
        }
        row[b.len()]
    };
    known
        .map(|name| (distance(name), name))
        .min()
        .filter(|(far, name)| *far <= name.len() / 3 + 1)
        .map(|(_, name)| name)
}
