//! What an update costs in bytes, time and memory, beside the ways others have: a page, a style sheet, and consecutive
//! releases of public programs.

use crate::bench::apps::succeed;
use crate::bench::{Row, median};
use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Consecutive releases of one program: package, versions, and the program in it. Built by Rust and Go, for two machines.
const PROGRAMS: [(&str, [&str; 2], &str); 5] = [
    ("@rollup/rollup-linux-x64-gnu", ["4.68.7", "4.68.8"], "rollup.linux-x64-gnu.node"),
    ("@rollup/rollup-linux-arm64-gnu", ["4.68.7", "4.68.8"], "rollup.linux-arm64-gnu.node"),
    ("@esbuild/linux-x64", ["0.28.1", "0.28.2"], "bin/esbuild"),
    ("@esbuild/linux-arm64", ["0.28.1", "0.28.2"], "bin/esbuild"),
    ("lightningcss-linux-x64-gnu", ["1.32.0", "1.33.0"], "lightningcss.linux-x64-gnu.node"),
];
/// A page's script and a style sheet, and the change of one line: the text in the middle of the file to replace, and by what.
const PAGE: (&str, &str, &str, [&str; 2]) =
    ("three", "0.170.0", "build/three.module.min.js", ["return ", "console.info(\"edited\");return "]);
const STYLES: (&str, &str, &str, [&str; 2]) =
    ("bootstrap", "5.3.3", "dist/css/bootstrap.min.css", ["#0d6efd", "#0d6efe"]);
/// The other ways, in the order of [`Payload::peers`].
const PEERS: [&str; 5] = ["zstd", "patch_from", "bsdiff", "xdelta3", "blocks"];

/// Bytes of one change.
struct Payload {
    ours: f64,
    peers: [f64; PEERS.len()],
}

/// The commands, and a folder for their files.
struct Bench<'a> {
    delta: PathBuf,
    work: &'a Path,
}

/// Measures the rows about deltas.
///
/// # Errors
/// When a package can not be downloaded, or a command is missing or fails.
pub fn measure(root: &Path, work: &Path, runs: usize) -> anyhow::Result<Vec<Row>> {
    println!("=== building the deltas' command, optimised");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "-p", "staysail-update", "--example", "delta"]);
    succeed(cargo.current_dir(root))?;
    std::fs::create_dir_all(work)?;
    let bench = Bench { delta: root.join("target/release/examples/delta"), work };
    let page = bench.edited(PAGE)?;
    let styles = bench.edited(STYLES)?;
    let (mut native, mut ours_ms, mut bspatch_ms, mut memory_mb) = (Vec::new(), Vec::new(), Vec::new(), 0f64);
    for (package, versions, file) in PROGRAMS {
        let old = bench.package(package, versions[0])?.join(file);
        let new = bench.package(package, versions[1])?.join(file);
        let payload = bench.payload(&old, &new)?;
        println!(
            "{package} {} to {}: {} bytes, bsdiff {}",
            versions[0], versions[1], payload.ours, payload.peers[2]
        );
        native.push(payload);
        let times = bench.apply(&old, &new, runs)?;
        println!("  applied in {:.1} ms, bspatch {:.1}", times.ours_ms, times.bspatch_ms);
        ours_ms.push(times.ours_ms);
        bspatch_ms.push(times.bspatch_ms);
        memory_mb = memory_mb.max(times.memory_mb);
    }
    let native = Payload {
        ours: mean(native.iter().map(|payload| payload.ours)),
        peers: std::array::from_fn(|peer| mean(native.iter().map(|payload| payload.peers[peer]))),
    };
    let bspatch = mean(bspatch_ms);
    Ok(vec![
        row("update.page_payload_bytes", &page, 1.2, 1),
        row("update.css_payload_bytes", &styles, 1.2, 1),
        row("update.native_payload_bytes", &native, 0.6, 2),
        Row::new("update.apply_ms", "ms", vec![mean(ours_ms)], Vec::new())
            .beside(vec![("bspatch", bspatch)])
            .at_most(Some(bspatch / 5.0), None),
        Row::new("update.apply_memory_mb", "MB", vec![memory_mb], Vec::new()).at_most(Some(64.0), None),
    ])
}

/// At most what the best of the others takes, and at most so much of a named one.
fn row(name: &str, payload: &Payload, part: f64, of: usize) -> Row {
    let best = payload.peers.iter().copied().fold(f64::INFINITY, f64::min);
    let peers = PEERS.into_iter().zip(payload.peers).collect();
    let limit = best.min(payload.peers[of] * part);
    Row::new(name, "bytes", vec![payload.ours], Vec::new()).beside(peers).at_most(Some(limit), None)
}

/// The geometric mean.
fn mean(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let logarithms: Vec<f64> = numbers.into_iter().map(f64::ln).collect();
    (logarithms.iter().sum::<f64>() / logarithms.len().max(1) as f64).exp()
}

/// How long applying takes, and the most memory of our process beyond the new file.
struct Applied {
    ours_ms: f64,
    bspatch_ms: f64,
    memory_mb: f64,
}

impl Bench<'_> {
    /// The folder of an unpacked package.
    fn package(&self, name: &str, version: &str) -> anyhow::Result<PathBuf> {
        let plain = name.replace(['@', '/'], "_");
        let folder = self.work.join(format!("{plain}-{version}"));
        if !folder.join("package").exists() {
            std::fs::create_dir_all(&folder)?;
            let mut pack = Command::new("npm");
            pack.args(["pack", &format!("{name}@{version}"), "--silent", "--pack-destination"]).arg(&folder);
            succeed(&mut pack)?;
            let mut archives = std::fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
            let archive = archives.find(|path| path.extension().is_some_and(|end| end == "tgz"));
            let archive = archive.with_context(|| format!("npm packed nothing of {name}@{version}"))?;
            succeed(Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(&folder))?;
        }
        Ok(folder.join("package"))
    }

    /// Bytes of a change of one line, in the middle of a file.
    fn edited(
        &self,
        (package, version, file, [from, to]): (&str, &str, &str, [&str; 2]),
    ) -> anyhow::Result<Payload> {
        let old = self.package(package, version)?.join(file);
        let text = std::fs::read_to_string(&old)?;
        let places: Vec<usize> = text.match_indices(from).map(|found| found.0).collect();
        let at =
            *places.get(places.len() / 2).with_context(|| format!("{from:?} is not in {}", old.display()))?;
        let new = self.work.join("edited");
        std::fs::write(&new, [&text[..at], to, &text[at + from.len()..]].concat())?;
        self.payload(&old, &new)
    }

    fn payload(&self, old: &Path, new: &Path) -> anyhow::Result<Payload> {
        let ours = self.delta(&["make".as_ref(), old, new, &self.work.join("ours")])?;
        let ours = ours.trim().split(' ').nth(1).context("no size was printed")?.parse()?;
        let to = |name: &str| self.work.join(name);
        let mut zstd = Command::new("zstd");
        zstd.args(["-19", "-qq", "-f"]).arg(new).arg("-o").arg(to("zstd"));
        let mut from = std::ffi::OsString::from("--patch-from=");
        from.push(old);
        let mut patch_from = Command::new("zstd");
        patch_from.args(["-19", "--long=27", "-qq", "-f"]).arg(from).arg(new).arg("-o").arg(to("patch_from"));
        let mut bsdiff = Command::new("bsdiff");
        bsdiff.arg(old).arg(new).arg(to("bsdiff"));
        let mut xdelta3 = Command::new("xdelta3");
        xdelta3.args(["-9", "-S", "lzma", "-f", "-e", "-s"]).arg(old).arg(new).arg(to("xdelta3"));
        let mut peers = [0.0; PEERS.len()];
        for (command, (name, bytes)) in
            [zstd, patch_from, bsdiff, xdelta3].iter_mut().zip(PEERS.iter().zip(&mut peers))
        {
            succeed(command)?;
            *bytes = std::fs::metadata(to(name))?.len() as f64;
        }
        peers[4] = self.delta(&["blocks".as_ref(), old, new])?.trim().parse()?;
        Ok(Payload { ours, peers })
    }

    /// Applies what [`Bench::payload`] made last, by turns with bspatch. Ours is timed in the process, as an app does it; of
    /// bspatch's process what it takes to copy a file of that size is subtracted.
    fn apply(&self, old: &Path, new: &Path, runs: usize) -> anyhow::Result<Applied> {
        let (ours, bsdiff, out) = (self.work.join("ours"), self.work.join("bsdiff"), self.work.join("out"));
        let wanted = std::fs::read(new)?;
        let fresh = || if out.exists() { std::fs::remove_file(&out) } else { Ok(()) };
        let timed = |command: &mut Command| {
            fresh()?;
            let start = Instant::now();
            succeed(command)?;
            anyhow::Ok(start.elapsed().as_secs_f64() * 1e3)
        };
        let (mut ours_ms, mut bspatch_ms, mut memory_mb) = (Vec::new(), Vec::new(), 0f64);
        for _ in 0..runs.max(1) {
            fresh()?;
            let printed = self.delta(&["apply".as_ref(), old, &ours, &out])?;
            let (peak, milliseconds) = printed.trim().split_once(' ').context("no time was printed")?;
            ours_ms.push(milliseconds.parse()?);
            memory_mb = memory_mb.max((peak.parse::<f64>()? - wanted.len() as f64) / 1e6);
            ensure!(std::fs::read(&out)? == wanted, "a patch led to another file");
            let copying = timed(Command::new("cp").args([new, &out]))?;
            bspatch_ms.push(timed(Command::new("bspatch").args([old, &out, &bsdiff]))? - copying);
        }
        let middle = |times: &[f64]| median(times).unwrap_or(0.0);
        Ok(Applied { ours_ms: middle(&ours_ms), bspatch_ms: middle(&bspatch_ms), memory_mb })
    }

    /// What our own command prints.
    fn delta(&self, arguments: &[&Path]) -> anyhow::Result<String> {
        let output = Command::new(&self.delta).args(arguments).output()?;
        ensure!(output.status.success(), "delta failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_a_payload_is_the_best_of_the_others_or_its_part_of_one() {
        let payload = |bsdiff: f64| Payload { ours: 50.0, peers: [900.0, 300.0, bsdiff, 400.0, 500.0] };
        assert_eq!(row("update.x", &payload(100.0), 0.6, 2).limit, Some(60.0));
        assert_eq!(row("update.x", &payload(700.0), 0.6, 2).limit, Some(300.0));
        assert_eq!(row("update.x", &payload(700.0), 0.6, 2).json()["peers"]["xdelta3"], 400.0);
    }

    #[test]
    fn the_mean_is_the_geometric_one() {
        assert!((mean([2.0, 8.0]) - 4.0).abs() < 1e-9);
    }
}
