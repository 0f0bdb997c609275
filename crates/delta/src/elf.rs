//! What deltas need to know of an ELF file (System V ABI, 64 bits, little-endian).

use super::go;
use super::image::{Form, Image, Region, Segment, u32_at, u64_at};

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().map(u16::from_le_bytes).ok()
}

/// Reads an ELF file; `None` when it is none, or none of x86-64 and arm64.
pub(super) fn read(bytes: &[u8]) -> Option<Image> {
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let code = match u16_at(bytes, 18)? {
        62 => Form::X86,
        183 => Form::Arm64,
        _ => return None,
    };
    let end = u32::try_from(bytes.len()).ok()?;
    let mut image = Image { end, ..Image::default() };
    let mut bare = end;
    let (table, size, count) =
        (u64_at(bytes, 32)? as usize, usize::from(u16_at(bytes, 54)?), usize::from(u16_at(bytes, 56)?));
    for at in (0..count).map(|n| table.saturating_add(n * size)) {
        if u32_at(bytes, at)? != 1 {
            continue;
        }
        let (offset, address) = (u32::try_from(u64_at(bytes, at + 8)?).ok()?, u64_at(bytes, at + 16)?);
        let (length, memory) =
            (u32::try_from(u64_at(bytes, at + 32)?).ok()?, u32::try_from(u64_at(bytes, at + 40)?).ok()?);
        image.segments.push(Segment { offset, length, address });
        if memory > length {
            let segment =
                Segment { offset: bare, length: memory - length, address: address + u64::from(length) };
            bare = bare.checked_add(segment.length)?;
            image.segments.push(segment);
        }
    }
    sections(bytes, code, &mut image)?;
    Some(image)
}

fn sections(bytes: &[u8], code: Form, image: &mut Image) -> Option<()> {
    let (table, size) = (u64_at(bytes, 40)? as usize, usize::from(u16_at(bytes, 58)?));
    let (count, names) = (usize::from(u16_at(bytes, 60)?), usize::from(u16_at(bytes, 62)?));
    let names = u64_at(bytes, table + names * size + 24)? as usize;
    for at in (0..count).map(|n| table.saturating_add(n * size)) {
        let name = bytes.get(names + u32_at(bytes, at)? as usize..)?;
        let name = name.split(|byte| *byte == 0).next()?;
        let (kind, flags) = (u32_at(bytes, at + 4)?, u64_at(bytes, at + 8)?);
        let address = u64_at(bytes, at + 16)?;
        let (offset, length) =
            (u32::try_from(u64_at(bytes, at + 24)?).ok()?, u32::try_from(u64_at(bytes, at + 32)?).ok()?);
        // Not loaded, or without bytes in the file.
        if flags & 2 == 0 || kind == 8 || length == 0 {
            continue;
        }
        let form = match name {
            b".eh_frame" => Form::Frames,
            b".eh_frame_hdr" => {
                image.bases.push(address);
                Form::Distances { base: image.bases.len() - 1, step: 4 }
            }
            b".gopclntab" => match go::bases(bytes, image, address) {
                Some(bases) => {
                    image.bases.extend(bases);
                    Form::Functions { base: image.bases.len() - go::BASES }
                }
                None => continue,
            },
            b".rodata" => Form::Tables,
            _ if flags & 4 != 0 => code,
            // Relocations with addends, data that is written, and data that is written by relocations.
            _ if kind == 4 || flags & 1 != 0 => Form::Pointers,
            _ => continue,
        };
        image.regions.push(Region { offset, length, form });
    }
    image.regions.sort_by_key(|region| region.offset);
    Some(())
}
