//! What a reference of the old file becomes where it is copied into the new one.

use super::LEARNED_MAX;
use super::arm64;
use super::image::{Form, Image, Segment, u32_at, u64_at};
use super::references::{Kind, List, Reference, References, TABLE_ENTRIES_MAX};

/// Bytes copied from the old file to the new one, some of which differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copy {
    pub old: u32,
    pub new: u32,
    pub length: u32,
}

/// Where places of the old file from one on are in the new one, up to where the next piece begins.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: u32,
    /// What to add to an offset.
    shift: u32,
    /// What to add to a new offset for its address, if that is the same for all of them; [`LOOK_UP`] otherwise.
    bias: u64,
}

/// The new file's segments are to be asked for the address.
const LOOK_UP: u64 = u64::MAX;
/// Behind all targets.
const END: u32 = 1 << 29;

/// Bits of the offsets that share an entry of the index.
const PAGE_BITS: u32 = 8;

/// From places of the old file to places of the new one.
#[derive(Debug, Clone)]
pub(super) struct Mapping {
    pieces: Vec<Piece>,
    /// For each page of the old file the last piece that begins at or before its first byte.
    index: Vec<u32>,
}

/// What corrections taught in one section: of targets that share an entry the last one.
#[derive(Debug, Clone)]
pub(super) struct Learned(Vec<(u32, u32)>);

/// No target's offset.
const NONE: u32 = u32::MAX;

impl Learned {
    pub fn new() -> Self {
        Self(vec![(NONE, 0); LEARNED_MAX])
    }

    pub fn forget(&mut self) {
        self.0.fill((NONE, 0));
    }

    fn entry(old: u32) -> usize {
        (old.wrapping_mul(0x9E37_79B1) >> (u32::BITS - LEARNED_MAX.ilog2())) as usize
    }

    #[inline(always)]
    pub fn get(&self, old: u32) -> Option<u32> {
        let (known, new) = *self.0.get(Self::entry(old))?;
        (known == old).then_some(new)
    }

    pub fn learn(&mut self, old: u32, new: u32) {
        if let Some(entry) = self.0.get_mut(Self::entry(old)) {
            *entry = (old, new);
        }
    }
}

impl Mapping {
    pub fn new(copies: &[Copy], old: &Image, new: &Image) -> Self {
        // Memory without bytes in the file: the n-th such part of the old one becomes the n-th of the new one.
        let bare = |image: &Image| {
            image.segments.iter().filter(|segment| segment.offset >= image.end).copied().collect::<Vec<_>>()
        };
        let bare: Vec<Copy> = bare(old)
            .iter()
            .zip(bare(new))
            .map(|(old, new)| Copy { old: old.offset, new: new.offset, length: old.length })
            .collect();
        let copy = |key: u64| {
            let number = key as u32 as usize;
            *copies.get(number).unwrap_or_else(|| &bare[number - copies.len()])
        };
        // Where they begin and their numbers: sorted in a fraction of the time that copies are.
        let keys = (0..).zip(copies.iter().chain(&bare));
        let mut sorted: Vec<u64> = keys.map(|(number, copy)| u64::from(copy.old) << 32 | number).collect();
        sorted.sort_unstable();
        for same in sorted.chunk_by_mut(|one, next| one >> 32 == next >> 32).filter(|same| same.len() > 1) {
            same.sort_unstable_by_key(|key| {
                let Copy { old, new, length } = copy(*key);
                (length, new.wrapping_sub(old))
            });
        }
        let mut pieces: Vec<Piece> = Vec::with_capacity(sorted.len());
        let mut reach = 0;
        for Copy { old, new, length } in sorted.into_iter().map(copy) {
            let end = old.saturating_add(length);
            if end > reach {
                pieces.push(Piece { start: old.max(reach), shift: new.wrapping_sub(old), bias: LOOK_UP });
                reach = end;
            }
        }
        let mut behind = END;
        for number in (0..pieces.len()).rev() {
            let piece = &mut pieces[number];
            // What lies in front of the first one belongs to it, too.
            let start = if number == 0 { 0 } else { piece.start };
            if let Some(segment) = new.segment(start.wrapping_add(piece.shift), behind - start) {
                piece.bias = segment.bias();
            }
            behind = start;
        }
        let mut index = Vec::with_capacity((reach >> PAGE_BITS) as usize + 1);
        let mut piece = 0;
        for page in 0..=reach >> PAGE_BITS {
            while pieces.get(piece + 1).is_some_and(|next| next.start <= page << PAGE_BITS) {
                piece += 1;
            }
            index.push(piece as u32);
        }
        Self { pieces, index }
    }

    /// Where a target of the old file is presumably to be found in the new one.
    pub fn get(&self, old: u32) -> u32 {
        self.find(old).0
    }

    /// The address at which a target of the old file is presumably to be found in the new one.
    #[inline(always)]
    pub fn address(&self, old: u32, new: &Image) -> Option<u64> {
        let (target, bias) = self.find(old);
        if bias == LOOK_UP { new.address(target) } else { Some(bias.wrapping_add(u64::from(target))) }
    }

    /// Where a target presumably is, and what to add for its address.
    #[inline(always)]
    fn find(&self, old: u32) -> (u32, u64) {
        let page = self.index.get((old >> PAGE_BITS) as usize).or(self.index.last());
        let mut piece = page.copied().unwrap_or(0) as usize;
        while self.pieces.get(piece + 1).is_some_and(|next| next.start <= old) {
            piece += 1;
        }
        self.pieces.get(piece).map_or((old, LOOK_UP), |piece| (old.wrapping_add(piece.shift), piece.bias))
    }
}

/// A reference on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    /// Its place in the new file.
    pub at: usize,
    pub kind: Kind,
    /// The address in the new file that its distance counts from; of an instruction its own.
    anchor: u64,
    /// What it refers to in the old file.
    pub target: u32,
}

/// What is done with each reference that lies within a copy.
pub(super) trait Visit {
    /// Takes the next one; `None` ends it all.
    fn visit(&mut self, moved: Moved) -> Option<()>;
}

impl<F: FnMut(Moved) -> Option<()>> Visit for F {
    fn visit(&mut self, moved: Moved) -> Option<()> {
        self(moved)
    }
}

/// Finds what becomes of the references within copies.
#[derive(Debug, Clone)]
pub(super) struct Predictor<'a> {
    pub bytes: &'a [u8],
    pub new: &'a Image,
    references: &'a References<'a>,
    /// The first list that was last looked into.
    list: usize,
    /// Where each list was last looked into.
    near: Vec<usize>,
}

/// The references of one list that lie within a copy.
struct Run<'a> {
    list: &'a List<'a>,
    /// All of the list.
    references: &'a [Reference],
    new: &'a Image,
    copy: Copy,
    /// The number of the first one.
    first: usize,
}

impl<'a> Predictor<'a> {
    pub fn new(bytes: &'a [u8], new: &'a Image, references: &'a References) -> Self {
        Self { bytes, new, references, list: 0, near: vec![0; references.lists.len()] }
    }

    /// Hands out each reference of the old file that lies within a copy, moved with it. Stops where `visitor` does.
    ///
    /// The next copy presumably begins where this one ends: that is where its references are looked for first.
    #[inline(always)]
    pub fn each(&mut self, copy: Copy, visitor: &mut impl Visit) -> Option<()> {
        let lists = &self.references.lists;
        self.list = seek(lists, self.list, |list| list.end <= copy.old);
        let reach = copy.old + copy.length;
        for (list, near) in lists.iter().zip(&mut self.near).skip(self.list) {
            if list.start >= reach {
                break;
            }
            let references = self.references.of(list);
            let before = |reference: &Reference| reference.offset() < copy.old;
            let far = references.get(*near).map_or(0, |last| last.offset()).abs_diff(copy.old) > NEAR_BYTES;
            let first = seek(references, if far { list.guess(copy.old) } else { *near }, before);
            let run = Run { list, references, new: self.new, copy, first };
            *near = run.visit(visitor)?;
        }
        Some(())
    }
}

impl Reference {
    /// Where a field of code is when it is moved with a copy, and its address, for which `bias` is added to offsets.
    #[inline(always)]
    fn moved(self, copy: Copy, bias: u64) -> (usize, u64) {
        let at = self.offset() - copy.old + copy.new;
        (at as usize, bias.wrapping_add(u64::from(at)))
    }
}

impl Run<'_> {
    /// Hands out the references, and gives the number of the first one behind them.
    #[inline(always)]
    fn visit(&self, visitor: &mut impl Visit) -> Option<usize> {
        let (list, copy) = (self.list, self.copy);
        let (start, end) = (list.start.max(copy.old), list.end.min(copy.old + copy.length));
        // What makes addresses of offsets in the new file, if that is the same for all of them.
        let bias = self.new.segment(start - copy.old + copy.new, end - start).map(Segment::bias);
        // Most references by far are code's, and of them the kind is known.
        match (list.region.form, bias) {
            (Form::X86, Some(bias)) => self.within(4, visitor, |_, reference| {
                let (at, address) = reference.moved(copy, bias);
                let anchor = address.wrapping_add(u64::from(4 + reference.behind()));
                Moved { at, kind: Kind::Relative { behind: 0 }, anchor, target: reference.target }
            }),
            (Form::Arm64, Some(bias)) => self.within(4, visitor, |_, reference| {
                let (at, anchor) = reference.moved(copy, bias);
                Moved { at, kind: Kind::Instruction, anchor, target: reference.target }
            }),
            _ => {
                let mut table = None;
                self.within(0, visitor, |number, _| self.moved(number, bias, &mut table))
            }
        }
    }

    /// Hands out what `moved` makes of each reference that ends within the copy; `width` is that of each field, or 0 where
    /// they differ.
    #[inline(always)]
    fn within(
        &self,
        width: u32,
        visitor: &mut impl Visit,
        mut moved: impl FnMut(usize, Reference) -> Moved,
    ) -> Option<usize> {
        let reach = self.copy.old + self.copy.length;
        let mut number = self.first;
        while let Some(reference) = self.references.get(number) {
            let width = if width == 0 { reference.kind().width() as u32 } else { width };
            if reference.offset() + width > reach {
                break;
            }
            visitor.visit(moved(number, *reference))?;
            number += 1;
        }
        Some(number)
    }

    /// A reference moved with the copy. A place without an address in the new file counts as address 0. `table`: where the
    /// table begins that the reference before belongs to, if that is known.
    fn moved(&self, number: usize, bias: Option<u64>, table: &mut Option<u32>) -> Moved {
        let reference = self.references[number];
        let (old, kind, target) = (reference.offset(), reference.kind(), reference.target);
        let at = old - self.copy.old + self.copy.new;
        let address = match bias {
            Some(bias) => bias.wrapping_add(u64::from(at)),
            None => self.new.address(at).unwrap_or(0),
        };
        let anchor = match kind {
            Kind::Relative { behind } => address.wrapping_add(4 + u64::from(behind)),
            Kind::Distance { base } => match self.list.region.form {
                Form::Distances { base: first, .. } | Form::Functions { base: first } => {
                    self.new.base(first + base)
                }
                _ => 0,
            },
            Kind::Entry => {
                let first = table.or_else(|| beginning(&self.references[..number])).unwrap_or(old);
                *table = Some(first);
                address.wrapping_sub(u64::from(old - first))
            }
            Kind::Table => {
                *table = Some(old);
                address
            }
            Kind::Instruction | Kind::Pointer | Kind::Own => address,
        };
        Moved { at: at as usize, kind, anchor, target }
    }
}

/// So far behind where it was last looked for a reference is hardly further from there than from where it would be if all
/// lay equally far apart.
const NEAR_BYTES: u32 = 1 << 9;

/// How many of `items` are `before`, all of which come first; looked for from number `near` on, both ways.
#[inline(always)]
fn seek<T>(items: &[T], near: usize, before: impl Fn(&T) -> bool) -> usize {
    let is_before = |index: usize| items.get(index).is_some_and(&before);
    let (mut low, mut high) = (near, near);
    let mut step = 1;
    while is_before(high) {
        low = high;
        high = high.saturating_add(step).min(items.len());
        step *= 2;
    }
    while low > 0 && !is_before(low) {
        high = low;
        low = low.saturating_sub(step);
        step *= 2;
    }
    low + items[low..high].partition_point(before)
}

/// Where the table begins whose entries come last.
fn beginning(references: &[Reference]) -> Option<u32> {
    let mut last = references.iter().rev().take(TABLE_ENTRIES_MAX);
    last.find(|reference| reference.kind() == Kind::Table).map(|reference| reference.offset())
}

impl Moved {
    pub fn width(&self) -> usize {
        self.kind.width()
    }

    /// Writes the field so that it refers to `address`.
    #[inline(always)]
    pub fn write(&self, file: &mut [u8], address: u64) {
        let Some(rest) = file.get_mut(self.at..) else { return };
        match self.kind {
            Kind::Pointer => {
                if let Some(field) = rest.first_chunk_mut() {
                    *field = address.to_le_bytes();
                }
            }
            kind => {
                let Some(field) = rest.first_chunk_mut() else { return };
                let value = if kind == Kind::Instruction {
                    arm64::aimed(u32::from_le_bytes(*field), self.anchor, address)
                } else {
                    address.wrapping_sub(self.anchor) as u32
                };
                *field = value.to_le_bytes();
            }
        }
    }

    /// What the new file's field refers to, if it is a reference of the same kind. `old`: the reference's place in the old
    /// file, and that file's bytes.
    pub fn actual(&self, file: &[u8], new: &Image, (at, old): (usize, &[u8])) -> Option<u32> {
        let address = match self.kind {
            Kind::Pointer => u64_at(file, self.at)?,
            Kind::Instruction => arm64::target(file, self.at, self.anchor, arm64::field(old, at)?)?,
            _ => self.anchor.wrapping_add_signed(i64::from(u32_at(file, self.at)? as i32)),
        };
        new.offset(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_from_wherever_the_search_begins() {
        let references: Vec<_> = (0..40).map(|n| Reference::new(10 + 3 * n, Kind::Own, 0)).collect();
        for near in 0..=references.len() {
            for offset in 0..150 {
                let wanted = references.iter().take_while(|reference| reference.offset() < offset).count();
                let found = seek(&references, near, |reference| reference.offset() < offset);
                assert_eq!(found, wanted, "{offset} from {near}");
            }
        }
        assert_eq!(seek(&[], 0, |_: &Reference| true), 0);
    }

    #[test]
    fn places_map_by_the_copy_that_holds_them_or_the_one_before() {
        let image = |end| Image { end, ..Image::default() };
        let copy = |old, new, length| Copy { old, new, length };
        // The second one begins within the first one, and the last two are the same place twice.
        let copies =
            [copy(1_000, 5_000, 100), copy(1_050, 0, 100), copy(3_000, 200, 10), copy(3_000, 900, 10)];
        let mapping = Mapping::new(&copies, &image(10_000), &image(10_000));
        let cases = [
            (1_000, 5_000),
            (1_099, 5_099),
            (1_100, 50),
            (1_149, 99),
            (2_999, 1_949),
            (3_000, 200),
            (9_999, 7_199),
        ];
        for (old, new) in cases {
            assert_eq!(mapping.get(old), new, "{old}");
        }
        assert_eq!(mapping.get(0), 4_000, "in front of all: with the first one");
        assert_eq!(Mapping::new(&[], &image(5), &image(5)).get(3), 3);
    }

    #[test]
    fn what_was_learned_lasts_until_it_is_forgotten_or_another_target_takes_its_entry() {
        let mut learned = Learned::new();
        let other = (1..).find(|old| Learned::entry(*old) == Learned::entry(0)).unwrap();
        learned.learn(0, 70);
        assert_eq!([0, 1, other].map(|old| learned.get(old)), [Some(70), None, None]);
        learned.learn(other, 80);
        assert_eq!([0, other].map(|old| learned.get(old)), [None, Some(80)]);
        learned.forget();
        assert_eq!(learned.get(other), None);
    }
}
