//! A network that breaks, lies and drips as [`crate::faults`] has it.

use crate::faults::{Faults, Sort, Verdict};
use crate::host::locked;
use crate::model::Model;
use crate::world::{Files, World};
use staysail_update::engine::network::{Answer, Body, Network, NetworkFuture};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// What the production client waits for the next bytes.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that arrive at once.
const PIECE: usize = 700;
/// What may pass at once after a pause, as so much time, and one that is measured in whole milliseconds.
const BURST_MS: u64 = 101;
/// Transfers at a time, of releases and of asset groups.
const TRANSFERS_MAX: usize = 8;
const PORTAL: &[u8] = b"<!doctype html><title>Welcome</title><p>Please accept the terms to use this network.";

/// The way to the repository as it is on one day.
#[derive(Debug)]
pub struct SimulatedNetwork {
    faults: Faults,
    world: &'static World,
    day: usize,
    /// Is told what is fetched, unless it is for a page.
    model: Option<Arc<Mutex<Model>>>,
    meter: Meter,
}

/// How fast files come, against the limit that was set. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    inner: Arc<Mutex<Option<Metered>>>,
}

#[derive(Debug)]
struct Metered {
    bytes_per_s_max: u64,
    since: Instant,
    /// Bytes that came since then, of which the next piece was asked for; less those that may have been on their way before.
    bytes: i64,
}

impl Meter {
    /// The limit is this from now on. `under_way` when something may be on its way.
    pub fn limit(&self, bytes_per_s_max: Option<u64>, under_way: bool) {
        let bytes = if under_way { -((TRANSFERS_MAX * PIECE) as i64) } else { 0 };
        *locked(&self.inner) =
            bytes_per_s_max.map(|bytes_per_s_max| Metered { bytes_per_s_max, since: Instant::now(), bytes });
    }

    /// The next piece is asked for after this one: it is paid for. What came too fast, if that did.
    fn came(&self, bytes: usize) -> Option<String> {
        let mut metered = locked(&self.inner);
        let metered = metered.as_mut()?;
        metered.bytes += bytes as i64;
        let elapsed_ms = metered.since.elapsed().as_millis() as u64 + BURST_MS;
        let most = metered.bytes_per_s_max * elapsed_ms / 1_000;
        (metered.bytes > most as i64).then(|| {
            format!(
                "{} bytes came in {elapsed_ms} ms, at {} bytes per second",
                metered.bytes, metered.bytes_per_s_max
            )
        })
    }
}

/// Ways in which a request goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Refused,
    Silent,
    Status(u16),
    Portal,
    CutOff,
    Broken,
    Changed,
    Endless,
    Dripping,
    OtherRange,
    Earlier,
    Mixed,
    Forged,
    Empty,
}

impl Way {
    fn of(number: u64) -> Self {
        const ALL: [Way; 17] = [
            Way::Refused,
            Way::Silent,
            Way::Status(503),
            Way::Status(404),
            Way::Status(403),
            Way::Status(429),
            Way::Status(400),
            Way::Portal,
            Way::CutOff,
            Way::Broken,
            Way::Changed,
            Way::Endless,
            Way::Dripping,
            Way::OtherRange,
            Way::Earlier,
            Way::Mixed,
            Way::Forged,
        ];
        ALL.get((number % 18) as usize).copied().unwrap_or(Self::Empty)
    }
}

impl SimulatedNetwork {
    /// The repository on this day.
    pub fn new(
        faults: Faults,
        world: &'static World,
        day: usize,
        model: Option<Arc<Mutex<Model>>>,
        meter: Meter,
    ) -> Self {
        Self { faults, world, day, model, meter }
    }

    fn files(&self, day: usize) -> &'static Files {
        let days = &self.world.days;
        &days[day.min(days.len() - 1)]
    }
}

struct Stream {
    faults: Faults,
    name: String,
    content: Arc<Vec<u8>>,
    at: usize,
    way: Option<(Way, u64)>,
    /// Of files, not of metadata.
    meter: Option<Meter>,
    /// Bytes of the piece before.
    came: usize,
}

impl Network for SimulatedNetwork {
    fn get<'a>(&'a self, path: &'a str, start: u64) -> NetworkFuture<'a, Answer> {
        Box::pin(async move {
            if let Some(model) = &self.model {
                let undisturbed = !self.faults.state().struck;
                locked(model).fetching(path, undisturbed);
            }
            let way = match self.faults.effect(Sort::Network, "get", path, false) {
                Verdict::Go => None,
                Verdict::Fail(number) => Some((Way::of(number), number)),
                _ => return Err("simulated: the process is dead".to_owned()),
            };
            tokio::time::sleep(Duration::from_millis(20)).await;
            let mut day = self.day;
            match way {
                Some((Way::Refused, _)) => return Err("simulated: connection refused".into()),
                Some((Way::Silent, _)) => {
                    tokio::time::sleep(PATIENCE).await;
                    return Err("simulated: timed out".into());
                }
                Some((Way::Earlier, number)) => day = number as usize % (self.day + 1),
                Some((Way::Mixed, number)) => {
                    let mixed = path.bytes().fold(number, |sum, byte| sum.rotate_left(5) ^ u64::from(byte));
                    day = mixed as usize % (self.day + 1);
                }
                _ => {}
            }
            let files =
                if matches!(way, Some((Way::Forged, _))) { &self.world.forged } else { self.files(day) };
            let found = files.get(path).cloned();
            let status = match way {
                Some((Way::Status(status), _)) => status,
                Some((Way::Portal | Way::Endless | Way::Empty, _)) => 200,
                _ if found.is_none() => 404,
                _ if start > 0 => 206,
                _ => 200,
            };
            let content = match way {
                Some((Way::Portal, _)) => Arc::new(PORTAL.to_vec()),
                Some((Way::Empty, _)) => Arc::default(),
                _ => found.unwrap_or_default(),
            };
            let size = content.len();
            let from = if status == 206 { (start as usize).min(size) } else { 0 };
            let told = if matches!(way, Some((Way::OtherRange, _))) { from / 2 } else { from };
            Ok(Answer {
                status,
                range: (status == 206).then(|| format!("bytes {told}-{}/{size}", size.saturating_sub(1))),
                media: String::new(),
                body: Box::new(Stream {
                    faults: self.faults.clone(),
                    name: path.into(),
                    content,
                    at: from,
                    way,
                    meter: path.starts_with("blobs/").then(|| self.meter.clone()),
                    came: 0,
                }),
            })
        })
    }

    fn announcements(&self) -> Option<NetworkFuture<'_, Answer>> {
        None
    }

    fn name(&self) -> String {
        "simulated://".into()
    }
}

impl Body for Stream {
    fn piece(&mut self) -> NetworkFuture<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            let came = std::mem::take(&mut self.came);
            if let Some(too_fast) = self.meter.as_ref().and_then(|meter| meter.came(came)) {
                self.faults.state().too_fast.get_or_insert(too_fast);
            }
            match self.faults.effect(Sort::Network, "piece", &self.name, false) {
                Verdict::Go => {}
                Verdict::Fail(number) if self.way.is_none() => self.way = Some((Way::of(number), number)),
                Verdict::Fail(_) => {}
                _ => return Err("simulated: the process is dead".to_owned()),
            }
            let mut length = PIECE.min(self.content.len() - self.at);
            match self.way.map(|(way, _)| way) {
                Some(Way::Endless) => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    return Ok(Some(vec![b'x'; 64 << 10]));
                }
                Some(Way::Silent) => {
                    tokio::time::sleep(PATIENCE).await;
                    return Err("simulated: timed out".into());
                }
                Some(Way::Refused | Way::Broken) if self.at > 0 || length < 2 => {
                    return Err("simulated: connection reset".into());
                }
                Some(Way::CutOff) if self.at > 0 || length < 2 => return Ok(None),
                Some(Way::CutOff | Way::Broken) => length /= 2,
                Some(Way::Dripping) => {
                    tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
                    length = length.min(1);
                }
                _ => {}
            }
            if length == 0 {
                return Ok(None);
            }
            let mut piece = self.content[self.at..self.at + length].to_vec();
            if let Some((Way::Changed, number)) = self.way {
                let at = number as usize % piece.len();
                piece[at] ^= 1 << (number % 8);
            }
            (self.at, self.came) = (self.at + length, length);
            Ok(Some(piece))
        })
    }
}
