//! Published releases: what they cost on the way, how fast and without what loss they go live, and how fast one that fails is
//! left. No peer replaces a running backend.

mod deltas;
mod live;
mod releases;
mod watched;

use super::Row;
use super::apps::{Apps, Which};
use releases::Releases;
use watched::Watched;

/// Measures the group: ten releases and one return for each run.
pub fn measure(apps: &Apps, runs: usize) -> anyhow::Result<Vec<Row>> {
    let mut releases = Releases::prepare(apps)?;
    let executable = apps.release(Which::Ours)?;
    let mut app = Watched::start(apps, &executable)?;
    let mut rows = live::updates(&mut releases, &mut app, 10 * runs)?;
    rows.push(live::returns(&mut releases, &mut app, runs)?);
    drop(app);
    rows.extend(deltas::measure(apps.root, &apps.work("deltas"), runs)?);
    Ok(rows)
}
