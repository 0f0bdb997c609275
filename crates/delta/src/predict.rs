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
    /// A bit for each hash of what was learned: most targets are not, which is told faster here.
    filter: Vec<u64>,
}

/// Bits of the filter, as a power of two.
const FILTER_BITS: u32 = 18;

/// The word and the bit of the filter that stand for a place.
fn filtered(old: u32) -> (usize, u64) {
    let hash = old.wrapping_mul(0x9E37_79B1) >> (32 - FILTER_BITS);
    ((hash >> 6) as usize, 1 << (hash & 63))
}

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
        Self { pieces, index, learned: HashMap::default(), filter: vec![0; 1 << (FILTER_BITS - 6)] }
    }

    /// Where a target of the old file is presumably to be found in the new one.
    pub fn get(&self, old: u32) -> u32 {
        let (word, bit) = filtered(old);
        if self.filter[word] & bit != 0
            && let Some(new) = self.learned.get(&old)
        {
            return *new;
        }
        let Some(last) = self.index.last() else { return old };
        let mut piece = *self.index.get((old >> PAGE_BITS) as usize).unwrap_or(last) as usize;
        while self.pieces.get(piece + 1).is_some_and(|next| next.0 <= old) {
            piece += 1;
        }
        self.pieces.get(piece).map_or(old, |(_, shift)| old.wrapping_add(*shift))
    }

    pub fn learn(&mut self, old: u32, new: u32) {
        if self.learned.len() < LEARNED_MAX {
            let (word, bit) = filtered(old);
            self.filter[word] |= bit;
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
            let first = references.partition_point(|reference| reference.offset() < copy.old as usize);
            let mut table = None;
            for (index, reference) in references.iter().enumerate().skip(first) {
                let kind = reference.kind();
                if reference.offset() + kind.width() > end {
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
