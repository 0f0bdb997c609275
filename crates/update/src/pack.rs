//! Compression of what travels: whole files, and deltas.
//!
//! A delta is an ordinary zstd frame with the old content as its raw prefix (`zstd --patch-from`), or a patch of
//! `staysail-delta`, which knows executables; per file the smaller one is published. All are bounded by the announced
//! size before a byte is decompressed, and results are checked by hash by whoever asked.

use crate::Error;
use std::io::{Read, Write};
use zstd::zstd_safe::{CParameter, DParameter};

/// Name of the delta method in a manifest: a zstd frame with the old content as its prefix.
pub const PATCH_FROM: &str = "zstd-patch-from";
/// Name of the delta method in a manifest: a patch of `staysail-delta` (`docs/spec/delta.md`).
pub const CODE_AWARE: &str = "staysail-delta-3";
/// Level for what is published once and downloaded often.
pub const PUBLISH_LEVEL: i32 = 19;
/// Largest window, as a power of two: files beyond this size get no delta, and no download makes us allocate more.
pub const WINDOW_LOG_MAX: u32 = 27;
/// Largest content of one file.
pub const FILE_BYTES_MAX: u64 = 2 << 30;

/// Compresses a whole file.
///
/// # Errors
/// [`Error::Compress`].
pub fn compress(content: &[u8], level: i32) -> Result<Vec<u8>, Error> {
    encode(zstd::stream::raw::Encoder::new(level).map_err(Error::Compress)?, content, 0)
}

/// Makes the patch from `old` to `new`; `None` when the two are too large for one window.
///
/// # Errors
/// [`Error::Compress`].
pub fn diff(old: &[u8], new: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let reach = (old.len() + new.len()).max(1 << 10) as u64;
    let window_log = 64 - reach.leading_zeros();
    if window_log > WINDOW_LOG_MAX {
        return Ok(None);
    }
    let encoder = zstd::stream::raw::Encoder::with_ref_prefix(PUBLISH_LEVEL, old).map_err(Error::Compress)?;
    encode(encoder, new, window_log).map(Some)
}

/// Makes the smallest delta from `old` to `new` of all methods: its name, and the patch. `None` when no method yields one.
///
/// Both methods run at the same time; for 10 MB they take some seconds, and memory of thirty times the larger file at most.
///
/// # Errors
/// [`Error::Compress`].
pub fn smallest_delta(old: &[u8], new: &[u8]) -> Result<Option<(&'static str, Vec<u8>)>, Error> {
    let (plain, code) = std::thread::scope(|scope| {
        let code = scope.spawn(|| staysail_delta::diff(old, new));
        let plain = diff(old, new);
        let code = code.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (plain, code)
    });
    let plain = plain?.map(|patch| (PATCH_FROM, patch));
    let code = code.map_err(|error| Error::Compress(std::io::Error::other(error)))?;
    let code = code.map(|patch| (CODE_AWARE, patch));
    // Of two of the same size the plainer one.
    Ok(plain.into_iter().chain(code).min_by_key(|(_, patch)| patch.len()))
}

/// Whether this version applies deltas of that name.
pub fn knows_method(method: &str) -> bool {
    [PATCH_FROM, CODE_AWARE].contains(&method)
}

/// Applies a delta of the named method.
///
/// # Errors
/// A sentence when the method is unknown, or the patch does not fit `old` or does not yield exactly `size` bytes.
pub fn apply_delta(method: &str, old: &[u8], patch: &[u8], size: u64) -> Result<Vec<u8>, String> {
    match method {
        PATCH_FROM => apply(old, patch, size),
        CODE_AWARE => staysail_delta::apply(old, patch, size).map_err(|error| error.to_string()),
        _ => Err(format!("the delta method {method:?} is unknown to this version")),
    }
}

fn encode(
    mut encoder: zstd::stream::raw::Encoder<'_>,
    content: &[u8],
    window_log: u32,
) -> Result<Vec<u8>, Error> {
    let mut set = |parameter| encoder.set_parameter(parameter).map_err(Error::Compress);
    set(CParameter::ContentSizeFlag(true))?;
    if window_log > 0 {
        set(CParameter::EnableLongDistanceMatching(true))?;
        set(CParameter::WindowLog(window_log))?;
    }
    encoder.set_pledged_src_size(Some(content.len() as u64)).map_err(Error::Compress)?;
    let mut writer = zstd::stream::write::Encoder::with_encoder(Vec::new(), encoder);
    writer.write_all(content).and_then(|()| writer.finish()).map_err(Error::Compress)
}

/// Decompresses a whole file of exactly `size` bytes.
///
/// # Errors
/// A sentence when the bytes are no zstd frame of that size.
pub fn decompress(packed: &[u8], size: u64) -> Result<Vec<u8>, String> {
    decode(zstd::stream::raw::Decoder::new().map_err(|error| error.to_string())?, packed, size)
}

/// Applies a patch made by [`diff`].
///
/// # Errors
/// A sentence when the patch does not fit `old` or does not yield exactly `size` bytes.
pub fn apply(old: &[u8], patch: &[u8], size: u64) -> Result<Vec<u8>, String> {
    decode(zstd::stream::raw::Decoder::with_ref_prefix(old).map_err(|error| error.to_string())?, patch, size)
}

fn decode(mut decoder: zstd::stream::raw::Decoder<'_>, packed: &[u8], size: u64) -> Result<Vec<u8>, String> {
    if size > FILE_BYTES_MAX {
        return Err(format!("{size} bytes announced, more than file_bytes_max"));
    }
    decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(|error| error.to_string())?;
    let reader = zstd::stream::zio::Reader::new(packed, decoder);
    let mut content = Vec::new();
    reader.take(size + 1).read_to_end(&mut content).map_err(|error| format!("damaged: {error}"))?;
    if content.len() as u64 == size {
        Ok(content)
    } else {
        Err(format!("{size} bytes announced, {} found", content.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize, mut seed: u64) -> Vec<u8> {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u8
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn a_small_edit_of_a_large_file_makes_a_small_patch_that_yields_the_new_file() {
        let old = noise(3 << 20, 1);
        let mut new = old.clone();
        new.splice(1_000_000..1_000_010, noise(500, 2));
        let patch = diff(&old, &new).unwrap().unwrap();
        assert!(patch.len() < 2_000, "{}", patch.len());
        assert_eq!(apply(&old, &patch, new.len() as u64).unwrap(), new);
    }

    #[test]
    fn more_bytes_than_announced_are_never_handed_out() {
        let bomb = compress(&vec![0; 50 << 20], 3).unwrap();
        assert!(decompress(&bomb, 1_000).is_err());
        assert!(decompress(&bomb, (50 << 20) + 1).is_err());
        assert!(decompress(&bomb, u64::MAX).is_err());
        assert_eq!(decompress(&bomb, 50 << 20).unwrap().len(), 50 << 20);
        assert!(decompress(b"<html>Please log in</html>", 10).is_err());
        // Nor unpacked to be counted: the damage behind the announced size is not even reached.
        let torn = &bomb[..bomb.len() / 2];
        assert_eq!(decompress(torn, 1_000).unwrap_err(), "1000 bytes announced, 1001 found");
        assert_eq!(apply(b"", torn, 1_000).unwrap_err(), "1000 bytes announced, 1001 found");
    }

    #[test]
    fn a_frame_that_wants_more_memory_than_the_largest_window_is_refused_before_it_gets_any() {
        // RFC 8878: magic, descriptor, exponent of the window, one raw block of one byte.
        let frame = |window_log: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, (window_log - 10) << 3, 0x09, 0, 0, b'x'];
        assert_eq!(decompress(&frame(WINDOW_LOG_MAX as u8), 1).unwrap(), b"x");
        assert!(decompress(&frame(WINDOW_LOG_MAX as u8 + 1), 1).is_err());
        assert!(apply(b"", &frame(31), 1).is_err());
    }

    #[test]
    fn the_smallest_delta_of_all_methods_wins_and_is_applied_by_its_name() {
        let old = noise(60_000, 1);
        // A change in every 50 bytes leaves zstd little to match.
        let mut scattered = old.clone();
        scattered.iter_mut().step_by(50).for_each(|byte| *byte = byte.wrapping_add(1));
        let mut inserted = old.clone();
        inserted.splice(100..100, *b"hello");
        for (new, best) in [(scattered, CODE_AWARE), (inserted, PATCH_FROM)] {
            let (method, patch) = smallest_delta(&old, &new).unwrap().unwrap();
            assert_eq!(method, best);
            assert!(patch.len() < 4_000, "{}", patch.len());
            assert_eq!(apply_delta(method, &old, &patch, new.len() as u64).unwrap(), new);
            assert!(apply_delta(method, &old, &patch, new.len() as u64 - 1).is_err());
            assert!(!knows_method("other") && apply_delta("other", &old, &patch, new.len() as u64).is_err());
        }
    }

    #[test]
    fn an_empty_file_travels_too() {
        let packed = compress(b"", 19).unwrap();
        assert_eq!(decompress(&packed, 0).unwrap(), b"");
        let patch = diff(b"", b"").unwrap().unwrap();
        assert_eq!(apply(b"", &patch, 0).unwrap(), b"");
    }
}
