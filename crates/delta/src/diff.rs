//! Making a patch.

use super::image::{Form, Image, u32_at};
use super::matching::{Budget, copies};
use super::predict::{Copy, Learned, Mapping, Moved, Predictor};
use super::references::{Kind, References};
use super::wire::{self, Patch, Streams, put, put_signed};
use super::{
    Error, PATCHED_FILE_BYTES_MAX, SECTION_BYTES, STREAMS_BYTES_MAX, UNKNOWN_FILE_BYTES_MAX, arm64, elf,
    macho, pe,
};

/// Makes the patch from `old` to `new`; `None` when they are too large, or too different for one.
///
/// Takes some seconds for 10 MB and memory of about ten times the old file. Work is counted, and given up beyond
/// [`COMPARED_PER_BYTE_MAX`](super::COMPARED_PER_BYTE_MAX).
///
/// # Errors
/// [`Error::Compress`].
pub fn diff(old: &[u8], new: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    if old.len().max(new.len()) > PATCHED_FILE_BYTES_MAX {
        return Ok(None);
    }
    let (from, to) = images(old, new);
    let knows_code = [&from, &to].into_iter().all(Image::has_code);
    if !knows_code && old.len().max(new.len()) > UNKNOWN_FILE_BYTES_MAX {
        return Ok(None);
    }
    let streams = streams(old, new, &from, &to);
    let patch = streams.map(|streams| wire::write(&Patch { old: from, new: to, streams }));
    patch.transpose()
}

/// What is known of both files, in a form in which the parts of one correspond to those of the other.
fn images(old: &[u8], new: &[u8]) -> (Image, Image) {
    for read in [elf::read, pe::read, macho::read] {
        if let (Some(from), Some(to)) = (read(old), read(new))
            && alike(&from, &to)
        {
            return (from, to);
        }
    }
    let unknown = |bytes: &[u8]| Image { end: bytes.len() as u32, ..Image::default() };
    (unknown(old), unknown(new))
}

/// Whether bases and bare segments of one correspond to those of the other, and a patch has room for what is known.
fn alike(from: &Image, to: &Image) -> bool {
    let bases = |image: &Image| -> Vec<Form> {
        let forms = image.regions.iter().map(|region| region.form);
        forms.filter(|form| matches!(form, Form::Distances { .. } | Form::Functions { .. })).collect()
    };
    bases(from) == bases(to) && [from, to].into_iter().all(wire::fits)
}

/// The bytes with each reference replaced by what `token` makes of its target, so that what refers to the same is
/// alike wherever it lies. Code keeps nothing of it: its calls are told apart by what surrounds them.
fn blank(bytes: &[u8], image: &Image, references: &References, token: impl Fn(u32) -> u32) -> Vec<u8> {
    let mut plain = bytes.to_vec();
    let mut predictor = Predictor::new(bytes, image, references);
    let all = Copy { old: 0, new: 0, length: image.end };
    predictor.each(all, &mut |moved: Moved| {
        let field = &mut plain[moved.at..moved.at + moved.width()];
        match moved.kind {
            Kind::Instruction => {
                let this = u32_at(field, 0).unwrap_or(0);
                field.copy_from_slice(&arm64::blank(this).to_le_bytes());
            }
            Kind::Relative { .. } => field.fill(0),
            _ => {
                field.fill(0);
                field[..4].copy_from_slice(&token(moved.target).wrapping_mul(0x9E37_79B1).to_le_bytes());
            }
        }
        Some(())
    });
    plain
}

/// Makes the streams that lead from `old` to `new`; `None` when they exceed the limits.
fn streams(old: &[u8], new: &[u8], from: &Image, to: &Image) -> Option<Streams> {
    let (references, new_references) = (References::find(from, old), References::find(to, new));
    let plain = (blank(old, from, &references, |_| 0), blank(new, to, &new_references, |_| 0));
    let compare = |old: &[u8], new: &[u8]| copies(old, new, &mut Budget::new(old.len() + new.len()));
    let mut found = compare(&plain.0, &plain.1)?;
    if !from.regions.is_empty() {
        let mapping = Mapping::new(&found, from, to);
        let old = blank(old, from, &references, |target| mapping.get(target));
        found = compare(&old, &blank(new, to, &new_references, |target| target))?;
    }
    let found = cut(&found);
    let mapping = Mapping::new(&found, from, to);
    let predictor = Predictor::new(old, to, &references);
    let (streams, learned) = (Streams::default(), Learned::new());
    let mut writer = Writer { predictor, new, mapping, learned, streams, begun: [0; 4], right: 0, equal: 0 };
    writer.copies(&found);
    let streams = writer.streams;
    (streams.bytes_total() <= STREAMS_BYTES_MAX).then_some(streams)
}

/// Cuts copies where sections of the new file end.
fn cut(copies: &[Copy]) -> Vec<Copy> {
    let mut cut = Vec::with_capacity(copies.len());
    for copy in copies {
        let Copy { mut old, mut new, mut length } = *copy;
        while length > 0 {
            let part = length.min(SECTION_BYTES as u32 - new % SECTION_BYTES as u32);
            cut.push(Copy { old, new, length: part });
            (old, new, length) = (old + part, new + part, length - part);
        }
    }
    cut
}

struct Writer<'a> {
    predictor: Predictor<'a>,
    new: &'a [u8],
    mapping: Mapping,
    learned: Learned,
    streams: Streams,
    /// Lengths that the streams of a section had where it began.
    begun: [usize; 4],
    right: u64,
    equal: u64,
}

impl Writer<'_> {
    fn copies(&mut self, copies: &[Copy]) {
        let (mut at, mut old_at, mut section_end) = (0, 0, SECTION_BYTES);
        for copy in copies {
            while copy.new as usize >= section_end {
                self.end_section();
                section_end += SECTION_BYTES;
            }
            put(&mut self.streams.lengths, u64::from(copy.length));
            put(&mut self.streams.literals, u64::from(copy.new - at));
            put_signed(&mut self.streams.seeks, i64::from(copy.old) - i64::from(old_at));
            self.streams.bytes.extend_from_slice(&self.new[at as usize..copy.new as usize]);
            (at, old_at) = (copy.new + copy.length, copy.old + copy.length);
            let predicted = self.predicted(*copy);
            self.differences(&predicted, copy.new as usize);
        }
        self.streams.bytes.extend_from_slice(&self.new[at as usize..]);
        let begun = section_end / SECTION_BYTES - 1;
        (begun..self.new.len().div_ceil(SECTION_BYTES)).for_each(|_| self.end_section());
    }

    /// Tells how much belongs to a section, and begins the next one with nothing known of it.
    fn end_section(&mut self) {
        let Streams { right, corrections, equal, differences, sections, .. } = &mut self.streams;
        let ends = [right, corrections, equal, differences].map(|stream| stream.len());
        for (begun, end) in self.begun.iter().zip(ends) {
            put(sections, (end - begun) as u64);
        }
        self.begun = ends;
        self.learned.forget();
        (self.right, self.equal) = (0, 0);
    }

    /// The copied bytes with their references as the reader will have them.
    fn predicted(&mut self, copy: Copy) -> Vec<u8> {
        let Self { predictor, new, mapping, learned, streams, right, .. } = self;
        let (old, to) = (predictor.bytes, predictor.new);
        let mut predicted = old[copy.old as usize..][..copy.length as usize].to_vec();
        predictor.each(copy, &mut |mut moved: Moved| {
            let expected = learned.get(moved.target).unwrap_or_else(|| mapping.get(moved.target));
            let before = moved.at - copy.new as usize + copy.old as usize;
            let actual = moved.actual(new, to, (before, old)).unwrap_or(expected);
            if actual == expected {
                *right += 1;
            } else {
                put(&mut streams.right, *right);
                put_signed(&mut streams.corrections, i64::from(actual) - i64::from(expected));
                learned.learn(moved.target, actual);
                *right = 0;
            }
            moved.at -= copy.new as usize;
            if let Some(address) = to.address(actual) {
                moved.write(&mut predicted, address);
            }
            Some(())
        });
        predicted
    }

    fn differences(&mut self, predicted: &[u8], at: usize) {
        for (guess, byte) in predicted.iter().zip(&self.new[at..]) {
            if guess == byte {
                self.equal += 1;
            } else {
                put(&mut self.streams.equal, self.equal);
                self.streams.differences.push(byte.wrapping_sub(*guess));
                self.equal = 0;
            }
        }
    }
}
