//! An executable as far as deltas care: which addresses its bytes have, and which parts refer to addresses in which way.

use super::{REFERENCES_MAX, arm64, go, x86};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

const _: () =
    assert!(super::PATCHED_FILE_BYTES_MAX <= 1 << 28, "an offset fits beside a reference's kind in 32 bits");
/// Most entries of one table of distances.
pub(super) const TABLE_ENTRIES_MAX: usize = 1 << 12;
/// Code is swept in parts of so many bytes, each for itself, so that several processors can do it.
const SWEEP_BYTES: usize = 256 << 10;
/// Parts whose references are found before the next ones are begun: what is beyond the limit is not kept till the end.
const ROUND_PARTS: usize = 64;
/// Most processors used at once.
const SWEEP_THREADS_MAX: usize = 4;
/// Bytes in front that are never the target of a pointer: small numbers are not addresses.
const HEADER_BYTES: u64 = 0x400;

/// Bytes that are loaded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Where they are in the file; behind its end when there is nothing of them in it.
    pub offset: u32,
    pub length: u32,
    pub address: u64,
}

/// How a part of a file refers to addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// x86-64 code.
    X86,
    /// arm64 code.
    Arm64,
    /// Aligned 64-bit addresses among other things.
    Pointers,
    /// 32-bit distances from one of the image's bases, among other things: every `step` bytes, 4 or 8.
    Distances { base: usize, step: usize },
    /// Records of DWARF's call frame information.
    Frames,
    /// The table of functions in a program of Go, which counts from this base and those behind it.
    Functions { base: usize },
    /// Read-only data, in which tables of 32-bit distances from their own beginning lie (of `switch` and `match`).
    Tables,
}

/// A part of a file in one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    pub offset: u32,
    pub length: u32,
    pub form: Form,
}

/// Segments and regions, both in order of their offsets and without overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Image {
    pub segments: Vec<Segment>,
    pub regions: Vec<Region>,
    /// Addresses that distances are counted from; the n-th of the old file corresponds to the n-th of the new one.
    pub bases: Vec<u64>,
    /// Bytes of the file.
    pub end: u32,
}

/// How one field holds its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// 32 bits relative to so many bytes behind them.
    Relative { behind: u32 },
    /// An instruction of arm64.
    Instruction,
    /// 64 bits, an address.
    Pointer,
    /// 32 bits relative to the base so many behind the region's.
    Distance { base: usize },
    /// 32 bits relative to themselves.
    Own,
    /// 32 bits relative to themselves: the first of a table.
    Table,
    /// 32 bits relative to the table's beginning.
    Entry,
}

impl Kind {
    fn bits(self) -> u32 {
        match self {
            Self::Relative { behind } => behind.min(4),
            Self::Instruction => 5,
            Self::Pointer => 6,
            Self::Own => 7,
            Self::Table => 8,
            Self::Entry => 9,
            Self::Distance { base } => 10 + (base as u32).min(5),
        }
    }

    fn of(bits: u32) -> Self {
        match bits {
            0..=4 => Self::Relative { behind: bits },
            5 => Self::Instruction,
            6 => Self::Pointer,
            7 => Self::Own,
            8 => Self::Table,
            9 => Self::Entry,
            base => Self::Distance { base: (base - 10) as usize },
        }
    }

    /// Bytes of the field.
    pub fn width(self) -> usize {
        if self == Self::Pointer { 8 } else { 4 }
    }
}

/// A reference: where, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference(u32);

impl Reference {
    pub fn new(offset: usize, kind: Kind) -> Self {
        Self((offset as u32) << 4 | kind.bits())
    }

    pub fn offset(self) -> usize {
        (self.0 >> 4) as usize
    }

    pub fn kind(self) -> Kind {
        Kind::of(self.0 & 15)
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

impl Image {
    /// Adds a segment, and what it has more in memory than in the file as a part behind the file's end.
    pub fn add(&mut self, offset: u64, length: u64, address: u64, memory: u64) -> Option<()> {
        let segment =
            Segment { offset: u32::try_from(offset).ok()?, length: u32::try_from(length).ok()?, address };
        self.segments.push(segment);
        if let Some(rest) = memory.checked_sub(length).filter(|rest| *rest > 0) {
            let behind =
                self.segments.iter().map(|segment| segment.offset.saturating_add(segment.length)).max();
            let offset = behind.unwrap_or(0).max(self.end);
            let (length, address) = (u32::try_from(rest).ok()?, address.checked_add(length)?);
            self.segments.push(Segment { offset, length, address });
        }
        Some(())
    }

    /// The address of a byte.
    #[inline]
    pub fn address(&self, offset: u32) -> Option<u64> {
        let segment =
            self.segments.iter().find(|segment| offset.wrapping_sub(segment.offset) < segment.length)?;
        Some(segment.address + u64::from(offset - segment.offset))
    }

    /// The byte at an address.
    #[inline]
    pub fn offset(&self, address: u64) -> Option<u32> {
        let segment = self
            .segments
            .iter()
            .find(|segment| address.wrapping_sub(segment.address) < u64::from(segment.length))?;
        Some(segment.offset + (address - segment.address) as u32)
    }

    pub fn region(&self, offset: u32) -> Option<&Region> {
        let after = self.regions.partition_point(|region| region.offset <= offset);
        self.regions.get(after.checked_sub(1)?).filter(|region| offset - region.offset < region.length)
    }

    /// Whether there is a part of which the machine's instructions are known.
    pub fn has_code(&self) -> bool {
        self.regions.iter().any(|region| matches!(region.form, Form::X86 | Form::Arm64) && region.length > 0)
    }

    fn lowest(&self) -> u64 {
        self.segments.iter().map(|segment| segment.address).min().unwrap_or(0)
    }

    /// The address of a base.
    pub fn base(&self, number: usize) -> u64 {
        self.bases.get(number).copied().unwrap_or(0)
    }

    fn is_code(&self, address: u64) -> bool {
        let region = self.offset(address).and_then(|offset| self.region(offset));
        region.is_some_and(|region| matches!(region.form, Form::X86 | Form::Arm64))
    }
}

/// The references of one region, in order.
#[derive(Debug)]
pub(super) struct List<'a> {
    pub region: Region,
    /// Address of its first byte.
    pub address: u64,
    pub bytes: &'a [u8],
    pub references: Vec<Reference>,
    /// Where it was last looked into.
    pub near: Cell<usize>,
}

/// All references of a file, in order.
#[derive(Debug)]
pub(super) struct References<'a>(pub Vec<List<'a>>);

impl<'a> References<'a> {
    /// Finds them.
    pub fn find(image: &Image, bytes: &'a [u8]) -> Self {
        Self::find_some(image, bytes, REFERENCES_MAX)
    }

    /// Finds so many of them, and holds hardly more at any time.
    fn find_some(image: &Image, bytes: &'a [u8], mut room: usize) -> Self {
        let mut lists: Vec<_> = image
            .regions
            .iter()
            .filter_map(|region| {
                let part = bytes.get(region.offset as usize..)?.get(..region.length as usize)?;
                let address = image.address(region.offset)?;
                Some(List {
                    region: *region,
                    address,
                    bytes: part,
                    references: Vec::new(),
                    near: Cell::new(0),
                })
            })
            .collect();
        let marks = Marks::new(image);
        for tables in [false, true] {
            for list in lists.iter_mut().filter(|list| (list.region.form == Form::Tables) == tables) {
                if matches!(list.region.form, Form::X86 | Form::Arm64) {
                    code(image, list, &marks, room);
                } else {
                    Finder { image, list, room }.find(&marks);
                }
                list.references.shrink_to_fit();
                room -= list.references.len();
            }
        }
        Self(lists)
    }
}

/// Finds the references of code, on several processors when there is much of it. All of them are marked, and the first
/// ones kept, as many as there is room for.
fn code(image: &Image, list: &mut List, marks: &Marks, room: usize) {
    let parts: Vec<usize> = (0..list.bytes.len()).step_by(SWEEP_BYTES).collect();
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(SWEEP_THREADS_MAX));
    let (bytes, address, form, offset) =
        (list.bytes, list.address, list.region.form, list.region.offset as usize);
    let sweep = |starts: &[usize]| {
        let mut references = Vec::new();
        for starts in starts.chunks(x86::LANES) {
            let mut lanes: [Vec<Reference>; x86::LANES] = Default::default();
            let mut found = |lane: usize, at: usize, kind, target| {
                if image.offset(target).is_some() {
                    marks.set(target);
                    lanes[lane].push(Reference::new(offset + at, kind));
                }
            };
            let parts = std::array::from_fn(|lane| {
                starts.get(lane).map_or(0..0, |start| *start..(start + SWEEP_BYTES).min(bytes.len()))
            });
            if form == Form::X86 {
                x86::sweep(bytes, parts, |lane, at, behind| {
                    let value = u32_at(bytes, at).unwrap_or(0) as i32;
                    let next = address.wrapping_add((at + 4 + behind) as u64);
                    let kind = Kind::Relative { behind: behind as u32 };
                    found(lane, at, kind, next.wrapping_add_signed(i64::from(value)));
                });
            } else {
                for (lane, part) in parts.into_iter().enumerate() {
                    arm64::sweep(bytes, part, |at, field| {
                        let target = arm64::target(bytes, at, address.wrapping_add(at as u64), field);
                        if let Some(target) = target {
                            found(lane, at, Kind::Instruction, target);
                        }
                    });
                }
            }
            for lane in lanes {
                join(&mut references, lane, room);
            }
        }
        references
    };
    for parts in parts.chunks(ROUND_PARTS) {
        std::thread::scope(|scope| {
            let shares = parts.chunks(parts.len().div_ceil(threads).max(1));
            let others: Vec<_> = shares.clone().skip(1).map(|share| scope.spawn(|| sweep(share))).collect();
            let mut found: Vec<_> = shares.take(1).map(sweep).collect();
            found.extend(others.into_iter().map(|other| match other.join() {
                Ok(found) => found,
                Err(panic) => std::panic::resume_unwind(panic),
            }));
            for references in found {
                join(&mut list.references, references, room);
            }
        });
    }
}

/// Appends the references of the next part, as far as there is room: it may have begun within the last field of the one
/// before.
fn join(references: &mut Vec<Reference>, more: Vec<Reference>, room: usize) {
    let overlapping = references.last().map_or(0, |last| {
        let end = last.offset() + 4;
        more.partition_point(|reference| reference.offset() < end)
    });
    let more = &more[overlapping..];
    let more = &more[..more.len().min(room - references.len())];
    references.reserve_exact(more.len());
    references.extend_from_slice(more);
}

/// Which words of the regions with tables code refers to.
struct Marks {
    parts: Vec<(u64, Vec<AtomicU64>)>,
}

impl Marks {
    fn new(image: &Image) -> Self {
        let regions = image.regions.iter().filter(|region| region.form == Form::Tables);
        let parts = regions.filter_map(|region| {
            let words = region.length as usize / 256 + 1;
            Some((image.address(region.offset)?, (0..words).map(|_| AtomicU64::new(0)).collect()))
        });
        Self { parts: parts.collect() }
    }

    /// What several threads mark is read once they have ended: no order is needed between them.
    fn set(&self, address: u64) {
        if address & 3 != 0 {
            return;
        }
        for (start, bits) in &self.parts {
            let word = address.wrapping_sub(*start) / 4;
            if let Some(bits) = bits.get((word / 64) as usize) {
                bits.fetch_or(1 << (word % 64), Ordering::Relaxed);
            }
        }
    }

    fn of(&self, address: u64) -> Option<&[AtomicU64]> {
        self.parts.iter().find(|(start, _)| *start == address).map(|(_, bits)| bits.as_slice())
    }
}

/// Looks for the references of one region without code.
struct Finder<'a, 'b> {
    image: &'a Image,
    list: &'a mut List<'b>,
    room: usize,
}

impl Finder<'_, '_> {
    fn find(&mut self, marks: &Marks) {
        match self.list.region.form {
            Form::X86 | Form::Arm64 => {}
            Form::Pointers => self.pointers(),
            Form::Distances { base, step } => self.distances(self.image.base(base), step),
            Form::Functions { base } => self.functions(base),
            Form::Frames => self.frames(),
            Form::Tables => self.tables(marks),
        }
    }

    fn push(&mut self, at: usize, kind: Kind) {
        if self.list.references.len() < self.room {
            self.list.references.push(Reference::new(self.list.region.offset as usize + at, kind));
        }
    }

    /// The first place with an address divisible by `step`.
    fn aligned(&self, step: u64) -> usize {
        (self.list.address.wrapping_neg() & (step - 1)) as usize
    }

    fn pointers(&mut self) {
        let base = self.image.lowest();
        for at in (self.aligned(8)..self.list.bytes.len()).step_by(8) {
            self.pointer(at, base);
        }
    }

    fn pointer(&mut self, at: usize, base: u64) -> bool {
        let Some(value) = u64_at(self.list.bytes, at) else { return false };
        let found = value.checked_sub(base).is_some_and(|far| far >= HEADER_BYTES)
            && self.image.offset(value).is_some();
        if found {
            self.push(at, Kind::Pointer);
        }
        found
    }

    fn distances(&mut self, base: u64, step: usize) {
        for at in (self.aligned(step as u64)..self.list.bytes.len()).step_by(step) {
            self.distance(at, base, 0);
        }
    }

    fn functions(&mut self, first: usize) {
        let bytes = self.list.bytes;
        go::distances(bytes, |at, base| self.distance(at, self.image.base(first + base), base));
    }

    fn distance(&mut self, at: usize, base: u64, number: usize) {
        let Some(value) = u32_at(self.list.bytes, at).map(|value| i64::from(value as i32)) else { return };
        let small = number == 0 && (0..HEADER_BYTES as i64).contains(&value);
        if !small && value != -1 && self.image.offset(base.wrapping_add_signed(value)).is_some() {
            self.push(at, Kind::Distance { base: number });
        }
    }

    fn frames(&mut self) {
        let (bytes, mut at) = (self.list.bytes, 0);
        while let (Some(length), Some(parent)) = (u32_at(bytes, at), u32_at(bytes, at + 4)) {
            let end = at + 4 + length as usize;
            if length == 0 || end > bytes.len() {
                at += 4;
                continue;
            }
            if parent != 0 && length >= 16 {
                self.push(at + 8, Kind::Own);
                // The augmentation: a pointer to the language's own table, when there is one.
                if bytes.get(at + 16) == Some(&4) && length >= 20 {
                    self.push(at + 17, Kind::Own);
                }
            }
            at = end;
        }
    }

    fn tables(&mut self, marks: &Marks) {
        let (bytes, address) = (self.list.bytes, self.list.address);
        let Some(marks) = marks.of(address) else { return };
        let marked = |at: usize| {
            let bits = marks.get(at / 256).map(|bits| bits.load(Ordering::Relaxed));
            bits.is_some_and(|bits| bits >> (at / 4 % 64) & 1 != 0)
        };
        // Where small numbers are no addresses, pointers can be told from them.
        let base = self.image.lowest();
        let mixed = base >= 1 << 20;
        let mut at = self.aligned(4);
        while at + 4 <= bytes.len() {
            if !marked(at) {
                if mixed && address.wrapping_add(at as u64) & 7 == 0 && self.pointer(at, base) {
                    at += 4;
                }
                at += 4;
                continue;
            }
            let (table, end) = (at, (at + 4 * TABLE_ENTRIES_MAX).min(bytes.len() & !3));
            while at < end && (at == table || !marked(at)) {
                let value = i64::from(u32_at(bytes, at).unwrap_or(0) as i32);
                let target = address.wrapping_add(table as u64).wrapping_add_signed(value);
                if !self.image.is_code(target) {
                    break;
                }
                self.push(at, if at == table { Kind::Table } else { Kind::Entry });
                at += 4;
            }
            at = at.max(table + 4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls and nothing else, in more than one round.
    fn calls() -> (Image, Vec<u8>) {
        let length = (ROUND_PARTS + 2) * SWEEP_BYTES;
        let region = Region { offset: 0, length: length as u32, form: Form::Arm64 };
        let mut image = Image { regions: vec![region], end: length as u32, ..Image::default() };
        image.add(0, length as u64, 0x1000, length as u64).unwrap();
        // To themselves: always an address of the file.
        (image, 0x9400_0000u32.to_le_bytes().repeat(length / 4))
    }

    #[test]
    fn references_beyond_the_limit_are_not_even_collected() {
        let (image, bytes) = calls();
        let all = References::find_some(&image, &bytes, REFERENCES_MAX).0.remove(0).references;
        assert_eq!(all.len(), bytes.len() / 4);
        for room in [0, 10, SWEEP_BYTES, all.len() - 1] {
            let mut lists = References::find_some(&image, &bytes, room).0;
            assert!(lists[0].references[..] == all[..room], "others than the first {room}");
            let mut list = List { references: Vec::new(), ..lists.remove(0) };
            code(&image, &mut list, &Marks::new(&image), room);
            assert!(list.references.capacity() <= room, "{} for {room}", list.references.capacity());
        }
    }
}
