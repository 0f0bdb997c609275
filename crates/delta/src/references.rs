//! Where a file refers to addresses: found in its code by sweeps, and in its tables by their form.

mod code;

use super::image::{Form, Image, Region, u32_at, u64_at};
use super::{REFERENCES_MAX, go};
use std::ops::{Range, RangeInclusive};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

const _: () =
    assert!(super::PATCHED_FILE_BYTES_MAX <= 1 << 28, "an offset fits beside a reference's kind in 32 bits");
/// Most entries of one table of distances.
pub(super) const TABLE_ENTRIES_MAX: usize = 1 << 12;
/// Most processors used at once.
const PROCESSORS_MAX: usize = 4;
/// Bytes in front that are never the target of a pointer: small numbers are not addresses.
const HEADER_BYTES: u64 = 0x400;

/// How many processors to use at once. Asked for once: on Linux it takes reading files.
pub(super) fn processors() -> usize {
    static COUNT: LazyLock<usize> = LazyLock::new(|| {
        std::thread::available_parallelism().map_or(1, |count| count.get().min(PROCESSORS_MAX))
    });
    *COUNT
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

/// A reference: where, how, and to which offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference {
    place: u32,
    pub target: u32,
}

impl Reference {
    pub fn new(offset: usize, kind: Kind, target: u32) -> Self {
        Self { place: (offset as u32) << 4 | kind.bits(), target }
    }

    pub fn offset(self) -> u32 {
        self.place >> 4
    }

    pub fn kind(self) -> Kind {
        Kind::of(self.place & 15)
    }

    /// Of a field relative to so many bytes behind it: how many.
    pub fn behind(self) -> u32 {
        self.place & 15
    }

    /// Offset of the first byte behind its field.
    pub fn end(self) -> u32 {
        self.offset() + self.kind().width() as u32
    }
}

/// The references of one region, or of one part of its code, in order.
#[derive(Debug, Clone)]
pub(super) struct List<'a> {
    pub region: Region,
    /// Address of the region's first byte.
    address: u64,
    /// The region's bytes.
    bytes: &'a [u8],
    /// The offsets at which its references may begin.
    pub start: u32,
    pub end: u32,
    /// Which references they are: in which batch, and where in it.
    batch: usize,
    numbers: Range<usize>,
}

impl<'a> List<'a> {
    fn new(image: &Image, region: Region, bytes: &'a [u8]) -> Option<Self> {
        let bytes = bytes.get(region.offset as usize..)?.get(..region.length as usize)?;
        let address = image.address(region.offset)?;
        let (start, end) = (region.offset, region.offset + region.length);
        Some(List { region, address, bytes, start, end, batch: 0, numbers: 0..0 })
    }

    /// About how many of its references lie before `offset`.
    pub fn guess(&self, offset: u32) -> usize {
        let [before, all] =
            [offset.clamp(self.start, self.end), self.end].map(|offset| u64::from(offset - self.start));
        (self.numbers.len() as u64 * before / all.max(1)) as usize
    }
}

/// All references of a file: the lists in order, and the batches as they were found, as few as possible.
#[derive(Debug)]
pub(super) struct References<'a> {
    pub lists: Vec<List<'a>>,
    batches: Vec<Vec<Reference>>,
}

impl<'a> References<'a> {
    /// Finds them.
    pub fn find(image: &Image, bytes: &'a [u8]) -> Self {
        Self::find_some(image, bytes, REFERENCES_MAX)
    }

    /// Finds so many of them, and holds hardly more at any time.
    fn find_some(image: &Image, bytes: &'a [u8], mut room: usize) -> Self {
        let mut all = Self { lists: Vec::new(), batches: vec![Vec::new()] };
        let marks = Marks::new(image);
        for mut list in image.regions.iter().filter_map(|region| List::new(image, *region, bytes)) {
            match list.region.form {
                Form::X86 | Form::Arm64 => all.code(image, &list, &marks, &mut room),
                Form::Tables => all.lists.push(list),
                _ => {
                    Finder { image, list: &mut list, room: &mut room, found: &mut all.batches[0] }
                        .find(&marks);
                    all.lists.push(list);
                }
            }
        }
        let Self { lists, batches } = &mut all;
        for list in lists.iter_mut().filter(|list| list.region.form == Form::Tables) {
            Finder { image, list, room: &mut room, found: &mut batches[0] }.find(&marks);
        }
        all
    }

    /// The references of a list, in order.
    #[inline(always)]
    pub fn of(&self, list: &List) -> &[Reference] {
        self.batches.get(list.batch).and_then(|batch| batch.get(list.numbers.clone())).unwrap_or_default()
    }
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
                // Most are marked already, and looking costs less than marking.
                let mark = 1 << (word % 64);
                if bits.load(Ordering::Relaxed) & mark == 0 {
                    bits.fetch_or(mark, Ordering::Relaxed);
                }
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
    room: &'a mut usize,
    /// The batch of what is not code's.
    found: &'a mut Vec<Reference>,
}

impl Finder<'_, '_> {
    fn find(mut self, marks: &Marks) {
        let start = self.found.len();
        self.look(marks);
        self.list.numbers = start..self.found.len();
    }

    fn look(&mut self, marks: &Marks) {
        match self.list.region.form {
            Form::X86 | Form::Arm64 => {}
            Form::Pointers => self.pointers(),
            Form::Distances { base, step } => self.distances(self.image.base(base), step),
            Form::Functions { base } => self.functions(base),
            Form::Frames => self.frames(),
            Form::Tables => self.tables(marks),
        }
    }

    /// Notes the field at `at` if it refers to something.
    fn push(&mut self, at: usize, kind: Kind, address: u64) -> bool {
        let Some(target) = self.image.offset(address) else { return false };
        if *self.room > 0 {
            *self.room -= 1;
            let offset = self.list.region.offset as usize + at;
            self.found.push(Reference::new(offset, kind, target));
        }
        true
    }

    /// Notes a field whose value counts from its own address.
    fn own(&mut self, at: usize) {
        let value = u32_at(self.list.bytes, at).unwrap_or(0) as i32;
        let here = self.list.address.wrapping_add(at as u64);
        self.push(at, Kind::Own, here.wrapping_add_signed(i64::from(value)));
    }

    /// The first place with an address divisible by `step`.
    fn aligned(&self, step: u64) -> usize {
        (self.list.address.wrapping_neg() & (step - 1)) as usize
    }

    fn pointers(&mut self) {
        let addresses = self.image.addresses();
        for at in (self.aligned(8)..self.list.bytes.len()).step_by(8) {
            self.pointer(at, &addresses);
        }
    }

    /// Notes a word that is one of the file's addresses.
    #[inline(always)]
    fn pointer(&mut self, at: usize, addresses: &RangeInclusive<u64>) -> bool {
        let Some(value) = u64_at(self.list.bytes, at) else { return false };
        // Most words are none by far.
        addresses.contains(&value)
            && value - addresses.start() >= HEADER_BYTES
            && self.push(at, Kind::Pointer, value)
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
        if !small && value != -1 {
            self.push(at, Kind::Distance { base: number }, base.wrapping_add_signed(value));
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
                self.own(at + 8);
                // The augmentation: a pointer to the language's own table, when there is one.
                if bytes.get(at + 16) == Some(&4) && length >= 20 {
                    self.own(at + 17);
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
        let addresses = self.image.addresses();
        let mixed = *addresses.start() >= 1 << 20;
        let mut at = self.aligned(4);
        while at + 4 <= bytes.len() {
            if !marked(at) {
                if mixed && address.wrapping_add(at as u64) & 7 == 0 && self.pointer(at, &addresses) {
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
                self.push(at, if at == table { Kind::Table } else { Kind::Entry }, target);
                at += 4;
            }
            at = at.max(table + 4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::code::{PART_BYTES, ROUND_PARTS};
    use super::*;

    /// Calls and nothing else, in more than one round.
    fn calls() -> (Image, Vec<u8>) {
        let length = (ROUND_PARTS + 2) * PART_BYTES;
        let region = Region { offset: 0, length: length as u32, form: Form::Arm64 };
        let mut image = Image { regions: vec![region], end: length as u32, ..Image::default() };
        image.add(0, length as u64, 0x1000, length as u64).unwrap();
        // To themselves: always an address of the file.
        (image, 0x9400_0000u32.to_le_bytes().repeat(length / 4))
    }

    #[test]
    fn references_beyond_the_limit_are_not_even_collected() {
        let (image, bytes) = calls();
        let found = |room| {
            let found = References::find_some(&image, &bytes, room);
            let capacity: usize = found.batches.iter().map(Vec::capacity).sum();
            let references: Vec<_> = found.lists.iter().flat_map(|list| found.of(list)).copied().collect();
            (references, capacity)
        };
        let all = found(REFERENCES_MAX).0;
        assert_eq!(all.len(), bytes.len() / 4);
        for room in [0, 10, PART_BYTES, all.len() - 1] {
            let (references, capacity) = found(room);
            assert!(references[..] == all[..room], "others than the first {room}");
            assert!(capacity < room + 2 * PART_BYTES, "{capacity} for {room}");
        }
    }
}
