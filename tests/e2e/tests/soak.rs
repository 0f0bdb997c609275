//! A short soak: the same load and the same ledger as `./x soak`, without its judgement of memory, which needs time.

use anyhow::ensure;
use staysail_e2e::soak::{Plan, Stand, run};
use staysail_e2e::stage::play;
use std::time::Duration;

/// The second swap lets go of the first worker while its call still runs; nobody would return to it any more.
#[test]
fn a_call_ends_on_its_worker_however_many_swaps_follow() {
    play("soak-overtaken", |stage| {
        let mut stand = Stand::start(stage)?;
        stand.page.run(
            "window.ended = null; soak.invoke('slow', { id: 'long', milliseconds: 6000 }).then(() => ended = 'answered', \
             error => ended = error.code)",
            &[],
        )?;
        for number in 1..=3 {
            stand.swap(number)?;
        }
        let ended = staysail_e2e::wait_until("the end of the call", Duration::from_secs(20), || {
            let ended = stand.page.run("return ended", &[]).map_err(|error| format!("{error:#}"))?;
            ended.as_str().map(str::to_owned).ok_or_else(|| "it runs".into())
        })?;
        ensure!(ended == "answered", "the call ended with {ended}");
        // Nobody returns to the workers before the last two, and their calls have ended.
        staysail_e2e::wait_until("the end of the workers before", Duration::from_secs(20), || {
            let left = stage.processes_of("soaked-");
            if left.len() <= 2 { Ok(()) } else { Err(format!("{left:?}")) }
        })?;
        stand.shell.end()
    });
}

#[test]
fn swaps_and_reloads_under_mixed_load_lose_no_call_and_double_none() {
    play("soak-short", |stage| {
        let report = run(stage, Plan { duration: Duration::from_secs(15), swaps: 12, reloads: 3 })?;
        println!("{}", report.text());
        ensure!(report.is_correct(), "{}", report.text());
        Ok(())
    });
}
