//! A patch as bytes: a head, and streams compressed one by one (`docs/spec/delta.md`).

use super::image::{Form, Image, Region, Segment};
use super::{Error, FILE_BYTES_MAX, STREAMS_BYTES_MAX, go};

const MAGIC: &[u8; 4] = b"SSD1";
/// Most segments of a file, regions of a file, and bases.
const PARTS_MAX: u64 = 64;
/// Largest offset, those of memory without bytes in a file included.
const REACH_MAX: u32 = 1 << 29;
/// The level whose results are smallest; patches are made once and small.
const LEVEL: i32 = 22;
pub(super) const STREAMS: usize = 8;

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
}

impl Streams {
    fn all(&self) -> [&Vec<u8>; STREAMS] {
        let Self { lengths, literals, seeks, bytes, right, corrections, equal, differences } = self;
        [lengths, literals, seeks, bytes, right, corrections, equal, differences]
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

/// A patch taken apart.
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

/// Reads a patch.
///
/// # Errors
/// [`Error::Damaged`]; nothing beyond the limits is allocated before.
pub(super) fn read(bytes: &[u8]) -> Result<Patch, Error> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(Error::Damaged("it does not begin like one"))?;
    let mut reader = Reader(rest);
    let (mut old, new) = images(&mut reader).ok_or(Error::Damaged("its head is damaged"))?;
    regions(&mut reader, &mut old).ok_or(Error::Damaged("its regions are damaged"))?;
    let streams = streams(&mut reader)?;
    Ok(Patch { old, new, streams })
}

fn count(reader: &mut Reader) -> Option<u64> {
    reader.number().filter(|count| *count <= PARTS_MAX)
}

fn images(reader: &mut Reader) -> Option<(Image, Image)> {
    let mut read = || {
        let end = u32::try_from(reader.number()?).ok().filter(|end| *end as usize <= FILE_BYTES_MAX)?;
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

fn streams(reader: &mut Reader) -> Result<Streams, Error> {
    let damaged = || Error::Damaged("its streams are damaged");
    let mut sizes = [(0, 0); STREAMS];
    let mut total = 0u64;
    for size in &mut sizes {
        let raw = reader.number().ok_or_else(damaged)?;
        total = total.saturating_add(raw);
        if total > STREAMS_BYTES_MAX as u64 {
            return Err(Error::Damaged("its streams exceed streams_bytes_max"));
        }
        let packed = reader.number().filter(|packed| *packed <= raw).ok_or_else(damaged)?;
        *size = (raw as usize, packed as usize);
    }
    let mut all = <[Vec<u8>; STREAMS]>::default();
    for ((raw, packed), stream) in sizes.into_iter().zip(&mut all) {
        let bytes = reader.bytes(packed).ok_or_else(damaged)?;
        *stream = if raw == packed {
            bytes.to_vec()
        } else {
            zstd::bulk::decompress(bytes, raw).map_err(|_| damaged())?
        };
        if stream.len() != raw {
            return Err(damaged());
        }
    }
    if !reader.0.is_empty() {
        return Err(Error::Damaged("something follows its end"));
    }
    let [lengths, literals, seeks, bytes, right, corrections, equal, differences] = all;
    Ok(Streams { lengths, literals, seeks, bytes, right, corrections, equal, differences })
}
