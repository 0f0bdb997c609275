//! Applying a patch.

use super::image::Image;
use super::memory;
use super::predict::{Copy, Learned, Mapping, Moved, Predictor, Visit};
use super::references::{References, processors};
use super::wire::{self, Reader, Streams};
use super::{COPIES_MAX, Error, SECTION_BYTES};
use std::panic::resume_unwind;
use std::sync::Mutex;

/// Makes the new file of `size` bytes from the old one.
///
/// Takes time in proportion to both files, and memory for the result and what the limits of this crate allow. Whether it
/// is the right file is not checked: compare its hash.
///
/// # Errors
/// [`Error::Damaged`] when the patch is none, or not for `old`, or does not lead to `size` bytes.
pub fn apply(old: &[u8], patch: &[u8], size: u64) -> Result<Vec<u8>, Error> {
    let packed = wire::read(patch)?;
    let (from, to) = (&packed.old, &packed.new);
    if from.end as usize != old.len() {
        return Err(Error::Damaged("it is for a file of another size"));
    }
    if u64::from(to.end) != size {
        return Err(Error::Damaged("it leads to a file of another size"));
    }
    // Finding the references needs nothing of the streams: they are unpacked meanwhile.
    let (references, made) = std::thread::scope(|scope| {
        let references = scope.spawn(|| References::find(from, old));
        let made = packed.unpack().and_then(|streams| {
            let copies =
                copies(&streams, old.len(), to.end).ok_or(Error::Damaged("its copies are damaged"))?;
            let mapping = Mapping::new(&copies, from, to);
            Ok((streams, copies, mapping, memory::zeros(to.end as usize)))
        });
        (references.join().unwrap_or_else(|panic| resume_unwind(panic)), made)
    });
    let (streams, copies, mapping, mut out) = made?;
    let sections = sections(&streams, &copies, to.end).ok_or(Error::Damaged("its sections are damaged"))?;
    let corrected = {
        let work = Mutex::new(sections.iter().zip(out.chunks_mut(SECTION_BYTES)));
        shared(sections.len(), || {
            let predictor = Predictor::new(old, to, &references);
            let mut corrector = Corrector { predictor, mapping: &mapping, learned: Learned::new() };
            let mut next = std::iter::from_fn(|| work.lock().ok()?.next());
            next.try_for_each(|(section, out)| corrector.make(section, out))
        })
    };
    corrected.map(|()| out).ok_or(Error::Damaged("its corrections are damaged"))
}

/// Does the same on several processors, for at most `parts` parts of the work; `None` when one of them can not.
fn shared(parts: usize, work: impl Fn() -> Option<()> + Sync) -> Option<()> {
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..processors().min(parts)).map(|_| scope.spawn(&work)).collect();
        let made = work();
        let others =
            others.into_iter().map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        others.fold(made, Option::and)
    })
}

/// Reads the copies. All are within both files, in the new one's order and without overlap there.
fn copies(streams: &Streams, old: usize, new: u32) -> Option<Vec<Copy>> {
    let (mut lengths, mut literals, mut seeks) =
        (Reader(&streams.lengths), Reader(&streams.literals), Reader(&streams.seeks));
    let mut copies = Vec::new();
    let (mut at, mut old_at) = (0u32, 0i64);
    while !lengths.0.is_empty() {
        let length = u32::try_from(lengths.number()?).ok().filter(|length| *length > 0)?;
        at = at.checked_add(u32::try_from(literals.number()?).ok()?)?;
        old_at = old_at.checked_add(seeks.signed()?)?;
        let start = u32::try_from(old_at).ok()?;
        if u64::from(start) + u64::from(length) > old as u64 || copies.len() == COPIES_MAX {
            return None;
        }
        copies.push(Copy { old: start, new: at, length });
        at = at.checked_add(length).filter(|at| *at <= new)?;
        old_at += i64::from(length);
    }
    let rest = literals.0.is_empty() && seeks.0.is_empty();
    let copied: u64 = copies.iter().map(|copy| u64::from(copy.length)).sum();
    (rest && copied + streams.bytes.len() as u64 == u64::from(new)).then_some(copies)
}

/// What makes one section of the new file.
struct Section<'a> {
    /// Offset of its first byte.
    start: usize,
    copies: &'a [Copy],
    literals: &'a [u8],
    right: &'a [u8],
    corrections: &'a [u8],
    equal: &'a [u8],
    differences: &'a [u8],
}

/// Parts what makes the new file of `size` bytes. `None` when something is left, or not enough.
fn sections<'a>(streams: &'a Streams, mut copies: &'a [Copy], size: u32) -> Option<Vec<Section<'a>>> {
    let [mut literals, mut right, mut corrections, mut equal, mut differences, mut counts] = [
        &streams.bytes,
        &streams.right,
        &streams.corrections,
        &streams.equal,
        &streams.differences,
        &streams.sections,
    ]
    .map(|stream| Reader(stream));
    let mut sections = Vec::new();
    for start in (0..size as usize).step_by(SECTION_BYTES) {
        let end = (start + SECTION_BYTES).min(size as usize);
        let (those, rest) = copies.split_at(copies.partition_point(|copy| (copy.new as usize) < end));
        copies = rest;
        let copied: usize = those.iter().map(|copy| copy.length as usize).sum();
        let mut part = |stream: &mut Reader<'a>| stream.bytes(usize::try_from(counts.number()?).ok()?);
        sections.push(Section {
            start,
            copies: those,
            literals: literals.bytes((end - start).checked_sub(copied)?)?,
            right: part(&mut right)?,
            corrections: part(&mut corrections)?,
            equal: part(&mut equal)?,
            differences: part(&mut differences)?,
        });
    }
    let all = [literals, right, corrections, equal, differences, counts];
    all.iter().all(|stream| stream.0.is_empty()).then_some(sections)
}

/// How far it is to the next thing to be done; `None` behind the last one.
struct Gaps<'a> {
    reader: Reader<'a>,
    next: Option<u64>,
}

impl<'a> Gaps<'a> {
    fn new(stream: &'a [u8]) -> Option<Self> {
        let mut gaps = Self { reader: Reader(stream), next: None };
        gaps.advance()?;
        Some(gaps)
    }

    fn advance(&mut self) -> Option<()> {
        self.next = if self.reader.0.is_empty() { None } else { Some(self.reader.number()?) };
        Some(())
    }
}

/// Makes sections of the new file, one after the other.
struct Corrector<'a> {
    predictor: Predictor<'a>,
    mapping: &'a Mapping,
    learned: Learned,
}

impl Corrector<'_> {
    /// Makes one section in `out`: all where it belongs first, then references and other bytes as they are in the new file.
    fn make(&mut self, section: &Section, out: &mut [u8]) -> Option<()> {
        lay_out(self.predictor.bytes, section, out)?;
        self.learned.forget();
        let Self { predictor, mapping, learned } = self;
        let mut fields = Fields {
            mapping,
            learned,
            new: predictor.new,
            right: Gaps::new(section.right)?,
            corrections: Reader(section.corrections),
            start: section.start,
            out,
        };
        let (mut equal, mut differences) = (Gaps::new(section.equal)?, section.differences.iter());
        for copy in section.copies {
            predictor.each(*copy, &mut fields)?;
            let bytes = fields.out.get_mut((copy.new as usize).checked_sub(section.start)?..)?;
            differ(bytes.get_mut(..copy.length as usize)?, &mut equal, &mut differences)?;
        }
        let done = fields.right.next.is_none() && equal.next.is_none() && fields.corrections.0.is_empty();
        (done && differences.as_slice().is_empty()).then_some(())
    }
}

/// The references of one section of the new file.
struct Fields<'a, 'b> {
    mapping: &'a Mapping,
    learned: &'a mut Learned,
    new: &'a Image,
    /// How many are right before the next correction.
    right: Gaps<'b>,
    corrections: Reader<'b>,
    /// The section's bytes, and the offset of the first one.
    out: &'a mut [u8],
    start: usize,
}

impl Visit for Fields<'_, '_> {
    #[inline(always)]
    fn visit(&mut self, mut moved: Moved) -> Option<()> {
        let known = self.learned.get(moved.target);
        let address = if self.right.next == Some(0) {
            let expected = known.unwrap_or_else(|| self.mapping.get(moved.target));
            let target = corrected(expected, &mut self.corrections)?;
            self.learned.learn(moved.target, target);
            self.right.advance()?;
            self.new.address(target)
        } else {
            self.right.next = self.right.next.map(|next| next - 1);
            known
                .map_or_else(|| self.mapping.address(moved.target, self.new), |known| self.new.address(known))
        };
        moved.at -= self.start;
        if let Some(address) = address {
            moved.write(self.out, address);
        }
        Some(())
    }
}

/// Puts literal and copied bytes where they belong in a section; `None` when a copy leads out of it.
fn lay_out(old: &[u8], section: &Section, out: &mut [u8]) -> Option<()> {
    let (mut rest, mut literals, mut at) = (out, section.literals, section.start);
    for copy in section.copies {
        let (literal, others) = literals.split_at_checked((copy.new as usize).checked_sub(at)?)?;
        literals = others;
        rest.split_off_mut(..literal.len())?.copy_from_slice(literal);
        let copied = old.get(copy.old as usize..)?.get(..copy.length as usize)?;
        rest.split_off_mut(..copied.len())?.copy_from_slice(copied);
        at = (copy.new + copy.length) as usize;
    }
    (rest.len() == literals.len()).then(|| rest.copy_from_slice(literals))
}

/// Reads by how much an expected offset is wrong.
#[cold]
fn corrected(expected: u32, corrections: &mut Reader) -> Option<u32> {
    u32::try_from(i64::from(expected).checked_add(corrections.signed()?)?).ok()
}

/// Adds the differences that fall into some copied bytes.
#[inline(always)]
fn differ(bytes: &mut [u8], equal: &mut Gaps, differences: &mut std::slice::Iter<u8>) -> Option<()> {
    let mut at = 0;
    while let Some(next) = equal.next {
        let left = (bytes.len() - at) as u64;
        if next >= left {
            equal.next = Some(next - left);
            break;
        }
        at += next as usize;
        bytes[at] = bytes[at].wrapping_add(*differences.next()?);
        at += 1;
        equal.advance()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::image::{Form, Region, Segment};
    use super::super::wire::{Patch, put, put_signed};
    use super::*;

    /// A patch by hand: copies (length, literal bytes before, seek), literal bytes, and more.
    fn patch(copies: &[(u64, u64, i64)], bytes: &[u8], more: impl FnOnce(&mut Patch)) -> Vec<u8> {
        let mut streams = Streams { bytes: bytes.to_vec(), ..Streams::default() };
        for (length, literals, seek) in copies {
            put(&mut streams.lengths, *length);
            put(&mut streams.literals, *literals);
            put_signed(&mut streams.seeks, *seek);
        }
        let image = |end| Image { end, ..Image::default() };
        let mut patch = Patch { old: image(10), new: image(10), streams };
        more(&mut patch);
        if patch.streams.sections.is_empty() {
            let Streams { right, corrections, equal, differences, .. } = &patch.streams;
            let counts = [right, corrections, equal, differences].map(|stream| stream.len() as u64);
            counts.into_iter().for_each(|count| put(&mut patch.streams.sections, count));
        }
        wire::write(&patch).unwrap()
    }

    const OLD: &[u8] = b"0123456789";

    fn outcome(patch: &[u8]) -> Option<Vec<u8>> {
        apply(OLD, patch, 10).ok()
    }

    #[test]
    fn copies_literals_and_differences_make_the_new_file() {
        let made = patch(&[(3, 1, 4), (4, 0, -7)], b"abc", |patch| {
            put(&mut patch.streams.equal, 1);
            put(&mut patch.streams.equal, 3);
            patch.streams.differences.extend([1, 255]);
        });
        // After one equal byte the 5 becomes a 6; after three more, counted on into the second copy, the 2 a 1.
        assert_eq!(outcome(&made).as_deref(), Some(b"a4660113bc".as_slice()));
    }

    #[test]
    fn copies_from_outside_the_old_file_or_beyond_the_new_one_are_refused() {
        let nothing = |_: &mut Patch| {};
        assert_eq!(outcome(&patch(&[(10, 0, 0)], b"", nothing)).as_deref(), Some(OLD));
        for copies in [
            [(10, 0, 1)].as_slice(),
            &[(10, 0, -1)],
            &[(11, 0, 0)],
            &[(9, 0, 0)],
            &[(5, 0, 0), (5, 0, 1)],
            &[(5, 0, 0), (5, 0, i64::MAX)],
            &[(5, 0, 0), (5, 0, i64::MIN)],
            &[(5, u64::MAX, 0), (5, 0, 0)],
            &[(u64::from(u32::MAX), 0, 0)],
            &[(10, 0, 0), (0, 0, 0)],
            &[(5, 1, 0), (5, 0, 0)],
        ] {
            assert_eq!(outcome(&patch(copies, b"", nothing)), None, "{copies:?}");
        }
        assert_eq!(outcome(&patch(&[(9, 2, 0)], b"x", nothing)), None);
        assert_eq!(outcome(&patch(&[(9, 0, 0)], b"xy", nothing)), None);
        assert_eq!(outcome(&patch(&[(10, 0, 0)], b"", |patch| put(&mut patch.streams.seeks, 0))), None);
    }

    /// Two sections of code, of which each begins with two calls of the same place.
    fn two_sections(more: impl FnOnce(&mut Patch)) -> (Vec<u8>, Vec<u8>) {
        let length = SECTION_BYTES as u32;
        let mut old = vec![0x90; 2 * SECTION_BYTES];
        for at in [0, 5, SECTION_BYTES, SECTION_BYTES + 5] {
            old[at] = 0xE8;
            old[at + 1..at + 5].copy_from_slice(&(1_000 - at as i32 - 5).to_le_bytes());
        }
        let segments = vec![Segment { offset: 0, length: 2 * length, address: 0 }];
        let old_image = Image {
            regions: vec![Region { offset: 0, length: 2 * length, form: Form::X86 }],
            end: 2 * length,
            segments,
            ..Image::default()
        };
        let new = Image { regions: Vec::new(), ..old_image.clone() };
        let mut patch = Patch { old: old_image, new, streams: Streams::default() };
        for _ in 0..2 {
            put(&mut patch.streams.lengths, u64::from(length));
            put(&mut patch.streams.literals, 0);
            put_signed(&mut patch.streams.seeks, 0);
        }
        // The first call of the first section is wrong by 7, all others are as learned or predicted.
        put(&mut patch.streams.right, 0);
        put_signed(&mut patch.streams.corrections, 7);
        patch.streams.sections = vec![1, 1, 0, 0, 0, 0, 0, 0];
        more(&mut patch);
        (old, wire::write(&patch).unwrap())
    }

    #[test]
    fn what_a_section_taught_is_forgotten_in_the_next_one() {
        let (old, patch) = two_sections(|_| {});
        let new = apply(&old, &patch, old.len() as u64).unwrap();
        let target = |at: usize| {
            let field = new[at + 1..].first_chunk().copied().map(i32::from_le_bytes).unwrap();
            at as i32 + 5 + field
        };
        assert_eq!([0, 5, SECTION_BYTES, SECTION_BYTES + 5].map(target), [1_007, 1_007, 1_000, 1_000]);
    }

    #[test]
    fn sections_have_what_the_patch_says_and_no_copy_leads_from_one_into_another() {
        let changes: [fn(&mut Streams); 6] = [
            |streams| streams.sections = vec![1, 1, 0, 0],
            |streams| streams.sections.push(0),
            |streams| streams.sections[2] = 1,
            |streams| streams.sections = vec![1, 0, 0, 0, 0, 1, 0, 0],
            |streams| streams.sections = vec![0; 8],
            |streams| {
                // One byte before the border, and all but one byte behind it.
                streams.lengths.clear();
                put(&mut streams.lengths, SECTION_BYTES as u64);
                (streams.literals, streams.seeks) = (Vec::new(), vec![0]);
                put(&mut streams.literals, SECTION_BYTES as u64 - 1);
                streams.bytes = vec![0; SECTION_BYTES];
                (streams.right, streams.corrections, streams.sections) = (Vec::new(), Vec::new(), vec![0; 8]);
            },
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let (old, patch) = two_sections(|patch| change(&mut patch.streams));
            assert!(apply(&old, &patch, old.len() as u64).is_err(), "change {number}");
        }
    }

    #[test]
    fn corrections_and_differences_must_be_used_up_and_lead_somewhere() {
        // Code with one reference: a call of itself, in ten bytes at address 0.
        let code = b"\xE8\xFB\xFF\xFF\xFF\x90\x90\x90\x90\x90";
        let with = |correction: i64| {
            patch(&[(10, 0, 0)], b"", |patch| {
                let segments = vec![Segment { offset: 0, length: 10, address: 0 }];
                patch.old.segments.clone_from(&segments);
                patch.new.segments = segments;
                patch.old.regions = vec![Region { offset: 0, length: 10, form: Form::X86 }];
                put(&mut patch.streams.right, 0);
                put_signed(&mut patch.streams.corrections, correction);
            })
        };
        let to = |correction: i64| apply(code, &with(correction), 10).ok();
        assert_eq!(to(2).unwrap()[1..5], (-3_i32).to_le_bytes());
        // Outside of all segments: the field is left as it was.
        assert_eq!(to(50).unwrap(), code);
        for correction in [-1, i64::from(u32::MAX) + 1, i64::MAX, i64::MIN] {
            assert_eq!(to(correction), None);
        }
        let unused: [fn(&mut Streams); 5] = [
            |streams| put(&mut streams.right, 5),
            |streams| streams.corrections.push(0),
            |streams| put(&mut streams.equal, 10),
            |streams| streams.differences.push(1),
            |streams| streams.right.push(0x80),
        ];
        for more in unused {
            assert_eq!(outcome(&patch(&[(10, 0, 0)], b"", |patch| more(&mut patch.streams))), None);
        }
    }
}
