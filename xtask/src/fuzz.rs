//! `cargo xtask fuzz`: builds the targets of `fuzz/` and lets libFuzzer look for bytes that break what they assert.
//!
//! What cargo-fuzz does on a nightly toolchain is done here with the toolchain of the repository: rustc's own passes count
//! what is reached, AddressSanitizer watches the memory. Both are unstable in name only, hence `RUSTC_BOOTSTRAP`; no
//! other tool is installed. Not part of `./x test`, which replays the seeds instead (`tests/parsers`).

use crate::steps::run;
use anyhow::Context;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const BUILD_LIMIT: Duration = Duration::from_secs(45 * 60);
/// What a run may take beyond its time: reading the seeds, and ending.
const GRACE: Duration = Duration::from_secs(120);
/// One input may take so long, in seconds.
const INPUT_TIMEOUT_S: u32 = 20;
/// A target may use so much memory, in MiB.
const MEMORY_MIB_MAX: u32 = 2_048;
/// Longest input, in bytes.
const INPUT_BYTES_MAX: u32 = 1 << 16;

const PASSES: [&str; 6] = [
    "--cfg=fuzzing",
    "-Zsanitizer=address",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4 -sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -sanitizer-coverage-pc-table",
    "-Ccodegen-units=4",
];

/// Fuzzes the named targets, all of them when none is named, so many minutes each. Whether all held.
///
/// # Errors
/// When a target is unknown or something can not be started.
pub fn fuzz(root: &Path, minutes: u64, wanted: &[String]) -> anyhow::Result<bool> {
    let targets = targets(root)?;
    for name in wanted {
        anyhow::ensure!(
            targets.contains(name),
            "there is no target `{name}`; targets: {}",
            targets.join(" ")
        );
    }
    let chosen = targets.iter().filter(|name| wanted.is_empty() || wanted.contains(name));
    let host = host()?;
    let folder = root.join("target/fuzz");
    let mut build = Command::new("cargo");
    build
        .args([
            "build",
            "--release",
            "--locked",
            "--bins",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--target",
            &host,
        ])
        .arg("--target-dir")
        .arg(&folder)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", PASSES.join("\u{1f}"))
        .current_dir(root);
    if !run("fuzz (build)", &mut build, BUILD_LIMIT)?.ok {
        return Ok(false);
    }
    let findings = folder.join("findings");
    std::fs::create_dir_all(&findings).context("making the folder for findings")?;
    let mut broken = Vec::new();
    for name in chosen {
        let corpus = folder.join("corpus").join(name);
        std::fs::create_dir_all(&corpus).context("making the folder for the corpus")?;
        let mut target = Command::new(folder.join(&host).join("release").join(name));
        target
            .arg(&corpus)
            .arg(root.join("fuzz/seeds").join(name))
            .arg(format!("-max_total_time={}", minutes * 60))
            .arg(format!("-timeout={INPUT_TIMEOUT_S}"))
            .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg(format!("-artifact_prefix={}/{name}-", findings.display()))
            .args(["-print_final_stats=1", "-print_funcs=0", "-verbosity=0"])
            .current_dir(root);
        if !run(&format!("fuzz {name}"), &mut target, Duration::from_secs(minutes * 60) + GRACE)?.ok {
            broken.push(name.as_str());
        }
    }
    if !broken.is_empty() {
        println!(
            "found something in: {}; the bytes are in {}. Fix it, put them into fuzz/seeds/TARGET/found-WHAT, and add a \
             unit test beside the parser",
            broken.join(" "),
            findings.display()
        );
    }
    Ok(broken.is_empty())
}

fn targets(root: &Path) -> anyhow::Result<Vec<String>> {
    let entries = std::fs::read_dir(root.join("fuzz/fuzz_targets")).context("reading fuzz/fuzz_targets")?;
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.path().file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// The target triple of this machine.
fn host() -> anyhow::Result<String> {
    let said = Command::new("rustc").arg("-vV").output().context("asking rustc for its host")?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc did not name its host")
}
