//! Applying a patch.

use super::image::References;
use super::predict::{Copy, Mapping, Predictor};
use super::wire::{self, Patch, Reader, Streams};
use super::{COPIES_MAX, Error};

/// Makes the new file of `size` bytes from the old one.
///
/// Takes time in proportion to both files, and memory for the result and what the limits of this crate allow. Whether it
/// is the right file is not checked: compare its hash.
///
/// # Errors
/// [`Error::Damaged`] when the patch is none, or not for `old`, or does not lead to `size` bytes.
pub fn apply(old: &[u8], patch: &[u8], size: u64) -> Result<Vec<u8>, Error> {
    let Patch { old: from, new: to, streams } = wire::read(patch)?;
    if from.end as usize != old.len() {
        return Err(Error::Damaged("it is for a file of another size"));
    }
    if u64::from(to.end) != size {
        return Err(Error::Damaged("it leads to a file of another size"));
    }
    let copies = copies(&streams, old.len(), to.end).ok_or(Error::Damaged("its copies are damaged"))?;
    let references = References::find(&from, old);
    let predictor = Predictor { bytes: old, old: &from, new: &to, references: &references };
    let mapping = Mapping::new(&copies, &from, &to);
    build(&predictor, mapping, &copies, &streams).ok_or(Error::Damaged("its corrections are damaged"))
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

fn build(predictor: &Predictor, mut mapping: Mapping, copies: &[Copy], streams: &Streams) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(predictor.new.end as usize);
    let mut literals = streams.bytes.as_slice();
    let (mut right, mut corrections) = (Gaps::new(&streams.right)?, Reader(&streams.corrections));
    let (mut equal, mut differences) = (Gaps::new(&streams.equal)?, streams.differences.iter());
    for copy in copies {
        let (literal, rest) = literals.split_at_checked(copy.new as usize - out.len())?;
        out.extend_from_slice(literal);
        literals = rest;
        let start = out.len();
        out.extend_from_slice(&predictor.bytes[copy.old as usize..][..copy.length as usize]);
        let complete = predictor.each(*copy, |moved| {
            let mut target = mapping.get(moved.target);
            match &mut right.next {
                Some(0) => {
                    target = u32::try_from(i64::from(target).checked_add(corrections.signed()?)?).ok()?;
                    mapping.learn(moved.target, target);
                    right.advance()?;
                }
                Some(next) => *next -= 1,
                None => {}
            }
            moved.write(&mut out, predictor.new, target);
            Some(())
        });
        complete?;
        let mut rest = &mut out[start..];
        while let Some(next) = equal.next {
            let Some(here) = usize::try_from(next).ok().filter(|next| *next < rest.len()) else {
                equal.next = Some(next - rest.len() as u64);
                break;
            };
            rest[here] = rest[here].wrapping_add(*differences.next()?);
            rest = &mut rest[here + 1..];
            equal.advance()?;
        }
    }
    out.extend_from_slice(literals);
    let rest = right.next.is_none()
        && equal.next.is_none()
        && corrections.0.is_empty()
        && differences.next().is_none();
    (rest && out.len() == predictor.new.end as usize).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::super::image::{Form, Image, Region, Segment};
    use super::super::wire::{put, put_signed};
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
