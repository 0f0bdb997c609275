//! Deltas from the command line, exactly as they are published and applied; `./x bench update` measures them.
//!
//! ```text
//! delta make OLD NEW PATCH    prints the method and the bytes that would travel
//! delta apply OLD PATCH NEW   prints the most memory the process had, in bytes (on Linux)
//! delta blocks OLD NEW        prints what an updater that knows no more than equal blocks would fetch, in bytes
//! ```
//! A patch in a file begins with a line that names its method and the size of the result, as a manifest would.

use staysail_update::pack;
use std::collections::HashSet;
use std::error::Error;
use std::fs;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["make", old, new, patch] => make(old, new, patch),
        ["apply", old, patch, new] => apply(old, patch, new),
        ["blocks", old, new] => blocks(old, new),
        _ => Err("delta make OLD NEW PATCH | apply OLD PATCH NEW | blocks OLD NEW".into()),
    }
}

fn make(old: &str, new: &str, patch: &str) -> Outcome {
    let (old, new) = (fs::read(old)?, fs::read(new)?);
    let (method, bytes) = pack::smallest_delta(&old, &new)?.ok_or("no method takes files this large")?;
    fs::write(patch, [format!("{method} {}\n", new.len()).as_bytes(), &bytes].concat())?;
    println!("{method} {}", bytes.len());
    Ok(())
}

fn apply(old: &str, patch: &str, new: &str) -> Outcome {
    let (old, patch) = (fs::read(old)?, fs::read(patch)?);
    let end = patch.iter().position(|byte| *byte == b'\n').ok_or("the patch has no first line")?;
    let (method, size) = std::str::from_utf8(&patch[..end])?.split_once(' ').ok_or("no size is named")?;
    fs::write(new, pack::apply_delta(method, &old, &patch[end + 1..], size.parse()?)?)?;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    println!("{}", peak.map_or(0, |peak| peak.parse::<u64>().unwrap_or(0) * 1024));
    Ok(())
}

/// Blocks of 8 to 32 KiB that end where the content says so, as electron-builder's block maps have them. Those that the
/// old file does not hold are fetched, each compressed by itself.
fn blocks(old: &str, new: &str) -> Outcome {
    let (old, new) = (fs::read(old)?, fs::read(new)?);
    let known: HashSet<&[u8]> = split(&old).into_iter().collect();
    let mut bytes = 0;
    for block in split(&new) {
        if !known.contains(block) {
            bytes += pack::compress(block, pack::PUBLISH_LEVEL)?.len();
        }
    }
    println!("{bytes}");
    Ok(())
}

fn split(mut bytes: &[u8]) -> Vec<&[u8]> {
    const LEAST: usize = 8 << 10;
    const MOST: usize = 32 << 10;
    let mut blocks = Vec::new();
    while !bytes.is_empty() {
        let mut rolling = 0_u32;
        let end = bytes.iter().take(MOST).enumerate().find_map(|(at, byte)| {
            rolling = (rolling << 1).wrapping_add(u32::from(*byte).wrapping_mul(0x9E37_79B1));
            // Once in 8 KiB on average, after the least.
            (at >= LEAST && rolling >> 19 == 0).then_some(at + 1)
        });
        let (block, rest) = bytes.split_at(end.unwrap_or(MOST.min(bytes.len())));
        blocks.push(block);
        bytes = rest;
    }
    blocks
}
