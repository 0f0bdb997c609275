//! Finding the references of code, on several processors.

use super::super::image::{Form, Image, u32_at};
use super::super::{arm64, x86};
use super::{Kind, List, Marks, Reference, References, processors};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Of so many bytes of code hardly any has more than one reference.
const CODE_BYTES_PER_REFERENCE: usize = 8;
/// Parts whose references are found before the next ones are begun: what is beyond the limit is not kept till the end.
pub(super) const ROUND_PARTS: usize = 512;
/// Code is swept in parts of so many bytes, each for itself: several at once on each of several processors.
pub(super) const PART_BYTES: usize = 16 << 10;

impl<'a> References<'a> {
    /// Finds the references of code, on several processors when there is much of it. All of them are marked, and the first
    /// ones kept, as many as there is room for.
    pub(super) fn code(&mut self, image: &Image, code: &List<'a>, marks: &Marks, room: &mut usize) {
        let length = code.bytes.len();
        let parts = (0..length).step_by(PART_BYTES).map(|start| start..(start + PART_BYTES).min(length));
        let parts: Vec<_> = parts.collect();
        let processors = processors();
        let mut reach = 0;
        for parts in parts.chunks(ROUND_PARTS) {
            let threads = processors.min(parts.len());
            let next = (&AtomicUsize::new(0), parts.len() * PART_BYTES / CODE_BYTES_PER_REFERENCE / threads);
            let found = std::thread::scope(|scope| {
                let others = (1..threads).map(|_| scope.spawn(|| swept(image, code, marks, parts, next)));
                let others: Vec<_> = others.collect();
                let mut found = vec![swept(image, code, marks, parts, next)];
                found.extend(
                    others
                        .into_iter()
                        .map(|other| other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))),
                );
                found
            });
            self.take(code, parts, found, &mut reach, room);
        }
    }

    /// Puts into order what was found in parts of code. `reach`: where the last reference before ends.
    fn take(
        &mut self,
        code: &List<'a>,
        parts: &[Range<usize>],
        found: Vec<Swept>,
        reach: &mut u32,
        room: &mut usize,
    ) {
        let (mut sorted, first) = (Vec::new(), self.batches.len());
        for swept in found {
            let batch = self.batches.len();
            sorted.extend(swept.parts.into_iter().map(|(part, numbers)| (part, batch, numbers)));
            self.batches.push(swept.references);
        }
        sorted.sort_unstable_by_key(|(part, ..)| *part);
        let mut kept = vec![0; self.batches.len()];
        for (part, batch, mut numbers) in sorted {
            // A part may have begun within the last field of the one before.
            let references = &self.batches[batch][numbers.clone()];
            numbers.start += references.iter().take_while(|reference| reference.offset() < *reach).count();
            numbers.end = numbers.end.min(numbers.start + *room);
            *room -= numbers.len();
            *reach = self.batches[batch][numbers.clone()].last().map_or(*reach, |last| last.end());
            let [start, end] = [parts[part].start, parts[part].end].map(|at| code.region.offset + at as u32);
            if numbers.is_empty() {
                continue;
            }
            kept[batch] = kept[batch].max(numbers.end);
            self.lists.push(List { start, end, batch, numbers, ..code.clone() });
        }
        // What is beyond the limit is not kept, nor what was reserved for nothing.
        for (batch, kept) in self.batches.iter_mut().zip(kept).skip(first) {
            batch.truncate(kept);
            batch.shrink_to_fit();
        }
    }
}

/// References that one thread found in parts of code: the number of each part, and which of them are its own.
struct Swept {
    references: Vec<Reference>,
    parts: Vec<(usize, Range<usize>)>,
}

/// The references of parts of code, as many of them as this thread comes to.
fn swept(
    image: &Image,
    code: &List,
    marks: &Marks,
    parts: &[Range<usize>],
    (next, room): (&AtomicUsize, usize),
) -> Swept {
    let (bytes, address, region) = (code.bytes, code.address, code.region);
    // Most of what code refers to is code, which has no tables.
    let home = image.home(region.offset).is_some();
    let mut swept = Swept { references: Vec::with_capacity(room), parts: Vec::with_capacity(parts.len()) };
    // Parts are swept several at once: each one's references are gathered apart, in memory that is used over and over.
    let mut gathered: [_; x86::LANES] = std::array::from_fn(|_| (0, Vec::with_capacity(PART_BYTES / 4)));
    let mut found = |lane: usize, part: usize, at: usize, kind: Kind, target: u64| {
        let inside = target.wrapping_sub(address);
        let to = if home && inside < u64::from(region.length) {
            Some(region.offset + inside as u32)
        } else {
            elsewhere(image, marks, target)
        };
        if let Some(to) = to {
            let (last, list) = &mut gathered[lane];
            if *last != part {
                swept.keep(*last, list);
                *last = part;
            }
            list.push(Reference::new(region.offset as usize + at, kind, to));
        }
    };
    let parts = std::iter::from_fn(|| {
        let number = next.fetch_add(1, Ordering::Relaxed);
        Some((number, parts.get(number)?.clone()))
    });
    if region.form == Form::X86 {
        x86::sweep(bytes, parts, |lane, part, at, behind| {
            let value = u32_at(bytes, at).unwrap_or(0) as i32;
            let next = address.wrapping_add((at + 4 + behind) as u64);
            let kind = Kind::Relative { behind: behind as u32 };
            found(lane, part, at, kind, next.wrapping_add_signed(i64::from(value)));
        });
    } else {
        for (number, part) in parts {
            arm64::sweep(bytes, part, address, |at, target| {
                found(0, number, at, Kind::Instruction, target);
            });
        }
    }
    gathered.into_iter().for_each(|(part, mut list)| swept.keep(part, &mut list));
    swept
}

/// The offset of a target that is not code's own, if it has one. Tables may begin there.
#[cold]
fn elsewhere(image: &Image, marks: &Marks, target: u64) -> Option<u32> {
    let to = image.offset(target)?;
    marks.set(target);
    Some(to)
}

impl Swept {
    /// Takes over what was gathered of a part.
    fn keep(&mut self, part: usize, gathered: &mut Vec<Reference>) {
        if !gathered.is_empty() {
            let start = self.references.len();
            self.references.append(gathered);
            self.parts.push((part, start..self.references.len()));
        }
    }
}
