//! Applying a patch.

use super::predict::{Copy, Mapping, Predictor};
use super::references::References;
use super::wire::{self, Reader, Streams};
use super::{COPIES_MAX, Error};

/// Of all references, those that the first processor corrects: the other one has to follow them.
const SHARE_PERCENT: usize = 55;

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
    // Finding the references needs nothing of the streams: what is copied is read and laid out meanwhile.
    let (references, made) = std::thread::scope(|scope| {
        let references = scope.spawn(|| References::find(from, old));
        let made = packed.unpack().and_then(|streams| {
            let copies =
                copies(&streams, old.len(), to.end).ok_or(Error::Damaged("its copies are damaged"))?;
            let mapping = Mapping::new(&copies, from, to);
            let out = layout(old, to.end, &copies, &streams.bytes);
            Ok((streams, copies, mapping, out))
        });
        (references.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), made)
    });
    let (streams, copies, mapping, out) = made?;
    let predictor = Predictor::new(old, to, &references);
    let out = out.and_then(|mut out| {
        let corrector = Corrector::new(predictor, mapping, &streams)?;
        corrector.halves(&copies, &mut out).map(|()| out)
    });
    out.ok_or(Error::Damaged("its corrections are damaged"))
}

/// The new file with everything where it belongs, and references and differences as in the old one.
fn layout(old: &[u8], size: u32, copies: &[Copy], mut literals: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(size as usize);
    for copy in copies {
        let (literal, rest) = literals.split_at_checked((copy.new as usize).checked_sub(out.len())?)?;
        out.extend_from_slice(literal);
        literals = rest;
        out.extend_from_slice(old.get(copy.old as usize..)?.get(..copy.length as usize)?);
    }
    out.extend_from_slice(literals);
    (out.len() == size as usize).then_some(out)
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
#[derive(Clone)]
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

/// Makes the references and the other bytes of the copies what they are in the new file.
#[derive(Clone)]
struct Corrector<'a> {
    predictor: Predictor<'a>,
    mapping: Mapping,
    right: Gaps<'a>,
    corrections: Reader<'a>,
    equal: Gaps<'a>,
    differences: &'a [u8],
}

impl<'a> Corrector<'a> {
    fn new(predictor: Predictor<'a>, mapping: Mapping, streams: &'a Streams) -> Option<Self> {
        Some(Self {
            predictor,
            mapping,
            right: Gaps::new(&streams.right)?,
            corrections: Reader(&streams.corrections),
            equal: Gaps::new(&streams.equal)?,
            differences: &streams.differences,
        })
    }

    /// Corrects all copies: one processor the first ones, another one the others. What corrections teach depends on those
    /// before, so the other one follows the first ones, too, but of their references only those that are corrected.
    fn halves(mut self, copies: &[Copy], out: &mut [u8]) -> Option<()> {
        let mut other = self.clone();
        let (first, second) = copies.split_at(self.middle(copies));
        let middle = second.first().map_or(out.len(), |copy| copy.new as usize);
        let (front, back) = out.split_at_mut_checked(middle)?;
        let (first, other) = std::thread::scope(|scope| {
            let other = scope.spawn(move || {
                other.follow(first)?;
                other.correct(second, back, middle)?;
                other.is_used_up().then_some(())
            });
            let first = self.correct(first, front, 0);
            (first, other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        first.and(other)
    }

    /// The number of copies that have a bit more than half of all references.
    fn middle(&mut self, copies: &[Copy]) -> usize {
        let mut left = self.predictor.references() * SHARE_PERCENT / 100;
        let passed = copies.iter().take_while(|copy| {
            let lists = self.predictor.lists(**copy);
            let count: usize = lists.map(|list| self.predictor.run(list, **copy).numbers.len()).sum();
            left = left.saturating_sub(count);
            left > 0
        });
        passed.count()
    }

    /// Corrects some copies. `out` begins at `start` of the new file.
    fn correct(&mut self, copies: &[Copy], out: &mut [u8], start: usize) -> Option<()> {
        for copy in copies {
            let Self { predictor, mapping, right, corrections, .. } = self;
            let new = predictor.new;
            predictor.each(*copy, |mut moved| {
                let address = match &mut right.next {
                    Some(0) => new.address(learn(mapping, right, corrections, moved.target)?),
                    Some(next) => {
                        *next -= 1;
                        mapping.address(moved.target, new)
                    }
                    None => mapping.address(moved.target, new),
                };
                moved.at -= start;
                if let Some(address) = address {
                    moved.write(out, address);
                }
                Some(())
            })?;
            let bytes = out.get_mut((copy.new as usize).checked_sub(start)?..)?;
            let bytes = bytes.get_mut(..copy.length as usize)?;
            self.differ(bytes.len(), |at, difference| bytes[at] = bytes[at].wrapping_add(difference))?;
        }
        Some(())
    }

    /// Takes from the streams what belongs to some copies, and learns from it.
    fn follow(&mut self, copies: &[Copy]) -> Option<()> {
        for copy in copies {
            for list in self.predictor.lists(*copy) {
                let run = self.predictor.run(list, *copy);
                let mut numbers = run.numbers.clone();
                while let Some(next) = self.right.next {
                    if next >= numbers.len() as u64 {
                        self.right.next = Some(next - numbers.len() as u64);
                        break;
                    }
                    numbers.start += next as usize + 1;
                    let target = run.target(numbers.start - 1);
                    learn(&mut self.mapping, &mut self.right, &mut self.corrections, target)?;
                }
            }
            self.differ(copy.length as usize, |_, _| {})?;
        }
        Some(())
    }

    /// Calls `each` with the differences in the next `length` copied bytes.
    #[inline(always)]
    fn differ(&mut self, length: usize, mut each: impl FnMut(usize, u8)) -> Option<()> {
        let mut at = 0;
        while let Some(next) = self.equal.next {
            let left = (length - at) as u64;
            if next >= left {
                self.equal.next = Some(next - left);
                break;
            }
            at += next as usize;
            let (difference, rest) = self.differences.split_first()?;
            self.differences = rest;
            each(at, *difference);
            at += 1;
            self.equal.advance()?;
        }
        Some(())
    }

    fn is_used_up(&self) -> bool {
        self.right.next.is_none()
            && self.equal.next.is_none()
            && self.corrections.0.is_empty()
            && self.differences.is_empty()
    }
}

/// Reads what the next reference, which is not right, refers to, and remembers it.
#[cold]
fn learn(mapping: &mut Mapping, right: &mut Gaps, corrections: &mut Reader, old: u32) -> Option<u32> {
    let target = i64::from(mapping.get(old)).checked_add(corrections.signed()?)?;
    let target = u32::try_from(target).ok()?;
    mapping.learn(old, target);
    right.advance()?;
    Some(target)
}

#[cfg(test)]
mod tests {
    use super::super::image::{Form, Image, Region, Segment};
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
