//! Conditions of updates, and rules of time zones.

use staysail_protocol::limits::{EXPRESSION_BYTES_MAX, EXPRESSION_DEPTH_MAX};
use staysail_update::policy::{
    Facts, Kind, Node, Surroundings, Value, Verdict, Zone, check, custom_names, evaluate, parse, verdict,
    zones,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// Facts of a machine that tells everything.
fn full() -> Facts {
    Facts {
        now_s: 1_795_869_296,
        local_offset_s: Some(3_600),
        idle: Some(Duration::from_secs(60)),
        load_per_core: Some(0.5),
        on_battery: Some(false),
        battery_percent: Some(50),
        metered: Some(false),
        free_disk_bytes: Some(1 << 40),
        app_version: "1.2.3".into(),
        ..Facts::default()
    }
}

/// An expression, and on a second line rules of a zone. What the check at build time lets pass comes to true or false with
/// all facts, but for values of the app's own, zones without rules and arithmetic without a result; without facts nothing
/// is worse than unknown.
pub fn expression(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let (text, rules) = text.split_once('\n').unwrap_or((text, ""));
    let zone = Zone::parse(rules).is_some_and(|zone| {
        for now_s in [0, 1_795_869_296, -3_000_000_000, 32_000_000_000] {
            assert!(zone.offset_s(now_s).abs() <= 25 * 3_600, "{rules:?}");
        }
        true
    });
    let fault = match parse(text) {
        Ok(node) => {
            assert!(text.len() <= EXPRESSION_BYTES_MAX && height(&node) <= EXPRESSION_DEPTH_MAX);
            check(text).err()
        }
        Err(fault) => Some(fault),
    };
    if let Some(fault) = fault {
        assert!(fault.at <= text.len() && !fault.problem.is_empty() && !fault.remedy.is_empty(), "{fault:?}");
        assert!(fault.show(text).contains('^'));
        // What was refused at build time must not hurt who gets it all the same.
        let _ = verdict(Some(text), &BTreeMap::new(), &full());
        return zone;
    }
    let names = zones(text).into_iter().map(|(name, at)| {
        assert!(text.is_char_boundary(at));
        (name, "CET-1CEST,M3.5.0,M10.5.0/3".to_owned())
    });
    let names: BTreeMap<_, _> = names.collect();
    let node = parse(text).expect("what was checked can be read");
    let facts = full();
    match evaluate(&node, Surroundings { facts: &facts, zones: &names }) {
        Ok(value) => {
            assert!(matches!(value, Value::Bool(_)) || has_custom(text), "{text:?} comes to {value:?}")
        }
        Err(stop) => {
            let arithmetic = stop.why.contains("too large") || stop.why.contains("division by zero");
            assert!(has_custom(text) || arithmetic, "{text:?}: {}", stop.why);
        }
    }
    let without = verdict(Some(text), &names, &Facts::default());
    assert!(!matches!(&without, Verdict::Unknown(why) if why.is_empty()));
    true
}

fn has_custom(text: &str) -> bool {
    !custom_names([text]).is_empty()
}

fn height(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Not(node) | Kind::Minus(node) => height(node),
        Kind::Two(_, left, right) => height(left).max(height(right)),
        Kind::Choice(nodes) => nodes.iter().map(height).max().unwrap_or(0),
        Kind::List(nodes) | Kind::Call(_, nodes) => nodes.iter().map(height).max().unwrap_or(0),
        _ => 0,
    }
}
