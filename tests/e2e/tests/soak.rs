//! A short soak: the same load and the same ledger as `./x soak`, without its judgement of memory, which needs time.

use anyhow::ensure;
use staysail_e2e::soak::{Plan, run};
use staysail_e2e::stage::play;
use std::time::Duration;

#[test]
fn swaps_and_reloads_under_mixed_load_lose_no_call_and_double_none() {
    play("soak-short", |stage| {
        let report = run(stage, Plan { duration: Duration::from_secs(15), swaps: 12, reloads: 3 })?;
        println!("{}", report.text());
        ensure!(report.is_correct(), "{}", report.text());
        Ok(())
    });
}
