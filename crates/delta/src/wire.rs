//! A patch as bytes: a head, and streams compressed one by one (`docs/spec/delta.md`).

use super::image::{Form, Image, Region, Segment};
use super::{Error, PATCHED_FILE_BYTES_MAX, STREAMS_BYTES_MAX, go};

const MAGIC: &[u8; 4] = b"SSD3";
/// Most segments of a file, regions of a file, and bases.
const PARTS_MAX: u64 = 64;
/// Largest offset, those of memory without bytes in a file included.
const REACH_MAX: u32 = 1 << 29;
/// The level whose results are smallest; patches are made once and small.
const LEVEL: i32 = 22;
pub(super) const STREAMS: usize = 9;

/// The streams, in the order they have in a patch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Streams {
    /// Length of each copy.
    pub lengths: Vec<u8>,
    /// How many literal bytes come before each copy.
    pub literals: Vec<u8>,
    /// From the end of the last copy in the old file to the beginning of the next one.
    pub seeks: Vec<u8>,
    /// Literal bytes.
    pub bytes: Vec<u8>,
    /// How many references were right before each correction.
    pub right: Vec<u8>,
    /// By how much each wrong one was.
    pub corrections: Vec<u8>,
    /// How many copied bytes are right before each difference.
    pub equal: Vec<u8>,
    /// What to add to each byte that is not.
    pub differences: Vec<u8>,
    /// How many bytes of the four streams before belong to each section of the new file.
    pub sections: Vec<u8>,
}

impl Streams {
    fn all(&self) -> [&Vec<u8>; STREAMS] {
        let Self { lengths, literals, seeks, bytes, right, corrections, equal, differences, sections } = self;
        [lengths, literals, seeks, bytes, right, corrections, equal, differences, sections]
    }

    pub fn bytes_total(&self) -> usize {
        self.all().iter().map(|stream| stream.len()).sum()
    }
}

/// Appends a number, seven bits a byte, the lowest first.
pub(super) fn put(stream: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        stream.push(value as u8 | 0x80);
        value >>= 7;
    }
    stream.push(value as u8);
}

/// Appends a number that may be negative.
pub(super) fn put_signed(stream: &mut Vec<u8>, value: i64) {
    put(stream, (value << 1 ^ value >> 63) as u64);
}

/// Reads numbers from the front of some bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next number; `None` at the end and where no number of 64 bits is.
    pub fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }
}

/// A patch in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Patch {
    pub old: Image,
    pub new: Image,
    pub streams: Streams,
}

/// Whether a segment lies within what offsets and addresses reach.
fn in_reach(segment: &Segment) -> bool {
    let end = segment.offset.checked_add(segment.length);
    end.is_some_and(|end| end <= REACH_MAX)
        && segment.address.checked_add(u64::from(segment.length)).is_some()
}

/// Whether an image is within the limits and in order, as a reader demands.
pub(super) fn fits(image: &Image) -> bool {
    let mut reach = 0;
    let ordered = image.regions.iter().all(|region| {
        let (start, end) = (region.offset, region.offset.checked_add(region.length));
        let fits = start >= reach && end.is_some_and(|end| end <= image.end);
        reach = end.unwrap_or(0);
        fits
    });
    let whole = image.segments.iter().all(in_reach);
    let counts = [image.segments.len(), image.regions.len(), image.bases.len()];
    ordered && whole && counts.into_iter().all(|count| count as u64 <= PARTS_MAX)
}

/// Writes a patch.
pub(super) fn write(patch: &Patch) -> Result<Vec<u8>, Error> {
    let mut head = MAGIC.to_vec();
    for image in [&patch.old, &patch.new] {
        put(&mut head, u64::from(image.end));
        put(&mut head, image.segments.len() as u64);
        for segment in &image.segments {
            put(&mut head, u64::from(segment.offset));
            put(&mut head, u64::from(segment.length));
            put(&mut head, segment.address);
        }
        put(&mut head, image.bases.len() as u64);
        image.bases.iter().for_each(|base| put(&mut head, *base));
    }
    put(&mut head, patch.old.regions.len() as u64);
    for region in &patch.old.regions {
        put(&mut head, form_number(region.form));
        put(&mut head, u64::from(region.offset));
        put(&mut head, u64::from(region.length));
    }
    let mut packed = Vec::new();
    for stream in patch.streams.all() {
        let bytes = zstd::bulk::compress(stream, LEVEL).map_err(Error::Compress)?;
        put(&mut head, stream.len() as u64);
        // Too short to be compressed: as it is.
        let stored = bytes.len() >= stream.len();
        put(&mut head, if stored { stream.len() } else { bytes.len() } as u64);
        packed.extend_from_slice(if stored { stream } else { &bytes });
    }
    head.extend_from_slice(&packed);
    Ok(head)
}

fn form_number(form: Form) -> u64 {
    match form {
        Form::X86 => 0,
        Form::Arm64 => 1,
        Form::Pointers => 2,
        Form::Frames => 3,
        Form::Tables => 4,
        Form::Distances { base, step: 4 } => 5 + 3 * base as u64,
        Form::Distances { base, .. } => 6 + 3 * base as u64,
        Form::Functions { base } => 7 + 3 * base as u64,
    }
}

fn form(number: u64) -> Form {
    match number {
        0 => Form::X86,
        1 => Form::Arm64,
        2 => Form::Pointers,
        3 => Form::Frames,
        4 => Form::Tables,
        other => {
            let base = usize::try_from((other - 5) / 3).unwrap_or(usize::MAX);
            match (other - 5) % 3 {
                0 => Form::Distances { base, step: 4 },
                1 => Form::Distances { base, step: 8 },
                _ => Form::Functions { base },
            }
        }
    }
}

/// A patch with its streams still packed.
pub(super) struct Packed<'a> {
    pub old: Image,
    pub new: Image,
    /// Of each stream how many bytes it has, and what they are packed into.
    streams: [(usize, &'a [u8]); STREAMS],
}

/// Reads a patch up to its streams.
///
/// # Errors
/// [`Error::Damaged`]; nothing beyond the limits is allocated before.
pub(super) fn read(bytes: &[u8]) -> Result<Packed<'_>, Error> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(Error::Damaged("it does not begin like one"))?;
    let mut reader = Reader(rest);
    let (mut old, new) = images(&mut reader).ok_or(Error::Damaged("its head is damaged"))?;
    regions(&mut reader, &mut old).ok_or(Error::Damaged("its regions are damaged"))?;
    let streams = streams(&mut reader)?;
    Ok(Packed { old, new, streams })
}

fn count(reader: &mut Reader) -> Option<u64> {
    reader.number().filter(|count| *count <= PARTS_MAX)
}

fn images(reader: &mut Reader) -> Option<(Image, Image)> {
    let mut read = || {
        let end =
            u32::try_from(reader.number()?).ok().filter(|end| *end as usize <= PATCHED_FILE_BYTES_MAX)?;
        let mut image = Image { end, ..Image::default() };
        for _ in 0..count(reader)? {
            let offset = u32::try_from(reader.number()?).ok()?;
            let length = u32::try_from(reader.number()?).ok()?;
            let address = reader.number()?;
            image.segments.push(Some(Segment { offset, length, address }).filter(in_reach)?);
        }
        for _ in 0..count(reader)? {
            image.bases.push(reader.number()?);
        }
        Some(image)
    };
    let images = (read()?, read()?);
    (images.0.bases.len() == images.1.bases.len()).then_some(images)
}

fn regions(reader: &mut Reader, old: &mut Image) -> Option<()> {
    let mut reach = 0;
    for _ in 0..count(reader)? {
        let form = form(reader.number()?);
        let behind = match form {
            Form::Distances { base, .. } => base.saturating_add(1),
            Form::Functions { base } => base.saturating_add(go::BASES),
            _ => 0,
        };
        if behind > old.bases.len() {
            return None;
        }
        let offset = u32::try_from(reader.number()?).ok()?;
        let length = u32::try_from(reader.number()?).ok()?;
        if offset < reach || offset.checked_add(length)? > old.end {
            return None;
        }
        reach = offset + length;
        old.regions.push(Region { offset, length, form });
    }
    Some(())
}

const STREAMS_DAMAGED: Error = Error::Damaged("its streams are damaged");

fn streams<'a>(reader: &mut Reader<'a>) -> Result<[(usize, &'a [u8]); STREAMS], Error> {
    let mut sizes = [(0, 0); STREAMS];
    let mut total = 0u64;
    for size in &mut sizes {
        let raw = reader.number().ok_or(STREAMS_DAMAGED)?;
        total = total.saturating_add(raw);
        if total > STREAMS_BYTES_MAX as u64 {
            return Err(Error::Damaged("its streams exceed streams_bytes_max"));
        }
        let packed = reader.number().filter(|packed| *packed <= raw).ok_or(STREAMS_DAMAGED)?;
        *size = (raw as usize, packed as usize);
    }
    let mut streams = [(0, &[][..]); STREAMS];
    for ((raw, packed), stream) in sizes.into_iter().zip(&mut streams) {
        *stream = (raw, reader.bytes(packed).ok_or(STREAMS_DAMAGED)?);
    }
    if !reader.0.is_empty() {
        return Err(Error::Damaged("something follows its end"));
    }
    Ok(streams)
}

impl Packed<'_> {
    /// Unpacks the streams.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub fn unpack(&self) -> Result<Streams, Error> {
        let mut all = <[Vec<u8>; STREAMS]>::default();
        // One for all of them: its memory takes longer to come by than most streams to unpack.
        let mut decompressor = zstd::bulk::Decompressor::new().map_err(|_| STREAMS_DAMAGED)?;
        for ((raw, bytes), stream) in self.streams.iter().zip(&mut all) {
            *stream = if *raw == bytes.len() {
                bytes.to_vec()
            } else {
                decompressor.decompress(bytes, *raw).map_err(|_| STREAMS_DAMAGED)?
            };
            if stream.len() != *raw {
                return Err(STREAMS_DAMAGED);
            }
        }
        let [lengths, literals, seeks, bytes, right, corrections, equal, differences, sections] = all;
        Ok(Streams { lengths, literals, seeks, bytes, right, corrections, equal, differences, sections })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Patch, Error> {
        let packed = super::read(bytes)?;
        let streams = packed.unpack()?;
        Ok(Patch { old: packed.old, new: packed.new, streams })
    }

    fn patch() -> Patch {
        let segments = vec![Segment { offset: 0, length: 100, address: 1 << 40 }];
        let regions = vec![
            Region { offset: 8, length: 20, form: Form::X86 },
            Region { offset: 28, length: 4, form: Form::Distances { base: 1, step: 8 } },
            Region { offset: 40, length: 60, form: Form::Functions { base: 0 } },
        ];
        let old = Image { segments, regions, bases: vec![1, 2, 3, 4, u64::MAX], end: 100 };
        let new = Image { end: 90, regions: Vec::new(), ..old.clone() };
        let streams = Streams { bytes: vec![7; 1_000], right: vec![1, 2], ..Streams::default() };
        Patch { old, new, streams }
    }

    #[test]
    fn a_patch_reads_back_as_it_was_written_and_is_refused_with_anything_behind() {
        let mut bytes = write(&patch()).unwrap();
        assert_eq!(read(&bytes).unwrap(), patch());
        bytes.push(0);
        assert!(matches!(read(&bytes), Err(Error::Damaged(_))));
    }

    #[test]
    fn numbers_read_back_and_those_that_do_not_fit_are_refused() {
        for value in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_signed(&mut bytes, value);
            put(&mut bytes, value as u64);
            let mut reader = Reader(&bytes);
            assert_eq!(
                (reader.signed(), reader.number(), reader.number()),
                (Some(value), Some(value as u64), None)
            );
        }
        assert_eq!(Reader(&[0xFF; 20]).number(), None);
        assert_eq!(Reader(&[0x80, 0x80]).number(), None);
    }

    #[test]
    fn what_lies_outside_the_file_or_overlaps_is_refused() {
        type Change = fn(&mut Patch);
        let changes: [Change; 8] = [
            |patch| patch.old.regions[2].length = 61,
            |patch| patch.old.regions[1].offset = 27,
            |patch| patch.old.regions[1].form = Form::Distances { base: 5, step: 4 },
            |patch| patch.old.regions[2].form = Form::Functions { base: 1 },
            |patch| patch.old.segments[0].length = REACH_MAX + 1,
            |patch| patch.new.segments[0].address = u64::MAX - 5,
            |patch| patch.new.bases.truncate(4),
            |patch| patch.old.segments = vec![patch.old.segments[0]; 65],
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut bad = patch();
            change(&mut bad);
            let bytes = write(&bad).unwrap();
            assert!(matches!(read(&bytes), Err(Error::Damaged(_))), "change {number}");
        }
    }

    #[test]
    fn streams_that_are_announced_too_large_or_turn_out_larger_are_refused() {
        let mut head = MAGIC.to_vec();
        [0; 7].iter().for_each(|number| put(&mut head, *number));
        let with = |sizes: [(u64, u64); STREAMS], packed: &[u8]| {
            let mut bytes = head.clone();
            for (raw, packed) in sizes {
                put(&mut bytes, raw);
                put(&mut bytes, packed);
            }
            bytes.extend_from_slice(packed);
            bytes
        };
        let nothing = [(0, 0); STREAMS];
        assert!(read(&with(nothing, b"")).is_ok());
        let bomb = zstd::bulk::compress(&vec![0; 100 << 20], 3).unwrap();
        let one = |raw: u64, packed: u64| {
            let mut sizes = nothing;
            sizes[3] = (raw, packed);
            sizes
        };
        let max = STREAMS_BYTES_MAX as u64;
        for raw in [1_000_000, max, max + 1, 100 << 20, u64::MAX] {
            assert!(read(&with(one(raw, bomb.len() as u64), &bomb)).is_err(), "{raw}");
        }
        // Together too large, each of them not.
        assert!(read(&with([(max / 4, 0); STREAMS], b"")).is_err());
        assert!(read(&with(one(3, 4), b"abcd")).is_err(), "packed into more than there is");
        assert!(read(&with(one(3, 3), b"ab")).is_err(), "cut off");
    }
}
