//! What the backend executed, as it wrote down itself, and what the page saw: the two are held against each other.

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// One execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Number of the call.
    pub id: String,
    /// Build that executed it.
    pub version: String,
    /// Its process.
    pub process: i32,
}

/// Reads all executions so far.
///
/// # Errors
/// When the ledger can not be read or a line is torn.
pub fn executions(file: &Path) -> anyhow::Result<Vec<Execution>> {
    lines(file, "executed")
}

/// Reads all starts of workers so far.
///
/// # Errors
/// As for [`executions`].
pub fn starts(file: &Path) -> anyhow::Result<Vec<Execution>> {
    lines(file, "started")
}

/// Reads all lines of this kind so far.
///
/// # Errors
/// As for [`executions`].
pub fn lines(file: &Path, wanted: &str) -> anyhow::Result<Vec<Execution>> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let mut found = Vec::new();
    for line in text.lines() {
        let parts: Vec<_> = line.split(' ').collect();
        let [what, id, version, process] = parts[..] else { bail!("torn line in the ledger: {line:?}") };
        if what == wanted {
            found.push(Execution {
                id: id.into(),
                version: version.into(),
                process: process.parse().with_context(|| format!("torn line in the ledger: {line:?}"))?,
            });
        }
    }
    Ok(found)
}

/// One call as the page saw it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Its number.
    pub id: String,
    /// The command.
    pub command: String,
    /// Position in the order of settling within its page load; `None` when it never settled.
    pub settled: Option<i64>,
    /// Build that answered.
    pub version: Option<String>,
    /// The answer, where it is not a build.
    pub value: Value,
    /// Code of the error it ended in.
    pub error: Option<String>,
}

/// Reads the page's records, in the order in which the calls were made.
///
/// # Errors
/// When they have another form.
pub fn calls(records: &Value) -> anyhow::Result<Vec<Call>> {
    let records = records.as_array().context("the page's records are no list")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let call = |record: &Value| {
        Some(Call {
            id: text(&record["id"])?,
            command: text(&record["command"])?,
            settled: record["settled"].as_i64().filter(|order| *order >= 0),
            version: text(&record["version"]),
            value: record["value"].clone(),
            error: text(&record["error"]),
        })
    };
    records.iter().map(|record| call(record).with_context(|| format!("strange record {record}"))).collect()
}

/// Most calls that may be under way in the moment a page is left; what became of them nobody can tell the page.
const UNDER_WAY_MAX: usize = 40;

/// Law 2 from outside. Every call settled; each answered one was executed exactly once, by the build whose answer
/// the page got; each failed one at most once, and only with an error of `allowed`; nothing was executed that the
/// page did not ask for. Only calls under way in the moment of one of `reloads` may have no answer, or no record.
///
/// # Errors
/// Naming the first call that breaks it.
pub fn check_once(
    calls: &[Call],
    executions: &[Execution],
    allowed: &[&str],
    reloads: usize,
) -> anyhow::Result<()> {
    let made: HashSet<&str> = calls.iter().map(|call| call.id.as_str()).collect();
    ensure!(made.len() == calls.len(), "the page gave two calls the same number");
    let mut by_id: HashMap<&str, &Execution> = HashMap::new();
    let mut cut_off = Vec::new();
    for execution in executions.iter().filter(|execution| execution.id != "-") {
        if let Some(before) = by_id.insert(&execution.id, execution) {
            bail!("a call was executed twice: {before:?} and {execution:?}");
        }
        if !made.contains(execution.id.as_str()) {
            cut_off.push(execution.id.as_str());
        }
    }
    for call in calls {
        let execution = by_id.get(call.id.as_str());
        match &call.error {
            _ if call.settled.is_none() => cut_off.push(&call.id),
            Some(code) => ensure!(allowed.contains(&code.as_str()), "call {call:?} failed"),
            None => {
                let Some(execution) = execution else {
                    bail!("call {call:?} was answered, but never executed")
                };
                if let Some(version) = &call.version {
                    ensure!(execution.version == *version, "call {call:?} was executed by {execution:?}");
                }
            }
        }
    }
    ensure!(
        cut_off.len() <= reloads * UNDER_WAY_MAX,
        "{} calls have no answer or no record, with {reloads} page loads: {cut_off:?}",
        cut_off.len()
    );
    Ok(())
}

/// The builds that answered, in the order of the calls, each once per run of equal ones. Calls that were answered
/// late because they are slow are left out: they may end on the old build after the switch.
pub fn versions_in_order(calls: &[Call]) -> Vec<String> {
    let mut versions: Vec<String> = calls
        .iter()
        .filter(|call| call.command == "answer")
        .filter_map(|call| call.version.clone())
        .collect();
    versions.dedup();
    versions
}

/// Answers change from old to new once per edit, in the order of the edits.
///
/// # Errors
/// With what was seen instead.
pub fn check_monotone(calls: &[Call], expected: &[String]) -> anyhow::Result<()> {
    let seen = versions_in_order(calls);
    ensure!(seen == expected, "answers changed in the order {seen:?} instead of {expected:?}");
    Ok(())
}

/// Declared state went on: the counts the page got never fall and never repeat.
///
/// # Errors
/// With the two counts that show it.
pub fn check_counts(calls: &[Call]) -> anyhow::Result<u64> {
    let mut last = 0;
    for call in
        calls.iter().filter(|call| call.command == "count" && call.error.is_none() && call.settled.is_some())
    {
        let count = call.value.as_u64().with_context(|| format!("no count in {call:?}"))?;
        ensure!(count > last, "the count was {last}, then {count}: declared state went back ({call:?})");
        last = count;
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str, version: &str) -> Call {
        Call {
            id: id.into(),
            command: "answer".into(),
            settled: Some(0),
            version: Some(version.into()),
            value: Value::Null,
            error: None,
        }
    }

    fn execution(id: &str, version: &str) -> Execution {
        Execution { id: id.into(), version: version.into(), process: 1 }
    }

    fn refused(calls: &[Call], executions: &[Execution]) -> String {
        check_once(calls, executions, &["WorkerLost"], 0).expect_err("nothing was found").to_string()
    }

    #[test]
    fn a_call_that_was_doubled_lost_invented_or_answered_by_another_build_is_found() {
        let good = [call("a", "v0")];
        assert!(check_once(&good, &[execution("a", "v0")], &[], 0).is_ok());
        assert!(refused(&good, &[execution("a", "v0"), execution("a", "v1")]).contains("twice"));
        assert!(refused(&good, &[]).contains("never executed"));
        assert!(refused(&good, &[execution("a", "v1")]).contains("was executed by"));
        assert!(refused(&good, &[execution("a", "v0"), execution("b", "v0")]).contains("no record"));
        let pending = Call { settled: None, version: None, ..call("a", "v0") };
        assert!(refused(&[pending], &[execution("a", "v0")]).contains("no answer"));
        let failed = Call { error: Some("Internal".into()), version: None, ..call("a", "v0") };
        assert!(refused(&[failed], &[]).contains("failed"));
    }

    #[test]
    fn answers_that_go_back_to_an_older_build_are_found() {
        let calls = [call("a", "v0"), call("b", "v1"), call("c", "v0")];
        let expected = ["v0".to_owned(), "v1".to_owned()];
        assert!(check_monotone(&calls[..2], &expected).is_ok());
        assert!(check_monotone(&calls, &expected).is_err());
        assert!(check_monotone(&calls[..1], &expected).is_err());
    }

    #[test]
    fn a_count_that_falls_or_repeats_is_found() {
        let count = |value: u64| Call { command: "count".into(), value: value.into(), ..call("a", "v0") };
        assert_eq!(check_counts(&[count(1), count(3)]).ok(), Some(3));
        assert!(check_counts(&[count(2), count(2)]).is_err());
        assert!(check_counts(&[count(2), count(1)]).is_err());
    }
}
