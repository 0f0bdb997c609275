//! Calls, streams and events between page and backend, as the pages of both apps measure them.

use super::apps::Apps;
use super::built::{Both, Built};
use super::{Row, events, median, quantile};
use anyhow::Context;
use serde_json::Value;
use std::time::Duration;

const STARTS: usize = 3;
const TASK_LIMIT: Duration = Duration::from_secs(300);
/// Payloads in the pages' `calls.js`, and which part of the peer's time ours may take at most.
const SIZES: [(&str, Option<f64>); 5] =
    [("10b", Some(0.45)), ("1kb", Some(0.45)), ("64kb", None), ("1mb", Some(0.5)), ("16mb", Some(0.5))];

/// The group `call`.
pub fn measure(apps: &Apps) -> anyhow::Result<Vec<Row>> {
    let built = Built::new(apps)?;
    let report = |task: &str| {
        built.by_turns(STARTS, |_, which, executable| {
            let mut app = built.start(executable, task, &[])?;
            let report = app.report(task, TASK_LIMIT)?.value;
            println!("{which:?}: {task} done");
            Ok(report)
        })
    };
    let mut rows = small(&report("calls")?)?;
    rows.extend(sizes(&report("sizes")?)?);
    rows.extend(streams(&report("streams")?)?);
    rows.extend(events::measure(&built)?);
    Ok(rows)
}

fn list(report: &Value, name: &str) -> anyhow::Result<Vec<f64>> {
    let list = report[name].as_array().with_context(|| format!("the page reported no {name}"))?;
    Ok(list.iter().filter_map(Value::as_f64).collect())
}

/// Of each start one number that `reduce` makes of a list the page reported.
fn each(
    reports: &Both<Vec<Value>>,
    name: &str,
    reduce: impl Fn(&[f64]) -> Option<f64>,
) -> anyhow::Result<Both<Vec<f64>>> {
    let of = |reports: &[Value]| -> anyhow::Result<Vec<f64>> {
        let lists = reports.iter().map(|report| list(report, name)).collect::<anyhow::Result<Vec<_>>>()?;
        Ok(lists.iter().filter_map(|list| reduce(list)).collect())
    };
    Ok([of(&reports[0])?, of(&reports[1])?])
}

/// All numbers of all starts.
fn all(reports: &Both<Vec<Value>>, name: &str) -> anyhow::Result<Both<Vec<f64>>> {
    let of = |reports: &[Value]| -> anyhow::Result<Vec<f64>> {
        Ok(reports.iter().map(|report| list(report, name)).collect::<anyhow::Result<Vec<_>>>()?.concat())
    };
    Ok([of(&reports[0])?, of(&reports[1])?])
}

fn small(reports: &Both<Vec<Value>>) -> anyhow::Result<Vec<Row>> {
    let [p50, peer_p50] = each(reports, "single_us", |list| quantile(list, 0.5))?;
    let [p99, peer_p99] = each(reports, "single_us", |list| quantile(list, 0.99))?;
    let [pipelined, peer_pipelined] = all(reports, "pipelined_us")?;
    let [echo, peer_echo] = all(reports, "echo_ms")?;
    let per_s = |list: &[f64]| list.iter().map(|us| 1e6 / us).collect::<Vec<_>>();
    let (rate, peer_rate) = (per_s(&pipelined), per_s(&peer_pipelined));
    println!("p50 {:?} us, Tauri {:?} us", median(&p50), median(&peer_p50));
    Ok(vec![
        Row::new("call.p50_us", "us", p50, peer_p50).at_most(None, Some(0.45)),
        Row::new("call.p99_us", "us", p99, peer_p99),
        Row::new("call.pipelined_us", "us", pipelined, peer_pipelined).at_most(None, Some(0.25)),
        Row::new("call.pipelined_per_s", "calls/s", rate, peer_rate),
        Row::new("call.echo_1mb_ms", "ms", echo, peer_echo).at_most(None, Some(0.5)),
    ])
}

fn sizes(reports: &Both<Vec<Value>>) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for kind in ["json", "binary"] {
        for (size, part) in SIZES {
            let name = format!("{kind}_{size}");
            let [p50, peer_p50] = each(reports, &name, |list| quantile(list, 0.5))?;
            let [p99, peer_p99] = each(reports, &name, |list| quantile(list, 0.99))?;
            rows.push(Row::new(format!("call.{name}_p50_us"), "us", p50, peer_p50).at_most(None, part));
            rows.push(Row::new(format!("call.{name}_p99_us"), "us", p99, peer_p99));
        }
    }
    Ok(rows)
}

fn streams(reports: &Both<Vec<Value>>) -> anyhow::Result<Vec<Row>> {
    let row = |name: &str, field: &str| -> anyhow::Result<Row> {
        let [ours, peer] = all(reports, field)?;
        Ok(Row::new(name, "MB/s", ours, peer).at_least(None, Some(2.0)))
    };
    Ok(vec![
        row("call.stream_down_mb_per_s", "down_mb_per_s")?,
        row("call.stream_down_16mb_mb_per_s", "down_16mb_mb_per_s")?,
        row("call.stream_up_mb_per_s", "up_mb_per_s")?,
    ])
}
