//! What a reference of the old file becomes where it is copied into the new one.

use super::LEARNED_MAX;
use super::arm64::{self, Field};
use super::image::{Form, Image, Kind, List, Reference, References, TABLE_ENTRIES_MAX, u32_at, u64_at};
use std::collections::HashMap;

/// Bytes copied from the old file to the new one, some of which differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copy {
    pub old: u32,
    pub new: u32,
    pub length: u32,
}

/// Bits of the offsets that share an entry of the index.
const PAGE_BITS: u32 = 8;

/// From places of the old file to places of the new one.
#[derive(Debug)]
pub(super) struct Mapping {
    /// Beginning in the old file, and what to add from there to the next one's beginning.
    pieces: Vec<(u32, u32)>,
    /// For each page of the old file the last piece that begins at or before its first byte.
    index: Vec<u32>,
    /// What corrections taught.
    learned: HashMap<u32, u32, Scatter>,
}

/// Marks pages of the index in which something was learned: of most targets nothing is, which is told faster here.
const LEARNED: u32 = 1 << 31;

/// A hash for keys that are offsets: nobody gains from collisions, as all memory and time stay bounded by the patch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scatter(u64);

impl std::hash::BuildHasher for Scatter {
    type Hasher = Self;
    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl std::hash::Hasher for Scatter {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }
    fn write_u32(&mut self, value: u32) {
        self.0 = (self.0 ^ u64::from(value)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 ^= self.0 >> 29;
    }
}

impl Mapping {
    pub fn new(copies: &[Copy], old: &Image, new: &Image) -> Self {
        let mut sorted: Vec<_> =
            copies.iter().map(|copy| (copy.old, copy.length, copy.new.wrapping_sub(copy.old))).collect();
        // Memory without bytes in the file: the n-th such part of the old one becomes the n-th of the new one.
        let bare = |image: &Image| {
            image.segments.iter().filter(|segment| segment.offset >= image.end).copied().collect::<Vec<_>>()
        };
        sorted.extend(
            bare(old)
                .iter()
                .zip(bare(new))
                .map(|(old, new)| (old.offset, old.length, new.offset.wrapping_sub(old.offset))),
        );
        sorted.sort_unstable();
        let mut pieces: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        let mut reach = 0;
        for (start, length, shift) in sorted {
            let end = start.saturating_add(length);
            if end > reach {
                pieces.push((start.max(reach), shift));
                reach = end;
            }
        }
        let mut index = Vec::with_capacity((reach >> PAGE_BITS) as usize + 1);
        let mut piece = 0;
        for page in 0..=reach >> PAGE_BITS {
            while pieces.get(piece + 1).is_some_and(|next| next.0 <= page << PAGE_BITS) {
                piece += 1;
            }
            index.push(piece as u32);
        }
        Self { pieces, index, learned: HashMap::default() }
    }

    /// Where a target of the old file is presumably to be found in the new one.
    #[inline(always)]
    pub fn get(&self, old: u32) -> u32 {
        let page = self.index.get((old >> PAGE_BITS) as usize).or(self.index.last());
        let page = page.copied().unwrap_or(LEARNED);
        if page & LEARNED != 0
            && let Some(new) = self.learned.get(&old)
        {
            return *new;
        }
        let mut piece = (page & !LEARNED) as usize;
        while self.pieces.get(piece + 1).is_some_and(|next| next.0 <= old) {
            piece += 1;
        }
        self.pieces.get(piece).map_or(old, |(_, shift)| old.wrapping_add(*shift))
    }

    pub fn learn(&mut self, old: u32, new: u32) {
        if self.learned.len() < LEARNED_MAX {
            let last = self.index.len().saturating_sub(1);
            if let Some(page) = self.index.get_mut(((old >> PAGE_BITS) as usize).min(last)) {
                *page |= LEARNED;
            }
            self.learned.insert(old, new);
        }
    }
}

/// A reference on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moved {
    /// Its place in the new file.
    pub at: usize,
    pub kind: Kind,
    pub field: Option<Field>,
    /// The address in the new file that its distance counts from.
    anchor: u64,
    /// Its own address in the new file.
    address: u64,
    /// What it refers to in the old file.
    pub target: u32,
}

/// Finds what becomes of the references within copies.
#[derive(Debug)]
pub(super) struct Predictor<'a> {
    pub bytes: &'a [u8],
    pub old: &'a Image,
    pub new: &'a Image,
    pub references: &'a References<'a>,
}

impl Predictor<'_> {
    /// Hands out each reference of the old file that lies within a copy, moved with it. Stops where `each` does.
    pub fn each(&self, copy: Copy, mut each: impl FnMut(Moved) -> Option<()>) -> Option<()> {
        let end = copy.old as usize + copy.length as usize;
        for list in &self.references.0 {
            if list.region.offset as usize >= end || list.region.offset + list.region.length <= copy.old {
                continue;
            }
            let references = &list.references;
            let first = seek(references, list.near.get(), copy.old as usize);
            let mut table = None;
            // The next copy presumably begins where this one ends.
            list.near.set(first);
            for (index, reference) in references.iter().enumerate().skip(first) {
                let kind = reference.kind();
                if reference.offset() + kind.width() > end {
                    list.near.set(index);
                    break;
                }
                match kind {
                    Kind::Table => table = Some(reference.offset()),
                    Kind::Entry if table.is_none() => table = beginning(&references[..index]),
                    _ => {}
                }
                if let Some(moved) = self.moved(list, *reference, table, copy) {
                    each(moved)?;
                }
            }
        }
        Some(())
    }

    #[inline(always)]
    fn moved(&self, list: &List, reference: Reference, table: Option<usize>, copy: Copy) -> Option<Moved> {
        let (at, kind) = (reference.offset() as u32, reference.kind());
        let inside = (at - list.region.offset) as usize;
        let from = list.address.wrapping_add(inside as u64);
        let moved = at - copy.old + copy.new;
        let address = self.new.address(moved)?;
        let (mut field, mut anchor, mut old_anchor) = (None, address, from);
        match kind {
            Kind::Relative { behind } => {
                let next = 4 + u64::from(behind);
                (old_anchor, anchor) = (from.wrapping_add(next), address.wrapping_add(next));
            }
            Kind::Entry => {
                let inside = (at as usize - table?) as u64;
                (old_anchor, anchor) = (from.wrapping_sub(inside), address.wrapping_sub(inside));
            }
            Kind::Distance { base } => {
                let (Form::Distances { base: first, .. } | Form::Functions { base: first }) =
                    list.region.form
                else {
                    return None;
                };
                (old_anchor, anchor) = (self.old.base(first + base), self.new.base(first + base));
            }
            Kind::Instruction => field = Some(arm64::field(list.bytes, inside)?),
            Kind::Pointer | Kind::Own | Kind::Table => {}
        }
        let target = match (kind, field) {
            (Kind::Pointer, _) => u64_at(list.bytes, inside)?,
            (_, Some(field)) => arm64::target(list.bytes, inside, from, field)?,
            _ => old_anchor.wrapping_add_signed(i64::from(u32_at(list.bytes, inside)? as i32)),
        };
        let target = self.old.offset(target)?;
        Some(Moved { at: moved as usize, kind, field, anchor, address, target })
    }
}

/// The number of the first reference at or behind `offset`, looked for from number `near` on, both ways.
fn seek(references: &[Reference], near: usize, offset: usize) -> usize {
    let before = |index: usize| references.get(index).is_some_and(|reference| reference.offset() < offset);
    let (mut low, mut high) = (near, near);
    let mut step = 1;
    while before(high) {
        low = high;
        high = high.saturating_add(step).min(references.len());
        step *= 2;
    }
    while low > 0 && !before(low) {
        high = low;
        low = low.saturating_sub(step);
        step *= 2;
    }
    low + references[low..high].partition_point(|reference| reference.offset() < offset)
}

/// Where the table begins whose entries come last.
fn beginning(references: &[Reference]) -> Option<usize> {
    let last = references.iter().rev().take(TABLE_ENTRIES_MAX);
    last.clone().find(|reference| reference.kind() == Kind::Table).map(|reference| reference.offset())
}

impl Moved {
    pub fn width(&self) -> usize {
        self.kind.width()
    }

    /// Writes the field so that it refers to `target`, a place of the new file.
    #[inline(always)]
    pub fn write(&self, file: &mut [u8], new: &Image, target: u32) {
        let Some(address) = new.address(target) else { return };
        let Some(bytes) = file.get_mut(self.at..self.at + self.width()) else { return };
        match (self.kind, self.field) {
            (Kind::Pointer, _) => bytes.copy_from_slice(&address.to_le_bytes()),
            (Kind::Instruction, Some(field)) => {
                let this = u32_at(bytes, 0).unwrap_or(0);
                bytes.copy_from_slice(&arm64::aimed(this, self.address, address, field).to_le_bytes());
            }
            _ => bytes.copy_from_slice(&(address.wrapping_sub(self.anchor) as u32).to_le_bytes()),
        }
    }

    /// What the new file's field refers to, if it is a reference of the same kind.
    pub fn actual(&self, file: &[u8], new: &Image) -> Option<u32> {
        let address = match (self.kind, self.field) {
            (Kind::Pointer, _) => u64_at(file, self.at)?,
            (Kind::Instruction, Some(field)) => arm64::target(file, self.at, self.address, field)?,
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
        let references: Vec<_> = (0..40).map(|n| Reference::new(10 + 3 * n, Kind::Own)).collect();
        for near in 0..=references.len() {
            for offset in 0..150 {
                let wanted = references.iter().take_while(|reference| reference.offset() < offset).count();
                assert_eq!(seek(&references, near, offset), wanted, "{offset} from {near}");
            }
        }
        assert_eq!(seek(&[], 0, 5), 0);
    }

    #[test]
    fn places_map_by_the_copy_that_holds_them_or_the_one_before_unless_learned() {
        let image = |end| Image { end, ..Image::default() };
        let copy = |old, new, length| Copy { old, new, length };
        // The second one begins within the first one, and the last two are the same place twice.
        let copies =
            [copy(1_000, 5_000, 100), copy(1_050, 0, 100), copy(3_000, 200, 10), copy(3_000, 900, 10)];
        let mut mapping = Mapping::new(&copies, &image(10_000), &image(10_000));
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
        for old in [1_099, 9_999] {
            mapping.learn(old, 77);
            assert_eq!(
                (mapping.get(old), mapping.get(old - 1)),
                (77, if old == 1_099 { 5_098 } else { 7_198 })
            );
        }
        assert_eq!(Mapping::new(&[], &image(5), &image(5)).get(3), 3);
    }
}
