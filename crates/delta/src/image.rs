//! An executable as far as deltas care: which addresses its bytes have, and which parts refer to addresses in which way.

use std::ops::RangeInclusive;

/// Bytes that are loaded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// Where they are in the file; behind its end when there is nothing of them in it.
    pub offset: u32,
    pub length: u32,
    pub address: u64,
}

impl Segment {
    /// What makes addresses of offsets.
    pub fn bias(&self) -> u64 {
        self.address.wrapping_sub(u64::from(self.offset))
    }
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

    /// The segment that gives each of these bytes its address, if it is the same one.
    pub fn segment(&self, offset: u32, length: u32) -> Option<&Segment> {
        let end = offset.checked_add(length)?;
        let ends = |segment: &Segment| segment.offset + segment.length;
        let first = self.segments.iter().find(|one| one.offset < end && ends(one) > offset)?;
        (first.offset <= offset && end <= ends(first)).then_some(first)
    }

    /// The segment that holds a byte, if it shares no address with one before it.
    pub fn home(&self, offset: u32) -> Option<Segment> {
        let holds = |segment: &Segment| offset.wrapping_sub(segment.offset) < segment.length;
        let number = self.segments.iter().position(holds)?;
        let home = self.segments[number];
        let end = |segment: &Segment| segment.address + u64::from(segment.length);
        let apart = |one: &Segment| end(one) <= home.address || one.address >= end(&home);
        self.segments[..number].iter().all(apart).then_some(home)
    }

    pub fn region(&self, offset: u32) -> Option<&Region> {
        let after = self.regions.partition_point(|region| region.offset <= offset);
        self.regions.get(after.checked_sub(1)?).filter(|region| offset - region.offset < region.length)
    }

    /// Whether there is a part of which the machine's instructions are known.
    pub fn has_code(&self) -> bool {
        self.regions.iter().any(|region| matches!(region.form, Form::X86 | Form::Arm64) && region.length > 0)
    }

    /// From the lowest to the highest address.
    pub fn addresses(&self) -> RangeInclusive<u64> {
        let lowest = self.segments.iter().map(|segment| segment.address).min();
        let highest = self.segments.iter().map(|segment| segment.address + u64::from(segment.length)).max();
        lowest.unwrap_or(0)..=highest.unwrap_or(0)
    }

    /// The address of a base.
    pub fn base(&self, number: usize) -> u64 {
        self.bases.get(number).copied().unwrap_or(0)
    }

    /// Whether an address is one of code.
    pub fn is_code(&self, address: u64) -> bool {
        let region = self.offset(address).and_then(|offset| self.region(offset));
        region.is_some_and(|region| matches!(region.form, Form::X86 | Form::Arm64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_segment_gives_a_range_its_addresses_only_if_none_before_it_takes_a_byte() {
        let segment = |offset, length| Segment { offset, length, address: u64::from(offset) * 2 };
        let image =
            Image { segments: vec![segment(40, 10), segment(0, 45), segment(60, 5)], ..Image::default() };
        let first = |offset, length| image.segment(offset, length).map(|segment| segment.offset);
        assert_eq!([first(0, 40), first(40, 10), first(60, 5)], [Some(0), Some(40), Some(60)]);
        for (offset, length) in
            [(0, 41), (30, 20), (39, 2), (49, 2), (50, 5), (59, 2), (64, 2), (5, u32::MAX)]
        {
            assert_eq!(first(offset, length), None, "{offset} {length}");
        }
    }
}
